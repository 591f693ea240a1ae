"""Learning curves: accuracy and losses of one run per epoch, or the accuracies of several runs (7.3.4).

Every curve has its name and last value written at its end, so that no legend is needed.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from doldari.percent import percent
from doldari.report.pictures import broken, installed_fonts, write_picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 7.5  # inches
LINE = 0.045  # the height of a line of text, as a share of a whole figure's axis
MARKED = 60  # epochs up to which each has a dot
Curves = Mapping[str, Sequence[float]]


def draw_run(
    path: Path,
    accuracies: Sequence[float],
    losses: Sequence[float],
    validation_losses: Sequence[float],
    title: str,
    *,
    best: int | None = None,
) -> None:
    """Draw `run_figure` into a file."""
    write_picture(path, run_figure(accuracies, losses, validation_losses, title, best=best))


def run_figure(
    accuracies: Sequence[float],
    losses: Sequence[float],
    validation_losses: Sequence[float],
    title: str,
    *,
    best: int | None = None,
) -> "Figure":
    """Plot one run: validation accuracy, in [0, 1], above; losses, in nats per symbol, below.

    Each sequence has an item an epoch, from 1; an item may be no number.  The epoch `best` is marked in both.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, 6), layout="constrained")
    above, below = figure.subplots(2, sharex=True)
    set_title(figure, above, title)
    draw_accuracies(above, {"": accuracies}, 2 * LINE)
    draw_losses(below, {"training": losses, "validation": validation_losses}, 2 * LINE)
    epoch_axis(below, len(accuracies))
    if best is not None and 1 <= best <= len(accuracies):
        mark_best(above, below, best, accuracies, validation_losses)
    return figure


def draw_accuracy(path: Path, curves: Curves, title: str) -> None:
    """Draw `accuracy_figure` into a file."""
    write_picture(path, accuracy_figure(curves, title))


def accuracy_figure(curves: Curves, title: str) -> "Figure":
    """Draw the accuracies, in [0, 1], of each named curve over its epochs, from 1."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, 4.2), layout="constrained")
    axes = figure.add_subplot()
    set_title(figure, axes, title)
    named = curves if len(curves) > 1 else dict(zip([""], curves.values(), strict=False))
    draw_accuracies(axes, named, LINE)
    epoch_axis(axes, max(map(len, curves.values()), default=0))
    return figure


def set_title(figure: "Figure", axes: "Axes", title: str) -> None:
    """Write the title above the first axes of a figure, from their left."""
    text = axes.set_title(broken(title, figure), loc="left", fontsize=11, fontfamily=installed_fonts())
    text.set_parse_math(False)


def draw_accuracies(axes: "Axes", curves: Curves, line: float) -> None:
    """Draw accuracies on an axis from none to all."""
    from matplotlib.ticker import PercentFormatter

    axes.set(ylabel="validation accuracy", ylim=(0, 1))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    draw_curves(axes, curves, lambda value: percent(value, 1), line)


def draw_losses(axes: "Axes", curves: Curves, line: float) -> None:
    """Draw losses: from 0, or on a logarithmic axis if they fall below a tenth."""
    from matplotlib.ticker import LogLocator, NullFormatter

    values = [value for losses in curves.values() for value in losses if math.isfinite(value)]
    logarithmic = bool(values) and 0 < min(values) < max(values) / 10
    axes.set_ylabel("loss (nats per symbol)" + ", log scale" * logarithmic)
    if logarithmic:
        axes.set_yscale("log")
        axes.set_ylim(min(values) / 1.3, max(values) * 1.3)
        axes.yaxis.set_major_locator(LogLocator(numticks=8))
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.yaxis.set_minor_formatter(NullFormatter())
    else:
        axes.set_ylim(min(0, *values, 0), 1.1 * max(*values, 0, 0) or 1)
    draw_curves(axes, curves, lambda value: f"{value:.3g}", line)


def draw_curves(axes: "Axes", curves: Curves, shown: Callable[[float], str], line: float) -> None:
    """Draw curves over epochs from 1, and at the end of each its name and last value, `line` apart.

    A curve with no number in it is only named.
    """
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    ends, texts, colors = [], [], []
    for index, (name, values) in enumerate(curves.items()):
        if not values:
            continue
        marker = "o" if len(values) <= MARKED else ""
        epochs = range(1, len(values) + 1)
        (drawn,) = axes.plot(epochs, values, color=f"C{index}", marker=marker, markersize=4, clip_on=False, zorder=3)
        finite = [(epoch, value) for epoch, value in zip(epochs, values, strict=True) if math.isfinite(value)]
        ends.append(finite[-1] if finite else (1, axes.get_ylim()[0]))
        last = [shown(value) for _, value in finite[-1:]] + ["no number"] * (not math.isfinite(values[-1]))
        texts.append(f"{name} {', then '.join(last)}".strip())
        colors.append(drawn.get_color())
    heights = [max(height_in(axes, value), 0.6 * line) for _, value in ends]  # above the axis
    for (epoch, _), height, text, color in zip(ends, spread(heights, line), texts, colors, strict=True):
        axes.annotate(
            text,
            (epoch, height),
            (7, 0),
            xycoords=axes.get_xaxis_transform(),
            textcoords="offset points",
            va="center",
            color=color,
            parse_math=False,
            annotation_clip=False,
        )


def height_in(axes: "Axes", value: float) -> float:
    """Return how high in a picture a value stands, as a share of its height."""
    low, high, at = axes.yaxis.get_transform().transform((*axes.get_ylim(), value))
    return float((at - low) / (high - low))


def epoch_axis(axes: "Axes", epochs: int) -> None:
    """Label and scale the epoch axis."""
    from matplotlib.ticker import MaxNLocator

    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    margin = max(0.03 * (epochs - 1), 0.3)
    axes.set_xlim(1 - margin, max(epochs, 1) + margin)


def mark_best(
    above: "Axes", below: "Axes", best: int, accuracies: Sequence[float], validation_losses: Sequence[float]
) -> None:
    """Mark the best epoch of a run by a line through both of its pictures, and its two points there."""
    for axes, value in ((above, accuracies[best - 1]), (below, validation_losses[best - 1])):
        axes.axvline(best, color="black", linewidth=0.8, linestyle=":", zorder=1)
        ring(axes, best, value)
    name_best(above, best, accuracies)


def ring(axes: "Axes", epoch: int, value: float) -> None:
    """Draw a ring around a point."""
    axes.plot(epoch, value, "o", markersize=9, fillstyle="none", color="black", clip_on=False, zorder=4)


def name_best(axes: "Axes", best: int, accuracies: Sequence[float]) -> None:
    """Write which epoch was the best, and its accuracy, below or above its point, where no curve is."""
    value = accuracies[best - 1]
    right = 2 * best > len(accuracies)
    axes.annotate(
        f"best: epoch {best}, {percent(value, 1)}",
        (best, 0.04 if value > 0.4 else 0.96),
        (-5 if right else 5, 0),
        textcoords="offset points",
        ha="right" if right else "left",
        va="bottom" if value > 0.4 else "top",
    )


def spread(values: Sequence[float], gap: float, top: float = 1.0) -> list[float]:
    """Move values so far up, and those at the top down again, that between any two there is the gap."""
    placed, order = list(values), sorted(range(len(values)), key=values.__getitem__)
    for below, above in pairwise(order):
        placed[above] = max(placed[above], placed[below] + gap)
    for index in reversed(order):
        placed[index] = top = min(placed[index], top)
        top -= gap
    return placed

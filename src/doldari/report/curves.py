"""The accuracy plot: the right share of the validation answers after every epoch (chapter 7.3.4)."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from doldari.report.pictures import installed_fonts, write_png

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LINE = 0.045  # the height of a line of text, as a share of the axis


def draw_accuracy(path: Path, curves: Mapping[str, Sequence[float]], title: str, *, best: int | None = None) -> None:
    """Draw `accuracy_figure` into a PNG file."""
    write_png(path, accuracy_figure(curves, title, best=best))


def accuracy_figure(curves: Mapping[str, Sequence[float]], title: str, *, best: int | None = None) -> "Figure":
    """Draw the accuracies, in [0, 1], of each named curve over its epochs, from 1.

    The epoch `best`, of the only curve, is marked unless it is the last.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator, PercentFormatter

    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.add_subplot()
    heights = spread([accuracies[-1] if accuracies else 0.0 for accuracies in curves.values()], LINE)
    for (name, accuracies), height in zip(curves.items(), heights, strict=True):
        epochs = range(1, len(accuracies) + 1)
        (line,) = axes.plot(epochs, accuracies, marker="o", markersize=4, label=name, clip_on=False, zorder=3)
        if accuracies:
            axes.annotate(
                f"{accuracies[-1]:.1%}",
                (epochs[-1], height),
                (6, 0),
                textcoords="offset points",
                va="center",
                color=line.get_color(),
            )
        if best is not None and best < len(accuracies):
            axes.plot(best, accuracies[best - 1], "o", markersize=9, fillstyle="none", color="black", clip_on=False)
            text = f"best: {accuracies[best - 1]:.1%}"
            axes.annotate(text, (best, accuracies[best - 1]), (0, 8), textcoords="offset points", ha="center")
    axes.set(xlabel="epoch", ylabel="validation accuracy", ylim=(0, 1))
    axes.set_title(title, loc="left", parse_math=False, fontfamily=installed_fonts())
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    if len(curves) > 1:
        axes.legend(frameon=False)
    return figure


def spread(values: Sequence[float], gap: float, top: float = 1.0) -> list[float]:
    """Move values so far up, and those at the top down again, that between any two there is the gap."""
    placed, order = list(values), sorted(range(len(values)), key=values.__getitem__)
    for below, above in pairwise(order):
        placed[above] = max(placed[above], placed[below] + gap)
    for index in reversed(order):
        placed[index] = top = min(placed[index], top)
        top -= gap
    return placed

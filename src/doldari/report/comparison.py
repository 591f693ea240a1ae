"""Models compared on the same examples: a table of accuracies, their spread, significance and time; and a picture.

Each `Compared` is one kind of model, trained with several seeds or one.
"""

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from rich.cells import cell_len

from doldari.inference.significance import paired_bootstrap
from doldari.percent import percent
from doldari.report.curves import WIDTH, set_title
from doldari.report.pictures import installed_fonts, write_picture
from doldari.report.summary import readable_seconds
from doldari.report.table import fitted

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HEADS = ("", "accuracy", "deviation", "95 % interval", "p", "time")
SAMPLES = 10_000


class Compared(NamedTuple):
    """A kind of model: for each seed which of the examples (N,) it answers right, and the seconds of its training."""

    name: str
    right: Sequence[Sequence[bool]]
    seconds: Sequence[float | None]

    @property
    def accuracies(self) -> list[float]:
        """The share of right answers of each seed, in [0, 1]."""
        return [sum(right) / len(right) for right in self.right]

    @property
    def mean(self) -> float:
        """The mean over seeds."""
        return statistics.fmean(self.accuracies)

    @property
    def by_example(self) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
        """How often each example is right, over seeds: (N,)."""
        return np.asarray(self.right, float).mean(axis=0)  # type: ignore[no-any-return]

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % bootstrap interval of the mean, over examples."""
        values, counts = np.unique(self.by_example.round(12), return_counts=True)
        drawn = np.random.default_rng(0).multinomial(counts.sum(), counts / counts.sum(), SAMPLES)
        low, high = np.percentile(drawn @ values / counts.sum(), [2.5, 97.5]).tolist()
        return low, high


def comparison_table(compared: Sequence[Compared]) -> list[str]:
    """Lay out the rows, one a line below the heads; a column in which nothing is known of any is left out."""
    rows = comparison_rows(compared)
    columns = []
    for cells in zip(*rows, strict=True):
        if any(cells[1:]):
            width = max(map(cell_len, cells))
            columns.append([fitted(cell, width, right=bool(cells[0])) for cell in cells])
    return ["  ".join(cells).rstrip() for cells in zip(*columns, strict=True)]


def comparison_rows(compared: Sequence[Compared]) -> list[tuple[str, ...]]:
    """Write a row for each, the best first, below the heads.

    p is that of the best one being better (one-sided); deviation the standard deviation over seeds, in points.
    """
    best, *_ = ordered = by_accuracy(compared)
    rows: list[tuple[str, ...]] = [HEADS]
    for one in ordered:
        low, high = one.interval
        seconds = [known for known in one.seconds if known is not None]
        several = len(one.right) > 1
        p = paired_bootstrap(best.by_example.tolist(), one.by_example.tolist())
        rows.append(
            (
                one.name or "run",
                percent(one.mean),
                f"{100 * statistics.stdev(one.accuracies):.2f}" if several else "",
                f"{percent(low, 1)} to {percent(high, 1)}",
                "best" if one is best else f"{p:.3f}" if p >= 0.001 else "< 0.001",
                readable_seconds(statistics.fmean(seconds)) if seconds else "",
            )
        )
    return rows


def by_accuracy(compared: Sequence[Compared]) -> list[Compared]:
    """Sort by mean accuracy, the best first; equals stay in their order."""
    return sorted(compared, key=lambda one: -one.mean)


def draw_comparison(path: Path, compared: Sequence[Compared], title: str) -> None:
    """Draw `comparison_figure` into a file."""
    write_picture(path, comparison_figure(compared, title))


def comparison_figure(compared: Sequence[Compared], title: str) -> "Figure":
    """Draw a row for each, the best above: a dot for each seed, a bar at their mean, a line for the 95 % interval."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import PercentFormatter

    figure = Figure(figsize=(WIDTH, 1.2 + 0.4 * len(compared)), layout="constrained")
    axes = figure.add_subplot()
    set_title(figure, axes, title)
    ordered = by_accuracy(compared)
    for row, one in enumerate(ordered):
        axes.plot(one.interval, (row, row), color="0.75", linewidth=6, solid_capstyle="butt", zorder=1)
        axes.plot(one.accuracies, [row] * len(one.right), "o", color="C0", markersize=5, alpha=0.7, zorder=3)
        axes.plot(one.mean, row, "|", color="black", markersize=14, zorder=4)
    labels = axes.set_yticks(range(len(ordered)), [one.name or "run" for one in ordered])
    for tick in labels:
        tick.label1.set_parse_math(False)
        tick.label1.set_fontfamily(installed_fonts())
    axes.set_ylim(len(ordered) - 0.5, -0.5)
    lowest, highest = axes.get_xlim()
    axes.set_xlim(max(lowest, -0.005), min(highest, 1.005))  # there is no accuracy below 0 or above 100 %
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_xlabel("accuracy (dots: seeds; bar: mean; line: 95 % interval over examples)")
    axes.grid(axis="x", alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    return figure

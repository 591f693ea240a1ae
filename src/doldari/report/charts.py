"""Charts for pages, as SVG that takes its colours from the page: curves over epochs, and shares with intervals.

They are drawn for the width of a telephone, and grow with the page; the numbers behind them stand beside them.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from html import escape
from itertools import pairwise
from typing import NamedTuple

from doldari.percent import percent
from doldari.report.alignment import Share

WIDTH, HEIGHT = 360, 230
LEFT, RIGHT, TOP, BELOW = 52, 12, 12, 40  # margins
MARKED = 60  # epochs up to which each has a dot
Z = 1.959964  # of the normal distribution: 95 % lie within so many standard deviations


class Point(NamedTuple):
    """A place in a chart: the epoch that it is of, and its value as text."""

    x: float
    y: float
    epoch: int
    value: str


def wilson(share: Share) -> tuple[float, float]:
    """Compute the 95 % interval of a share (Wilson 1927): good also for few examples, and for shares of 0 and 1."""
    right, n = share
    p = right / n
    middle = (p + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z / (1 + Z**2 / n) * math.sqrt(p * (1 - p) / n + Z**2 / (4 * n**2))
    return (0.0 if right == 0 else middle - half), (1.0 if right == n else middle + half)


def share_rows(shares: Mapping[str, Share], label: str, what: str) -> str:
    """Lay out shares as a table: a bar with its interval, the share, and of how many; `what` is counted."""
    rows = []
    for name, share in shares.items():
        (right, there), (low, high) = share, wilson(share)
        value = 100 * right / there
        bar = (
            f'<svg class="share" viewBox="0 0 100 10" preserveAspectRatio="none" role="img" '
            f'aria-label="{value:.0f} %, 95 % interval {100 * low:.0f} to {100 * high:.0f}">'
            f'<rect class="whole" width="100" height="10"/><rect width="{value:.2f}" y="2" height="6"/>'
            f'<line x1="{100 * low:.2f}" x2="{100 * high:.2f}" y1="5" y2="5"/></svg>'
        )
        rows.append(
            f'<tr><th>{name}<td class="bar">{bar}<td class="number">{percent(right / there, 1)}'
            f'<td class="number">{percent(low, 1)} to {percent(high, 1)}<td class="number">{there:,}'
        )
    heads = f'<th>{label}<th><th class="number">correct<th class="number">95 % interval<th class="number">{what}'
    return (
        f'<div class="scroll"><table class="shares"><thead><tr>{heads}</thead>\n' + "\n".join(rows) + "</table></div>"
    )


def curves_chart(
    curves: Mapping[str, Sequence[float]],
    label: str,
    shown: Callable[[float], str],
    *,
    top: float | None = None,
    best: int | None = None,
) -> str:
    """Draw curves over epochs from 1 on an axis from 0 to `top`, or logarithmic if they fall below a tenth.

    Numbers that are none are gaps.  The epoch `best` is marked by a line.
    """
    known = [value for values in curves.values() for value in values if math.isfinite(value)]
    epochs = max(map(len, curves.values()), default=0)
    if not known:
        return "<p>No epoch was finished.</p>"
    logarithmic = top is None and 0 < min(known) < max(known) / 10
    ticks = (
        [top * part / 4 for part in range(5)] if top else logarithmic_ticks(known) if logarithmic else steps(known)
    )
    low, high = (math.log(ticks[0]), math.log(ticks[-1])) if logarithmic else (0.0, ticks[-1])

    def x(epoch: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (0.5 if epochs == 1 else (epoch - 1) / (epochs - 1))

    def y(value: float) -> float:
        height = (math.log(value) if logarithmic else value) - low
        return HEIGHT - BELOW - (HEIGHT - TOP - BELOW) * height / (high - low)

    parts = [
        axes(label, [(y(tick), shown(tick)) for tick in ticks], [(x(at), str(at)) for at in epoch_ticks(epochs)])
    ]
    if best is not None and 1 <= best <= epochs:
        parts.append(f'<line class="best" x1="{x(best):.1f}" x2="{x(best):.1f}" y1="{TOP}" y2="{HEIGHT - BELOW}"/>')
    for number, (name, values) in enumerate(curves.items()):
        finite = [(epoch, value) for epoch, value in enumerate(values, 1) if math.isfinite(value)]
        points = [Point(x(epoch), y(value), epoch, shown(value)) for epoch, value in finite]
        parts.append(curve(f"line{number % 4}", escape(name), points, dots=epochs <= MARKED))
    legend = "".join(f'<span class="line{number % 4}">{escape(name)}</span> ' for number, name in enumerate(curves))
    legend = legend if len(curves) > 1 else ""
    marked = f"Dotted: the best epoch, {best}." if best is not None else ""
    return (
        f'<figure class="chart"><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label} after each epoch">'
        f'{"".join(parts)}</svg><figcaption class="faint">{legend}{marked}</figcaption></figure>'
    )


def curve(line: str, name: str, points: Sequence[Point], dots: bool) -> str:
    """Draw a curve through points, with gaps where epochs are missing, and dots that tell their numbers."""
    drawn = "".join(
        f"M{a.x:.1f} {a.y:.1f}L{b.x:.1f} {b.y:.1f}" for a, b in pairwise(points) if b.epoch == a.epoch + 1
    )
    circles = "".join(
        f'<circle class="{line}" cx="{point.x:.1f}" cy="{point.y:.1f}" r="3">'
        f"<title>{name}, epoch {point.epoch}: {point.value}</title></circle>"
        for point in points
        if dots or len(points) == 1
    )
    return f'<path class="{line}" d="{drawn}"/>{circles}'


def axes(label: str, ticks: Sequence[tuple[float, str]], epochs: Sequence[tuple[float, str]]) -> str:
    """Draw both axes with their titles: heights and their labels, and places of epochs and theirs."""
    parts = []
    for height, text in ticks:
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{height:.1f}" y2="{height:.1f}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{height + 4:.1f}" text-anchor="end">{text}</text>')
    for place, text in epochs:
        parts.append(f'<text x="{place:.1f}" y="{HEIGHT - BELOW + 16}" text-anchor="middle">{text}</text>')
    middle = (TOP + HEIGHT - BELOW) / 2
    parts.append(f'<text transform="translate(11 {middle:.0f}) rotate(-90)" text-anchor="middle">{label}</text>')
    parts.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 6}" text-anchor="middle">epoch</text>')
    return "".join(parts)


def steps(values: Sequence[float]) -> list[float]:
    """Choose round numbers from 0 to just above the largest value, three to six of them."""
    largest = max(*values, 1e-12)
    step = 10.0 ** math.floor(math.log10(largest))
    step = next(step * part for part in (0.2, 0.5, 1.0, 2.0) if largest <= 5 * step * part)
    return [step * number for number in range(math.ceil(largest / step - 1e-9) + 1)]


def logarithmic_ticks(values: Sequence[float]) -> list[float]:
    """Choose powers of ten, twice and five times them, from just below the smallest value to above the largest."""
    first, last = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    ticks = [float(f"{part}e{power}") for power in range(first, last + 1) for part in (1, 2, 5)]
    start = max(number for number, tick in enumerate(ticks) if tick <= min(values))
    end = min(number for number, tick in enumerate(ticks) if tick >= max(values))
    chosen = ticks[start : end + 1]
    return sorted({*chosen[:: -(-len(chosen) // 7)], chosen[-1]})


def epoch_ticks(epochs: int) -> list[int]:
    """Choose at most seven epochs that are named: the first, and multiples of a round number."""
    sizes = (part * 10**power for power in range(9) for part in (1, 2, 5))
    step = next(size for size in sizes if epochs <= 6 * size)
    return sorted({1, *range(step, epochs + 1, step)})

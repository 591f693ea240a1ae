"""The reliability picture: how often answers of each probability are right (Guo et al. 2017, figure 1)."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from doldari.inference.calibration import Bin, calibration_error
from doldari.percent import percent
from doldari.report.pictures import broken, installed_fonts, write_picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIZE, LEFT, BELOW = 300, 40, 40  # of the picture in HTML, and its margins


def draw_reliability(path: Path, bins: Sequence[Bin], title: str) -> None:
    """Draw `reliability_figure` into a file."""
    write_picture(path, reliability_figure(bins, title))


def reliability_figure(bins: Sequence[Bin], title: str) -> "Figure":
    """Draw each bin's share of right answers as a bar: in a calibrated model they end on the diagonal."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.6, 5.6), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    heading = figure.suptitle(broken(title, figure), x=0.01, ha="left", fontsize=11, fontfamily=installed_fonts())
    heading.set_parse_math(False)
    lows, width = [one.low for one in bins], bins[0].high
    above.bar(lows, [one.accuracy for one in bins], width, align="edge", color="#3b6ea8", edgecolor="white")
    above.plot([0, 1], [0, 1], color="black", linewidth=1, linestyle="--")
    above.set(ylabel="share of them right", xlim=(0, 1), ylim=(0, 1), aspect="equal")
    above.set_title(f"expected calibration error {percent(calibration_error(bins))}", fontsize=10)
    below.bar(lows, [one.answers for one in bins], width, align="edge", color="#9aa3ad", edgecolor="white")
    below.set(xlabel="probability of the answer", ylabel="answers")
    return figure


def reliability_svg(bins: Sequence[Bin]) -> str:
    """Draw the bars and the diagonal as SVG, with each bin's numbers in a tooltip."""
    step = SIZE / len(bins)
    parts = [
        f'<svg class="reliability" viewBox="0 0 {SIZE + LEFT} {SIZE + BELOW}" role="img"'
        ' aria-label="share of right answers by their probability">'
    ]
    for mark in (0, 50, 100):
        y, x = SIZE * (1 - mark / 100), LEFT + SIZE * mark / 100
        parts.append(f'<line x1="{LEFT}" x2="{SIZE + LEFT}" y1="{y:.0f}" y2="{y:.0f}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{max(y + 4, 9):.0f}" text-anchor="end">{mark} %</text>')
        parts.append(
            f'<text x="{x:.0f}" y="{SIZE + 16}" text-anchor="{"end" if mark == 100 else "middle"}">{mark} %</text>'
        )
    for number, one in enumerate(bins):
        tall, x = SIZE * one.accuracy, LEFT + step * number
        what = f"{one.answers:,} answers of {one.low:.2f} to {one.high:.2f}, mean {one.probability:.2f}"
        box = f'x="{x + 1:.1f}" y="{SIZE - tall:.1f}" width="{step - 2:.1f}" height="{tall:.1f}"'
        parts.append(f"<rect {box}><title>{what}: {percent(one.accuracy, 1)} right</title></rect>")
    parts.append(f'<line x1="{LEFT}" y1="{SIZE}" x2="{SIZE + LEFT}" y2="0" stroke-dasharray="4"/>')
    parts.append(
        f'<text x="{LEFT + SIZE / 2}" y="{SIZE + 34}" text-anchor="middle">probability of the answer</text></svg>'
    )
    return "".join(parts)


def reliability_section(bins: Sequence[Bin]) -> str:
    """Lay out the picture and the calibration error."""
    if sum(one.answers for one in bins) == 0:
        return "<p>Not measured.</p>"
    caption = (
        f"Expected calibration error (ECE): {percent(calibration_error(bins))}, over {len(bins)} bins. Bars: the "
        "share of the answers of a probability that are right; in a calibrated model they end on the diagonal."
    )
    return f'<figure>{reliability_svg(bins)}<figcaption class="faint">{caption}</figcaption></figure>'

"""The reliability diagram: accuracy by predicted probability (Guo et al. 2017, figure 1)."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from doldari.inference.calibration import Bin, shown_error
from doldari.percent import percent
from doldari.report.pictures import broken, installed_fonts, write_picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIZE, LEFT, BELOW = 300, 40, 40  # size and margins of the SVG


def draw_reliability(path: Path, bins: Sequence[Bin], title: str) -> None:
    """Draw `reliability_figure` into a file."""
    write_picture(path, reliability_figure(bins, title))


def reliability_figure(bins: Sequence[Bin], title: str) -> "Figure":
    """Plot the accuracy in each bin as a bar; bars of a calibrated model end on the diagonal."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.6, 6.0), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[4, 1])
    heading = figure.suptitle(broken(title, figure), x=0.01, ha="left", fontsize=11, fontfamily=installed_fonts())
    heading.set_parse_math(False)
    lows, width = [one.low for one in bins], bins[0].high
    above.bar(lows, [one.accuracy for one in bins], width, align="edge", color="#3b6ea8", edgecolor="white")
    above.plot([0, 1], [0, 1], color="black", linewidth=1, linestyle="--")
    above.set(ylabel="accuracy", xlim=(0, 1), ylim=(0, 1))
    above.set_title(f"expected calibration error (ECE): {shown_error(bins)}", fontsize=10)
    below.bar(lows, [one.answers for one in bins], width, align="edge", color="#9aa3ad", edgecolor="white")
    below.set(xlabel="probability of the prediction", ylabel="predictions")
    figure.align_ylabels([above, below])
    return figure


def reliability_svg(bins: Sequence[Bin]) -> str:
    """Return the bars and the diagonal as SVG, with each bin's numbers in a tooltip."""
    step = SIZE / len(bins)
    parts = [
        f'<svg class="reliability" viewBox="0 0 {SIZE + LEFT} {SIZE + BELOW}" role="img"'
        ' aria-label="reliability diagram: accuracy by probability">'
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
        what = f"{one.answers:,} predictions of {one.low:.2f} to {one.high:.2f}, mean {one.probability:.2f}"
        box = f'x="{x + 1:.1f}" y="{SIZE - tall:.1f}" width="{step - 2:.1f}" height="{tall:.1f}"'
        parts.append(f"<rect {box}><title>{what}: accuracy {percent(one.accuracy, 1)}</title></rect>")
    parts.append(f'<line x1="{LEFT}" y1="{SIZE}" x2="{SIZE + LEFT}" y2="0" stroke-dasharray="4"/>')
    parts.append(
        f'<text x="{LEFT + SIZE / 2}" y="{SIZE + 34}" text-anchor="middle">probability of the prediction</text></svg>'
    )
    return "".join(parts)


def reliability_section(bins: Sequence[Bin]) -> str:
    """Return the diagram and the calibration error as HTML."""
    if sum(one.answers for one in bins) == 0:
        return "<p>Not measured.</p>"
    caption = (
        f"Expected calibration error (ECE): {shown_error(bins)}, over {len(bins)} bins. Bars: "
        "accuracy of the predictions in each bin of probability; bars of a calibrated model end on the diagonal."
    )
    return f'<figure>{reliability_svg(bins)}<figcaption class="faint">{caption}</figcaption></figure>'

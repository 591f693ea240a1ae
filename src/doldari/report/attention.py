"""The attention picture: where in the source a model looked while it wrote each symbol of its answer."""

from pathlib import Path

from doldari.inference.predictor import Attention
from doldari.report.pictures import installed_fonts, write_png


def draw_attention(path: Path, attention: Attention) -> None:
    """Draw the weights as a heat map into a PNG file: columns for source symbols, rows for the answer's."""
    from matplotlib.figure import Figure

    T, S = attention.weights.shape
    cell = 0.36  # inches
    figure = Figure(figsize=(max(2.6, 1.2 + cell * S), max(1.8, 1.0 + cell * T)), layout="constrained")
    axes = figure.add_subplot()
    image = axes.imshow(attention.weights, cmap="Blues", vmin=0.0, vmax=1.0, aspect="equal")
    fonts = installed_fonts()
    axes.set_xticks(range(S), list(map(visible, attention.source)), fontfamily=fonts, parse_math=False)
    axes.set_yticks(range(T), list(map(visible, attention.answer)), fontfamily=fonts, parse_math=False)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xticks([s - 0.5 for s in range(1, S)], minor=True)
    axes.set_yticks([t - 0.5 for t in range(1, T)], minor=True)
    axes.grid(which="minor", color="white", linewidth=1.5)
    axes.tick_params(which="minor", length=0)
    bar = figure.colorbar(image, ax=axes, shrink=0.8, ticks=[0.0, 0.5, 1.0])
    bar.outline.set_visible(False)
    write_png(path, figure)


def visible(symbol: str) -> str:
    """Write a blank so that it is seen."""
    return "␣" if symbol == " " else symbol

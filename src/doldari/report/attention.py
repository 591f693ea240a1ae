"""The attention picture: where in the source a model looked while it wrote each symbol of its answer."""

from pathlib import Path
from typing import TYPE_CHECKING

from rich.cells import cell_len

from doldari.inference.predictor import Attention
from doldari.report.letters import standing_alone
from doldari.report.pictures import broken, installed_fonts, write_picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SMALLEST, LARGEST = 3.6, 48.0  # inches that the symbols of the longer text take
CELL = 0.36  # inches that a symbol takes otherwise


def draw_attention(path: Path, attention: Attention, title: str) -> None:
    """Draw `attention_figure` into a file."""
    write_picture(path, attention_figure(attention, title))


def attention_figure(attention: Attention, title: str) -> "Figure":
    """Draw the weights as a heat map: columns for source symbols, rows for the answer's."""
    from matplotlib.figure import Figure

    T, S = attention.weights.shape
    longest = max(S, T, 1)
    cell = min(max(CELL, min(SMALLEST / longest, 0.8)), LARGEST / longest)  # a short text's are larger
    source, answer = list(map(visible, attention.source)), list(map(visible, attention.answer))
    wide, high = (max(map(cell_len, symbols), default=1) for symbols in (answer, source))
    upright = 0.09 * high > cell  # source symbols too wide to stand side by side
    size = max(3.5, 1.9 + 0.09 * wide + cell * S), max(2.6, 1.2 + 0.09 * high * upright + cell * T)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.add_subplot()
    line = title.replace("\t", "  ")  # between a source and its features
    heading = figure.suptitle(broken(line, figure), x=0.01, ha="left", fontsize=11, fontfamily=installed_fonts())
    heading.set_parse_math(False)
    image = axes.imshow(attention.weights, cmap="Blues", vmin=0.0, vmax=1.0, aspect="equal")
    text = {"fontfamily": installed_fonts(), "fontsize": min(12.0, max(3.0, 30 * cell)), "parse_math": False}
    axes.set_xticks(range(S), source, rotation=90 if upright else 0, **text)
    axes.set_yticks(range(T), answer, **text)
    axes.set(xlabel="source", ylabel="answer")
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xticks([s - 0.5 for s in range(1, S)], minor=True)
    axes.set_yticks([t - 0.5 for t in range(1, T)], minor=True)
    axes.grid(which="minor", color="white", linewidth=1.5)
    axes.tick_params(which="minor", length=0)
    bar = figure.colorbar(image, ax=axes, shrink=0.8, ticks=[0.0, 0.5, 1.0], label="attention weight")
    bar.outline.set_visible(False)
    return figure


def visible(symbol: str) -> str:
    """Write a blank so that it is seen, and a part of a Hangul syllable so that it is whole."""
    return "␣" if symbol == " " else standing_alone(symbol)

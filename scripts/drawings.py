"""The drawings of docs/: the rooms of the code, and the chapter's models unrolled over time (see pictures.py)."""

import ast
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

SOURCE = Path(__file__).parent.parent / "src" / "doldari"
BLUE, ORANGE, GREY, PALE, SEAM = "#2a6f97", "#d1495b", "#5f6b76", "#e8f0f5", "#fbe9d0"
# A room, the middle and the width of its box (of 100), its row, and what it does.
ROOMS = {
    "cli": (15, 26, 0, "commands"),
    "web": (50, 26, 0, "page and API"),
    "api": (85, 26, 0, "Python"),
    "display": (74, 30, 1, "epoch by epoch"),
    "training": (86, 26, 2, "a run, resume"),
    "report": (51, 30, 2, "pictures, pages"),
    "export": (16, 26, 2, "HTML, ONNX"),
    "inference": (50, 98, 3, "search, constraints, metrics, text to text"),
    "engines": (50, 98, 4, "a training step, a search step:  NumPy  |  PyTorch"),
    "models": (43, 84, 5, "encoders, decoders, transformer, the model file"),
    "layers": (43, 84, 6, "forward and backward of each layer, in NumPy"),
    "kernels": (50, 98, 7, "the hot loops:  reference (NumPy)  |  native (C++)"),
    "chapter": (93, 12, 5, ""),
    "gradients": (93, 12, 6, ""),
}
SEAMS = ("engines", "kernels")
FOR_ALL = "data   config   settings   mixing   recipes   files   arrays   errors   hub"


def imports() -> set[tuple[str, str]]:
    """Find which room imports which."""
    found = set()
    for path in SOURCE.rglob("*.py"):
        room = path.relative_to(SOURCE).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
            found |= {(room, name.split(".")[1]) for name in names if name.startswith("doldari.")}
    return {(one, other) for one, other in found if one in ROOMS and other in ROOMS and one != other}


def direct(edges: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Leave out what a longer way says already: A to C where A imports B and B, at some remove, C."""
    reach = set(edges)
    while longer := {(a, d) for a, b in reach for c, d in reach if b == c} - reach:
        reach |= longer
    return {(a, c) for a, c in edges if not any((a, b) in reach and (b, c) in reach for b in ROOMS)}


def rooms() -> Figure:
    """Draw the parts of the code, from those that start a training down to the loops, and who imports whom."""
    figure = Figure(figsize=(6.2, 6.9))
    axes = blank(figure, (-1, 101), (-8.6, 0.45))
    for name, (middle, width, row, does) in ROOMS.items():
        colour = SEAM if name in SEAMS else PALE
        box(axes, (middle - width / 2, -row - 0.3, width, 0.6), colour)
        if not does:
            axes.text(middle, -row, name, ha="center", va="center", fontsize=8.5, weight="bold")
        elif width > 30:
            axes.text(middle - width / 2 + 3, -row, name, va="center", fontsize=11, weight="bold")
            axes.text(middle - width / 2 + 20, -row, does, va="center", fontsize=9, color="#333")
        else:
            axes.text(middle, -row + 0.11, name, ha="center", va="center", fontsize=11, weight="bold")
            axes.text(middle, -row - 0.15, does, ha="center", va="center", fontsize=9, color="#333")
    for one, other in sorted(direct(imports())):
        corners = way(one, other)
        axes.plot(*zip(*corners[:-1], strict=True), color=GREY, linewidth=1.2)
        arrow(axes, *corners[-2:])
    box(axes, (1, -8.45, 98, 0.72), "white", edge=GREY)
    axes.text(50, -7.96, FOR_ALL, ha="center", va="center", fontsize=10, weight="bold")
    axes.text(50, -8.25, "may be imported by all, and import none of the above", ha="center", va="center", fontsize=9)
    return figure


def way(one: str, other: str) -> list[tuple[float, float]]:
    """Give the corners of an arrow between two rooms: straight down if one is above the other, else to its side."""
    (middle, width, row, _), (below, breadth, lower, _) = ROOMS[one], ROOMS[other]
    left, right = max(middle - width / 2, below - breadth / 2), min(middle + width / 2, below + breadth / 2)
    if row == lower:
        side = 1 if below > middle else -1
        return [(middle + side * width / 2, -row), (below - side * breadth / 2, -row)]
    if left < right:
        return [((left + right) / 2, -row - 0.3), ((left + right) / 2, -lower + 0.3)]
    return [(middle + width / 4, -row - 0.3), (middle + width / 4, -lower), (below - breadth / 2, -lower)]


def seq2seq() -> Figure:
    """Draw the chapter's model, unrolled over time: 16+75 is read, 91 is written."""
    figure = Figure(figsize=(7.0, 2.9))
    axes = blank(figure, (-0.6, 9.6), (-1.5, 2.2))
    source, read, written = "16+75", "_91", ("9", "1", "end")
    for j, symbol in enumerate(source):
        cell(axes, j, 0, "LSTM", PALE)
        axes.text(j, -1.15, symbol, ha="center", va="center", fontsize=13)
        arrow(axes, (j, -0.95), (j, -0.36))
        if j:
            arrow(axes, (j - 0.64, 0), (j - 0.36, 0))
    for t, (symbol, answer) in enumerate(zip(read, written, strict=True)):
        x = 6.5 + 1.1 * t
        cell(axes, x, 0, "LSTM", SEAM)
        cell(axes, x, 1, "affine", SEAM)
        axes.text(x, -1.15, symbol, ha="center", va="center", fontsize=13)
        axes.text(x, 1.85, answer, ha="center", va="center", fontsize=13)
        for low, high in ((-0.95, -0.36), (0.36, 0.64), (1.36, 1.68)):
            arrow(axes, (x, low), (x, high))
        if t:
            arrow(axes, (x - 0.74, 0), (x - 0.36, 0))
            arrow(axes, (x - 0.98, 1.85), (x - 0.12, -1.05), GREY, dashed=True)
    arrow(axes, (4.36, 0), (6.14, 0), ORANGE, wide=True)
    axes.text(5.25, 0.22, "h, of size H", ha="center", color=ORANGE, fontsize=11)
    axes.text(2, 0.75, "encoder", ha="center", fontsize=12, color=GREY)
    axes.text(5.85, 1.0, "decoder", ha="right", va="center", fontsize=12, color=GREY)
    return figure


def peeky() -> Figure:
    """Draw where the encoder's state goes: plain, to the first step; peeky, to every LSTM and affine layer."""
    figure = Figure(figsize=(7.0, 3.2))
    for number, name in enumerate(("plain", "peeky")):
        axes = blank(figure, (-1.9, 3.1), (-1.5, 2.5), (0.5 * number, 0, 0.5, 1))
        axes.text(1.1, 2.35, name, ha="center", va="center", fontsize=12, weight="bold")
        axes.text(-1.5, 0, "h", ha="center", va="center", fontsize=14, color=ORANGE)
        arrow(axes, (-1.3, 0), (-0.36, 0), ORANGE, wide=True)
        for t, (symbol, answer) in enumerate(zip("_91", ("9", "1", "end"), strict=True)):
            x = 1.2 * t
            cell(axes, x, 0, "LSTM", SEAM)
            cell(axes, x, 1, "affine", SEAM)
            axes.text(x, -1.2, symbol, ha="center", va="center", fontsize=13)
            axes.text(x, 1.85, answer, ha="center", va="center", fontsize=13)
            for low, high in ((-1.0, -0.36), (0.36, 0.64), (1.36, 1.68)):
                arrow(axes, (x, low), (x, high))
            if t:
                arrow(axes, (x - 0.84, 0), (x - 0.36, 0))
            if name == "peeky":
                axes.plot([x - 0.6, x - 0.6], [-0.6, 0.5], color=ORANGE, linewidth=1.2)
                arrow(axes, (x - 0.6, 0.5), (x - 0.2, 0.66), ORANGE)
                arrow(axes, (x - 0.6, -0.6), (x - 0.2, -0.36), ORANGE)
        if name == "peeky":
            axes.plot([-1.5, -1.5, 1.8], [-0.25, -0.6, -0.6], color=ORANGE, linewidth=1.2)
    return figure


def blank(figure: Figure, x: tuple[float, float], y: tuple[float, float], place=(0, 0, 1, 1)) -> Axes:
    """Add axes without frame or numbers."""
    axes = figure.add_axes(place)
    axes.set(xlim=x, ylim=y)
    axes.axis("off")
    return axes


def cell(axes: Axes, x: float, y: float, text: str, colour: str) -> None:
    """Draw a layer at one step."""
    box(axes, (x - 0.35, y - 0.35, 0.7, 0.7), colour)
    axes.text(x, y, text, ha="center", va="center", fontsize=9)


def box(axes: Axes, place: tuple[float, float, float, float], colour: str, edge: str = BLUE) -> None:
    """Draw a box: its left and lower end, width and height."""
    x, y, width, height = place
    shape = FancyBboxPatch((x, y), width, height, boxstyle="square,pad=0", facecolor=colour, edgecolor=edge)
    axes.add_patch(shape)


def arrow(axes: Axes, start, end, colour: str = GREY, *, wide: bool = False, dashed: bool = False) -> None:
    """Draw an arrow between two points."""
    style = {"arrowstyle": "-|>", "mutation_scale": 9, "linewidth": 2.2 if wide else 1.2}
    shape = FancyArrowPatch(start, end, shrinkA=0, shrinkB=0, color=colour, linestyle=":" if dashed else "-", **style)
    axes.add_patch(shape)

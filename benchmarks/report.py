"""The results as tables in the terminal and in Markdown, and as pictures."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

Row = dict[str, Any]


def columns(rows: Sequence[Row]) -> list[str]:
    """Name the columns of rows, in the order in which they first appear."""
    return list(dict.fromkeys(name for row in rows for name in row))


def cell(value: object) -> str:
    """Write a value with three significant digits."""
    if isinstance(value, float):
        return f"{value:.3g}" if value < 1000 else f"{value:,.0f}"
    return "" if value is None else str(value)


def print_table(console: Console, title: str, rows: Sequence[Row]) -> None:
    """Print rows as a table."""
    table = Table(title=title, title_justify="left")
    for name in columns(rows):
        table.add_column(name, justify="left" if isinstance(rows[0].get(name), str) else "right")
    for row in rows:
        table.add_row(*(cell(row.get(name)) for name in columns(rows)))
    console.print(table)


def markdown_table(rows: Sequence[Row]) -> str:
    """Write rows as a Markdown table."""
    names = columns(rows)
    lines = [names, ["---"] * len(names), *([cell(row.get(name)) for name in names] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def with_ratios(rows: Sequence[Row]) -> list[Row]:
    """Add how many times as fast doldari is as PyTorch at its best, and as the textbook."""
    extended = []
    for row in rows:
        ours = row.get("doldari", row.get("doldari, reference kernels"))
        row = dict(row)
        theirs = [seconds for side, seconds in row.items() if side.startswith("PyTorch")]
        if theirs:
            row["times PyTorch's best"] = min(theirs) / ours
        if "textbook NumPy" in row:
            row["times the textbook"] = row["textbook NumPy"] / ours
        extended.append(row)
    return extended


def draw_scaling(path: Path, rows: Sequence[Row]) -> None:
    """Draw the seconds of a training step against each size, a panel a size."""
    from matplotlib.figure import Figure

    letters = list(dict.fromkeys(row["varied"] for row in rows))
    names = {"H": "hidden size H", "N": "batch size N", "T": "length T", "V": "vocabulary size V"}
    figure = Figure(figsize=(11, 3.4), layout="constrained")
    for axes, letter in zip(figure.subplots(1, len(letters), squeeze=False)[0], letters, strict=True):
        chosen = [row for row in rows if row["varied"] == letter]
        for side in columns(chosen):
            if side not in ("varied", "value") and "times" not in side:
                axes.plot(
                    [row["value"] for row in chosen], [1000 * row[side] for row in chosen], marker=".", label=side
                )
        axes.set(xscale="log", yscale="log", xlabel=names[letter])
        axes.grid(alpha=0.3)
    first = figure.axes[0]
    first.set_ylabel("ms a training step")
    first.legend(fontsize="small", frameon=False)
    figure.savefig(path, dpi=130)


def draw_training(path: Path, rows: Sequence[Row]) -> None:
    """Draw the seconds of a training epoch as bars, a group a model."""
    from matplotlib.figure import Figure

    sides = [name for name in columns(rows) if name != "model" and "times" not in name]
    figure = Figure(figsize=(9, 3.8), layout="constrained")
    axes = figure.add_subplot()
    width = 0.8 / len(sides)
    for index, side in enumerate(sides):
        places = [at + index * width for at, row in enumerate(rows) if side in row]
        bars = axes.bar(places, [row[side] for row in rows if side in row], width * 0.92, label=side)
        axes.bar_label(bars, fmt="%.1f", fontsize="small")
    axes.set_xticks([at + 0.4 - width / 2 for at in range(len(rows))], [row["model"] for row in rows])
    axes.set_ylabel("seconds an epoch")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize="small", ncols=len(sides), loc="upper center", bbox_to_anchor=(0.5, 1.15))
    figure.savefig(path, dpi=130)

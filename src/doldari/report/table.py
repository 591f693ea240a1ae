"""The runs of a directory in a table, the best first."""

import math
from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size

from doldari.config import ModelConfig
from doldari.percent import percent
from doldari.report.record import RunFiles
from doldari.report.summary import readable_seconds

HEADS = ("run", "status", "data", "model", "weights", "epochs", "time", "accuracy", "95 % interval")
NUMBERS = {"weights", "epochs", "time", "accuracy"}  # which stand at the right of their columns
WIDEST = {"run": 24, "data": 14}


def by_score(runs: Sequence[RunFiles]) -> list[RunFiles]:
    """Sort runs by accuracy, the best first, of equals that of the lowest validation loss; those without one last."""

    def key(run: RunFiles) -> tuple[bool, float, float, str]:
        accuracy, loss = run.scores.get("accuracy"), run.best.number("validation_loss")
        return (accuracy is None, 0.0 if accuracy is None else -accuracy.value, loss or math.inf, run.name)

    return sorted(runs, key=key)


def table(runs: Sequence[RunFiles]) -> list[str]:
    """Lay out runs, one a line below the heads; a column in which nothing is known of any is left out."""
    rows = [row(run) for run in runs]
    columns = []
    for index, head in enumerate(HEADS):
        cells = [cells[index] for cells in rows]
        if any(cells):
            widest = WIDEST.get(head, 40)
            width = min(widest, max(map(cell_len, [head, *cells])))
            columns.append([fitted(cell, width, head in NUMBERS) for cell in (head, *cells)])
    return ["  ".join(cells).rstrip() for cells in zip(*columns, strict=True)]


def row(run: RunFiles) -> tuple[str, ...]:
    """Write a run's cells; what is not known is left empty."""
    planned = run.record.count("epochs_planned")
    accuracy = run.scores.get("accuracy")
    model = " + ".join(map(short_model, run.model_configs))
    return (
        run.name,
        "unreadable" if run.problem else run.status or "",
        run.data("training").text("name") or "",
        model,
        "" if run.weights is None else short_count(run.weights),
        "" if run.epochs is None else f"{run.epochs}/{planned}" if planned else str(run.epochs),
        "" if run.seconds is None else readable_seconds(run.seconds),
        "" if accuracy is None else percent(accuracy.value),
        "" if accuracy is None or math.isnan(accuracy.low) else accuracy.interval,
    )


def short_model(config: ModelConfig) -> str:
    """Describe a model in a few words: `5 x attention lstm 1x256`."""
    ensemble = f"{config.ensemble} x " if config.ensemble > 1 else ""
    return f"{ensemble}{config.name.lower()} {config.layers}x{config.hidden_size}"


def short_count(count: int) -> str:
    """Write a count in at most five characters: 950, 199.9k, 12.3M."""
    for size, letter in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if count >= size:
            return f"{count / size:.1f}{letter}"
    return str(count)


def fitted(text: str, width: int, right: bool) -> str:
    """Cut or pad a text to a width in terminal columns."""
    if cell_len(text) > width:
        return set_cell_size(text, width - 1) + "…"
    blanks = " " * (width - cell_len(text))
    return blanks + text if right else text + blanks

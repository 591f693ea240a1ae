"""What happened in each epoch, one JSON object a line."""

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from doldari.files import write_whole


@dataclass(frozen=True)
class Epoch:
    """One epoch: mean training loss in nats a symbol, validation accuracy in [0, 1], and its training time."""

    epoch: int
    loss: float
    accuracy: float
    learning_rate: float
    seconds: float


def write_history(path: Path, history: Sequence[Epoch]) -> None:
    """Write one line an epoch."""
    lines = (json.dumps(dataclasses.asdict(epoch)) + "\n" for epoch in history)
    write_whole(path, "".join(lines).encode())


def read_history(path: Path) -> list[Epoch]:
    """Read what `write_history` wrote."""
    return [Epoch(**json.loads(line)) for line in path.read_text("utf-8").splitlines()]

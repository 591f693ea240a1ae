"""What happened in each epoch, one JSON object a line, and which epoch was the best."""

import dataclasses
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from doldari.files import write_whole


@dataclass(frozen=True)
class Epoch:
    """One epoch: mean training loss in nats a symbol, how it validated, and its training time.

    accuracy is the share of right answers, in [0, 1]; validation_loss is as the training loss, of the held-out pairs
    without symbols never seen in training, if there are any.
    """

    epoch: int
    loss: float
    accuracy: float
    validation_loss: float
    learning_rate: float
    seconds: float

    def score(self, metric: str) -> tuple[float, ...]:
        """How good it is, the higher the better: by its accuracy, or if equal by the loss; or by the loss alone."""
        loss = math.inf if math.isnan(self.validation_loss) else self.validation_loss
        return (self.accuracy, -loss) if metric == "accuracy" else (-loss,)


def best_epoch(history: Sequence[Epoch], metric: str) -> Epoch | None:
    """Find the epoch of the highest score, the first of equals; None if there is no epoch yet."""
    return max(history, key=lambda epoch: epoch.score(metric), default=None)


def write_history(path: Path, history: Sequence[Epoch]) -> None:
    """Write one line an epoch."""
    lines = (json.dumps(dataclasses.asdict(epoch)) + "\n" for epoch in history)
    write_whole(path, "".join(lines).encode())


def read_history(path: Path) -> list[Epoch]:
    """Read what `write_history` wrote."""
    return [Epoch(**json.loads(line)) for line in path.read_text("utf-8").splitlines()]

"""What happened in each epoch, one JSON object a line, and which epoch was the best."""

import dataclasses
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Epoch:
    """One epoch: mean training loss in nats a symbol, how it validated, and its training time.

    accuracy is the share of right answers, in [0, 1]; validation_loss is as the training loss, of the held-out pairs
    without symbols never seen in training, if there are any.  learning_rate is that of the last step, gradient_norm
    the mean of all steps' before clipping; both this and pairs_per_second are None in files of 0.1.0.
    """

    epoch: int
    loss: float
    accuracy: float
    validation_loss: float
    learning_rate: float
    seconds: float
    gradient_norm: float | None = None
    pairs_per_second: float | None = None

    def score(self, metric: str) -> tuple[float, ...]:
        """How good it is, the higher the better: by its accuracy, or if equal by the loss; or by the loss alone."""
        loss = math.inf if math.isnan(self.validation_loss) else self.validation_loss
        return (self.accuracy, -loss) if metric == "accuracy" else (-loss,)

    def as_object(self) -> dict[str, Any]:
        """Give it for JSON, which has no NaN: a loss that is none is null."""
        fields = dataclasses.asdict(self)
        return {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in fields.items()
        }

    @classmethod
    def from_object(cls, fields: dict[str, Any]) -> "Epoch":
        """Read what `as_object` gave."""
        loss = fields.get("validation_loss")
        return cls(**fields | {"validation_loss": math.nan if loss is None else loss})


def best_epoch(history: Sequence[Epoch], metric: str) -> Epoch | None:
    """Find the epoch of the highest score, the first of equals; None if there is no epoch yet."""
    return max(history, key=lambda epoch: epoch.score(metric), default=None)


def history_lines(history: Sequence[Epoch]) -> bytes:
    """Write one line an epoch."""
    return "".join(json.dumps(epoch.as_object()) + "\n" for epoch in history).encode()


def read_history(path: Path) -> list[Epoch]:
    """Read the lines of `history_lines`; a last one that was cut short, as by a power failure, does not count."""
    whole = path.read_bytes().rpartition(b"\n")[0]
    return [Epoch.from_object(json.loads(line)) for line in whole.splitlines()]

"""The loss on held-out pairs; it rises again when a model overfits."""

import numpy as np

from doldari.data.batches import padded_batches
from doldari.data.ragged import Examples
from doldari.data.vocabulary import PADDING
from doldari.engines.learner import Learner


def mean_loss(learner: Learner, x: Examples, t: Examples, batch_size: int) -> float:
    """Mean loss, in nats a symbol, of answers t (N, T), start symbol first, to questions x (N, S): teacher-forced.

    It includes label smoothing, like the training loss that is shown with it.
    """

    def losses(starts: list[int]) -> list[tuple[float, int]]:
        """Sum up the loss of the examples from each start on, as many as a batch has, and count its positions."""
        found = []
        for start in starts:
            total, positions = 0.0, 0
            rows = np.arange(start, min(start + batch_size, len(x)))
            for batch_x, batch_t in padded_batches(x, t, rows, PADDING):
                counted = int((batch_t[:, :-1] != PADDING).sum())
                total += counted * learner.loss(batch_x, batch_t)
                positions += counted
            found.append((total, positions))
        return found

    totals, positions = zip(*learner.shared_out(losses, range(0, len(x), batch_size)), strict=True)
    return float(sum(totals) / sum(positions))

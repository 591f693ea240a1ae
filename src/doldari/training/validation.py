"""The loss on held-out pairs; it rises again when a model overfits."""

import numpy as np

from doldari.data.batches import lengths, padded_batches
from doldari.data.ragged import Examples
from doldari.data.vocabulary import PADDING
from doldari.engines.learner import Learner

# Small batches take longer: where texts are short, a batch has more pairs than in training, up to these.
PAIRS, SYMBOLS = 64, 4_096


def mean_loss(learner: Learner, x: Examples, t: Examples, batch_size: int) -> float:
    """Mean loss, in nats a symbol, of answers t (N, T), start symbol first, to questions x (N, S): teacher-forced.

    It includes label smoothing, like the training loss that is shown with it.  A batch has pairs of about one length.
    """
    sources, targets = lengths(x, PADDING), lengths(t, PADDING)
    longest = max(1, sources.max(initial=0), targets.max(initial=0))
    batch_size = max(batch_size, min(PAIRS, SYMBOLS // int(longest)))
    order = np.lexsort((sources, targets))

    def losses(starts: list[int]) -> list[tuple[float, int]]:
        """Sum up the loss of the examples from each start on, as many as a batch has, and count its positions."""
        found = []
        for start in starts:
            total, positions = 0.0, 0
            for batch_x, batch_t in padded_batches(x, t, order[start : start + batch_size], PADDING):
                counted = int((batch_t[:, :-1] != PADDING).sum())
                total += counted * learner.loss(batch_x, batch_t)
                positions += counted
            found.append((total, positions))
        return found

    totals, positions = zip(*learner.shared_out(losses, range(0, len(x), batch_size)), strict=True)
    return float(sum(totals) / sum(positions))

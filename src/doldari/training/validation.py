"""The loss on pairs that are held out: it rises again when a model learns its training pairs by heart."""

from doldari.data.batches import ordered_batches
from doldari.data.ragged import Examples
from doldari.data.vocabulary import PADDING
from doldari.models import Seq2seq


def mean_loss(model: Seq2seq, x: Examples, t: Examples, batch_size: int) -> float:
    """Mean loss, in nats a symbol, of answers t (N, T), start symbol first, to questions x (N, S): teacher-forced.

    Label smoothing is in it as in the training loss, beside which it is shown.
    """
    total, positions = 0.0, 0
    for batch_x, batch_t in ordered_batches(x, t, batch_size, PADDING):
        counted = int((batch_t[:, :-1] != PADDING).sum())
        total += counted * model.forward(batch_x, batch_t)
        positions += counted
    return total / positions

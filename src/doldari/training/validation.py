"""The loss on pairs that are held out: it rises again when a model learns its training pairs by heart."""

from doldari.arrays import Ids
from doldari.data.batches import without_common_padding
from doldari.data.vocabulary import PADDING
from doldari.models import Seq2seq


def mean_loss(model: Seq2seq, x: Ids, t: Ids, batch_size: int) -> float:
    """Mean loss, in nats a symbol, of answers t (N, T), start symbol first, to questions x (N, S): teacher-forced.

    Label smoothing is in it as in the training loss, beside which it is shown.
    """
    total, positions = 0.0, 0
    for start in range(0, len(x), batch_size):
        batch_x = without_common_padding(x[start : start + batch_size], PADDING)
        batch_t = without_common_padding(t[start : start + batch_size], PADDING, keep=1)
        counted = int((batch_t[:, :-1] != PADDING).sum())
        total += counted * model.forward(batch_x, batch_t)
        positions += counted
    return total / positions

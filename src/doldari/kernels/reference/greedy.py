"""An LSTM decoder that writes greedily: it reads, in every step, what it wrote in the step before."""

import numpy as np

from doldari.arrays import Floats, Ids, Mask
from doldari.kernels.reference.attention import attend
from doldari.kernels.reference.lstm import lstm_step


def lstm_greedy(
    table: Floats,
    context: Floats | None,
    Wh: Floats,
    keys: Floats | None,
    values: Floats | None,
    mask: Mask | None,
    Wq: Floats | None,
    bq: Floats | None,
    W: Floats,
    bias: Floats,
    h0: Floats,
    c0: Floats,
    start_id: int,
    pad_id: int | None,
    answers: Ids,
) -> None:
    """Let an LSTM decoder write, at each step the id with the highest score (the lowest such id on a tie).

        scores = h W + bias                                without attention
        scores = tanh(found + h Wq + bq) W + bias          with it, where found is what h finds by `attend`

    table (V, 4H) holds the input product of every id; context, Wh, h0, c0 are as in `lstm_forward`.  bias is (N, V);
    W is (H, V) or, with attention, (M, V), with keys (N, S, H), values (N, S, M) and mask (N, S), each row's its own,
    Wq (H, M) and bq (M,).  The first id read is start_id.
    Writes answers (N, T).  An answer ends at its first pad_id, and padding follows; with None it never ends.
    """
    N, T = answers.shape
    h, c = h0, c0
    ids = np.full(N, start_id, np.int32)
    ended = np.zeros(N, np.bool_)
    for t in range(T):
        x = table[ids] if context is None else table[ids] + context
        _, h, c = lstm_step(x, h, c, Wh)
        features = h
        if keys is not None and values is not None and Wq is not None and bq is not None:
            weights, found = np.empty(keys.shape[:2], h.dtype), np.empty((N, values.shape[2]), h.dtype)
            attend(keys, values, mask, h, np.arange(N, dtype=np.int32), weights, found)
            features = np.tanh(found + h @ Wq + bq)
        scores = features @ W + bias
        ids = scores.argmax(axis=1).astype(np.int32)
        if pad_id is not None:
            ids[ended] = pad_id
            ended |= ids == pad_id
        answers[:, t] = ids
        if ended.all():
            answers[:, t:] = ids[:, None]
            break

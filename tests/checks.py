"""How the tests compare: gradients along random directions, and models with their like in PyTorch."""

import numpy as np

from doldari import check_gradients as assert_gradient

__all__ = ["answers", "assert_gradient", "ragged_ids"]


def ragged_ids(rng, N, T, V, pad_id, shortest=0):
    """Make ids (N, T) below V, none of them pad_id, then pad each row on the right from a random length on."""
    symbols = np.array([id for id in range(V) if id != pad_id], np.int32)
    ids = rng.choice(symbols, (N, T))
    lengths = rng.integers(shortest, T + 1, N)
    ids[np.arange(T) >= lengths[:, None]] = pad_id
    return ids.astype(np.int32)


def answers(rng, N, T, V, pad_id, start_id):
    """Make answers (N, T + 2): start symbol, up to T symbols, at least one padding."""
    body = ragged_ids(rng, N, T, V, pad_id)
    return np.hstack([np.full((N, 1), start_id), body, np.full((N, 1), pad_id)]).astype(np.int32)

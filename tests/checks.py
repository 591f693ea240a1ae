"""How the tests compare: gradients along random directions, and models with their like in PyTorch."""

import numpy as np


def assert_gradient(function, arrays, gradients, rng, directions=5, step=1e-5):
    """Compare gradients with central differences of `function`, which reads `arrays` anew, in float64."""
    for _ in range(directions):
        direction = [rng.standard_normal(array.shape) for array in arrays]
        numeric = 0.0
        for sign in (1, -1):
            for array, part in zip(arrays, direction, strict=True):
                array += sign * step * part
            numeric += sign * function()
            for array, part in zip(arrays, direction, strict=True):
                array -= sign * step * part
        numeric /= 2 * step
        analytic = sum((gradient * part).sum() for gradient, part in zip(gradients, direction, strict=True))
        assert abs(numeric - analytic) <= 1e-6 * max(abs(numeric), abs(analytic), 1e-3), (numeric, analytic)


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

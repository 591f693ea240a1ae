"""The transformer: against central differences, in other batches and paddings, and a step against a forward."""

import numpy as np
import pytest
from checks import answers, assert_gradient, ragged_ids

from doldari.models import Transformer

pytestmark = pytest.mark.usefixtures("implementation")
PAD, START, V = 0, 1, 9


def make_model(pad_id=PAD, dtype=np.float64, tie=False, **settings):
    settings = {"heads": 2, "layers": 2} | settings
    model = Transformer(V, 8, 10, pad_id=pad_id, tie=tie, rng=np.random.default_rng(3), dtype=dtype, **settings)
    values = model.parameters.values
    values[...] = np.random.default_rng(3).standard_normal(values.size) * 0.5
    return model


def make_batch(N=5, S=6, T=4, seed=11, shortest=0):
    """Make questions padded on the right, one on the left and one in between, and answers."""
    rng = np.random.default_rng(seed)
    x = ragged_ids(rng, N, S, V, PAD, shortest)
    if S > 2:
        x[1] = np.roll(x[1], 2)
        x[2] = [2, PAD, 3, PAD, *[4] * (S - 4)]
    return x, answers(rng, N, T, V, PAD, START)


@pytest.mark.parametrize("pad_id", [None, PAD])
@pytest.mark.parametrize("tie", [False, True])
@pytest.mark.parametrize("S, T", [(6, 4), (1, 0)])
def test_gradients(pad_id, tie, S, T):
    model = make_model(pad_id, tie=tie, label_smoothing=0.1, dropout=0.3)
    x, t = make_batch(S=S, T=T)

    def loss():
        return model.forward(x, t, np.random.default_rng(1))

    loss()
    model.backward()
    arrays, gradients = [model.parameters.values], [model.parameters.gradients.copy()]
    assert_gradient(loss, arrays, gradients, np.random.default_rng(0))


def test_padding_changes_nothing():
    """The encoder's vectors are those of each sequence alone, wherever its padding stands."""
    model = make_model()
    x, _ = make_batch(N=8)
    encoded, _ = model.encoder.forward(x, x != PAD)
    for row, vectors in zip(x, encoded.hs, strict=True):
        alone, _ = model.encoder.forward(row[row != PAD][None])
        np.testing.assert_allclose(vectors[row != PAD], alone.hs[0], rtol=1e-12, atol=1e-14)
        assert not vectors[row == PAD].any()


def test_step_continues_forward_also_behind_padding():
    """Read in two parts, with padding in the first: the same scores as those of the symbols alone."""
    model = make_model()
    x, _ = make_batch(N=4)
    read = np.random.default_rng(0).integers(1, V, (4, 6)).astype(np.int32)
    mask = np.random.default_rng(1).random((4, 3)) < 0.6
    _, state, _ = model.decoder.forward(read[:, :3], model.encode(x), mask)
    scores, _, _ = model.decoder.forward(read[:, 3:], state)
    for n in range(4):
        kept = np.concatenate([read[n, :3][mask[n]], read[n, 3:]])[None]
        alone, _, _ = model.decoder.forward(kept, model.encode(x[n : n + 1]))
        np.testing.assert_allclose(scores[n], alone[0, -3:], rtol=1e-10)

"""The transformer: against central differences, in other batches and paddings, and a step against a forward."""

from functools import partial

import numpy as np
import pytest
from checks import answers, assert_gradient, ragged_ids

from doldari.models import PointerTransformer, Transformer

pytestmark = pytest.mark.usefixtures("implementation")
PAD, START, V = 0, 1, 9


@pytest.fixture(params=[Transformer, PointerTransformer])
def make_model(request):
    return partial(model_of, request.param)


def model_of(model_class, pad_id=PAD, dtype=np.float64, tie=False, **settings):
    """Make a model with large weights; a pointer's copies the ids 3 and 4 as others, and the id 5 not at all."""
    settings = {"heads": 2, "layers": 2} | settings
    model = model_class(V, 8, 10, pad_id=pad_id, tie=tie, rng=np.random.default_rng(3), dtype=dtype, **settings)
    values = model.parameters.values
    values[...] = np.random.default_rng(3).standard_normal(values.size) * 0.5
    if model_class is PointerTransformer:
        model.decoder.copies = np.array([0, 1, 2, 6, 2, -1, 6, 7, 8], np.int32)
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
def test_gradients(make_model, pad_id, tie, S, T):
    model = make_model(pad_id, tie=tie, label_smoothing=0.1, dropout=0.3)
    x, t = make_batch(S=S, T=T)

    def loss():
        return model.forward(x, t, np.random.default_rng(1))

    loss()
    model.backward()
    arrays, gradients = [model.parameters.values], [model.parameters.gradients.copy()]
    assert_gradient(loss, arrays, gradients, np.random.default_rng(0))


def test_padding_changes_nothing(make_model):
    """The encoder's vectors are those of each sequence alone, wherever its padding stands."""
    model = make_model()
    x, _ = make_batch(N=8)
    encoded, _ = model.encoder.forward(x, x != PAD)
    for row, vectors in zip(x, encoded.hs, strict=True):
        alone, _ = model.encoder.forward(row[row != PAD][None])
        np.testing.assert_allclose(vectors[row != PAD], alone.hs[0], rtol=1e-12, atol=1e-14)
        assert not vectors[row == PAD].any()


def test_step_continues_forward_also_behind_padding(make_model):
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


def test_states_that_go_on_from_one_know_nothing_of_each_other(make_model):
    """They share the arrays of what was read before; whoever goes on second copies them."""
    model = make_model()
    x, _ = make_batch(N=4)
    first = np.random.default_rng(0).integers(1, V, (4, 3)).astype(np.int32)
    rest = np.random.default_rng(1).integers(1, V, (3, 4, 40)).astype(np.int32)
    _, state, _ = model.decoder.forward(first, model.encode(x))
    _, state = model.step(first[:, 0], state)
    read = np.hstack([first, first[:, :1]])
    rows = np.array([3, 1, 1])
    branches = [(state, np.arange(4)), (model.select(state, rows), rows), (model.select(state, rows[:2]), rows[:2])]
    states = [state for state, _ in branches]
    for t in range(40):
        for number, (_, taken) in enumerate(branches):
            scores, states[number] = model.step(rest[number][taken, t], states[number])
            if t % 13 == 0:
                whole = np.hstack([read, rest[number][:, : t + 1]])[taken]
                expected, _, _ = model.decoder.forward(whole, model.encode(x[taken]))
                np.testing.assert_allclose(scores, expected[:, -1], rtol=1e-9)

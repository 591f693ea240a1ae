"""Every layer's backward against central differences in float64."""

import numpy as np
import pytest
from checks import assert_gradient

from doldari.layers import (
    GRUState,
    LSTMState,
    Parameter,
    TimeAffine,
    TimeEmbedding,
    TimeGRU,
    TimeLSTM,
    TimeSoftmaxWithLoss,
)

pytestmark = pytest.mark.usefixtures("implementation")
CELLS = {"lstm": (TimeLSTM, LSTMState, 4), "gru": (TimeGRU, GRUState, 3)}  # layer, state, gates


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def parameter(rng, *shape):
    return Parameter(rng.standard_normal(shape))


def recurrent(rng, cell, D, H):
    layer, _, gates = CELLS[cell]
    return layer(parameter(rng, D, gates * H), parameter(rng, H, gates * H), parameter(rng, gates * H))


def random_state(rng, cell, N, H):
    _, state, _ = CELLS[cell]
    return state(*(rng.standard_normal((N, H)) for _ in state._fields))


@pytest.mark.parametrize("V", [4, 300])
@pytest.mark.parametrize("form", ["plain", "table"])
def test_embedding(rng, V, form):
    layer = TimeEmbedding(parameter(rng, V, 3))
    ids = rng.integers(0, V, (5, 6)).astype(np.int32)
    weights = rng.standard_normal((5, 6, 3))

    def loss():
        if form == "plain":
            return (layer.forward(ids)[0] * weights).sum()
        table, rows, _ = layer.forward_table(ids)
        return (table[rows] * weights).sum()

    if form == "plain":
        layer.backward(weights, layer.forward(ids)[1])
    else:
        table, rows, cache = layer.forward_table(ids)
        assert len(table) == min(V, ids.size)
        dtable = np.zeros_like(table)
        np.add.at(dtable, rows, weights)
        layer.backward_table(dtable, cache)
    assert_gradient(loss, [layer.W.value], [layer.W.gradient], rng)


@pytest.mark.parametrize("C", [0, 3])
@pytest.mark.parametrize("T", [1, 4])
def test_affine(rng, C, T):
    layer = TimeAffine(parameter(rng, C + 5, 6), parameter(rng, 6))
    xs, weights = rng.standard_normal((2, T, 5)), rng.standard_normal((2, T, 6))
    constant = rng.standard_normal((2, C)) if C else None

    def loss():
        return (layer.forward(xs, constant)[0] * weights).sum()

    dxs, dconstant = layer.backward(weights, layer.forward(xs, constant)[1])
    arrays, gradients = [layer.W.value, layer.b.value, xs], [layer.W.gradient, layer.b.gradient, dxs]
    assert (dconstant is None) == (C == 0)
    if C:
        arrays, gradients = [*arrays, constant], [*gradients, dconstant]
    assert_gradient(loss, arrays, gradients, rng)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("T", [1, 4])
def test_softmax_loss(rng, masked, T):
    layer = TimeSoftmaxWithLoss()
    scores, targets = rng.standard_normal((3, T, 5)), rng.integers(0, 5, (3, T)).astype(np.int32)
    mask = rng.random((3, T)) < 0.6 if masked else None

    def loss():
        return 3.0 * layer.forward(scores, targets, mask)[0]

    dscores = layer.backward(layer.forward(scores, targets, mask)[1], dloss=3.0)
    assert_gradient(loss, [scores], [dscores], rng)
    if masked:
        assert not dscores[~mask].any()


def test_softmax_loss_where_nothing_counts(rng):
    layer = TimeSoftmaxWithLoss()
    loss, cache = layer.forward(
        rng.standard_normal((2, 3, 4)), np.zeros((2, 3), np.int32), np.zeros((2, 3), np.bool_)
    )
    assert loss == 0.0
    assert not layer.backward(cache).any()


def test_softmax_loss_of_huge_scores_is_finite():
    scores = np.array([[[1e4, 0.0, -1e4]]], np.float32)
    loss, cache = TimeSoftmaxWithLoss().forward(scores, np.array([[1]], np.int32))
    assert loss == pytest.approx(1e4)
    assert np.isfinite(cache.dscores).all()


@pytest.mark.parametrize("N, T, C", [(3, 1, 0), (3, 5, 0), (3, 5, 2), (1, 1, 2)])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("form", ["vectors", "table"])
@pytest.mark.parametrize("cell", CELLS)
def test_recurrent(rng, cell, N, T, C, masked, form):
    """Weights, inputs, first state and constant, by way of every step's h and the last state."""
    D, H, R = 3, 4, 6
    layer = recurrent(rng, cell, C + D, H)
    xs = rng.standard_normal((R, D) if form == "table" else (N, T, D))
    rows = rng.integers(0, R, (N, T)).astype(np.int32)
    first = random_state(rng, cell, N, H)
    constant = rng.standard_normal((N, C)) if C else None
    mask = rng.random((N, T)) < 0.6 if masked else None
    weights, last_weights = rng.standard_normal((N, T, H)), random_state(rng, cell, N, H)

    def forward():
        if form == "table":
            return layer.forward_table(xs, rows, first, mask, constant)
        return layer.forward(xs, first, mask, constant)

    def loss():
        hs, last, _ = forward()
        return (hs * weights).sum() + sum((x * w).sum() for x, w in zip(last, last_weights, strict=True))

    backward = layer.backward_table if form == "table" else layer.backward
    dxs, dfirst, dconstant = backward(weights, forward()[2], last_weights)
    weights_of_layer = (layer.Wx, layer.Wh, layer.b)
    arrays = [*(p.value for p in weights_of_layer), xs, *first]
    gradients = [*(p.gradient for p in weights_of_layer), dxs, *dfirst]
    if C:
        arrays, gradients = [*arrays, constant], [*gradients, dconstant]
    assert_gradient(loss, arrays, gradients, rng)


@pytest.mark.parametrize("cell", CELLS)
def test_state_passes_through_padding(rng, cell):
    layer = recurrent(rng, cell, 2, 3)
    xs = rng.standard_normal((1, 5, 2))
    mask = np.array([[False, True, True, False, False]])
    first = random_state(rng, cell, 1, 3)
    hs, last, _ = layer.forward(xs, first, mask)
    unpadded, unpadded_last, _ = layer.forward(xs[:, 1:3], first)
    np.testing.assert_array_equal(hs[:, 0], first.h)
    np.testing.assert_array_equal(hs[:, 1:3], unpadded)
    for state, unpadded_state in zip(last, unpadded_last, strict=True):
        np.testing.assert_array_equal(state, unpadded_state)


@pytest.mark.parametrize("cell", CELLS)
def test_recurrent_without_gradient_of_steps_and_without_steps(rng, cell):
    layer = recurrent(rng, cell, 2, 3)
    hs, last, cache = layer.forward(np.zeros((2, 0, 2)))
    assert hs.shape == (2, 0, 3)
    assert not np.any(last)
    dlast = random_state(rng, cell, 2, 3)
    dxs, dfirst, _ = layer.backward(None, cache, dlast)
    assert dxs.shape == (2, 0, 2)
    np.testing.assert_array_equal(dfirst, dlast)

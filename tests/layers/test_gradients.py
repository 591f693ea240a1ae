"""Every layer's backward against central differences in float64."""

import numpy as np
import pytest
from checks import assert_gradient

from doldari.layers import LSTMState, Parameter, TimeAffine, TimeEmbedding, TimeLSTM, TimeSoftmaxWithLoss

pytestmark = pytest.mark.usefixtures("implementation")


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def parameter(rng, *shape):
    return Parameter(rng.standard_normal(shape))


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
def test_lstm(rng, N, T, C, masked, form):
    """Weights, inputs, first state and constant, by way of every step's h and the last state."""
    D, H, R = 3, 4, 6
    layer = TimeLSTM(parameter(rng, C + D, 4 * H), parameter(rng, H, 4 * H), parameter(rng, 4 * H))
    xs = rng.standard_normal((R, D) if form == "table" else (N, T, D))
    rows = rng.integers(0, R, (N, T)).astype(np.int32)
    first = LSTMState(rng.standard_normal((N, H)), rng.standard_normal((N, H)))
    constant = rng.standard_normal((N, C)) if C else None
    mask = rng.random((N, T)) < 0.6 if masked else None
    weights, weights_h, weights_c = (rng.standard_normal(shape) for shape in ((N, T, H), (N, H), (N, H)))

    def forward():
        if form == "table":
            return layer.forward_table(xs, rows, first, mask, constant)
        return layer.forward(xs, first, mask, constant)

    def loss():
        hs, last, _ = forward()
        return (hs * weights).sum() + (last.h * weights_h).sum() + (last.c * weights_c).sum()

    backward = layer.backward_table if form == "table" else layer.backward
    dxs, dfirst, dconstant = backward(weights, forward()[2], LSTMState(weights_h, weights_c))
    weights_of_layer = (layer.Wx, layer.Wh, layer.b)
    arrays = [*(p.value for p in weights_of_layer), xs, first.h, first.c]
    gradients = [*(p.gradient for p in weights_of_layer), dxs, *dfirst]
    if C:
        arrays, gradients = [*arrays, constant], [*gradients, dconstant]
    assert_gradient(loss, arrays, gradients, rng)


def test_lstm_passes_its_state_through_padding(rng):
    layer = TimeLSTM(parameter(rng, 2, 12), parameter(rng, 3, 12), parameter(rng, 12))
    xs = rng.standard_normal((1, 5, 2))
    mask = np.array([[False, True, True, False, False]])
    first = LSTMState(rng.standard_normal((1, 3)), rng.standard_normal((1, 3)))
    hs, last, _ = layer.forward(xs, first, mask)
    unpadded, unpadded_last, _ = layer.forward(xs[:, 1:3], first)
    np.testing.assert_array_equal(hs[:, 0], first.h)
    np.testing.assert_array_equal(hs[:, 1:3], unpadded)
    np.testing.assert_array_equal(last.h, unpadded_last.h)
    np.testing.assert_array_equal(last.c, unpadded_last.c)


def test_lstm_without_last_gradient_and_without_steps(rng):
    layer = TimeLSTM(parameter(rng, 2, 12), parameter(rng, 3, 12), parameter(rng, 12))
    hs, last, cache = layer.forward(np.zeros((2, 0, 2)))
    assert hs.shape == (2, 0, 3)
    assert not last.h.any()
    dxs, dfirst, _ = layer.backward(None, cache, LSTMState(np.ones((2, 3)), np.ones((2, 3))))
    assert dxs.shape == (2, 0, 2)
    np.testing.assert_array_equal(dfirst.h, np.ones((2, 3)))

"""Attention, dropout, tied scores, label smoothing, two directions and stacks against central differences."""

import numpy as np
import pytest
from checks import assert_gradient

from doldari.layers import (
    LSTMState,
    Parameter,
    TimeAttention,
    TimeBidirectional,
    TimeDropout,
    TimeLSTM,
    TimeSoftmaxWithLoss,
    TimeStack,
    TimeTiedAffine,
)

pytestmark = pytest.mark.usefixtures("implementation")


@pytest.fixture
def rng():
    return np.random.default_rng(11)


def parameter(rng, *shape):
    return Parameter(rng.standard_normal(shape))


def lstm(rng, D, H):
    return TimeLSTM(parameter(rng, D, 4 * H), parameter(rng, H, 4 * H), parameter(rng, 4 * H))


@pytest.mark.parametrize("general", [False, True])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("P, S", [(0, 2), (1, 1), (9, 5)])
def test_attention(rng, general, masked, P, S):
    """Queries of a memory's rows in any order, several of one row and none of another."""
    N, H, M = 4, 4, 6 if general else 4
    layer = TimeAttention(parameter(rng, H, M) if general else None)
    queries, values = rng.standard_normal((P, H)), rng.standard_normal((N, S, M))
    rows = rng.integers(0, N, P).astype(np.int32)
    mask = np.arange(S) < rng.integers(1, S + 1, (N, 1)) if masked else None
    upstream = rng.standard_normal((P, M))

    def memory():
        return layer.remember(values, mask)._replace(rows=rows)

    def loss():
        return (layer.forward(queries, memory())[0] * upstream).sum()

    _, cache = layer.forward(queries, memory())
    dqueries, dvalues = layer.backward(upstream, cache)
    arrays, gradients = [queries, values], [dqueries, dvalues]
    if general:
        arrays, gradients = [*arrays, layer.W.value], [*gradients, layer.W.gradient]
    assert_gradient(loss, arrays, gradients, rng)
    np.testing.assert_allclose(cache.weights.sum(axis=1), 1.0, rtol=1e-12)
    if masked:
        assert not cache.weights[~mask[rows]].any()
        assert not dvalues[~mask].any()


def test_attention_is_luongs(rng):
    """Equations 7 and 8, position by position."""
    layer = TimeAttention(parameter(rng, 3, 4))
    queries, values = rng.standard_normal((2, 3)), rng.standard_normal((1, 5, 4))
    contexts, _ = layer.forward(queries, layer.remember(values)._replace(rows=np.zeros(2, np.int32)))
    for query, context in zip(queries, contexts, strict=True):
        scores = np.array([query @ layer.W.value @ values[0, s] for s in range(5)])
        weights = np.exp(scores) / np.exp(scores).sum()
        np.testing.assert_allclose(context, weights @ values[0], rtol=1e-12)


def test_attention_to_nothing_but_padding_is_zero(rng):
    layer, rows = TimeAttention(), np.array([0, 0, 1, 1], np.int32)
    queries, values = rng.standard_normal((4, 4)), rng.standard_normal((2, 5, 4))
    mask = np.array([[False] * 5, [True] * 5])
    contexts, cache = layer.forward(queries, layer.remember(values, mask)._replace(rows=rows))
    assert not contexts[:2].any()
    assert contexts[2:].all()
    dqueries, dvalues = layer.backward(np.ones_like(contexts), cache)
    assert not dqueries[:2].any()
    assert not dvalues[0].any()
    contexts, _ = layer.forward(queries, layer.remember(values[:, :0])._replace(rows=rows))
    assert contexts.shape == (4, 4)
    assert not contexts.any()


def test_attention_to_huge_scores_is_finite():
    values = np.array([[[1e4], [-1e4]]], np.float32)
    contexts, _ = TimeAttention().forward(np.array([[1e4]], np.float32), TimeAttention().remember(values))
    assert contexts[0, 0] == np.float32(1e4)


def test_dropout(rng):
    layer, xs = TimeDropout(0.25), np.ones((200, 5, 100))
    ys, cache = layer.forward(xs, rng)
    assert set(np.unique(ys)) == {0.0, 1 / 0.75}
    np.testing.assert_array_equal(ys, np.broadcast_to(ys[:, :1], ys.shape))  # the same at every step
    assert abs((ys == 0).mean() - 0.25) < 0.01
    np.testing.assert_array_equal(layer.backward(xs, cache), ys)
    again, _ = layer.forward(xs, np.random.default_rng(11))
    np.testing.assert_array_equal(again, ys)
    for unchanged, cache in (layer.forward(xs, None), TimeDropout(0.0).forward(xs, rng)):
        assert unchanged is xs
        assert layer.backward(xs, cache) is xs


@pytest.mark.parametrize("T", [1, 4])
def test_tied_affine(rng, T):
    embedding = parameter(rng, 6, 5)
    layer = TimeTiedAffine(embedding, parameter(rng, 6))
    xs, weights = rng.standard_normal((2, T, 5)), rng.standard_normal((2, T, 6))
    ys, cache = layer.forward(xs)
    np.testing.assert_allclose(ys, xs @ embedding.value.T + layer.b.value, rtol=1e-12)
    dxs, _ = layer.backward(weights, cache)
    arrays, gradients = [embedding.value, layer.b.value, xs], [embedding.gradient, layer.b.gradient, dxs]
    assert_gradient(lambda: (layer.forward(xs)[0] * weights).sum(), arrays, gradients, rng)


@pytest.mark.parametrize("masked", [False, True])
def test_label_smoothing(rng, masked):
    torch = pytest.importorskip("torch")
    layer = TimeSoftmaxWithLoss(smoothing=0.2)
    scores, targets = rng.standard_normal((3, 4, 5)), rng.integers(0, 5, (3, 4)).astype(np.int32)
    mask = rng.random((3, 4)) < 0.6 if masked else None
    loss, cache = layer.forward(scores, targets, mask)
    dscores = layer.backward(cache, dloss=3.0)
    assert_gradient(lambda: 3.0 * layer.forward(scores, targets, mask)[0], [scores], [dscores], rng)
    counted = np.ones((3, 4), np.bool_) if mask is None else mask
    theirs = torch.nn.functional.cross_entropy(
        torch.from_numpy(scores[counted]), torch.from_numpy(targets[counted]).long(), label_smoothing=0.2
    )
    assert loss == pytest.approx(theirs.item(), rel=1e-12)
    assert not dscores[~counted].any()


@pytest.mark.parametrize("T", [1, 4])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_stack(rng, T, masked, layers, bidirectional, dropout):
    """Weights, table, first states and constant, by way of every step's h and the last states."""
    N, R, D, C, H = 3, 6, 3, 2, 4

    def one_layer(size):
        if bidirectional:
            return TimeBidirectional(lstm(rng, size, H // 2), lstm(rng, size, H // 2))
        return lstm(rng, size, H)

    stack = TimeStack([one_layer(size) for size in [C + D, H][:layers]], dropout)
    table, constant = rng.standard_normal((R, D)), rng.standard_normal((N, C))
    rows = rng.integers(0, R, (N, T)).astype(np.int32)
    first = [LSTMState(rng.standard_normal((N, H)), rng.standard_normal((N, H))) for _ in range(layers)]
    mask = rng.random((N, T)) < 0.6 if masked else None
    upstream = rng.standard_normal((N, T, H))
    upstream_last = [LSTMState(rng.standard_normal((N, H)), rng.standard_normal((N, H))) for _ in range(layers)]

    def forward():
        return stack.forward_table(table, rows, first, mask, constant, np.random.default_rng(1))

    def loss():
        hs, lasts, _ = forward()
        pairs = zip(lasts, upstream_last, strict=True)
        return (hs * upstream).sum() + sum((last.h * up.h).sum() + (last.c * up.c).sum() for last, up in pairs)

    dtable, dfirsts, dconstant = stack.backward_table(upstream, forward()[2], upstream_last)
    parameters = stack.parameters().values()
    arrays = [*(p.value for p in parameters), table, constant, *(array for state in first for array in state)]
    gradients = [*(p.gradient for p in parameters), dtable, dconstant, *(d for state in dfirsts for d in state)]
    assert len(parameters) == 3 * layers * (1 + bidirectional)
    assert_gradient(loss, arrays, gradients, rng)


def test_the_way_back_starts_at_the_end(rng):
    ahead, back = lstm(rng, 2, 3), lstm(rng, 2, 3)
    xs = rng.standard_normal((2, 5, 2))
    rows = np.arange(10, dtype=np.int32).reshape(2, 5)
    hs, last, _ = TimeBidirectional(ahead, back).forward_table(xs.reshape(10, 2), rows)
    hs_back, last_back, _ = back.forward(np.ascontiguousarray(xs[:, ::-1]))
    np.testing.assert_array_equal(hs[:, :, 3:], hs_back[:, ::-1])
    np.testing.assert_array_equal(last.h[:, 3:], last_back.h)
    np.testing.assert_array_equal(hs[:, 0, 3:], last.h[:, 3:])

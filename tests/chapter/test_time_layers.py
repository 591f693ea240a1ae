"""The layers of the chapter's listings: their interface, their gradients, the state they keep."""

import numpy as np
import pytest
from checks import assert_gradient

from doldari import layers
from doldari.chapter import TimeAffine, TimeEmbedding, TimeLSTM, TimeSoftmaxWithLoss
from doldari.layers import LSTMState, Parameter

pytestmark = pytest.mark.usefixtures("implementation")
N, T, D, H, V = 4, 3, 5, 6, 7


def normal(*shape, seed=0, dtype=np.float64):
    return np.random.default_rng((seed, *shape)).standard_normal(shape).astype(dtype)


def lstm(stateful=False, dtype=np.float64):
    return TimeLSTM(
        normal(D, 4 * H, dtype=dtype), normal(H, 4 * H, dtype=dtype), normal(4 * H, dtype=dtype), stateful
    )


def test_params_are_the_arrays_that_were_given_and_grads_are_overwritten():
    W, b = normal(H, V), normal(V)
    affine = TimeAffine(W, b)
    assert affine.params[0] is W and affine.params[1] is b
    dW, db = affine.grads
    xs, dout = normal(N, T, H), normal(N, T, V)
    for _ in range(2):  # the second time too it is one gradient, not two
        affine.forward(xs)
        np.testing.assert_allclose(affine.backward(dout), dout @ W.T)
        np.testing.assert_allclose(dW, xs.reshape(-1, H).T @ dout.reshape(-1, V))
        np.testing.assert_allclose(db, dout.sum(axis=(0, 1)))
    assert affine.grads[0] is dW and affine.grads[1] is db


def test_embedding():
    W = normal(V, D)
    embedding = TimeEmbedding(W)
    ids = np.array([[1, 3], [3, 0]])
    np.testing.assert_array_equal(embedding.forward(ids), W[ids])
    dout = normal(2, 2, D)
    assert embedding.backward(dout) is None
    expected = np.zeros_like(W)
    np.add.at(expected, ids, dout)
    np.testing.assert_allclose(embedding.grads[0], expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_lstm_is_doldaris(dtype):
    ours, xs, dhs = lstm(dtype=dtype), normal(N, T, D, dtype=dtype), normal(N, T, H, dtype=dtype)
    theirs = layers.TimeLSTM(*(Parameter(param.copy()) for param in ours.params))
    zeros = np.zeros((N, H), dtype)
    hs, last, cache = theirs.forward(xs, LSTMState(zeros, zeros))
    np.testing.assert_array_equal(ours.forward(xs), hs)
    np.testing.assert_array_equal(ours.h, last.h)
    np.testing.assert_array_equal(ours.c, last.c)
    dxs, dfirst, _ = theirs.backward(dhs, cache)
    np.testing.assert_array_equal(ours.backward(dhs), dxs)
    np.testing.assert_array_equal(ours.dh, dfirst.h)
    for gradient, parameter in zip(ours.grads, theirs.parameters().values(), strict=True):
        np.testing.assert_array_equal(gradient, parameter.gradient)
    assert hs.dtype == dxs.dtype == ours.dh.dtype == ours.grads[0].dtype == dtype


@pytest.mark.parametrize("length", [1, T])
def test_gradients_of_an_lstm_with_a_state(length):
    layer, xs, h, c, dhs = lstm(True), normal(N, length, D), normal(N, H), normal(N, H, seed=1), normal(N, length, H)

    def loss():
        layer.set_state(h, c)
        return (layer.forward(xs) * dhs).sum()

    loss()
    dxs = layer.backward(dhs)
    gradients = [dxs, layer.dh.copy(), *(gradient.copy() for gradient in layer.grads)]
    assert_gradient(loss, [xs, h, *layer.params], gradients, np.random.default_rng(0))


def test_a_stateful_lstm_goes_on_where_it_stopped():
    layer, xs = lstm(True), normal(N, T, D)
    whole = layer.forward(xs)
    layer.reset_state()
    parts = [layer.forward(xs[:, t : t + 1]) for t in range(T)]
    np.testing.assert_allclose(np.concatenate(parts, axis=1), whole, rtol=1e-12)
    layer.set_state(whole[:, 0])  # and with an empty cell
    assert layer.c is None
    assert not np.allclose(layer.forward(xs[:, 1:]), whole[:, 1:])


def test_another_lstm_forgets_even_the_state_it_was_given():
    layer, xs = lstm(), normal(N, T, D)
    hs = layer.forward(xs)
    np.testing.assert_array_equal(layer.forward(xs), hs)
    layer.set_state(normal(N, H))
    np.testing.assert_array_equal(layer.forward(xs), hs)


def test_what_a_layer_gave_away_is_not_its_state():
    layer, xs, h = lstm(True), normal(N, T, D), normal(N, H)
    layer.set_state(h)
    h[...] = 0.0
    hs = layer.forward(xs)
    kept = layer.h.copy()
    hs[...] = 0.0
    np.testing.assert_array_equal(layer.h, kept)
    assert kept.all()


def test_softmax_with_loss_leaves_out_the_ignored_label():
    softmax, scores, ts = TimeSoftmaxWithLoss(), normal(N, T, V), np.arange(N * T).reshape(N, T) % V
    ts[0, 1:] = ts[2, 2] = -1
    counted = ts != -1
    logs = scores - np.log(np.exp(scores).sum(axis=2, keepdims=True))
    expected = -np.mean([logs[n, t, ts[n, t]] for n, t in zip(*np.nonzero(counted), strict=True)])
    assert softmax.forward(scores, ts) == pytest.approx(expected, rel=1e-12)
    dscores = softmax.backward(2)
    assert not dscores[~counted].any() and dscores[counted].all()
    assert_gradient(lambda: 2 * softmax.forward(scores, ts), [scores], [dscores], np.random.default_rng(0))
    assert softmax.params == softmax.grads == []


def test_views_transposes_and_other_precisions_are_taken():
    W = normal(V, H)
    affine = TimeAffine(W.T, np.zeros(V))
    xs, dout = normal(N, T, 2 * H)[:, :, H:], normal(N, T, 2 * V)[:, :, ::2]
    np.testing.assert_allclose(affine.forward(xs), xs @ W.T)
    affine.backward(dout)
    np.testing.assert_allclose(affine.grads[0], np.einsum("nth,ntv->hv", xs, dout))
    assert lstm(dtype=np.float32).forward(normal(N, T, D)).dtype == np.float32


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: TimeLSTM(1, 2, 3), TypeError, r"Wx \(D, 4H\), Wh \(H, 4H\), b \(4H,\), NumPy .* got int, int, int"),
        (
            lambda: TimeLSTM(normal(D, 8), normal(2, 8), normal(7)),
            ValueError,
            r"got .*\(2, 8\) float64, \(7,\) float",
        ),
        (lambda: TimeLSTM(normal(D, 8), normal(8), normal(8)), ValueError, r"Wh \(H, 4H\)"),
        (lambda: TimeEmbedding(normal(3)), ValueError, r"W \(V, D\), .* got \(3,\) float64"),
        (lambda: TimeEmbedding([[1.0]]), TypeError, "got list"),
        (lambda: TimeAffine(normal(H, V), normal(H)), ValueError, r"W \(H, V\), b \(V,\)"),
        (lambda: TimeAffine(normal(H, V), normal(V, dtype="f")), ValueError, "all of float32 or all of float64"),
        (lambda: TimeAffine(np.zeros((H, V), int), np.zeros(V, int)), ValueError, "int64"),
        (lambda: lstm().forward(normal(N, D)), ValueError, r"xs has the shape \(4, 5\), expected \(N, T, 5\)"),
        (lambda: lstm().set_state(normal(N, T, H)), ValueError, r"h has the shape \(4, 3, 6\), expected \(N, 6\)"),
        (lambda: lstm().set_state(normal(N, H), normal(N, V)), ValueError, r"c has the shape \(4, 7\)"),
        (lambda: lstm().backward(normal(N, T, H)), RuntimeError, "TimeLSTM: backward.. needs a forward"),
        (lambda: TimeEmbedding(normal(V, D)).forward([[V]]), ValueError, "xs: ids from 7 to 7, expected from 0 to 6"),
        (lambda: TimeEmbedding(normal(V, D)).forward([[0.5]]), TypeError, "must be whole numbers"),
        (lambda: TimeSoftmaxWithLoss().forward(normal(N, T, V), [[1]]), ValueError, r"\(4, 3, 7\) and .* \(1, 1\)"),
        (lambda: TimeSoftmaxWithLoss().forward(normal(1, 1, V), [[-2]]), ValueError, "ts: ids from -2 to -2"),
    ],
)
def test_wrong_arguments(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_a_state_of_another_batch_is_refused():
    layer = lstm(True)
    layer.set_state(normal(N, H))
    with pytest.raises(ValueError, match="the state is that of 4 sequences, xs of 2: set_state or reset_state"):
        layer.forward(normal(2, T, D))


def test_backward_uses_its_forward_up():
    layer = lstm()
    layer.forward(normal(N, T, D))
    layer.backward(normal(N, T, H))
    with pytest.raises(RuntimeError, match="needs a forward"):
        layer.backward(normal(N, T, H))

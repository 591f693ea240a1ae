"""The pointer: its equations symbol by symbol, its gradient, and numbers at the edge of what floats hold."""

import numpy as np
import pytest
from checks import assert_gradient

from doldari.layers import TimePointer, TimeSoftmaxWithLoss


@pytest.fixture
def rng():
    return np.random.default_rng(11)


def problem(rng, P=4, V=6, S=5):
    """Make scores, gates, weights and ids; of the weights one is 0, as at padding."""
    weights = rng.random((P, S))
    weights[:, -1] = 0.0
    weights /= weights.sum(axis=1, keepdims=True)
    ids = rng.integers(0, V, (P, S)).astype(np.int32)
    return rng.standard_normal((P, V)), rng.standard_normal((P, 1)), weights, ids


def test_it_is_sees_equation_9(rng):
    scores, gates, weights, ids = problem(rng)
    logs, _ = TimePointer().forward(scores, gates, weights, ids)
    for p in range(4):
        written = np.exp(scores[p]) / np.exp(scores[p]).sum()
        gate = 1 / (1 + np.exp(-gates[p, 0]))
        for v in range(6):
            copied = sum(weights[p, s] for s in range(5) if ids[p, s] == v)
            assert np.exp(logs[p, v]) == pytest.approx(gate * written[v] + (1 - gate) * copied, rel=1e-12)
    np.testing.assert_allclose(np.exp(logs).sum(axis=1), 1.0, rtol=1e-12)


@pytest.mark.parametrize("P, S", [(4, 5), (1, 1), (0, 3)])
def test_gradients(rng, P, S):
    scores, gates, weights, ids = problem(rng, P=P, S=S + 1)
    upstream = rng.standard_normal(scores.shape)
    layer = TimePointer()
    _, cache = layer.forward(scores, gates, weights, ids)
    gradients = layer.backward(upstream, cache)
    weights[:, -1] = 1e-300  # a copied probability of 0 has no slope of its logarithm; one so small changes nothing
    arrays = [scores, gates, weights[:, :S]]
    gradients = [*gradients[:2], gradients[2][:, :S]]
    assert_gradient(lambda: (layer.forward(scores, gates, weights, ids)[0] * upstream).sum(), arrays, gradients, rng)


def test_what_can_neither_be_written_nor_copied_stays_finite():
    """Loss and gradient in float32, where the right symbol has a score of -1000 and no attention, or nearly none."""
    scores = np.array([[0, -1000, 0]], np.float32)
    ids = np.array([[0, 1]], np.int32)
    for gate in (-200.0, 0.0, 200.0):
        for weight in (0.0, 1e-42, 1e-30, 1.0):
            weights = np.array([[1.0 - weight, weight]], np.float32)
            logs, cache = TimePointer().forward(scores, np.array([[gate]], np.float32), weights, ids)
            loss, loss_cache = TimeSoftmaxWithLoss().forward(logs[None], np.array([[1]], np.int32))
            gradients = TimePointer().backward(TimeSoftmaxWithLoss().backward(loss_cache)[0], cache)
            assert np.isfinite(loss)
            for array in (logs, *gradients):
                assert np.isfinite(array).all()
                assert array.dtype == np.float32
    copied, _ = TimePointer().forward(scores, np.full((1, 1), -200, np.float32), weights, ids)
    assert copied[0].argmax() == 1

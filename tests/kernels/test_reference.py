"""The reference's single steps against the formulas in plain Python, number by number; and its activations' range."""

from math import exp, tanh

import numpy as np
import pytest

from doldari.kernels.reference.gru import gru_step
from doldari.kernels.reference.lstm import lstm_step
from doldari.kernels.reference.recurrent import sigmoid


def logistic(x):
    return 1 / (1 + exp(-x))


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def test_lstm_step(rng):
    """One unit: the chapter's equations as they stand."""
    (a_f, a_g, a_i, a_o), h, c, w = rng.standard_normal(4), 0.3, -0.7, rng.standard_normal(4)
    gates, h_next, c_next = lstm_step(np.array([[a_f, a_g, a_i, a_o]]), np.array([[h]]), np.array([[c]]), w[None])
    f, g = logistic(a_f + h * w[0]), tanh(a_g + h * w[1])
    i, o = logistic(a_i + h * w[2]), logistic(a_o + h * w[3])
    assert [gate.item() for gate in gates] == pytest.approx([f, g, i, o], rel=1e-14)
    assert c_next.item() == pytest.approx(f * c + g * i, rel=1e-14)
    assert h_next.item() == pytest.approx(o * tanh(f * c + g * i), rel=1e-14)


def test_gru_step(rng):
    (a_r, a_z, a_n), h, w = rng.standard_normal(3), 0.3, rng.standard_normal(3)
    gates, h_next = gru_step(np.array([[a_r, a_z, a_n]]), np.array([[h]]), w[None])
    r, z, u = logistic(a_r + h * w[0]), logistic(a_z + h * w[1]), h * w[2]
    n = tanh(a_n + r * u)
    assert [gate.item() for gate in gates] == pytest.approx([r, z, u, n], rel=1e-14)
    assert h_next.item() == pytest.approx((1 - z) * n + z * h, rel=1e-14)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sigmoid_of_any_number(dtype):
    """Without a warning, which would fail the test."""
    big = np.finfo(dtype).max
    x = np.array([-np.inf, -big, -200, 0, 200, big, np.inf, np.nan], dtype)
    s = sigmoid(x)
    assert s.dtype == dtype
    np.testing.assert_array_equal(s, np.array([0, 0, 0, 0.5, 1, 1, 1, np.nan], dtype))

"""The gradient checker: right gradients pass, wrong ones are named, and what cannot be checked is refused."""

import numpy as np
import pytest

import doldari
from doldari import chapter
from doldari.layers import Parameter, TimeAffine, TimeEmbedding, TimeLSTM


@pytest.fixture
def rng():
    return np.random.default_rng(3)


class Scale:
    """ys = xs * w + b, with w and b (D,); its backward may be wrong on purpose."""

    def __init__(self, w, b, forgotten=False):
        self.w, self.b, self.forgotten = Parameter(w), Parameter(b), forgotten

    def forward(self, xs):
        return xs * self.w.value + self.b.value, xs

    def backward(self, dys, xs):
        self.w.gradient += (dys * xs).sum(axis=(0, 1))
        if not self.forgotten:
            self.b.gradient += dys.sum(axis=(0, 1))
        return dys * self.w.value


def test_the_error_is_that_of_central_differences(rng):
    """Of a quadratic function the central difference is exact, and of x**4 it is off by 4 step**2 x v**3."""
    x = rng.standard_normal((3, 2))
    assert doldari.check_gradients(lambda: (x**2).sum(), [x], [2 * x], rng) < 1e-9
    one = np.array(1.0)
    error = doldari.check_gradients(lambda: one**4, [one], [np.array(4.0)], directions=1, step=1e-2, tolerance=1.0)
    v = np.random.default_rng(0).standard_normal()
    assert error == pytest.approx(4 * 1e-4 * abs(v) ** 3 / max(4.0, abs(4 * v + 4e-4 * v**3)))
    assert one == 1.0


@pytest.mark.parametrize("factor", [1e-6, 1.0, 1e6])
def test_a_wrong_number_is_named_whatever_its_scale(rng, factor):
    W, x = rng.standard_normal((2, 3)), rng.standard_normal(3)
    before = W.copy(), x.copy()
    dW = factor * np.outer(np.ones(2), x)
    dW[1, 2] *= 1.01

    def function():
        return factor * (W @ x).sum()

    with pytest.raises(
        doldari.GradientError, match=r"slope is .*; the farthest off is W\[1, 2\]: .* by its gradient"
    ):
        doldari.check_gradients(function, {"W": W, "x": x}, {"W": dW, "x": factor * W.sum(axis=0)})
    np.testing.assert_array_equal(W, before[0])
    np.testing.assert_array_equal(x, before[1])


def test_a_function_that_does_not_depend_on_an_array(rng):
    x = rng.standard_normal(4)
    assert doldari.check_gradients(lambda: 7.0, [x], [np.zeros(4)]) == 0.0
    with pytest.raises(doldari.GradientError, match=r"slope is 0, but"):
        doldari.check_gradients(lambda: 7.0, [x], [np.full(4, 1e-4)])


def test_no_number_is_no_gradient(rng):
    x = rng.standard_normal(4)
    with pytest.raises(doldari.GradientError, match="slope is nan"):
        doldari.check_gradients(lambda: np.nan, [x], [x])
    with pytest.raises(doldari.GradientError, match="nan by the gradients"):
        doldari.check_gradients(lambda: x.sum(), [x], [x * np.nan])


def test_arrays_are_as_before_if_the_function_fails(rng):
    x = rng.standard_normal(4)
    before = x.copy()
    with pytest.raises(ZeroDivisionError):
        doldari.check_gradients(lambda: 1 / 0, [x], [x])
    np.testing.assert_array_equal(x, before)


def test_more_numbers_than_are_looked_at(rng):
    x = rng.standard_normal(5_000)
    with pytest.raises(doldari.GradientError, match=r"the farthest off is array 0\[\d+\]"):
        doldari.check_gradients(lambda: x.sum(), [x], [np.zeros(5_000)])


@pytest.mark.parametrize(
    "arrays, gradients, error, message",
    [
        ({"x": np.zeros(3, np.float32)}, {"x": np.zeros(3)}, TypeError, "x must be an array of float64, got float32"),
        ({"x": [0.0]}, {"x": [0.0]}, TypeError, "x must be an array of float64, got list"),
        ({"x": np.zeros(3)}, {"x": np.zeros(4)}, ValueError, r"x has the shape \(3,\), its gradient \(4,\)"),
        ({"x": np.zeros(3)}, {"y": np.zeros(3)}, ValueError, r"arrays \['x'\], but gradients \['y'\]"),
        ([np.zeros(3)], [], ValueError, "2 is shorter|argument"),
    ],
)
def test_what_cannot_be_checked(arrays, gradients, error, message):
    with pytest.raises(error, match=message):
        doldari.check_gradients(lambda: 0.0, arrays, gradients)


def test_layers(rng):
    """Of one's own, of doldari, of the book; with ids, which have no gradient; a first call leaves nothing behind."""
    xs, ids = rng.standard_normal((2, 3, 4)), rng.integers(0, 5, (2, 3)).astype(np.int32)
    W, b = rng.standard_normal((4, 6)), rng.standard_normal(6)
    own = Scale(rng.standard_normal(4), rng.standard_normal(4))
    for layer, given in (
        (own, xs),
        (own, xs),
        (TimeAffine(Parameter(W), Parameter(b)), xs),
        (TimeEmbedding(Parameter(rng.standard_normal((5, 2)))), ids),
        (chapter.TimeAffine(W, b), xs),
        (chapter.TimeLSTM(rng.standard_normal((4, 8)), rng.standard_normal((2, 8)), rng.standard_normal(8)), xs),
    ):
        assert doldari.check_layer(layer, given) < 1e-7


def test_a_layer_with_a_slip(rng):
    layer = Scale(rng.standard_normal(4), rng.standard_normal(4), forgotten=True)
    with pytest.raises(doldari.GradientError, match=r"the farthest off is b\[\d\]: .*, but 0 by its gradient"):
        doldari.check_layer(layer, rng.standard_normal((2, 3, 4)))


def test_a_layer_whose_input_has_a_wrong_gradient(rng):
    layer = Scale(rng.standard_normal(4), rng.standard_normal(4))
    layer.backward = lambda dys, xs: (Scale.backward(layer, dys, xs), None)[0] * 2
    with pytest.raises(doldari.GradientError, match=r"the farthest off is input 0\[\d, \d, \d\]"):
        doldari.check_layer(layer, rng.standard_normal((2, 3, 4)))


def test_the_chapters_lstm_in_full(rng):
    """All three of doldari's TimeLSTM results, by `check_gradients`: forward has more than check_layer knows."""
    layer = TimeLSTM(*(Parameter(rng.standard_normal(shape)) for shape in ((2, 12), (3, 12), (12,))))
    xs = rng.standard_normal((2, 4, 2))
    hs, _, cache = layer.forward(xs)
    dxs, _, _ = layer.backward(np.ones_like(hs), cache)
    arrays = {name: one.value for name, one in layer.parameters().items()} | {"xs": xs}
    gradients = {name: one.gradient for name, one in layer.parameters().items()} | {"xs": dxs}
    assert doldari.check_gradients(lambda: layer.forward(xs)[0].sum(), arrays, gradients) < 1e-7

"""Check gradients that were derived by hand: `check_gradients` of any function, `check_layer` of a layer.

Along a direction v, the slope of a function f at x is the product of its gradient with v.  It is also, but for an
error of the order of step**2, the central difference

    (f(x + step v) - f(x - step v)) / (2 step)

(Goodfellow, Bengio and Courville 2016, Deep Learning, section 11.5).  A few random directions tell right from wrong
for all numbers at once; only where they disagree is each number looked at by itself.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from doldari.arrays import Floats
from doldari.errors import GradientError
from doldari.layers import Parameter

Arrays = Mapping[str, Floats] | Sequence[Floats]
LOOKED_AT = 1_000  # numbers, drawn at random if there are more, among which the worst is named
ROUNDING = 1e-3  # the share of a function's value below which slopes are compared as if they were as large as that


class Checked(NamedTuple):
    """An array of a function, its name, and the gradient to check."""

    name: str
    array: Floats
    gradient: Floats


def check_gradients(
    function: Callable[[], float],
    arrays: Arrays,
    gradients: Arrays,
    rng: np.random.Generator | None = None,
    *,
    directions: int = 5,
    step: float = 1e-5,
    tolerance: float = 1e-7,
) -> float:
    """Compare gradients with central differences of a function; return the largest relative error.

    function takes no arguments: it reads the arrays, of float64 and any shape, anew each time, and returns a number.
    gradients are that number's, each of the shape of its array.  Both are dictionaries with the same names, or lists.
    The error along a direction is relative to the slope or to the length of the gradient, whichever is larger.  While
    they are checked the arrays change in place; at the end they are as before.

    Raises GradientError where an error is above the tolerance, and names the number that is the farthest off;
    TypeError or ValueError for what cannot be checked.

    >>> x = np.array([1.0, 2.0])
    >>> doldari.check_gradients(lambda: (x**2).sum(), {"x": x}, {"x": 2 * x}) < 1e-7
    True
    """
    rng = np.random.default_rng(0) if rng is None else rng
    parts = as_parts(arrays, gradients)
    length = np.sqrt(sum(float((part.gradient**2).sum()) for part in parts))
    largest = 0.0
    for _ in range(directions):
        direction = [rng.standard_normal(part.array.shape) for part in parts]
        numeric, size = slope(function, [part.array for part in parts], direction, step)
        analytic = sum(float((part.gradient * v).sum()) for part, v in zip(parts, direction, strict=True))
        scale = max(length, abs(numeric), ROUNDING * size)
        error = abs(numeric - analytic) / scale if scale else 0.0
        if not error <= tolerance:  # nor if it is no number
            raise GradientError(
                f"along a random direction the slope is {numeric:.6g}, but {analytic:.6g} by the gradients; "
                f"{farthest_off(function, parts, rng, step)}"
            )
        largest = max(largest, error)
    return largest


def check_layer(layer: Any, *inputs: NDArray[Any], rng: np.random.Generator | None = None) -> float:
    """Compare a layer's backward with central differences of its forward; return the largest relative error.

    forward(*inputs) returns an array, or an array and a cache.  backward takes the gradient of that array, and the
    cache if there is one, and returns the gradients of the inputs: one, or a tuple in their order.  Inputs that are
    not float64, such as ids, have none.  The parameters are those that the layer's parameters() names, or its
    attributes that are a `doldari.layers.Parameter`, or the arrays in its lists params and grads, as in the book.

    Raises what `check_gradients` raises.

    >>> doldari.check_layer(TimeAffine(W, b), xs)
    """
    rng = np.random.default_rng(0) if rng is None else rng
    parameters = parameters_of(layer)
    for parameter in parameters.values():
        parameter.gradient[...] = 0.0  # backward adds to it
    ys, *cache = result(layer.forward(*inputs))
    weights = rng.standard_normal(np.shape(ys))
    returned = layer.backward(weights, *cache)
    dinputs = returned if isinstance(returned, tuple) else (returned,)
    parts = {name: (one.value, one.gradient) for name, one in parameters.items()}
    if not parameters:
        both = zip(getattr(layer, "params", ()), getattr(layer, "grads", ()), strict=True)
        parts = {f"params[{index}]": pair for index, pair in enumerate(both)}
    for index, (array, gradient) in enumerate(zip(inputs, dinputs, strict=False)):
        if array.dtype == np.float64:
            parts[f"input {index}"] = array, gradient
    arrays, gradients = ({name: pair[index] for name, pair in parts.items()} for index in (0, 1))
    gradients = {name: np.array(gradient) for name, gradient in gradients.items()}

    def loss() -> float:
        return float((result(layer.forward(*inputs))[0] * weights).sum())

    return check_gradients(loss, arrays, gradients, rng)


def as_parts(arrays: Arrays, gradients: Arrays) -> list[Checked]:
    """Put each array with its gradient; refuse what cannot be checked."""
    if not isinstance(arrays, Mapping):
        arrays = {f"array {index}": array for index, array in enumerate(arrays)}
    if not isinstance(gradients, Mapping):
        gradients = dict(zip(arrays, gradients, strict=True))
    if set(arrays) != set(gradients):
        raise ValueError(f"check_gradients: arrays {list(arrays)}, but gradients {list(gradients)}")
    parts = [Checked(name, array, np.asarray(gradients[name])) for name, array in arrays.items()]
    for name, array, gradient in parts:
        if not isinstance(array, np.ndarray) or array.dtype != np.float64:
            got = array.dtype if isinstance(array, np.ndarray) else type(array).__name__
            raise TypeError(f"check_gradients: {name} must be an array of float64, got {got}")
        if gradient.shape != array.shape:
            raise ValueError(f"check_gradients: {name} has the shape {array.shape}, its gradient {gradient.shape}")
    return parts


def slope(
    function: Callable[[], float], arrays: Sequence[Floats], direction: Sequence[Floats], step: float
) -> tuple[float, float]:
    """Take the central difference of a function along a direction; return it, and how large the function is there."""
    before = [array.copy() for array in arrays]
    values = []
    try:
        for sign in (1, -1):
            for array, start, v in zip(arrays, before, direction, strict=True):
                array[...] = start + sign * step * v
            values.append(float(function()))
    finally:
        for array, start in zip(arrays, before, strict=True):
            array[...] = start
    return (values[0] - values[1]) / (2 * step), max(map(abs, values))


def farthest_off(
    function: Callable[[], float], parts: Sequence[Checked], rng: np.random.Generator, step: float
) -> str:
    """Name the number whose gradient is the farthest from its central difference, and give both."""
    places = [(part, index) for part in parts for index in np.ndindex(part.array.shape)]
    if len(places) > LOOKED_AT:
        places = [places[number] for number in rng.choice(len(places), LOOKED_AT, replace=False)]
    worst, said = -1.0, ""
    for (name, array, gradient), index in places:
        v = np.zeros_like(array)
        v[index] = 1.0
        numeric, _ = slope(function, [array], [v], step)
        difference = float(abs(numeric - gradient[index]))
        if not difference <= worst:
            worst = difference
            place = f"{name}[{', '.join(map(str, index))}]" if index else name
            said = f"the farthest off is {place}: {numeric:.6g}, but {gradient[index]:.6g} by its gradient"
    return said


def parameters_of(layer: Any) -> dict[str, Parameter]:
    """Find a layer's parameters by name."""
    if callable(getattr(layer, "parameters", None)):
        return dict(layer.parameters())
    return {name: value for name, value in vars(layer).items() if isinstance(value, Parameter)}


def result(returned: Any) -> tuple[Any, ...]:
    """Take what a forward returned as an array and, if there is one, a cache."""
    return returned if isinstance(returned, tuple) else (returned,)

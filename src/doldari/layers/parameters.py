"""What a model learns: arrays with their gradients, all in one flat buffer each.

A layer holds `Parameter`s and reads `.value` and adds to `.gradient`.  A model packs all of its parameters, by
name, into `Parameters`; from then on each is a view, and clearing, clipping, updating and saving are lines over
whole vectors.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol, Self

import numpy as np
from numpy.typing import DTypeLike

from doldari.arrays import Floats, empty
from doldari.layers.arguments import DTYPES, check_dtype, check_rng, check_shape, described


class Parameter:
    """One learned array, `value`, and the loss's gradient by it, `gradient`, of the same shape."""

    __slots__ = ("gradient", "value")

    def __init__(self, value: Floats) -> None:
        if not isinstance(value, np.ndarray) or value.dtype not in DTYPES:
            raise TypeError(f"Parameter: value must be an array of float32 or float64, got {described(value)}")
        self.value = value
        self.gradient = np.zeros_like(value, order="C")  # as the kernels write it

    @classmethod
    def normal(
        cls, rng: np.random.Generator, shape: tuple[int, ...], scale: float, dtype: DTypeLike = np.float32
    ) -> Self:
        """Draw from the normal distribution with standard deviation `scale`; the same draw in every dtype."""
        check_rng("Parameter.normal", rng)
        check_dtype("Parameter.normal", dtype)
        return cls((rng.standard_normal(shape) * scale).astype(dtype))

    @classmethod
    def ones(cls, shape: tuple[int, ...], dtype: DTypeLike = np.float32) -> Self:
        """Start from ones."""
        check_dtype("Parameter.ones", dtype)
        return cls(np.ones(shape, dtype=dtype))

    @classmethod
    def zeros(cls, shape: tuple[int, ...], dtype: DTypeLike = np.float32) -> Self:
        """Start from zeros."""
        check_dtype("Parameter.zeros", dtype)
        return cls(np.zeros(shape, dtype=dtype))


class Parameters:
    """Named parameters over two flat vectors, `values` and `gradients`.

    Packing turns each parameter's arrays into views of the vectors and keeps what they hold.
    """

    def __init__(self, named: Mapping[str, Parameter]) -> None:
        self._named = dict(named)
        self.values = joined([parameter.value for parameter in self._named.values()])
        self.gradients = joined([parameter.gradient for parameter in self._named.values()])
        values, gradients = self.views(self.values), self.views(self.gradients)
        for name, parameter in self._named.items():
            parameter.value, parameter.gradient = values[name], gradients[name]

    def __getitem__(self, name: str) -> Parameter:
        return self._named[name]

    def __copy__(self) -> Self:
        raise TypeError("a copy would take the parameters away from their layers; copy.deepcopy the model")

    def __reduce__(self) -> tuple[type[Self], tuple[dict[str, Parameter]]]:
        return type(self), (self._named,)  # copying and unpickling pack again, so that views stay views

    def __iter__(self) -> Iterator[str]:
        return iter(self._named)

    def __len__(self) -> int:
        return len(self._named)

    def items(self) -> Iterator[tuple[str, Parameter]]:
        """Yield each name with its parameter, in the order of the flat vectors."""
        return iter(self._named.items())

    def views(self, vector: Floats) -> dict[str, Floats]:
        """Cut a vector that is laid out as `values` is into views of each parameter's name and shape."""
        named, start = {}, 0
        for name, parameter in self._named.items():
            stop = start + parameter.value.size
            named[name] = vector[start:stop].reshape(parameter.value.shape)
            start = stop
        return named


class Optimizer(Protocol):
    """What changes parameters by their gradients; `Adam` and `SGD` are two."""

    learning_rate: float
    steps: int

    def step(self, parameters: Parameters, max_grad: float | None = None) -> float:
        """Clip the gradients, update the values, return the gradients' norm."""

    def moments(self, parameters: Parameters) -> dict[str, Floats]:
        """Give what it remembers of the gradients: vectors as long as the parameters, to be read and written."""


def joined(arrays: Sequence[Floats]) -> Floats:
    """Copy the numbers of arrays one after another into a vector, which begins with a cache line if it is large."""
    vector = empty((sum(array.size for array in arrays),), arrays[0].dtype)
    return np.concatenate([array.ravel() for array in arrays], out=vector)


def check_parameters(owner: str, named: Mapping[str, tuple[object, str]]) -> None:
    """Refuse what are no parameters of one dtype and of the shapes said, such as {"Wh": (Wh, "(H, 4H)")}."""
    parameters: dict[str, Parameter] = {}
    for name, (parameter, shape) in named.items():
        if not isinstance(parameter, Parameter):
            raise TypeError(f"{owner}: {name} must be a Parameter of shape {shape}, got {described(parameter)}")
        parameters[name] = parameter
    sizes: dict[str, int] = {}
    first, *_ = parameters
    for name, parameter in parameters.items():
        check_shape(owner, name, parameter.value.shape, named[name][1], sizes)
        dtype, expected = parameter.value.dtype, parameters[first].value.dtype
        if dtype != expected:
            raise TypeError(f"{owner}: {name} must be of {expected}, as {first} is, got {dtype}")


def prefixed(prefix: str, named: Mapping[str, Parameter]) -> dict[str, Parameter]:
    """Put `prefix.` before every name: how a part's parameters are named in the whole."""
    return {f"{prefix}.{name}": parameter for name, parameter in named.items()}

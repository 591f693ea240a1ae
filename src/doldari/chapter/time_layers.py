"""The time layers as the chapter's listings use them: NumPy arrays in, `params` and `grads` out.

A layer keeps what the book's layers keep: `params`, the arrays it was given; `grads`, arrays of the same shapes,
which every `backward` overwrites; and, unlike `doldari.layers`, what its `forward` left.  The arrays are only ever
changed in place, so a model may collect them in lists of its own.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from doldari import layers
from doldari.arrays import Floats
from doldari.layers import LSTMState, Parameter
from doldari.models.ids import check_ids


class Layer:
    """What the layers share: `params` and `grads`, and a cache for one `backward` after each `forward`."""

    def __init__(self, *parameters: Parameter) -> None:
        self.params = [parameter.value for parameter in parameters]
        self.grads = [parameter.gradient for parameter in parameters]
        self._cache: Any = None

    def _begin_backward(self) -> Any:
        """Clear `grads`, to which doldari's layers add, and take the cache of the last `forward`."""
        if self._cache is None:
            raise RuntimeError(f"{type(self).__name__}: backward() needs a forward() before it")
        for gradient in self.grads:
            gradient[...] = 0.0
        cache, self._cache = self._cache, None
        return cache


class TimeEmbedding(Layer):
    """Ids to vectors: row `id` of W (V, D)."""

    def __init__(self, W: Floats) -> None:
        (parameter,) = weights("TimeEmbedding(W): expected W (V, D)", [W], lambda W: W.ndim == 2)
        super().__init__(parameter)
        self._layer = layers.TimeEmbedding(parameter)

    def forward(self, xs: ArrayLike) -> Floats:
        """Look up ids xs (N, T) -> vectors (N, T, D)."""
        (W,) = self.params
        vectors, self._cache = self._layer.forward(check_ids("xs", xs, len(W)))
        return vectors

    def backward(self, dout: ArrayLike) -> None:
        """Write the gradient of W; dout (N, T, D) is that of the vectors.  Ids have none."""
        (W,) = self.params
        self._layer.backward(over_time("dout", dout, W.shape[1], W), self._begin_backward())


class TimeLSTM(Layer):
    """An LSTM over time: Wx (D, 4H), Wh (H, 4H), b (4H,), gates in the order f, g, i, o.

    A stateful layer starts each `forward` from its state h, c (N, H): that of `set_state`, or what the last `forward`
    left.  Otherwise each starts from zeros, even after `set_state`.  After `backward`, dh (N, H) is the gradient of
    the h that `forward` started from.
    """

    def __init__(self, Wx: Floats, Wh: Floats, b: Floats, stateful: bool = False) -> None:
        parameters = weights(
            "TimeLSTM(Wx, Wh, b): expected Wx (D, 4H), Wh (H, 4H), b (4H,)",
            [Wx, Wh, b],
            lambda Wx, Wh, b: Wx.shape[1:] == Wh.shape[1:] == b.shape == (4 * len(Wh),),
        )
        super().__init__(*parameters)
        self._layer = layers.TimeLSTM(*parameters)
        self.stateful = stateful
        self.h: Floats | None = None
        self.c: Floats | None = None
        self.dh: Floats | None = None

    def forward(self, xs: ArrayLike) -> Floats:
        """Run over xs (N, T, D) -> hidden states hs (N, T, H)."""
        Wx, Wh, _ = self.params
        xs = over_time("xs", xs, len(Wx), Wx)
        if not self.stateful:
            self.reset_state()
        zeros = np.zeros((len(xs), len(Wh)), Wh.dtype)
        first = LSTMState(zeros if self.h is None else self.h, zeros if self.c is None else self.c)
        if {len(first.h), len(first.c)} != {len(xs)}:
            raise ValueError(
                f"the state is that of {len(first.h)} sequences, xs of {len(xs)}: set_state or reset_state"
            )
        hs, last, self._cache = self._layer.forward(xs, first)
        self.h, self.c = np.array(last.h), last.c
        return hs

    def backward(self, dhs: ArrayLike) -> Floats:
        """Write the gradients of the weights and dh; dhs (N, T, H), of hs -> dxs (N, T, D)."""
        Wh = self.params[1]
        dxs, dfirst, _ = self._layer.backward(over_time("dhs", dhs, len(Wh), Wh), self._begin_backward())
        self.dh = dfirst.h
        return dxs

    def set_state(self, h: ArrayLike, c: ArrayLike | None = None) -> None:
        """Start the next `forward` of a stateful layer from h and c (N, H); without c from an empty cell."""
        Wh = self.params[1]
        states = [None if state is None else np.array(state, Wh.dtype, order="C") for state in (h, c)]
        for name, state in zip("hc", states, strict=True):
            if state is not None and state.shape[1:] != (len(Wh),):
                raise ValueError(f"set_state: {name} has the shape {state.shape}, expected (N, {len(Wh)})")
        self.h, self.c = states

    def reset_state(self) -> None:
        """Start the next `forward` from zeros."""
        self.h, self.c = None, None


class TimeAffine(Layer):
    """The same product and bias at every step: xs W + b, with W (H, V) and b (V,)."""

    def __init__(self, W: Floats, b: Floats) -> None:
        parameters = weights(
            "TimeAffine(W, b): expected W (H, V), b (V,)", [W, b], lambda W, b: W.shape[1:] == b.shape and b.ndim == 1
        )
        super().__init__(*parameters)
        self._layer = layers.TimeAffine(*parameters)

    def forward(self, xs: ArrayLike) -> Floats:
        """Map xs (N, T, H) to scores (N, T, V)."""
        W, _ = self.params
        scores, self._cache = self._layer.forward(over_time("xs", xs, len(W), W))
        return scores

    def backward(self, dout: ArrayLike) -> Floats:
        """Write the gradients of W and b; dout (N, T, V), of the scores -> dxs (N, T, H)."""
        W, _ = self.params
        dxs, _ = self._layer.backward(over_time("dout", dout, W.shape[1], W), self._begin_backward())
        return dxs


class TimeSoftmaxWithLoss(Layer):
    """Softmax and mean cross-entropy, in nats, over the positions whose right id is not `ignore_label`."""

    def __init__(self) -> None:
        super().__init__()
        self._layer = layers.TimeSoftmaxWithLoss()
        self.ignore_label = -1

    def forward(self, xs: ArrayLike, ts: ArrayLike) -> float:
        """Compare scores xs (N, T, V) with the right ids ts (N, T): the loss."""
        scores, ts = np.ascontiguousarray(xs), np.asarray(ts)
        if scores.ndim != 3 or scores.shape[:2] != ts.shape:
            raise ValueError(f"scores {scores.shape} and right ids {ts.shape}: expected (N, T, V) and (N, T)")
        mask = ts != self.ignore_label
        targets = check_ids("ts", np.where(mask, ts, 0), scores.shape[2])
        loss, self._cache = self._layer.forward(scores, targets, None if mask.all() else mask)
        return loss

    def backward(self, dout: float = 1) -> Floats:
        """Gradient of `dout` times the loss by the scores (N, T, V); 0 where the right id is `ignore_label`."""
        return self._layer.backward(self._begin_backward(), dout)


def weights(expected: str, arrays: list[Floats], fit: Callable[..., bool]) -> list[Parameter]:
    """Take a layer's weights: NumPy arrays of one precision whose shapes fit; otherwise an error shows both."""
    got = ", ".join(map(described, arrays))
    message = f"{expected}, NumPy arrays all of float32 or all of float64; got {got}"
    if not all(isinstance(array, np.ndarray) for array in arrays):
        raise TypeError(message)
    if {array.dtype for array in arrays} not in ({np.dtype(np.float32)}, {np.dtype(np.float64)}) or not fit(*arrays):
        raise ValueError(message)
    return [Parameter(array) for array in arrays]


def described(weight: object) -> str:
    """Say an array's shape and precision, or what else it is."""
    return f"{weight.shape} {weight.dtype}" if isinstance(weight, np.ndarray) else type(weight).__name__


def over_time(name: str, array: ArrayLike, size: int, weight: Floats) -> Floats:
    """Take vectors (N, T, size) from outside, side by side and in the precision of the weight."""
    vectors = np.ascontiguousarray(array, weight.dtype)
    if vectors.ndim != 3 or vectors.shape[2] != size:
        raise ValueError(f"{name} has the shape {np.shape(array)}, expected (N, T, {size})")
    return vectors

"""The same matrix product and bias at every time step."""

from typing import NamedTuple

from doldari import kernels
from doldari.arrays import Floats
from doldari.layers.parameters import Parameter


class AffineCache(NamedTuple):
    """What `TimeAffine.backward` needs: the inputs of `forward`."""

    xs: Floats
    constant: Floats | None


class TimeAffine:
    """Scores every step: ys[n, t] = [constant[n], xs[n, t]] W + b, with W (C + H, V) and b (V,).

    The constant, a vector of size C that is the same at every step, is what a peeky decoder looks at; a plain
    one has none, C = 0.
    """

    def __init__(self, W: Parameter, b: Parameter) -> None:
        self.W, self.b = W, b

    def parameters(self) -> dict[str, Parameter]:
        """Name every parameter."""
        return {"W": self.W, "b": self.b}

    def forward(self, xs: Floats, constant: Floats | None = None) -> tuple[Floats, AffineCache]:
        """Map xs (N, T, H), and constant (N, C), to ys (N, T, V), cache."""
        N, T, H = xs.shape
        W = self.W.value
        C, V = W.shape[0] - H, W.shape[1]
        ys = kernels.product(xs.reshape(N * T, H), W[C:], self.b.value).reshape(N, T, V)
        if constant is not None:
            ys += kernels.product(constant, W[:C])[:, None]
        return ys, AffineCache(xs, constant)

    def backward(self, dys: Floats, cache: AffineCache) -> tuple[Floats, Floats | None]:
        """Add to the gradients of W and b; dys (N, T, V) -> dxs (N, T, H), dconstant (N, C) or None."""
        xs, constant = cache
        N, T, H = xs.shape
        W, dW = self.W.value, self.W.gradient
        C, V = W.shape[0] - H, W.shape[1]
        dys_rows = dys.reshape(N * T, V)
        kernels.add_product(xs.reshape(N * T, H).T, dys_rows, dW[C:])
        self.b.gradient += dys_rows.sum(axis=0)
        dxs = kernels.product(dys_rows, W[C:].T).reshape(N, T, H)
        if constant is None:
            return dxs, None
        dys_sum = dys.sum(axis=1)
        kernels.add_product(constant.T, dys_sum, dW[:C])
        return dxs, kernels.product(dys_sum, W[:C].T)

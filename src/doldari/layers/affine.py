"""The same matrix product and bias at every time step."""

from typing import NamedTuple

from doldari import kernels
from doldari.arrays import Floats
from doldari.layers.arguments import check_array, described
from doldari.layers.parameters import Parameter, check_parameters


class AffineCache(NamedTuple):
    """What `TimeAffine.backward` needs: the inputs of `forward`."""

    xs: Floats
    constant: Floats | None


class TimeAffine:
    """Scores every step: ys[n, t] = [constant[n], xs[n, t]] W + b, with W (C + H, V) and b (V,).

    The constant, a vector of size C that is the same at every step, is what a peeky decoder looks at; a plain
    one has none, C = 0.
    """

    SHAPE = "(C + H, V)"  # of W

    def __init__(self, W: Parameter, b: Parameter) -> None:
        check_parameters(type(self).__name__, {"W": (W, self.SHAPE), "b": (b, "(V,)")})
        self.W, self.b = W, b

    def parameters(self) -> dict[str, Parameter]:
        """Name every parameter."""
        return {"W": self.W, "b": self.b}

    def forward(self, xs: Floats, constant: Floats | None = None) -> tuple[Floats, AffineCache]:
        """Map xs (N, T, H), and constant (N, C), to ys (N, T, V), cache."""
        self.check_inputs(xs, constant)
        N, T, H = xs.shape
        # [constant, xs] W + b = xs W[C:] + (constant W[:C] + b), whose second part is the same at every step
        W, bias = self.split(H, constant)
        ys = kernels.product(xs.reshape(N * T, H), W, bias if constant is None else None).reshape(N, T, W.shape[1])
        if constant is not None:
            ys += bias[:, None]
        return ys, AffineCache(xs, constant)

    def backward(self, dys: Floats, cache: AffineCache) -> tuple[Floats, Floats | None]:
        """Add to the gradients of W and b; dys (N, T, V) -> dxs (N, T, H), dconstant (N, C) or None."""
        xs, constant = cache
        N, T, H = xs.shape
        W, dW = self.W.value, self.W.gradient
        C, V = W.shape[0] - H, W.shape[1]
        check_array("TimeAffine.backward", "dys", dys, "(N, T, V)", {"N": N, "T": T, "V": V}, xs.dtype)
        dys_rows = dys.reshape(N * T, V)
        kernels.add_product(xs.reshape(N * T, H).T, dys_rows, dW[C:])
        self.b.gradient += dys_rows.sum(axis=0)
        dxs = kernels.product(dys_rows, W[C:].T).reshape(N, T, H)
        if constant is None:
            return dxs, None
        dys_sum = dys.sum(axis=1)
        kernels.add_product(constant.T, dys_sum, dW[:C])
        return dxs, kernels.product(dys_sum, W[:C].T)

    def split(self, H: int, constant: Floats | None) -> tuple[Floats, Floats]:
        """Split what xs meets, W (H, V), from what is the same at every step: (V,), or of constant (N, C), (N, V)."""
        W, b = self.W.value, self.b.value
        C = W.shape[0] - H
        return W[C:], b if constant is None else kernels.product(constant, W[:C]) + b

    def check_inputs(self, xs: Floats, constant: Floats | None) -> None:
        """Refuse, by name, what `forward` cannot map."""
        dtype = self.W.value.dtype
        sizes: dict[str, int] = {}
        if constant is not None:
            check_array("TimeAffine.forward", "constant", constant, "(N, C)", sizes, dtype)
        sizes["H"] = self.W.value.shape[0] - sizes.get("C", 0)
        check_array("TimeAffine.forward", "xs", xs, "(N, T, H)", sizes, dtype)


class TimeTiedAffine(TimeAffine):
    """Scores every step by the rows of an embedding: ys[n, t] = xs[n, t] W^T + b, with W (V, H) and b (V,).

    W is the decoder's own embedding, so that a symbol is read and written by one vector (Press & Wolf 2017,
    arXiv:1608.05859).
    """

    SHAPE = "(V, H)"

    def parameters(self) -> dict[str, Parameter]:
        """Name the parameter that is its own; W is the embedding's."""
        return {"b": self.b}

    def split(self, H: int, constant: Floats | None) -> tuple[Floats, Floats]:
        """Give what xs meets, W^T (H, V), and what is the same at every step, (V,)."""
        return self.W.value.T, self.b.value

    def backward(self, dys: Floats, cache: AffineCache) -> tuple[Floats, None]:
        """Add to the gradients of W and b; dys (N, T, V) -> dxs (N, T, H), None."""
        N, T, H = cache.xs.shape
        V = len(self.b.value)
        check_array("TimeTiedAffine.backward", "dys", dys, "(N, T, V)", {"N": N, "T": T, "V": V}, cache.xs.dtype)
        dys_rows = dys.reshape(N * T, V)
        kernels.add_product(dys_rows.T, cache.xs.reshape(N * T, H), self.W.gradient)
        self.b.gradient += dys_rows.sum(axis=0)
        return kernels.product(dys_rows, self.W.value).reshape(N, T, H), None

    def check_inputs(self, xs: Floats, constant: Floats | None) -> None:
        """Refuse, by name, what `forward` cannot map."""
        sizes = {"H": self.W.value.shape[1]}
        check_array("TimeTiedAffine.forward", "xs", xs, "(N, T, H)", sizes, self.W.value.dtype)
        if constant is not None:
            raise TypeError(f"TimeTiedAffine.forward: constant must be None, got {described(constant)}")

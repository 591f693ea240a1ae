"""What the LSTM and the GRU share: their weights, the vectors' form, and the product of the inputs."""

from typing import Generic, Protocol, TypeVar

import numpy as np

from doldari import kernels
from doldari.arrays import Floats, Ids, Mask
from doldari.layers.parameters import Parameter


class HasRows(Protocol):
    """A cache that holds the rows (N, T) of `forward_table`."""

    @property
    def rows(self) -> Ids:
        """Return them."""


State = TypeVar("State")
Cache = TypeVar("Cache", bound=HasRows)


class Recurrent(Generic[State, Cache]):
    """Weights Wx (C + D, G), Wh (H, G), b (G,), where G is the gates' width: 4H in an LSTM, 3H in a GRU.

    The input of a step is [constant, x]: a vector of size C that is the same at every step (what a peeky decoder
    looks at; none and C = 0 otherwise), and the step's own of size D.
    """

    def __init__(self, Wx: Parameter, Wh: Parameter, b: Parameter) -> None:
        self.Wx, self.Wh, self.b = Wx, Wh, b

    def parameters(self) -> dict[str, Parameter]:
        """Name every parameter."""
        return {"Wx": self.Wx, "Wh": self.Wh, "b": self.b}

    def forward(
        self,
        xs: Floats,
        first: State | None = None,
        mask: Mask | None = None,
        constant: Floats | None = None,
    ) -> tuple[Floats, State, Cache]:
        """Run over time.  xs (N, T, D), first state (zeros if None) -> hs (N, T, H), last state, cache.

        mask (N, T) is False at padding, through which the state passes unchanged.  constant is (N, C).
        """
        N, T, D = xs.shape
        rows = np.arange(N * T, dtype=np.int32).reshape(N, T)
        return self.forward_table(xs.reshape(N * T, D), rows, first, mask, constant)

    def backward(
        self, dhs: Floats | None, cache: Cache, dlast: State | None = None
    ) -> tuple[Floats, State, Floats | None]:
        """Add to the gradients of the weights; return dxs (N, T, D), dfirst, dconstant (N, C) or None.

        Once only for each `forward`: the cache is used up.  dfirst is of no meaning if there was no first state.
        dhs (N, T, H) and dlast are the gradients of what `forward` gave; None stands for zeros.
        """
        N, T = cache.rows.shape
        dtable, dfirst, dconstant = self.backward_table(dhs, cache, dlast)
        return dtable.reshape(N, T, dtable.shape[1]), dfirst, dconstant

    def forward_table(
        self,
        table: Floats,
        rows: Ids,
        first: State | None = None,
        mask: Mask | None = None,
        constant: Floats | None = None,
    ) -> tuple[Floats, State, Cache]:
        """Run over xs = table[rows], with table (R, D) and rows (N, T), as `forward` does over xs."""
        raise NotImplementedError

    def backward_table(
        self, dhs: Floats | None, cache: Cache, dlast: State | None = None
    ) -> tuple[Floats, State, Floats | None]:
        """Run `forward_table` backwards: dtable (R, D), dfirst, dconstant; otherwise as `backward`."""
        raise NotImplementedError

    def products(self, table: Floats, constant: Floats | None) -> tuple[Floats, Floats | None]:
        """Take the input products of table (R, D), with the bias, (R, G), and of constant (N, C), (N, G)."""
        Wx = self.Wx.value
        C = Wx.shape[0] - table.shape[1]
        context = None if constant is None else kernels.product(constant, Wx[:C])
        return kernels.product(table, Wx[C:], self.b.value), context

    def zeros(self, table: Floats, constant: Floats | None) -> tuple[Floats, Floats | None]:
        """Make zeros of the shapes of what `products` gives, to which a kernel adds its gradients."""
        G, dtype = self.Wh.value.shape[1], self.Wh.value.dtype
        return np.zeros((len(table), G), dtype), None if constant is None else np.zeros((len(constant), G), dtype)

    def products_backward(
        self, dproducts: Floats, dcontext: Floats | None, table: Floats, constant: Floats | None
    ) -> tuple[Floats, Floats | None]:
        """Add to the gradients of Wx and b; return dtable (R, D), dconstant (N, C) or None.

        dproducts (R, G) and dcontext (N, G) are the gradients of what `products` gave.
        """
        Wx, dWx = self.Wx.value, self.Wx.gradient
        C = Wx.shape[0] - table.shape[1]
        kernels.add_product(table.T, dproducts, dWx[C:])
        self.b.gradient += dproducts.sum(axis=0)
        dtable = kernels.product(dproducts, Wx[C:].T)
        if constant is None or dcontext is None:
            return dtable, None
        kernels.add_product(constant.T, dcontext, dWx[:C])
        return dtable, kernels.product(dcontext, Wx[:C].T)

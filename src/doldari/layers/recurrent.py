"""What the LSTM and the GRU share: their weights, and the product of the inputs before the recurrence."""

import numpy as np

from doldari import kernels
from doldari.arrays import Floats
from doldari.layers.parameters import Parameter


class Recurrent:
    """Weights Wx (C + D, G), Wh (H, G), b (G,), where G is the gates' width: 4H in an LSTM, 3H in a GRU.

    The input of a step is [constant, x]: a vector of size C that is the same at every step (what a peeky decoder
    looks at; none and C = 0 otherwise), and the step's own of size D.
    """

    def __init__(self, Wx: Parameter, Wh: Parameter, b: Parameter) -> None:
        self.Wx, self.Wh, self.b = Wx, Wh, b

    def parameters(self) -> dict[str, Parameter]:
        """Name every parameter."""
        return {"Wx": self.Wx, "Wh": self.Wh, "b": self.b}

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

"""What the LSTM and the GRU share: their weights, and the product of the inputs before the recurrence."""

import numpy as np

from doldari import kernels
from doldari.arrays import Floats, Ids
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
        input_products = kernels.product(table, Wx[C:])
        input_products += self.b.value
        return input_products, None if constant is None else kernels.product(constant, Wx[:C])

    def products_backward(
        self, dgates: Floats, table: Floats, rows: Ids, constant: Floats | None
    ) -> tuple[Floats, Floats | None]:
        """Add to the gradients of Wx and b; dgates (N, T, G) -> dtable (R, D), dconstant (N, C) or None.

        dgates is the gradient at every position of what `products` gave for the row of the table read there.
        """
        Wx, dWx = self.Wx.value, self.Wx.gradient
        R, D = table.shape
        C = Wx.shape[0] - D
        dproducts = np.zeros((R, dgates.shape[2]), dgates.dtype)
        kernels.scatter_rows(dgates, rows, dproducts)
        kernels.add_product(table.T, dproducts, dWx[C:])
        self.b.gradient += dproducts.sum(axis=0)
        dtable = kernels.product(dproducts, Wx[C:].T)
        if constant is None:
            return dtable, None
        dcontext = dgates.sum(axis=1)
        kernels.add_product(constant.T, dcontext, dWx[:C])
        return dtable, kernels.product(dcontext, Wx[:C].T)

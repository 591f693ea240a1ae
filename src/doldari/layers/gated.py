"""What the LSTM and the GRU share: weights, and the product of the inputs, taken for all time steps at once."""

from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np

from doldari import kernels
from doldari.arrays import Floats, Ids, Mask, empty
from doldari.layers.arguments import check_array, check_mask, described
from doldari.layers.parameters import Parameter, check_parameters
from doldari.layers.recurrent import RecurrentLayer

State = TypeVar("State", bound=tuple[Floats, ...])


class GatedCache(NamedTuple, Generic[State]):
    """What the way back needs: the inputs of `forward_table`, and what the kernel kept of every step."""

    table: Floats
    rows: Ids
    constant: Floats | None
    mask: Mask | None
    first: State | None
    steps: Floats


class GatedLayer(RecurrentLayer[State, GatedCache[State]]):
    """Weights Wx (C + D, G), Wh (H, G), b (G,), where G = GATES * H is the gates' width.

    The input of a step is [constant, x] Wx + b: x, of size D, is the step's own, the constant, of size C, the same at
    every step (C = 0 if there is none).  It does not depend on h, so it is one product for all steps together.
    """

    GATES: int
    KEPT: int  # vectors that the kernel keeps of a step for the way back

    def __init__(self, Wx: Parameter, Wh: Parameter, b: Parameter) -> None:
        G = f"{self.GATES}H"
        shapes = {"Wx": (Wx, f"(C + D, {G})"), "Wh": (Wh, f"(H, {G})"), "b": (b, f"({G},)")}
        check_parameters(type(self).__name__, shapes)
        self.Wx, self.Wh, self.b = Wx, Wh, b

    def parameters(self) -> dict[str, Parameter]:
        """Name every parameter."""
        return {"Wx": self.Wx, "Wh": self.Wh, "b": self.b}

    def forward_table(
        self,
        table: Floats,
        rows: Ids,
        first: State | None = None,
        mask: Mask | None = None,
        constant: Floats | None = None,
    ) -> tuple[Floats, State, GatedCache[State]]:
        """Run over xs = table[rows], with table (R, D) and rows (N, T), as `forward` does over xs."""
        N, T = rows.shape
        H, dtype = len(self.Wh.value), self.Wh.value.dtype
        products, context = self.input_products(table, constant)
        hs, steps = empty((N, T, H), dtype), empty((N, T, self.KEPT * kernels.cache_width(H)), dtype)
        last = self.run(products, rows, context, first, mask, hs, steps)
        return hs, last, GatedCache(table, rows, constant, mask, first, steps)

    def backward_table(
        self, dhs: Floats | None, cache: GatedCache[State], dlast: State | None = None
    ) -> tuple[Floats, State, Floats | None]:
        """Run `forward_table` backwards: dtable (R, D), dfirst, dconstant; otherwise as `backward`."""
        table, _, constant, _, _, steps = cache
        G = self.Wh.value.shape[1]
        dproducts = np.zeros((len(table), G), steps.dtype)
        dcontext = None if constant is None else np.zeros((len(constant), G), steps.dtype)
        dfirst = self.run_backward(dproducts, dcontext, cache, dhs, dlast)
        dtable, dconstant = self.input_products_backward(dproducts, dcontext, table, constant)
        return dtable, dfirst, dconstant

    def input_products(self, table: Floats, constant: Floats | None) -> tuple[Floats, Floats | None]:
        """Take table Wx + b, table (R, D) -> (R, G), and constant Wx, constant (N, C) -> (N, G) or None."""
        Wx = self.Wx.value
        C = Wx.shape[0] - table.shape[1]
        context = None if constant is None else kernels.product(constant, Wx[:C])
        return kernels.product(table, Wx[C:], self.b.value), context

    def input_products_backward(
        self, dproducts: Floats, dcontext: Floats | None, table: Floats, constant: Floats | None
    ) -> tuple[Floats, Floats | None]:
        """Add to the gradients of Wx and b; return dtable (R, D), dconstant (N, C) or None.

        dproducts (R, G) and dcontext (N, G) are the gradients of what `input_products` gave.
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

    def run(
        self,
        products: Floats,
        rows: Ids,
        context: Floats | None,
        first: State | None,
        mask: Mask | None,
        hs: Floats,
        steps: Floats,
    ) -> State:
        """Take the steps, each of input products[rows[:, t]] + context; write hs and steps; return the last state."""
        raise NotImplementedError

    def run_backward(
        self,
        dproducts: Floats,
        dcontext: Floats | None,
        cache: GatedCache[State],
        dhs: Floats | None,
        dlast: State | None,
    ) -> State:
        """Take the steps back; add to dproducts, dcontext and the gradient of Wh; return dfirst."""
        raise NotImplementedError

    def check_inputs(self, xs: Floats, first: State | None, mask: Mask | None, constant: Floats | None) -> None:
        """Refuse, by name, what `forward` cannot run over."""
        owner, dtype = f"{type(self).__name__}.forward", self.Wh.value.dtype
        sizes = {"H": len(self.Wh.value)}
        if constant is not None:
            check_array(owner, "constant", constant, "(N, C)", sizes, dtype)
        sizes["D"] = len(self.Wx.value) - sizes.get("C", 0)
        check_array(owner, "xs", xs, "(N, T, D)", sizes, dtype)
        check_mask(owner, mask, "(N, T)", sizes)
        if first is not None:
            expected: Any = type(self.state(np.zeros((0, 0), dtype)))
            if not isinstance(first, expected):
                raise TypeError(f"{owner}: first must be of {expected.__name__} or None, got {described(first)}")
            for name, array in zip(expected._fields, first, strict=True):
                check_array(owner, f"first.{name}", array, "(N, H)", sizes, dtype)

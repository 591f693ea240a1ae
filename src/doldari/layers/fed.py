"""Input feeding: a recurrent layer that also reads, in every step, a vector that is only known then."""

from typing import Any, NamedTuple

import numpy as np

from doldari import kernels
from doldari.arrays import Floats, Mask, empty
from doldari.layers.arguments import described
from doldari.layers.gated import GatedCache, GatedLayer
from doldari.layers.recurrent import RecurrentLayer


class FedInputs(NamedTuple):
    """The input of all steps but for what is fed: xs (T, N, D), constant (N, C) or None, products (T N, G)."""

    xs: Floats
    constant: Floats | None
    products: Floats


class TimeFed:
    """Runs a recurrent layer step by step: its input is [constant, x_t, fed_t] (Luong et al. 2015, section 3.3).

    What fed_t (N, M) is may depend on the step before.  The input products of all other parts are taken before the
    first step, and the gradients of Wx and b after the last, for all steps together.
    """

    def __init__(self, layer: RecurrentLayer[Any, Any]) -> None:
        if not isinstance(layer, GatedLayer):
            raise TypeError(f"TimeFed: layer must read in one direction, got {described(layer)}")
        self.layer: GatedLayer[Any] = layer

    def begin(self, xs: Floats, constant: Floats | None) -> FedInputs:
        """Take the inputs xs (N, T, D), and constant (N, C), that are known before the first step."""
        N, T, D = xs.shape
        C = 0 if constant is None else constant.shape[1]
        Wx, ordered = self.layer.Wx.value, np.ascontiguousarray(xs.transpose(1, 0, 2))
        products = kernels.product(ordered.reshape(T * N, D), Wx[C : C + D], self.layer.b.value)
        if constant is not None:
            products.reshape(T, N, products.shape[1])[...] += kernels.product(constant, Wx[:C])
        return FedInputs(ordered, constant, products)

    def step(
        self, t: int, inputs: FedInputs, fed: Floats, first: Any, mask: Mask | None
    ) -> tuple[Floats, Any, GatedCache[Any]]:
        """Take step t, with fed (N, M), state first, mask (N, 1) or None -> hs (N, 1, H), the next state, cache."""
        N, H = len(fed), len(self.layer.Wh.value)
        context = kernels.product(fed, self.layer.Wx.value[-fed.shape[1] :])
        rows = np.arange(t * N, (t + 1) * N, dtype=np.int32)[:, None]
        hs = empty((N, 1, H), fed.dtype)
        steps = empty((N, 1, self.layer.KEPT * kernels.cache_width(H)), fed.dtype)
        last = self.layer.run(inputs.products, rows, context, first, mask, hs, steps)
        return hs, last, GatedCache(inputs.products, rows, fed, mask, first, steps)

    def step_backward(self, dproducts: Floats, dhs: Floats, cache: GatedCache[Any], dlast: Any) -> tuple[Floats, Any]:
        """Run `step` backwards: add to dproducts (T N, G); dhs (N, 1, H) and dlast -> dfed (N, M), dfirst."""
        fed = cache.constant
        assert fed is not None
        dfirst = self.layer.run_backward(dproducts, None, cache, dhs, dlast)
        return kernels.product(dproducts[cache.rows[:, 0]], self.layer.Wx.value[-fed.shape[1] :].T), dfirst

    def end_backward(self, dproducts: Floats, inputs: FedInputs, feds: Floats) -> tuple[Floats, Floats | None]:
        """Add to the gradients of Wx and b, with feds (T, N, M) -> dxs (N, T, D), dconstant (N, C) or None."""
        xs, constant, _ = inputs
        T, N, D = xs.shape
        C, M = 0 if constant is None else constant.shape[1], feds.shape[2]
        Wx, dWx = self.layer.Wx.value, self.layer.Wx.gradient
        kernels.add_product(xs.reshape(T * N, D).T, dproducts, dWx[C : C + D])
        kernels.add_product(feds.reshape(T * N, M).T, dproducts, dWx[C + D :])
        self.layer.b.gradient += dproducts.sum(axis=0)
        dxs = kernels.product(dproducts, Wx[C : C + D].T).reshape(T, N, D).transpose(1, 0, 2)
        if constant is None:
            return np.ascontiguousarray(dxs), None
        summed = dproducts.reshape(T, N, dproducts.shape[1]).sum(axis=0)
        kernels.add_product(constant.T, summed, dWx[:C])
        return np.ascontiguousarray(dxs), kernels.product(summed, Wx[:C].T)

"""The part of a transformer that looks at one position alone: two affine maps with a ReLU between them."""

from typing import NamedTuple

import numpy as np

from doldari import kernels
from doldari.arrays import Floats
from doldari.layers.arguments import check_array
from doldari.layers.parameters import Parameter, check_parameters


class FeedForwardCache(NamedTuple):
    """What `TimeFeedForward.backward` needs: the inputs (P, D) and the hidden units (P, H)."""

    xs: Floats
    hidden: Floats


class TimeFeedForward:
    """Position-wise feed-forward network (Vaswani et al. 2017, equation 2): ys = max(0, xs W1 + b1) W2 + b2.

    W1 (D, H), b1 (H,), W2 (H, D), b2 (D,).
    """

    def __init__(self, W1: Parameter, b1: Parameter, W2: Parameter, b2: Parameter) -> None:
        shapes = {"W1": (W1, "(D, H)"), "b1": (b1, "(H,)"), "W2": (W2, "(H, D)"), "b2": (b2, "(D,)")}
        check_parameters("TimeFeedForward", shapes)
        self.W1, self.b1, self.W2, self.b2 = W1, b1, W2, b2

    def parameters(self) -> dict[str, Parameter]:
        """Name every parameter."""
        return {"W1": self.W1, "b1": self.b1, "W2": self.W2, "b2": self.b2}

    def forward(self, xs: Floats) -> tuple[Floats, FeedForwardCache]:
        """Map vectors xs (P, D) -> ys (P, D), cache."""
        sizes = {"D": self.W1.value.shape[0]}
        check_array("TimeFeedForward.forward", "xs", xs, "(P, D)", sizes, self.W1.value.dtype)
        hidden = kernels.product(xs, self.W1.value, self.b1.value)
        np.maximum(hidden, 0.0, out=hidden)
        return kernels.product(hidden, self.W2.value, self.b2.value), FeedForwardCache(xs, hidden)

    def backward(self, dys: Floats, cache: FeedForwardCache) -> Floats:
        """Add to the parameters' gradients; dys (P, D) -> dxs (P, D)."""
        xs, hidden = cache
        P, D = xs.shape
        check_array("TimeFeedForward.backward", "dys", dys, "(P, D)", {"P": P, "D": D}, xs.dtype)
        kernels.add_product(hidden.T, dys, self.W2.gradient)
        self.b2.gradient += dys.sum(axis=0)
        dhidden = kernels.product(dys, self.W2.value.T)
        dhidden *= hidden > 0.0
        kernels.add_product(xs.T, dhidden, self.W1.gradient)
        self.b1.gradient += dhidden.sum(axis=0)
        return kernels.product(dhidden, self.W1.value.T)

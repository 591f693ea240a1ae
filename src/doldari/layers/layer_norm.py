"""Layer normalisation: every vector brought to mean 0 and variance 1, then scaled and shifted."""

from typing import NamedTuple

from doldari import kernels
from doldari.arrays import Floats, empty
from doldari.layers.arguments import check_array
from doldari.layers.parameters import Parameter, check_parameters


class LayerNormCache(NamedTuple):
    """What `TimeLayerNorm.backward` needs: the normalised vectors (P, D), and what each was multiplied by (P,)."""

    normalized: Floats
    scales: Floats


class TimeLayerNorm:
    """Layer normalisation (Ba et al. 2016, arXiv:1607.06450): ys = (xs - mean) / sqrt(variance + 1e-5) g + b.

    Mean and variance are those of a vector's D numbers, so that no position and no sequence knows of another.
    """

    def __init__(self, g: Parameter, b: Parameter) -> None:
        check_parameters("TimeLayerNorm", {"g": (g, "(D,)"), "b": (b, "(D,)")})
        self.g, self.b = g, b

    def parameters(self) -> dict[str, Parameter]:
        """Name every parameter."""
        return {"g": self.g, "b": self.b}

    def forward(self, xs: Floats) -> tuple[Floats, LayerNormCache]:
        """Normalise vectors xs (P, D) -> ys (P, D), cache."""
        sizes = {"D": len(self.g.value)}
        check_array("TimeLayerNorm.forward", "xs", xs, "(P, D)", sizes, self.g.value.dtype)
        ys, normalized, scales = empty(xs.shape, xs.dtype), empty(xs.shape, xs.dtype), empty((len(xs),), xs.dtype)
        kernels.layer_norm(xs, self.g.value, self.b.value, ys, normalized, scales)
        return ys, LayerNormCache(normalized, scales)

    def backward(self, dys: Floats, cache: LayerNormCache) -> Floats:
        """Add to the gradients of g and b; dys (P, D) -> dxs (P, D)."""
        P, D = cache.normalized.shape
        check_array("TimeLayerNorm.backward", "dys", dys, "(P, D)", {"P": P, "D": D}, cache.normalized.dtype)
        dxs = empty(dys.shape, dys.dtype)
        kernels.layer_norm_backward(dys, self.g.value, *cache, dxs, self.g.gradient, self.b.gradient)
        return dxs

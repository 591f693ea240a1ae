"""Multi-head attention: every position looks at others, each head in its own way; rotary positions."""

from typing import NamedTuple

import numpy as np

from doldari import kernels
from doldari.arrays import Floats, Ids, Mask, empty
from doldari.layers.arguments import check_array, check_size
from doldari.layers.layout import Angles, Layout
from doldari.layers.parameters import Parameter, check_parameters


class KeysValues(NamedTuple):
    """What is looked at: keys and values (N, S, D), the heads side by side."""

    keys: Floats
    values: Floats


class MultiHeadCache(NamedTuple):
    """What `TimeMultiHeadAttention.backward` needs; weights (N, heads, T, S) is what a picture of attention shows."""

    xs: Floats
    layout: Layout
    queries: Floats
    memory: KeysValues
    weights: Floats
    contexts: Floats


class TimeMultiHeadAttention:
    """Multi-head attention of Vaswani et al. 2017 (arXiv:1706.03762), section 3.2.2, without biases.

        query = x Wq;  key, value = x' Wkv;  y = [context of every head] Wo

    Wq (D, D), Wkv (D, 2D), Wo (D, D).  With rotary, queries and keys are turned by their positions, so that their
    product knows how far apart they are and nothing else (Su et al. 2021, arXiv:2104.09864).
    """

    def __init__(self, Wq: Parameter, Wkv: Parameter, Wo: Parameter, heads: int, rotary: bool) -> None:
        owner = type(self).__name__
        check_parameters(owner, {"Wq": (Wq, "(D, D)"), "Wkv": (Wkv, "(D, 2D)"), "Wo": (Wo, "(D, D)")})
        check_size(owner, "heads", heads)
        size = len(Wq.value)
        if size % heads != 0 or (rotary and size // heads % 2 != 0):
            what = "a multiple of twice the heads, for rotary positions" if rotary else "a multiple of the heads"
            raise ValueError(f"{owner}: D must be {what}, got D = {size} and {heads} heads")
        self.Wq, self.Wkv, self.Wo, self.heads, self.rotary = Wq, Wkv, Wo, heads, rotary

    def parameters(self) -> dict[str, Parameter]:
        """Name every parameter."""
        return {"Wq": self.Wq, "Wkv": self.Wkv, "Wo": self.Wo}

    def remember(self, xs: Floats, layout: Layout) -> KeysValues:
        """Make of vectors xs (P, D), which stand as the layout says, what is looked at."""
        D = len(self.Wq.value)
        check_array("TimeMultiHeadAttention.remember", "xs", xs, "(P, D)", {"D": D}, self.Wq.value.dtype)
        keys = kernels.product(xs, self.Wkv.value[:, :D])
        self.turn(keys, layout)
        return KeysValues(layout.apart(keys), layout.apart(kernels.product(xs, self.Wkv.value[:, D:])))

    def remember_backward(self, gradient: KeysValues, xs: Floats, layout: Layout) -> Floats:
        """Add to the gradient of Wkv, given that of what `remember` made of xs; dxs (P, D)."""
        dkeys, dvalues = layout.together(gradient.keys), layout.together(gradient.values)
        self.turn(dkeys, layout, backwards=True)
        both = np.concatenate([dkeys, dvalues], axis=1)
        kernels.add_product(xs.T, both, self.Wkv.gradient)
        return kernels.product(both, self.Wkv.value.T)

    def forward(
        self,
        xs: Floats,
        layout: Layout,
        memory: KeysValues,
        mask: Mask | None = None,
        *,
        rows: Ids | None = None,
        causal: bool = False,
    ) -> tuple[Floats, MultiHeadCache]:
        """Look, from vectors xs (P, D) that stand as the layout says, at the memory (N, S, D) -> ys (P, D), cache.

        mask (N, S) is False at the memory's padding.  Row n looks at row rows[n] of the memory, without rows at its
        own.  causal: the memory ends with these very positions, and none looks at those behind it.
        """
        D, dtype = len(self.Wq.value), self.Wq.value.dtype
        check_array("TimeMultiHeadAttention.forward", "xs", xs, "(P, D)", {"D": D}, dtype)
        N, T = layout.shape
        turned = kernels.product(xs, self.Wq.value)
        self.turn(turned, layout)
        queries = layout.apart(turned)
        weights = empty((N, self.heads, T, memory.keys.shape[1]), dtype)
        contexts = empty((N, T, D), dtype)
        kernels.attend_heads(queries, memory.keys, memory.values, mask, rows, layout.mask, causal, weights, contexts)
        together = layout.together(contexts)
        cache = MultiHeadCache(xs, layout, queries, memory, weights, together)
        return kernels.product(together, self.Wo.value), cache

    def backward(self, dys: Floats, cache: MultiHeadCache) -> tuple[Floats, KeysValues]:
        """Add to the gradients of Wq and Wo; dys (P, D) -> dxs (P, D) and the gradient of the memory.

        Only where every row looked at its own.
        """
        xs, layout, queries, memory, weights, contexts = cache
        kernels.add_product(contexts.T, dys, self.Wo.gradient)
        dcontexts = layout.apart(kernels.product(dys, self.Wo.value.T))
        dqueries, dkeys, dvalues = (empty(array.shape, array.dtype) for array in (queries, *memory))
        kernels.attend_heads_backward(queries, *memory, weights, dcontexts, dqueries, dkeys, dvalues)
        dturned = layout.together(dqueries)
        self.turn(dturned, layout, backwards=True)
        kernels.add_product(xs.T, dturned, self.Wq.gradient)
        return kernels.product(dturned, self.Wq.value.T), KeysValues(dkeys, dvalues)

    def turn(self, xs: Floats, layout: Layout, backwards: bool = False) -> None:
        """Turn queries or keys (P, D) by their positions, in place, if they are to be turned."""
        if self.rotary:
            angles = Angles.of(layout.ranks, xs.shape[1] // self.heads, xs.dtype)
            kernels.rotate(xs, *angles, layout.ranks, backwards, xs)

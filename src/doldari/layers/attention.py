"""Attention: at every step of the decoder, an average of the encoder's states, weighted by how well each fits."""

from typing import NamedTuple

import numpy as np

from doldari import kernels
from doldari.arrays import Floats, Ids, Mask, empty
from doldari.layers.arguments import check_array, check_floats, check_mask, described
from doldari.layers.parameters import Parameter, check_parameters
from doldari.layers.positions import at_positions, product_at_positions, real_positions


class Memory(NamedTuple):
    """What attention looks at: values (Q, S, M), the keys (Q, S, H) they are found by, and where they are padding.

    mask (Q, S) is False at padding, or None if there is none.  The p-th of the queries, of which there are as many as
    rows (P,), looks at memory rows[p].  ids (Q, S) are what a pointer copies from there, None without one.
    """

    values: Floats
    keys: Floats
    mask: Mask | None
    rows: Ids
    ids: Ids | None = None


class AttentionCache(NamedTuple):
    """What `TimeAttention.backward` needs; weights (P, S) is also what a picture of attention shows."""

    queries: Floats
    memory: Memory
    weights: Floats
    places: Floats | None = None  # of `PlacedAttention`


class TimeAttention:
    """Global attention of Luong et al. 2015 (arXiv:1508.04025), equations 7 and 8.

        weights = softmax over s of score(h_t, value_s);  context_t = sum over s of weights_s value_s

    With W (H, M) the score is "general", h_t W value_s; without, "dot", h_t value_s, and H must be M.  Padding gets
    a weight of exactly 0.
    """

    def __init__(self, W: Parameter | None = None) -> None:
        if W is not None:
            check_parameters("TimeAttention", {"W": (W, "(H, M)")})
        self.W = W

    def parameters(self) -> dict[str, Parameter]:
        """Name every parameter."""
        return {} if self.W is None else {"W": self.W}

    def remember(self, values: Floats, mask: Mask | None = None) -> Memory:
        """Take the values (N, S, M) to look at, once for all steps; each row looks at its own."""
        owner, sizes = "TimeAttention.remember", {} if self.W is None else {"M": self.W.value.shape[1]}
        check_floats(owner, "values", values, "(N, S, M)", sizes, None if self.W is None else self.W.value.dtype)
        check_mask(owner, mask, "(N, S)", sizes)
        keys = values if self.W is None else product_at_positions(values, self.W.value.T, mask)
        return Memory(values, keys, mask, np.arange(len(values), dtype=np.int32))

    def forward(self, queries: Floats, memory: Memory, places: Ids | None = None) -> tuple[Floats, AttentionCache]:
        """Look for queries (P, H) in the memory -> contexts (P, M), cache.

        Where all of a memory is padding, the context is 0.  places are of `PlacedAttention`, and change nothing here.
        """
        if not isinstance(memory, Memory):
            raise TypeError(
                f"TimeAttention.forward: memory must be a Memory, as `remember` makes, got {described(memory)}"
            )
        values, keys, mask, rows, _ = memory
        sizes = {"P": len(rows), "H": keys.shape[2]}
        check_array("TimeAttention.forward", "queries", queries, "(P, H)", sizes, keys.dtype)
        weights = empty((len(queries), values.shape[1]), queries.dtype)
        contexts = empty((len(queries), values.shape[2]), queries.dtype)
        kernels.attend(keys, values, mask, queries, rows, weights, contexts)
        return contexts, AttentionCache(queries, memory, weights)

    def backward(
        self, dcontexts: Floats, cache: AttentionCache, dweights: Floats | None = None
    ) -> tuple[Floats, Floats]:
        """Add to the gradient of W; dcontexts (P, M) -> dqueries (P, H), dvalues (Q, S, M).

        dweights (P, S) is the gradient of the weights, where something else than the contexts was made of them.
        """
        queries, (values, keys, mask, rows, _), weights, _ = cache
        dqueries, dkeys, dvalues = (empty(x.shape, x.dtype) for x in (queries, keys, values))
        kernels.attend_backward(
            keys, values, mask, queries, rows, weights, dcontexts, dweights, dqueries, dkeys, dvalues
        )
        if self.W is None:
            dvalues += dkeys
        else:
            real = real_positions(values, mask)
            H = self.W.value.shape[0]  # behind that there may be places, which are not learnt
            dreal = real_positions(np.ascontiguousarray(dkeys[:, :, :H]), mask)
            kernels.add_product(dreal.T, real, self.W.gradient)
            dvalues += at_positions(kernels.product(dreal, self.W.value), values.shape[:2], mask)
        return dqueries, dvalues

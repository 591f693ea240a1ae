"""Ids to vectors: row `id` of a matrix."""

import numpy as np

from doldari import kernels
from doldari.arrays import Floats, Ids, Mask
from doldari.layers.arguments import check_array
from doldari.layers.parameters import Parameter, check_parameters


class TimeEmbedding:
    """Looks up a vector for every id: xs[n, t] = W[ids[n, t]], with W (V, D)."""

    def __init__(self, W: Parameter) -> None:
        check_parameters("TimeEmbedding", {"W": (W, "(V, D)")})
        self.W = W

    def parameters(self) -> dict[str, Parameter]:
        """Name every parameter."""
        return {"W": self.W}

    def forward(self, ids: Ids) -> tuple[Floats, Ids]:
        """Look up ids (N, T) int32 -> vectors xs (N, T, D), cache."""
        self.check_ids("TimeEmbedding.forward", ids)
        V = len(self.W.value)
        if ids.size > 0 and not 0 <= ids.min() <= ids.max() < V:
            raise ValueError(f"TimeEmbedding.forward: ids must be from 0 to {V - 1}, got {ids.min()} to {ids.max()}")
        return self.W.value[ids], ids

    def backward(self, dxs: Floats, cache: Ids) -> None:
        """Add the vectors' gradient dxs (N, T, D) to the rows of W that they came from."""
        N, T = cache.shape
        sizes = {"N": N, "T": T, "D": self.W.value.shape[1]}
        check_array("TimeEmbedding.backward", "dxs", dxs, "(N, T, D)", sizes, self.W.value.dtype)
        kernels.scatter_rows(self.W.gradient, cache, dxs)

    def forward_table(
        self, ids: Ids, mask: Mask | None = None, before: Ids | None = None
    ) -> tuple[Floats, Ids, Ids | None]:
        """Look up ids (N, T) as the table form of the recurrent layers reads them: table (R, D), rows (N, T), cache.

        xs = table[rows], without a vector for every position: see layers/recurrent.py.  mask and before, which are of
        `PlacedEmbedding`, change nothing.  A vocabulary smaller than the
        batch is its own table, W; of a larger one, the table holds a row for each position.
        """
        self.check_ids("TimeEmbedding.forward_table", ids)
        V = self.W.value.shape[0]
        if ids.size >= V:
            return self.W.value, ids, None
        rows = np.arange(ids.size, dtype=np.int32).reshape(ids.shape)
        return self.W.value[ids.ravel()], rows, ids

    def backward_table(self, dtable: Floats, cache: Ids | None) -> None:
        """Add the table's gradient dtable (R, D) to W."""
        if cache is None:
            self.W.gradient += dtable
        else:
            self.backward(dtable.reshape(*cache.shape, dtable.shape[1]), cache)

    @staticmethod
    def check_ids(owner: str, ids: Ids) -> None:
        """Refuse what are no ids (N, T)."""
        check_array(owner, "ids", ids, "(N, T)", {}, np.int32)

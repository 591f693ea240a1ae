"""Ids to vectors: row `id` of a matrix."""

import numpy as np

from doldari import kernels
from doldari.arrays import Floats, Ids
from doldari.layers.parameters import Parameter


class TimeEmbedding:
    """Looks up a vector for every id: xs[n, t] = W[ids[n, t]], with W (V, D)."""

    def __init__(self, W: Parameter) -> None:
        self.W = W

    def parameters(self) -> dict[str, Parameter]:
        """Name every parameter."""
        return {"W": self.W}

    def forward(self, ids: Ids) -> tuple[Floats, Ids]:
        """Look up ids (N, T) -> vectors (N, T, D), cache."""
        return self.W.value[ids], ids

    def backward(self, dxs: Floats, cache: Ids) -> None:
        """Add the vectors' gradient dxs (N, T, D) to the rows of W that they came from."""
        kernels.scatter_rows(self.W.gradient, cache, dxs)

    def forward_table(self, ids: Ids) -> tuple[Floats, Ids, Ids | None]:
        """Look up ids (N, T) without repeating vectors: table (R, D), rows (N, T), cache; xs = table[rows].

        Whatever follows then works on R rows and not on N x T.  A vocabulary smaller than the batch is its own
        table; of a larger one, the table holds a row for each position.
        """
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

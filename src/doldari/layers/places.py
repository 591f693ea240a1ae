"""Where in a sequence a symbol stands, added to its vector: what attention can follow a source by."""

import numpy as np

from doldari.arrays import Floats, Ids, Mask
from doldari.layers.embedding import TimeEmbedding
from doldari.layers.parameters import Parameter

SCALE = 2**0.5  # so that the mean square of a vector's numbers is 1, as an embedding's is at first


class PlacedEmbedding:
    """Vectors of ids with those of their places: xs[n, t] = W[ids[n, t]] + sinusoids(place of t in n).

    Places are counted from `before[n]` on over the positions that are not masked (Vaswani et al. 2017,
    arXiv:1706.03762, section 3.5).
    """

    def __init__(self, W: Parameter) -> None:
        self.embedding = TimeEmbedding(W)
        self.W = W

    def parameters(self) -> dict[str, Parameter]:
        """Name every parameter."""
        return self.embedding.parameters()

    def forward_table(self, ids: Ids, mask: Mask | None = None, before: Ids | None = None) -> tuple[Floats, Ids, Ids]:
        """Look up ids (N, T), of which `before` (N,) came before, as a table (N T, D), rows (N, T), cache."""
        TimeEmbedding.check_ids("PlacedEmbedding.forward_table", ids)
        W = self.W.value
        places = places_of(ids.shape, mask, before)
        table = W[ids] + sinusoids(int(places.max(initial=0)) + 1, W.shape[1]).astype(W.dtype)[places]
        return table.reshape(ids.size, W.shape[1]), np.arange(ids.size, dtype=np.int32).reshape(ids.shape), ids

    def backward_table(self, dtable: Floats, cache: Ids | None) -> None:
        """Add the table's gradient dtable (N T, D) to W."""
        self.embedding.backward_table(dtable, cache)


def places_of(shape: tuple[int, ...], mask: Mask | None, before: Ids | None) -> Ids:
    """Count the positions up to each of (N, T) that mask does not leave out; those it does have any place."""
    counts = np.cumsum(np.ones(shape, np.bool_) if mask is None else mask, axis=1, dtype=np.int32)
    places = np.maximum(counts - 1, 0)
    return places if before is None else places + before[:, None]


def sinusoids(places: int, D: int) -> Floats:
    """Make a vector (D,) for each of so many places: sines and cosines of wavelengths from 2 pi to 20,000 pi."""
    angles = np.arange(places)[:, None] * 1e4 ** (-np.arange(0, D, 2) / D)
    return SCALE * np.concatenate([np.sin(angles), np.cos(angles)], axis=1)[:, :D]

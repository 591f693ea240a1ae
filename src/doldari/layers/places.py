"""Places: where a symbol stands, as sines and cosines, added to its vector, and compared by attention."""

import numpy as np
from numpy.typing import DTypeLike

from doldari import kernels
from doldari.arrays import Floats, Ids, Mask
from doldari.layers.attention import AttentionCache, Memory, TimeAttention
from doldari.layers.embedding import TimeEmbedding
from doldari.layers.parameters import Parameter, check_parameters

SCALE = 2**0.5  # so that the mean square of a vector's numbers is 1, as an embedding's is at first
SHORTEST, LONGEST = 4, 200  # waves, in places, of attention


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


class PlacedAttention(TimeAttention):
    """Attention that also goes by places: the score of h_t and value_s is  h_t W value_s + p_t U p_s.

    p are sines and cosines (K,) of places, so that with U (K, K) at the multiple of the identity at which it starts,
    places fit the better the nearer they are: it begins by following the source.
    """

    SIZE, START = 32, 0.5  # of U, and of the numbers on its diagonal at first

    def __init__(self, W: Parameter, U: Parameter) -> None:
        super().__init__(W)
        check_parameters("PlacedAttention", {"U": (U, "(K, K)")})
        self.U = U

    @classmethod
    def first_places(cls, dtype: DTypeLike) -> Parameter:
        """Make U as it is at first."""
        return Parameter((np.eye(cls.SIZE) * cls.START).astype(dtype))

    def parameters(self) -> dict[str, Parameter]:
        """Name every parameter."""
        return super().parameters() | {"U": self.U}

    def remember(self, values: Floats, mask: Mask | None = None) -> Memory:
        """Take the values (N, S, M) to look at, with their places behind their keys."""
        memory = super().remember(values, mask)
        places = place_vectors(places_of(values.shape[:2], mask), self.SIZE).astype(values.dtype)
        return memory._replace(keys=np.concatenate([memory.keys, places], axis=2))

    def forward(self, queries: Floats, memory: Memory, places: Ids | None = None) -> tuple[Floats, AttentionCache]:
        """Look for queries (P, H) at places (P,) in the memory -> contexts (P, M), cache."""
        assert places is not None
        at = place_vectors(places, self.SIZE).astype(queries.dtype)
        placed = np.concatenate([queries, kernels.product(at, self.U.value)], axis=1)
        contexts, cache = super().forward(placed, memory)
        return contexts, cache._replace(places=at)

    def backward(
        self, dcontexts: Floats, cache: AttentionCache, dweights: Floats | None = None
    ) -> tuple[Floats, Floats]:
        """Add to the gradients of W and U; dcontexts (P, M) -> dqueries (P, H), dvalues (Q, S, M)."""
        dplaced, dvalues = super().backward(dcontexts, cache, dweights)
        H = dplaced.shape[1] - self.SIZE
        assert cache.places is not None
        kernels.add_product(cache.places.T, np.ascontiguousarray(dplaced[:, H:]), self.U.gradient)
        return np.ascontiguousarray(dplaced[:, :H]), dvalues


def places_of(shape: tuple[int, ...], mask: Mask | None, before: Ids | None = None) -> Ids:
    """Count the positions up to each of (N, T) that mask does not leave out; those it does have any place.

    before (N,) is how many were there before.
    """
    counts = np.cumsum(np.ones(shape, np.bool_) if mask is None else mask, axis=1, dtype=np.int32)
    places = np.maximum(counts - 1, 0)
    return places if before is None else places + before[:, None]


def place_vectors(places: Ids, K: int) -> Floats:
    """Make a vector of sines and cosines for each of the places (...): (..., K); their waves are 4 to 200 long."""
    angles = places[..., None] * (2 * np.pi / np.geomspace(SHORTEST, LONGEST, K // 2))
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=-1)


def sinusoids(places: int, D: int) -> Floats:
    """Make a vector (D,) for each of so many places: sines and cosines of wavelengths from 2 pi to 20,000 pi."""
    angles = np.arange(places)[:, None] * 1e4 ** (-np.arange(0, D, 2) / D)
    return SCALE * np.concatenate([np.sin(angles), np.cos(angles)], axis=1)[:, :D]

"""A set of symbols as one vector: the sum of theirs."""

import numpy as np

from doldari import kernels
from doldari.arrays import Floats, Ids
from doldari.layers.arguments import check_array
from doldari.layers.parameters import Parameter, check_parameters


class EmbeddingBag:
    """Sums up the vectors of those of a row's ids that are in the bag: ys[n] = sum of W[id], of ids from `first` on.

    W (V, D) is an embedding's, of which the rows from `first` on are of symbols whose order says nothing, such as
    the features of an inflected form.
    """

    def __init__(self, W: Parameter, first: int) -> None:
        check_parameters("EmbeddingBag", {"W": (W, "(V, D)")})
        self.W, self.first = W, first

    def forward(self, ids: Ids) -> tuple[Floats, Floats]:
        """Sum up for ids (N, T) -> ys (N, D), and as a cache how often each id is there (N, V - first)."""
        check_array("EmbeddingBag.forward", "ids", ids, "(N, T)", {}, np.int32)
        W = self.W.value[self.first :]
        inside = ids >= self.first
        counts = np.zeros((len(ids), len(W)), W.dtype)
        np.add.at(counts, (np.nonzero(inside)[0], ids[inside] - self.first), 1)
        return kernels.product(counts, W), counts

    def backward(self, dys: Floats, cache: Floats) -> None:
        """Add the gradient dys (N, D) of the sums to the rows of W that they are of."""
        kernels.add_product(cache.T, dys, self.W.gradient[self.first :])

"""What every recurrent layer is to others: vectors in, hidden states out, and the way back.

`forward(xs)` and `backward(dhs)` are the simple path, and all that a layer is for.

The table form, `forward_table(table, rows)`, runs over xs = table[rows] without making xs.  It exists for one reason:
a text has few different symbols.  With 13 of them and a batch of 128 questions of 7 symbols, the input product xs Wx
is taken for 13 vectors rather than 896, and its gradient likewise; a row of the table is shared by all positions that
read it.  `TimeEmbedding.forward_table` makes the table (R, D) and its rows (N, T).  Arbitrary vectors have a row for
each position, which is how the simple path runs.
"""

from typing import Generic, Protocol, TypeVar

import numpy as np

from doldari.arrays import Floats, Ids, Mask
from doldari.layers.arguments import check_floats
from doldari.layers.parameters import Parameter


class HasRows(Protocol):
    """A cache that holds the rows (N, T) of `forward_table`."""

    @property
    def rows(self) -> Ids:
        """Return them."""


State = TypeVar("State")
Cache = TypeVar("Cache", bound=HasRows)


class RecurrentLayer(Generic[State, Cache]):
    """A recurrent layer.  Its state is a named tuple of arrays (N, H), the hidden state h first."""

    def parameters(self) -> dict[str, Parameter]:
        """Name every parameter."""
        raise NotImplementedError

    def state(self, h: Floats) -> State:
        """Make a state of a hidden state (N, H), with nothing in its cell."""
        raise NotImplementedError

    def forward(
        self,
        xs: Floats,
        first: State | None = None,
        mask: Mask | None = None,
        constant: Floats | None = None,
    ) -> tuple[Floats, State, Cache]:
        """Run over time.  xs (N, T, D), first state (zeros if None) -> hs (N, T, H), last state, cache.

        mask (N, T) is False at padding, through which the state passes unchanged.  constant (N, C) is what is put
        before x at every step: a peeky decoder's h.
        """
        self.check_inputs(xs, first, mask, constant)
        N, T, D = xs.shape
        table, rows = xs.reshape(N * T, D), np.arange(N * T, dtype=np.int32).reshape(N, T)
        return self.forward_table(table, rows, first, mask, constant)

    def backward(
        self, dhs: Floats | None, cache: Cache, dlast: State | None = None
    ) -> tuple[Floats, State, Floats | None]:
        """Add to the gradients of the weights; return dxs (N, T, D), dfirst, dconstant (N, C) or None.

        Once only for each `forward`: the cache is used up.  dfirst is of no meaning if there was no first state.
        dhs (N, T, H) and dlast are the gradients of what `forward` gave; None stands for zeros.
        """
        N, T = cache.rows.shape
        if dhs is not None:
            check_floats(f"{type(self).__name__}.backward", "dhs", dhs, "(N, T, H)", {"N": N, "T": T})
        dtable, dfirst, dconstant = self.backward_table(dhs, cache, dlast)
        return dtable.reshape(N, T, dtable.shape[1]), dfirst, dconstant

    def check_inputs(self, xs: Floats, first: State | None, mask: Mask | None, constant: Floats | None) -> None:
        """Refuse, by name, what `forward` cannot run over."""

    def forward_table(
        self,
        table: Floats,
        rows: Ids,
        first: State | None = None,
        mask: Mask | None = None,
        constant: Floats | None = None,
    ) -> tuple[Floats, State, Cache]:
        """Run over xs = table[rows], with table (R, D) and rows (N, T), as `forward` does over xs."""
        raise NotImplementedError

    def backward_table(
        self, dhs: Floats | None, cache: Cache, dlast: State | None = None
    ) -> tuple[Floats, State, Floats | None]:
        """Run `forward_table` backwards: dtable (R, D), dfirst, dconstant; otherwise as `backward`."""
        raise NotImplementedError

"""Two recurrent layers that read in opposite directions."""

from typing import Any, NamedTuple, TypeVar

import numpy as np

from doldari.arrays import Floats, Ids, Mask, dense, empty
from doldari.layers.arguments import described
from doldari.layers.parameters import Parameter, prefixed
from doldari.layers.recurrent import RecurrentLayer


class BothCaches(NamedTuple):
    """What `TimeBidirectional.backward` needs: the rows that were read, and the caches of both layers."""

    rows: Ids
    ahead: Any
    back: Any


class TimeBidirectional(RecurrentLayer[Any, BothCaches]):
    """Two recurrent layers, one reading from left to right and one from right to left (Schuster & Paliwal 1997).

    Their hidden states stand side by side at every position, `ahead` first, and so do their last states, each that
    of the end which its layer reached:

        hs_ahead = ahead.forward(xs);  hs_back = back.forward(xs reversed in time)
        hs = [hs_ahead, hs_back reversed in time]
    """

    def __init__(self, ahead: RecurrentLayer[Any, Any], back: RecurrentLayer[Any, Any]) -> None:
        for name, layer in {"ahead": ahead, "back": back}.items():
            if not isinstance(layer, RecurrentLayer):
                raise TypeError(f"TimeBidirectional: {name} must be a recurrent layer, got {described(layer)}")
        if type(ahead) is not type(back):
            names = f"{type(ahead).__name__} and {type(back).__name__}"
            raise TypeError(f"TimeBidirectional: ahead and back must be of one kind, got {names}")
        self.ahead, self.back = ahead, back

    def parameters(self) -> dict[str, Parameter]:
        """Name every parameter."""
        return prefixed("ahead", self.ahead.parameters()) | prefixed("back", self.back.parameters())

    def state(self, h: Floats) -> Any:
        """Make a state of a hidden state (N, H), with nothing in its cell."""
        return join_states(*map(self.ahead.state, halves(h)))

    def forward_table(
        self,
        table: Floats,
        rows: Ids,
        first: Any = None,
        mask: Mask | None = None,
        constant: Floats | None = None,
    ) -> tuple[Floats, Any, BothCaches]:
        """Run both over xs = table[rows] -> hs (N, T, H), last state, cache; otherwise as `TimeLSTM`."""
        first_ahead, first_back = (None, None) if first is None else split_state(first)
        rows_back, mask_back = reverse_time(rows), None if mask is None else reverse_time(mask)
        hs_ahead, last_ahead, cache_ahead = self.ahead.forward_table(table, rows, first_ahead, mask, constant)
        hs_back, last_back, cache_back = self.back.forward_table(table, rows_back, first_back, mask_back, constant)
        hs = empty((*rows.shape, 2 * hs_ahead.shape[2]), hs_ahead.dtype)
        np.concatenate([hs_ahead, hs_back[:, ::-1]], axis=2, out=hs)
        return hs, join_states(last_ahead, last_back), BothCaches(rows, cache_ahead, cache_back)

    def check_inputs(self, xs: Floats, first: Any, mask: Mask | None, constant: Floats | None) -> None:
        """Refuse, by name, what `forward` cannot run over."""
        if not isinstance(first, tuple | None):
            raise TypeError(f"TimeBidirectional.forward: first must be a state or None, got {described(first)}")
        self.ahead.check_inputs(xs, None if first is None else split_state(first)[0], mask, constant)

    def backward_table(
        self, dhs: Floats | None, cache: BothCaches, dlast: Any = None
    ) -> tuple[Floats, Any, Floats | None]:
        """Run `forward_table` backwards -> dtable (R, D), dfirst, dconstant."""
        _, cache_ahead, cache_back = cache
        dhs_ahead, dhs_back = (None, None) if dhs is None else halves(dhs)
        dlast_ahead, dlast_back = (None, None) if dlast is None else split_state(dlast)
        dtable, dfirst_ahead, dconstant = self.ahead.backward_table(
            None if dhs_ahead is None else dense(dhs_ahead), cache_ahead, dlast_ahead
        )
        dtable_back, dfirst_back, dconstant_back = self.back.backward_table(
            None if dhs_back is None else reverse_time(dhs_back), cache_back, dlast_back
        )
        dtable += dtable_back
        if dconstant is not None and dconstant_back is not None:
            dconstant += dconstant_back
        return dtable, join_states(dfirst_ahead, dfirst_back), dconstant


def halves(array: Floats) -> tuple[Floats, Floats]:
    """Cut the last axis in two."""
    units = array.shape[-1] // 2
    return array[..., :units], array[..., units:]


def split_state(state: Any) -> tuple[Any, Any]:
    """Cut a state of both directions in two."""
    cut = [halves(array) for array in state]
    return type(state)(*(ahead for ahead, _ in cut)), type(state)(*(back for _, back in cut))


def join_states(ahead: Any, back: Any) -> Any:
    """Put the states of two directions side by side."""
    return type(ahead)(*(np.concatenate(pair, axis=1) for pair in zip(ahead, back, strict=True)))


Array = TypeVar("Array", Floats, Ids, Mask)


def reverse_time(array: Array) -> Array:
    """Turn the second axis, time, around."""
    return dense(array[:, ::-1])

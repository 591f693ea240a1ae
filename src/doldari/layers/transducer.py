"""A transducer walks along the source, and at every place inserts symbols, copies the one there, or deletes it.

At the end it may go back to the beginning, for what stands elsewhere in the target: `aufhören`, `hört auf`.
"""

from typing import NamedTuple

import numpy as np

from doldari import kernels
from doldari.arrays import Floats, Ids, Mask, empty
from doldari.layers.arguments import check_array, check_floats, check_mask
from doldari.layers.parameters import Parameter, check_parameters


class Walk(NamedTuple):
    """What transducers walk along: values (Q, S, M) and keys (Q, S, J) of Q sources' places; lengths (Q,) are there.

    The last place of each is the end; columns (Q, S - 1) says where the others stood before padding was left out.
    copies (Q, S) is the id that copying a place writes, -1 where nothing can be copied.  The p-th of the steps, of
    which there are as many as rows (P,), is of source rows[p].
    """

    values: Floats
    keys: Floats
    lengths: Ids
    columns: Ids
    copies: Ids
    rows: Ids


class JointCache(NamedTuple):
    """What `TimeJoint.backward` needs."""

    hs: Floats
    zs: Floats
    walk: Walk
    scales: Floats | None


class TimeJoint:
    """Lets every step meet every place of its source: z = tanh(value_s W[:M] + h_t W[M:] + b), W (M + H, J), b (J,).

    One layer of Graves 2012, section 2.4.  The vectors of all cells (t, s) lie one after another, without padding;
    those of the last place, the end, have `end` (J,) added inside.
    """

    def __init__(self, W: Parameter, b: Parameter, end: Parameter) -> None:
        check_parameters("TimeJoint", {"W": (W, "(M + H, J)"), "b": (b, "(J,)"), "end": (end, "(J,)")})
        self.W, self.b, self.end = W, b, end

    def parameters(self) -> dict[str, Parameter]:
        """Name every parameter."""
        return {"W": self.W, "b": self.b, "end": self.end}

    def remember(self, values: Floats, ids: Ids, mask: Mask | None = None) -> Walk:
        """Take the values (N, S, M) of places, once for all steps; the end has that of the last place.

        ids (N, S) is what copying writes, -1 for nothing; where mask (N, S) is False there is no place.
        """
        owner = "TimeJoint.remember"
        sizes: dict[str, int] = {}
        check_floats(owner, "values", values, "(N, S, M)", sizes, self.W.value.dtype)
        check_array(owner, "ids", ids, "(N, S)", sizes, np.int32)
        check_mask(owner, mask, "(N, S)", sizes)
        N, S, M = values.shape
        read = np.ones((N, S), np.bool_) if mask is None else mask
        columns = np.argsort(~read, axis=1, kind="stable").astype(np.int32)
        lengths = read.sum(axis=1, dtype=np.int32) + np.int32(1)
        inside = np.arange(S) < lengths[:, None] - 1
        placed, copies = np.zeros((N, S + 1, M), values.dtype), np.full((N, S + 1), -1, np.int32)
        placed[:, :S] = np.take_along_axis(values, columns[:, :, None], axis=1) * inside[:, :, None]
        copies[:, :S] = np.where(inside, np.take_along_axis(ids, columns, axis=1), -1)
        rows = np.arange(N, dtype=np.int32)
        ended = np.flatnonzero(lengths > 1)
        placed[ended, lengths[ended] - 1] = placed[ended, lengths[ended] - 2]
        J = self.W.value.shape[1]
        keys = kernels.product(placed.reshape(N * (S + 1), M), self.W.value[:M]).reshape(N, S + 1, J)
        keys[rows, lengths - 1] += self.end.value
        return Walk(placed, keys, lengths, columns, copies, rows)

    def forward(self, hs: Floats, walk: Walk, scales: Floats | None = None) -> tuple[Floats, JointCache]:
        """Let steps hs (P, H) meet the places of the walk -> zs of all cells (M, J), cache.

        scales (Q, J), of dropout, multiply what comes out.
        """
        check_array("TimeJoint.forward", "hs", hs, "(P, H)", {"P": len(walk.rows)}, walk.keys.dtype)
        M = walk.values.shape[2]
        queries = kernels.product(hs, self.W.value[M:], self.b.value)
        zs = empty((int(walk.lengths[walk.rows].sum()), queries.shape[1]), queries.dtype)
        kernels.meet(queries, walk.keys, walk.rows, walk.lengths, scales, zs)
        return zs, JointCache(hs, zs, walk, scales)

    def backward(self, dzs: Floats, cache: JointCache, dkeys: Floats) -> Floats:
        """Add to the gradients of b, of W's rows for steps, and to dkeys (Q, S, J); dzs (M, J) -> dhs (P, H)."""
        hs, zs, walk, scales = cache
        M = walk.values.shape[2]
        dqueries = empty((len(hs), zs.shape[1]), zs.dtype)
        kernels.meet_backward(dzs, zs, dqueries, dkeys, walk.rows, walk.lengths, scales)
        kernels.add_product(hs.T, dqueries, self.W.gradient[M:])
        self.b.gradient += dqueries.sum(axis=0)
        return kernels.product(dqueries, self.W.value[M:].T)

    def remember_backward(self, dkeys: Floats, dplaced: Floats, walk: Walk) -> Floats:
        """Run `remember` backwards, once all steps have added to dkeys (N, S, J): dvalues (N, S - 1, M).

        dplaced (N, S, M) is the gradient of the walk's values by what else was made of them.
        """
        N, S, M = walk.values.shape
        flat, ends = dkeys.reshape(N * S, dkeys.shape[2]), (np.arange(N), walk.lengths - 1)
        kernels.add_product(walk.values.reshape(N * S, M).T, flat, self.W.gradient[:M])
        self.end.gradient += dkeys[ends].sum(axis=0)
        dplaced = dplaced + kernels.product(flat, self.W.value[:M].T).reshape(N, S, M)
        ended = np.flatnonzero(walk.lengths > 1)
        dplaced[ended, walk.lengths[ended] - 2] += dplaced[ended, walk.lengths[ended] - 1]
        dplaced[ends] = 0.0
        dvalues = np.zeros((N, S - 1, M), dkeys.dtype)
        np.put_along_axis(dvalues, walk.columns[:, :, None], dplaced[:, :-1], axis=1)
        return dvalues


class TransducerCache(NamedTuple):
    """What `TimeTransducer.backward` needs: probabilities of actions in cells, and of places.

    arrivals[p, s, v] is the probability that v is written next and s the place after it.
    """

    inserted: Floats  # (M, V)
    moved: Floats  # (M, 2): of copying, of deleting
    places: Floats  # (P, S)
    reached: Floats  # (P, S)
    arrivals: Floats  # (P, S, V)
    logs: Floats  # (P, V)
    walk: Walk


class TimeTransducer:
    """Sums up all ways to write each next symbol: log P(v) after what was written (Graves 2012, arXiv:1211.3711).

        reached_s = places_s + reached_(s-1) delete_(s-1)         where it may be, having deleted what it likes;
        reached_0 = places_0 + reached_end back                   at the end it may go back, any number of times
        arrivals_s(v) = reached_s insert_s(v) + reached_(s-1) copy_(s-1) [v is the symbol of place s - 1]
        P(v) = sum over s of arrivals_s(v);                       places' = arrivals(v) / P(v), once v is written

    At every place the probabilities of inserting each symbol, of copying and of deleting sum to 1; these edit actions
    are those of Makarov & Clematide (2018).  That all ways are summed up as the symbols come makes P a probability of
    symbols, as every decoder's, with no need of an alignment (Wu & Cotterell 2019, section 3).

    end_id is inserted at the end only, and ends the answer; None: it is a symbol like any other.
    """

    def __init__(self, end_id: int | None = None) -> None:
        self.end_id = -1 if end_id is None else end_id

    def forward(self, inserts: Floats, moves: Floats, walk: Walk, places: Floats) -> tuple[Floats, TransducerCache]:
        """Score all symbols after every step: log P (P, V), cache.

        inserts (M, V) and moves (M, 2), for copying and deleting, are the scores of actions in all cells, and become
        their probabilities; places (P, S) is with what probability a step begins at each place.
        """
        owner, sizes = "TimeTransducer.forward", {"two": 2}
        check_floats(owner, "inserts", inserts, "(M, V)", sizes)
        check_array(owner, "moves", moves, "(M, two)", sizes, inserts.dtype)
        check_array(owner, "rows", walk.rows, "(P,)", sizes, np.int32)
        check_array(owner, "copies", walk.copies, "(Q, S)", sizes, np.int32)
        check_array(owner, "places", places, "(P, S)", sizes, inserts.dtype)
        P, S, V = *places.shape, inserts.shape[1]
        reached, arrivals, logs = (empty(shape, inserts.dtype) for shape in ((P, S), (P, S, V), (P, V)))
        steps = walk.copies, walk.lengths, walk.rows
        kernels.transduce(inserts, moves, *steps, self.end_id, places, reached, arrivals, logs)
        return logs, TransducerCache(inserts, moves, places, reached, arrivals, logs, walk)

    def backward(
        self, dlogs: Floats, cache: TransducerCache, written: Ids, garrivals: Floats
    ) -> tuple[Floats, Floats, Floats]:
        """Turn dlogs (P, V) into dinserts (M, V), dmoves (M, 2) and gplaces (P, S).

        gplaces is the gradient of the places' logarithms; garrivals (P, S) is that of the logarithms of the arrivals
        by the symbols that were written, written (P,), as `after_backward` gives it.
        """
        inserted, moved, places, reached, arrivals, logs, walk = cache
        dinserts, dmoves, gplaces = (empty(array.shape, array.dtype) for array in (inserted, moved, places))
        steps = walk.copies, walk.lengths, walk.rows
        kernels.transduce_backward(
            inserted,
            moved,
            *steps,
            places,
            reached,
            arrivals,
            logs,
            dlogs,
            written,
            garrivals,
            dinserts,
            dmoves,
            gplaces,
        )
        return dinserts, dmoves, gplaces

    @staticmethod
    def after(arrivals: Floats, ids: Ids) -> Floats:
        """Give the places (P, S) once ids (P,) are written, by arrivals (P, S, V)."""
        chosen: Floats = np.ascontiguousarray(arrivals[np.arange(len(ids)), :, ids])
        chosen /= np.maximum(chosen.sum(axis=1, keepdims=True), np.finfo(np.float32).tiny)
        return chosen

    @staticmethod
    def after_backward(gplaces: Floats, places: Floats) -> Floats:
        """Run `after` backwards, in gradients of logarithms: gplaces (P, S) of its places -> garrivals (P, S)."""
        garrivals: Floats = gplaces - places * gplaces.sum(axis=1, keepdims=True)
        return garrivals

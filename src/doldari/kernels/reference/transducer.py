"""A transducer's lattice: all ways of turning the places of a source into symbols, summed up and run backwards.

Cells lie one after another: every step p, which is of the source rows[p], has one for each of that source's
lengths[rows[p]] places, the last of which is the end.  M is the number of all cells, S that of the longest source.
"""

import numpy as np

from doldari.arrays import Floats, Ids

COPY, DELETE = 0, 1
LEAST = 1e-30  # what a probability counts as where it is lower: float32 still divides by it
LEAST_REST = 1e-6  # what 1 - p counts as where it is lower


def meet(queries: Floats, keys: Floats, rows: Ids, lengths: Ids, scales: Floats | None, zs: Floats) -> None:
    """Let every step meet every place of its source: z = scale tanh(query + key) in each cell.

    queries (P, J), keys (Q, S, J), scales (Q, J) of dropout or None for 1.  Writes zs (M, J).
    """
    for p, cells in enumerate(cells_of(rows, lengths)):
        q = rows[p]
        zs[cells] = np.tanh(queries[p] + keys[q, : lengths[q]])
        if scales is not None:
            zs[cells] *= scales[q]


def meet_backward(
    dzs: Floats,
    zs: Floats,
    dqueries: Floats,
    dkeys: Floats,
    rows: Ids,
    lengths: Ids,
    scales: Floats | None,
) -> None:
    """Run `meet` backwards: dzs and zs (M, J) -> writes dqueries (P, J), adds to dkeys (Q, S, J).

    The steps of a source must stand side by side.
    """
    for p, cells in enumerate(cells_of(rows, lengths)):
        q, z = rows[p], zs[cells]
        if scales is None:
            d = dzs[cells] * (1.0 - z * z)
        else:
            inverse = np.divide(1.0, scales[q], out=np.zeros_like(scales[q]), where=scales[q] != 0)
            d = dzs[cells] * (scales[q] - z * z * inverse)
        dqueries[p] = d.sum(axis=0)
        dkeys[q, : lengths[q]] += d


def transduce(
    inserted: Floats,
    moved: Floats,
    copies: Ids,
    lengths: Ids,
    rows: Ids,
    end_id: int,
    places: Floats,
    reached: Floats,
    arrivals: Floats,
    logs: Floats,
) -> None:
    """Sum up the ways to every next symbol: log-probabilities logs (P, V), at least log 1e-30.

    In a cell one of these is done: insert a symbol; copy the place's own, copies (Q, S), which is -1 for none, and
    move on; or delete it, which is to move on.  The scores of that, inserted (M, V) and moved (M, 2), become
    probabilities here.  Only at the end end_id is inserted, and nothing copied; end_id -1: there is none.  To move on
    from the end, a source's last place, is to go back to its first, 0, unless that is the end as well.

        reached[p, s]     = places[p, s] + reached[p, s - 1] delete(s - 1)    s - 1 of the first place being the last
        arrivals[p, s, v] = reached[p, s] insert(s, v) + reached[p, s - 1] copy(s - 1) where copies[s - 1] = v
        P(v)              = sum over s of arrivals[p, s, v]

    places (P, S) says with what probability each step begins at a place.  Writes reached (P, S), arrivals (P, S, V).
    """
    arrivals[...], reached[...] = 0.0, 0.0
    for p, cells in enumerate(cells_of(rows, lengths)):
        S, own = lengths[rows[p]], copies[rows[p]]
        insert, move = choose(inserted[cells], moved[cells], own[:S], end_id)
        inserted[cells], moved[cells] = insert, move
        at_end = 0.0  # with what probability it reaches the end without going around
        for s in range(S - 1):
            at_end = (at_end + places[p, s]) * move[s, DELETE]
        at_end += places[p, S - 1]
        # All rounds at once: x + x round + x round^2 + ... = x / (1 - round).
        again = at_end * move[S - 1, DELETE] / rest(move)
        for s in range(S):
            reached[p, s] = places[p, s] + (reached[p, s - 1] * move[s - 1, DELETE] if s > 0 else again)
        arrivals[p, :S] = reached[p, :S, None] * insert
        copied = np.flatnonzero(own[: S - 1] >= 0)
        arrivals[p, copied + 1, own[copied]] += reached[p, copied] * move[copied, COPY]
        logs[p] = np.log(np.maximum(arrivals[p].sum(axis=0), LEAST))


def choose(inserted: Floats, moved: Floats, own: Ids, end_id: int) -> tuple[Floats, Floats]:
    """Turn a step's scores, inserted (S, V) and moved (S, 2), into probabilities of what may be done."""
    scores = np.concatenate([inserted, moved], axis=1)
    V, at_end = inserted.shape[1], np.arange(len(own)) == len(own) - 1
    if end_id >= 0:
        scores[~at_end, end_id] = -np.inf
    scores[at_end, V + COPY] = -np.inf
    if len(own) == 1:
        scores[at_end, V + DELETE] = -np.inf
    scores[own < 0, V + COPY] = -np.inf
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    e /= e.sum(axis=1, keepdims=True)
    return e[:, :V], e[:, V:]


def transduce_backward(
    inserted: Floats,
    moved: Floats,
    copies: Ids,
    lengths: Ids,
    rows: Ids,
    places: Floats,
    reached: Floats,
    arrivals: Floats,
    logs: Floats,
    dlogs: Floats,
    written: Ids,
    garrivals: Floats,
    dinserted: Floats,
    dmoved: Floats,
    gplaces: Floats,
) -> None:
    """Run `transduce` backwards: dlogs (P, V) -> writes the scores' gradients dinserted (M, V) and dmoved (M, 2).

    Every g is the gradient of a quantity's logarithm, so it is shared out among the terms of a sum by their shares
    of the sum: what reaches `arrivals` goes to an insertion and a copy, what reaches `reached` goes to `places` and
    to the deletion before.  A score's gradient is then its action's g less its probability times the g of its cell.
    garrivals (P, S) is what comes from later steps to the arrivals by the symbols that were written, written (P,).
    Writes gplaces (P, S).
    """
    gplaces[...] = 0.0
    for p, cells in enumerate(cells_of(rows, lengths)):
        S, own, v = lengths[rows[p]], copies[rows[p]], written[p]
        insert, move, here = inserted[cells], moved[cells], reached[p, :S]
        asked = np.where(logs[p] > np.log(LEAST), dlogs[p] * np.exp(-logs[p]), 0.0)  # LEAST itself does not change
        ginsert, gmove = here[:, None] * insert * asked, np.zeros_like(move)
        copied = here * move[:, COPY] * (own[:S] >= 0)
        gmove[:, COPY] = copied * asked[own[:S]]
        ginsert[:, v] += share(here * insert[:, v], arrivals[p, :S, v]) * garrivals[p, :S]
        again = own[: S - 1] == v
        gmove[:-1, COPY] += share(np.where(again, copied[:-1], 0.0), arrivals[p, 1:S, v]) * garrivals[p, 1:S]
        g = ginsert.sum(axis=1) + gmove[:, COPY]
        shares = share(here * move[:, DELETE], np.roll(here, -1))
        around = 0.0  # what reaches the first place, all but that from going around
        for s in reversed(range(S)):
            around = g[s] + (around * shares[s] if s < S - 1 else 0.0)
        behind = around / rest(move)
        for s in reversed(range(S)):
            gmove[s, DELETE] = shares[s] * behind
            g[s] += gmove[s, DELETE]
            behind = g[s]
        dinserted[cells], dmoved[cells] = ginsert - insert * g[:, None], gmove - move * g[:, None]
        gplaces[p, :S] = share(places[p, :S], here) * g


def rest(move: Floats) -> Floats:
    """Return 1 - the probability of going once around all places, moved (S, 2), but not 0."""
    left: Floats = np.maximum(1.0 - move[:, DELETE].prod(), LEAST_REST)
    return left


def share(part: Floats, whole: Floats) -> Floats:
    """Take part / whole, and 0 of nothing."""
    return np.divide(part, whole, out=np.zeros_like(np.asarray(part)), where=np.asarray(whole) > 0)


def cells_of(rows: Ids, lengths: Ids) -> list[slice]:
    """Return where the cells of each step lie."""
    ends = np.cumsum(lengths[rows])
    return [slice(end - length, end) for end, length in zip(ends, lengths[rows], strict=True)]

"""An LSTM that walks along a source: all steps of a transducer's decoder, forward and backward.

In every step it reads the symbol before, as a ready input product, and the average of the values of the places where
it may be standing; its h meets every place's key; of that come the scores of the actions there, and of those, by
`transduce`, the next symbol and where it then stands.  So no step can begin before the last has ended, and all are
here in one call.

Shapes, beside those of transducer.py: N rows, each of the source rows[n], over T steps; M the size of a value, J of a
key; A = V + 2 actions: to insert each symbol, to copy, to delete.  The K cells lie step after step, in each step row
after row, in each row place after place.
"""

from collections.abc import Iterable

import numpy as np

from doldari.arrays import Floats, Ids, Mask
from doldari.kernels.reference.lstm import Gates, lstm_step, lstm_step_backward
from doldari.kernels.reference.transducer import cells_of, meet, meet_backward, transduce, transduce_backward


def walk_forward(
    products: Floats,
    Wf: Floats,
    Wh: Floats,
    queries: Floats,
    Wq: Floats,
    h_scales: Floats | None,
    z_scales: Floats | None,
    values: Floats,
    keys: Floats,
    copies: Ids,
    lengths: Ids,
    rows: Ids,
    W: Floats,
    b: Floats,
    end_id: int,
    xs: Ids,
    mask: Mask | None,
    begun: bool,
    arrivals: Floats,
    places: Floats,
    averages: Floats,
    gates: Floats,
    hs: Floats,
    cs: Floats,
    zs: Floats,
    actions: Floats,
    reached: Floats,
    arrived: Floats,
    logs: Floats,
) -> None:
    """Take T steps: log-probabilities of each next symbol, logs (N, T, V).

        averages[t] = places[t] . values                       begin at the first place, or, if begun, as after a step
        h, c        = LSTM(products[t] + averages[t] Wf, h, c)
        z           = z_scales tanh(queries + (h_scales h) Wq + key), in each cell
        actions     = z W + b, and then their probabilities

    products (T, N, 4H) are of the symbols xs (N, T) that are read, the bias in it; queries (N, J) are what is the
    same in every step.  Scales (T, N, H or J) are those of dropout, None for 1.  Where mask (N, T) is False nothing
    happens and logs are 0.  hs, cs (T + 1, N, H) begin with the first state, and arrivals (N, S, V) are those of the
    step before, if begun, and then of the last.  Writes places (T, N, S), averages (T, N, M), gates (T, N, 4H),
    zs (K, J), actions (K, A), reached, and arrived (T, N, S), the arrivals by the symbol that is read next: 0 where
    nothing happens.
    """
    N, T = xs.shape
    V = arrivals.shape[2]
    cells, M = cells_of(rows, lengths), int(lengths[rows].sum())
    for array in (places, averages, gates, zs, actions, reached, arrived, logs):
        array[...] = 0.0
    started = np.full(N, begun)
    for t in range(T):
        real = np.arange(N) if mask is None else np.flatnonzero(mask[:, t])
        chosen = arrivals[real, :, xs[real, t]]
        chosen /= np.maximum(chosen.sum(axis=1, keepdims=True), np.finfo(np.float32).tiny)
        chosen[~started[real]] = np.eye(1, chosen.shape[1])
        started[real] = True
        places[t, real] = chosen
        averages[t, real] = np.matmul(chosen[:, None], values[rows[real]])[:, 0]
        hs[t + 1], cs[t + 1] = hs[t], cs[t]
        x = products[t, real] + averages[t, real] @ Wf
        stepped, hs[t + 1, real], cs[t + 1, real] = lstm_step(x, hs[t, real], cs[t, real], Wh)
        gates[t, real] = np.concatenate(stepped, axis=1)
        h = hs[t + 1, real] if h_scales is None else hs[t + 1, real] * h_scales[t, real]
        at = cells_at(cells, real) + t * M
        met, of_source = np.zeros((len(at), keys.shape[2]), keys.dtype), rows[real]
        meet(queries[real] + h @ Wq, keys, of_source, lengths, None, met)
        if z_scales is not None:
            met *= np.repeat(z_scales[t, real], lengths[of_source], axis=0)
        scores = met @ W + b
        inserted, moved = np.ascontiguousarray(scores[:, :V]), np.ascontiguousarray(scores[:, V:])
        here, after, log = np.zeros_like(chosen), np.zeros_like(arrivals[real]), np.zeros((len(real), V), W.dtype)
        transduce(inserted, moved, copies, lengths, of_source, end_id, chosen, here, after, log)
        zs[at], actions[at] = met, np.concatenate([inserted, moved], axis=1)
        reached[t, real], arrivals[real], logs[real, t] = here, after, log
        arrived[t, real] = after[np.arange(len(real)), :, xs[real, min(t + 1, T - 1)]]


def walk_backward(
    dlogs: Floats,
    Wf: Floats,
    Wh: Floats,
    Wq: Floats,
    h_scales: Floats | None,
    z_scales: Floats | None,
    values: Floats,
    copies: Ids,
    lengths: Ids,
    W: Floats,
    xs: Ids,
    mask: Mask | None,
    places: Floats,
    gates: Floats,
    hs: Floats,
    cs: Floats,
    zs: Floats,
    actions: Floats,
    reached: Floats,
    arrived: Floats,
    logs: Floats,
    dproducts: Floats,
    dqueries: Floats,
    dactions: Floats,
    dkeys: Floats,
    dvalues: Floats,
    dh: Floats,
) -> None:
    """Run `walk_forward` backwards, where row n is of source n, and mask is True until a row's last step.

    Writes dproducts (T, N, 4H), dqueries (T, N, J), of each step's query, dactions (K, A), of their scores, and dh
    (N, H), of the first h; adds to dkeys (N, S, J), dvalues (N, S, M).  The weights' gradients are products of these.
    """
    (N, T), V, J = xs.shape, logs.shape[2], Wq.shape[1]
    rows = np.arange(N, dtype=np.int32)
    cells, M = cells_of(rows, lengths), int(lengths.sum())
    for array in (dproducts, dqueries, dactions, dh):
        array[...] = 0.0
    dc, gplaces = np.zeros_like(dh), np.zeros_like(places[0])
    for t in reversed(range(T)):
        real = rows if mask is None else rows[mask[:, t]]
        at = cells_at(cells, real) + t * M
        garrivals = np.zeros_like(places[0])
        if t + 1 < T:
            garrivals = gplaces - places[t + 1] * gplaces.sum(axis=1, keepdims=True)
        written = np.ascontiguousarray(xs[real, min(t + 1, T - 1)])
        by_symbol = np.zeros((len(real), places.shape[2], V), logs.dtype)
        by_symbol[np.arange(len(real)), :, written] = arrived[t, real]
        inserted, moved = np.ascontiguousarray(actions[at, :V]), np.ascontiguousarray(actions[at, V:])
        dinserted, dmoved, gplaces = np.zeros_like(inserted), np.zeros_like(moved), np.zeros_like(places[0])
        gplace = np.zeros((len(real), places.shape[2]), logs.dtype)
        transduce_backward(
            inserted,
            moved,
            copies,
            lengths,
            real,
            places[t, real],
            reached[t, real],
            by_symbol,
            logs[real, t],
            dlogs[real, t],
            written,
            garrivals[real],
            dinserted,
            dmoved,
            gplace,
        )
        dactions[at] = np.concatenate([dinserted, dmoved], axis=1)
        dqs, scales = np.zeros((len(real), J), logs.dtype), None
        if z_scales is not None:
            scales = np.zeros((N, J), logs.dtype)
            scales[real] = z_scales[t, real]
        meet_backward(dactions[at] @ W.T, zs[at], dqs, dkeys, real, lengths, scales)
        dqueries[t, real] = dqs
        dstep = dqs @ Wq.T
        if h_scales is not None:
            dstep *= h_scales[t, real]
        stepped = Gates(*np.split(gates[t, real], 4, axis=1))
        before = hs[t, real], cs[t, real]
        dgates, dh[real], dc[real], _ = lstm_step_backward(
            dh[real] + dstep, dc[real], stepped, *before, cs[t + 1, real], Wh
        )
        dproducts[t, real] = dgates
        dfed = dgates @ Wf.T
        dvalues[real] += places[t, real][:, :, None] * dfed[:, None]
        gplaces[real] = gplace + places[t, real] * np.matmul(values[real], dfed[:, :, None])[:, :, 0]


def cells_at(cells: list[slice], rows: Iterable[int]) -> Ids:
    """List the cells of some rows in one step."""
    return np.concatenate(
        [np.zeros(0, np.int32), *(np.arange(cells[n].start, cells[n].stop) for n in rows)], dtype=np.int32
    )

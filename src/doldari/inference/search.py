"""From a model's steps to its answers: sampling, and the score of a given answer; whole batches at once.

A search knows of a model only what `Asked` says.  The rows of a batch are searched side by side and know nothing of
each other, so that an answer does not depend on the batch that it is in.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from doldari.arrays import Ids, Mask
from doldari.inference.constraints import Automaton
from doldari.layers.softmax_loss import log_softmax
from doldari.models.asked import Asked


class Hypothesis(NamedTuple):
    """An answer, without its end, and its log-probability in nats, that of the end included."""

    ids: list[int]
    score: float


class Bounds(NamedTuple):
    """What answers may be: at most `longest` (N,) symbols before the end, as the automaton, if any, allows.

    never: ids that stand in no answer, such as the start symbol's.
    """

    longest: Ids
    automaton: Automaton | None = None
    never: tuple[int, ...] = ()


def allowed_ids(at: Ids, left: Ids, V: int, pad_id: int, bounds: Bounds) -> Mask | None:
    """Tell which ids may follow if `left` (R,) symbols may come before the end: (R, V), or None where all may.

    at (R,) are the automaton's states, if there is one.
    """
    over = left <= 0
    if bounds.automaton is None and not bounds.never and not over.any():
        return None
    may = (
        np.ones((len(left), V), np.bool_) if bounds.automaton is None else bounds.automaton.allowed(at, left, pad_id)
    )
    may[:, list(bounds.never)] = False
    may[over] &= np.arange(V) == pad_id
    return may


def sample(
    model: Asked,
    xs: ArrayLike,
    start_id: int,
    pad_id: int,
    bounds: Bounds,
    rngs: list[np.random.Generator],
    temperature: float = 1.0,
    top_k: int | None = None,
) -> list[Hypothesis]:
    """Draw an answer to each question of xs (N, S), symbol by symbol, with the generator of its row.

    Scores are divided by the temperature first; top_k leaves only the likeliest ids (Fan et al. 2018).  The score of
    an answer is its log-probability under the model itself.
    """
    N, steps = len(rngs), int(bounds.longest.max(initial=0)) + 1
    draws = np.array([rng.random(steps) for rng in rngs]).reshape(N, steps)
    state, ids, at = model.encode(xs), np.full(N, start_id, np.int32), np.zeros(N, np.int32)
    written, scores, ended = np.full((N, steps), pad_id, np.int32), np.zeros(N), np.zeros(N, np.bool_)
    for t in range(steps):
        raw, state = model.step(ids, state)
        logs = log_softmax(raw.astype(np.float64))
        may = allowed_ids(at, bounds.longest - t, logs.shape[1], pad_id, bounds)
        allowed = logs.copy() if may is None else np.where(may, logs, -np.inf)
        allowed[ended, pad_id] = 0.0
        with np.errstate(over="ignore"):  # to -inf, which is never drawn
            likely = (allowed - allowed.max(axis=1, keepdims=True)) / temperature
        if top_k is not None and top_k < likely.shape[1]:
            likely[likely < -np.partition(-likely, top_k - 1, axis=1)[:, top_k - 1 : top_k]] = -np.inf
        cumulated = np.exp(likely).cumsum(axis=1)
        ids = (cumulated <= draws[:, t : t + 1] * cumulated[:, -1:]).sum(axis=1).astype(np.int32)
        ids[ended] = pad_id
        scores += np.where(ended, 0.0, logs[np.arange(N), ids])
        ended |= ids == pad_id
        written[:, t] = ids
        if bounds.automaton is not None:
            at = np.where(ended, 0, bounds.automaton.next(at, ids))
        if ended.all():
            break
    lengths = (written != pad_id).sum(axis=1)
    return [Hypothesis(written[n, : lengths[n]].tolist(), float(scores[n])) for n in range(N)]


def forced_scores(model: Asked, xs: ArrayLike, ts: Ids, pad_id: int) -> NDArray[np.float64]:
    """Log-probability (N,), in nats, of answers ts (N, T), start symbol first and end included, to questions xs."""
    state = model.encode(xs)
    scores, n = np.zeros(len(ts)), np.arange(len(ts))
    for t in range(ts.shape[1] - 1):
        raw, state = model.step(np.ascontiguousarray(ts[:, t]), state)
        counts = ts[:, t] != pad_id
        scores += np.where(counts, log_softmax(raw.astype(np.float64))[n, ts[:, t + 1]], 0.0)
    return scores

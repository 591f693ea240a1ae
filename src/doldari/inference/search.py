"""From a model's steps to its answers: beam search, sampling, and the score of a given answer; whole batches at once.

A search knows of a model only what `Model` says.  The rows of a batch are searched side by side and know nothing of
each other, so that an answer does not depend on the batch that it is in.
"""

from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from doldari.arrays import Floats, Ids, Mask
from doldari.inference.constraints import Automaton
from doldari.models.ensemble import log_softmax

Rows = NDArray[np.intp]


class Model(Protocol):
    """What a search asks of a model; `Seq2seq` and `Ensemble` are two."""

    def encode(self, xs: ArrayLike) -> Any:
        """Read questions xs (N, S) -> the state before the first step."""

    def step(self, ids: Ids, state: Any, needed: Mask | None = None) -> tuple[Floats, Any]:
        """Read one more id for each row -> scores (rows, V) of what follows, next state; of others than those needed
        both may be anything.
        """

    def select(self, state: Any, rows: Rows, questions: Rows | None) -> Any:
        """Take rows of a state, and of what it holds of the questions those of `questions`, or all."""


class Hypothesis(NamedTuple):
    """An answer, without its end, and its log-probability in nats, that of the end included."""

    ids: list[int]
    score: float


class Bounds(NamedTuple):
    """What answers may be: at most `longest` (N,) symbols before the end, as the automaton, if any, allows."""

    longest: Ids
    automaton: Automaton | None = None


def beam_search(
    model: Model, xs: ArrayLike, start_id: int, pad_id: int, bounds: Bounds, width: int, length_penalty: float = 1.0
) -> list[list[Hypothesis]]:
    """Find for each question of xs (N, S) up to `width` answers, the best first.

    In every step the likeliest continuations of the unfinished answers are kept; a finished one keeps its place, so
    that one less goes on (Sutskever et al. 2014, section 3.2).  With width 1 this is greedy search.  At the end the
    answers are ordered by score / length ** length_penalty, the end counted (after Wu et al. 2016, section 7).
    """
    N, K, longest = len(bounds.longest), width, bounds.longest
    finished = np.zeros((N, K, int(longest.max(initial=0))), np.int32)
    lengths, finished_scores, count = np.zeros((N, K), np.int64), np.full((N, K), -np.inf), np.zeros(N, np.int64)
    rows = np.arange(N)  # the questions that are still searched; the arrays below are theirs
    state = model.select(model.encode(xs), np.repeat(rows, K), None)
    ids, at, written = np.full((N, K), start_id, np.int32), np.zeros((N, K), np.int32), np.zeros((N, K, 0), np.int32)
    scores = np.full((N, K), -np.inf)  # of no answer
    scores[:, 0] = 0.0
    while len(rows) > 0:
        t = written.shape[2]
        raw, state = model.step(ids.ravel(), state, scores.ravel() > -np.inf)
        totals = scores[:, :, None] + log_softmax(raw.astype(np.float64)).reshape(len(rows), K, -1)
        forbid(totals, at, longest[rows, None] - t, pad_id, bounds.automaton)
        scores, parents, ids = best_continuations(totals)
        scores[np.arange(K) >= K - count[rows, None]] = -np.inf  # the places of finished answers
        written = np.take_along_axis(written, parents[:, :, None], axis=1)
        at = np.take_along_axis(at, parents, axis=1)

        row, place = np.nonzero((ids == pad_id) & (scores > -np.inf))
        slot = count[rows[row]] + np.arange(len(row)) - np.searchsorted(row, row)
        finished[rows[row], slot, :t] = written[row, place]
        lengths[rows[row], slot], finished_scores[rows[row], slot] = t, scores[row, place]
        np.add.at(count, rows[row], 1)
        scores[row, place] = -np.inf

        if bounds.automaton is not None:
            at = bounds.automaton.next(at, ids)
        going = np.flatnonzero((scores > -np.inf).any(axis=1))
        rows, scores, parents, ids, at = rows[going], scores[going], parents[going], ids[going], at[going]
        written = np.concatenate([written[going], ids[:, :, None]], axis=2)
        state = model.select(state, (going[:, None] * K + parents).ravel(), going)
    order = np.argsort(-finished_scores / (lengths + 1.0) ** length_penalty, axis=1, kind="stable")
    return [
        [Hypothesis(finished[n, k, : lengths[n, k]].tolist(), float(finished_scores[n, k])) for k in ks[: count[n]]]
        for n, ks in enumerate(order)
    ]


def best_continuations(totals: Floats) -> tuple[Floats, Rows, Ids]:
    """Take from totals (N, K, V) the K highest of each row: their totals, parents and ids, all (N, K), best first.

    Of equal ones the first comes first.
    """
    N, K, V = totals.shape
    flat = totals.reshape(N, K * V)
    chosen = np.argpartition(-flat, min(K, K * V - 1), axis=1)[:, :K] if K > 1 else flat.argmax(axis=1)[:, None]
    chosen.sort(axis=1)
    values = np.take_along_axis(flat, chosen, axis=1)
    order = np.argsort(-values, axis=1, kind="stable")
    chosen = np.take_along_axis(chosen, order, axis=1)
    return np.take_along_axis(values, order, axis=1), chosen // V, (chosen % V).astype(np.int32)


def forbid(totals: Floats, at: Ids, left: Ids, pad_id: int, automaton: Automaton | None) -> None:
    """Set to -inf, in totals (N, K, V), what may not follow if `left` (N, 1) symbols may come before the end."""
    if automaton is not None:
        totals[~automaton.allowed(at, left)] = -np.inf
    over = left[:, 0] <= 0
    totals[over, :, :pad_id] = -np.inf
    totals[over, :, pad_id + 1 :] = -np.inf


def sample(
    model: Model,
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
    state, ids, at = model.encode(xs), np.full(N, start_id, np.int32), np.zeros((N, 1), np.int32)
    written, scores, ended = np.full((N, steps), pad_id, np.int32), np.zeros(N), np.zeros(N, np.bool_)
    for t in range(steps):
        raw, state = model.step(ids, state)
        logs = log_softmax(raw.astype(np.float64))
        allowed = logs[:, None].copy()
        forbid(allowed, at, bounds.longest[:, None] - t, pad_id, bounds.automaton)
        allowed[ended, :, pad_id] = 0.0
        with np.errstate(over="ignore"):  # to -inf, which is never drawn
            likely = (allowed[:, 0] - allowed[:, 0].max(axis=1, keepdims=True)) / temperature
        if top_k is not None and top_k < likely.shape[1]:
            likely[likely < -np.partition(-likely, top_k - 1, axis=1)[:, top_k - 1 : top_k]] = -np.inf
        cumulated = np.exp(likely).cumsum(axis=1)
        ids = (cumulated <= draws[:, t : t + 1] * cumulated[:, -1:]).sum(axis=1).astype(np.int32)
        ids[ended] = pad_id
        scores += np.where(ended, 0.0, logs[np.arange(N), ids])
        ended |= ids == pad_id
        written[:, t] = ids
        if bounds.automaton is not None:
            at = np.where(ended[:, None], 0, bounds.automaton.next(at, ids[:, None]))
        if ended.all():
            break
    lengths = (written != pad_id).sum(axis=1)
    return [Hypothesis(written[n, : lengths[n]].tolist(), float(scores[n])) for n in range(N)]


def forced_scores(model: Model, xs: ArrayLike, ts: Ids, pad_id: int) -> NDArray[np.float64]:
    """Log-probability (N,), in nats, of answers ts (N, T), start symbol first and end included, to questions xs."""
    state = model.encode(xs)
    scores, n = np.zeros(len(ts)), np.arange(len(ts))
    for t in range(ts.shape[1] - 1):
        raw, state = model.step(np.ascontiguousarray(ts[:, t]), state)
        counts = ts[:, t] != pad_id
        scores += np.where(counts, log_softmax(raw.astype(np.float64))[n, ts[:, t + 1]], 0.0)
    return scores

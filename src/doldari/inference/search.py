"""Search: allowed symbols, top-k expansions, sampling, scores of given answers; on whole batches.

A search uses only what `InferenceModel` declares.  The rows of a batch are searched side by side and independently,
so an answer does not depend on the batch that it is in.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from doldari import kernels
from doldari.arrays import Floats, Ids, Mask
from doldari.data.batches import pad
from doldari.inference.automaton import Automaton
from doldari.layers.softmax_loss import log_softmax
from doldari.models.inference_model import InferenceModel, Rows

HARDLY = 0.01  # the probability of keeping to a constraint below which it forces an answer


class Hypothesis(NamedTuple):
    """An answer, without its end, and its log-probability in nats, that of the end included.

    cut: it ends because it may have no more symbols, where the model would have gone on.  forced: the model
    would hardly have kept to the constraint by itself.
    """

    ids: list[int]
    score: float
    cut: bool = False
    forced: bool = False


class Bounds(NamedTuple):
    """The bounds of answers: at most `longest` (N,) symbols before the end, and what the automaton allows.

    never: ids that stand in no answer, such as the start symbol's.  usual (N,), if it is given, is the length up to
    which a beam looks beside a greedy answer that is no longer itself.
    """

    longest: Ids
    automaton: Automaton | None = None
    never: tuple[int, ...] = ()
    usual: Ids | None = None

    def rows(self, rows: Sequence[int]) -> "Bounds":
        """Select some of the answers."""
        usual = None if self.usual is None else self.usual[rows]
        return self._replace(longest=self.longest[rows], usual=usual)


class Candidates(NamedTuple):
    """The top-k expansions of R hypotheses: ids and scores (R, k), the best first.

    cut (R,): they have to end although the model would continue.
    """

    ids: Ids
    scores: NDArray[np.float64]
    cut: Mask

    def rows(self, rows: Rows) -> "Candidates":
        """Select some of the hypotheses."""
        return Candidates(self.ids[rows], self.scores[rows], self.cut[rows])


def allowed_ids(at: Ids, left: Ids, V: int, pad_id: int, bounds: Bounds) -> Mask | None:
    """Return which ids may follow if `left` (R,) symbols may come before the end: (R, V), or None where all may.

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


def cut_short(raw: Floats, left: Ids, pad_id: int, bounds: Bounds) -> Mask:
    """Return which answers end here only because no symbol is left: raw (R, V) scores of what follows -> (R,).

    An answer under a constraint is whole whenever it may end, and so never cut.
    """
    cut = left <= 0
    if bounds.automaton is not None or not cut.any():
        return np.zeros_like(cut)
    follows = raw[cut]
    follows[:, list(bounds.never)] = -np.inf
    cut[cut] = follows.argmax(axis=1) != pad_id
    return cut


def likeliest(
    raw: Floats, scores: NDArray[np.float64], at: Ids, left: Ids, pad_id: int, bounds: Bounds, width: int
) -> Candidates:
    """Return the top-k expansions, k = `width`, of R hypotheses, given the model's scores raw (R, V)."""
    R, V = raw.shape
    ids, logs = np.empty((R, min(width, V)), np.int32), np.empty((R, min(width, V)))
    allowed = allowed_ids(at, left, V, pad_id, bounds)
    kernels.likeliest(np.ascontiguousarray(raw), allowed, ids, logs)
    return Candidates(ids, scores[:, None] + logs, cut_short(raw, left, pad_id, bounds))


def sample(
    model: InferenceModel,
    xs: ArrayLike,
    start_id: int,
    pad_id: int,
    bounds: Bounds,
    rngs: list[np.random.Generator],
    temperature: float = 1.0,
    top_k: int | None = None,
) -> list[Hypothesis]:
    """Sample an answer to each question of xs (N, S), symbol by symbol, with the generator of its row.

    Scores are divided by the temperature first; top_k keeps the k most likely ids (Fan et al. 2018).  The score of
    an answer is its log-probability under the model itself.
    """
    N, steps = len(rngs), int(bounds.longest.max(initial=0)) + 1
    draws = np.array([rng.random(steps) for rng in rngs]).reshape(N, steps)
    state, ids, at = model.encode(xs), np.full(N, start_id, np.int32), np.zeros(N, np.int32)
    written, scores, ended = np.full((N, steps), pad_id, np.int32), np.zeros(N), np.zeros(N, np.bool_)
    cut = np.zeros(N, np.bool_)
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
        cut |= cut_short(raw, bounds.longest - t, pad_id, bounds) & ~ended
        scores += np.where(ended, 0.0, logs[np.arange(N), ids])
        ended |= ids == pad_id
        written[:, t] = ids
        if bounds.automaton is not None:
            at = np.where(ended, 0, bounds.automaton.next(at, ids))
        if ended.all():
            break
    lengths = (written != pad_id).sum(axis=1)
    return [Hypothesis(written[n, : lengths[n]].tolist(), float(scores[n]), bool(cut[n])) for n in range(N)]


def forced_scores(model: InferenceModel, xs: ArrayLike, ts: Ids, pad_id: int) -> NDArray[np.float64]:
    """Log-probability (N,), in nats, of answers ts (N, T), start symbol first and end included, to questions xs."""
    state = model.encode(xs)
    scores, n = np.zeros(len(ts)), np.arange(len(ts))
    for t in range(ts.shape[1] - 1):
        raw, state = model.step(np.ascontiguousarray(ts[:, t]), state)
        counts = ts[:, t] != pad_id
        scores += np.where(counts, log_softmax(raw.astype(np.float64))[n, ts[:, t + 1]], 0.0)
    return scores


def with_forced(
    model: InferenceModel, xs: ArrayLike, found: list[list[Hypothesis]], start_id: int, pad_id: int, bounds: Bounds
) -> list[list[Hypothesis]]:
    """Set `forced` of the answers to each question of xs (N, S).

    It did if the model would have kept to the constraint all along the answer, the end included, with a probability
    below 1 %: the product, over its steps, of the probabilities of all that was allowed there.
    """
    automaton = bounds.automaton
    if automaton is None:
        return found
    rows = np.repeat(np.arange(len(found)), [len(answers) for answers in found])
    ts = pad([[start_id, *answer.ids, pad_id] for answers in found for answer in answers], pad_id)
    state, left = model.select(model.encode(xs), rows), bounds.longest[rows]
    at, kept = np.zeros(len(rows), np.int32), np.ones(len(rows))
    for t in range(ts.shape[1] - 1):
        raw, state = model.step(np.ascontiguousarray(ts[:, t]), state)
        may = allowed_ids(at, left - t, raw.shape[1], pad_id, bounds)
        believed = (np.exp(log_softmax(raw.astype(np.float64))) * may).sum(axis=1)
        kept *= np.where(ts[:, t] != pad_id, believed, 1.0)
        at = automaton.next(at, ts[:, t + 1])
    forced = iter((kept < HARDLY).tolist())
    return [[answer._replace(forced=next(forced)) for answer in answers] for answers in found]

"""Beam search: the answers with the highest scores, found by following several of a question at a time.

Two things keep the work small.  What the greedy answers could have gone on with is known once they are written, so a
hypothesis costs steps only after it has left them.  And as log-probabilities only fall, it is known how high the
score of a hypothesis can still come to be: where that is not above the answers found already, it is left out.  That
is branch and bound (Land & Doig 1960); by the same bound Huang et al. 2017 (arXiv:1809.00069) end whole searches.
"""

import heapq
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from doldari import kernels
from doldari.arrays import Floats, Ids, Mask
from doldari.inference.search import Bounds, Hypothesis, Model, Rows, what_may_follow


class Continuations(NamedTuple):
    """How R hypotheses can go on: for each the k likeliest ids and the scores with them, (R, k), the best first."""

    ids: Ids
    scores: NDArray[np.float64]

    def of(self, rows: Rows) -> "Continuations":
        """Take those of some hypotheses."""
        return Continuations(self.ids[rows], self.scores[rows])


class GreedyStep(NamedTuple):
    """A step of the greedy answers that had not ended: their questions (R,), ascending, and what came of it."""

    questions: Rows
    continuations: Continuations
    state: Any

    def rows(self, questions: Rows) -> Rows:
        """Find the rows of questions."""
        return np.searchsorted(self.questions, questions)


class Greedy(NamedTuple):
    """The greedy answers: every step, the ids (N, T), padding after the end, and scores (N,), -inf of none."""

    steps: list[GreedyStep]
    written: Ids
    scores: NDArray[np.float64]


class Hypotheses(NamedTuple):
    """R unfinished answers: their questions (R,), ids so far, written (R, t), scores (R,), automaton states (R,).

    Those that are the beginning of the greedy answer, where is_greedy (R,), come last, and are not in the state.
    """

    questions: Rows
    written: Ids
    scores: NDArray[np.float64]
    at: Ids
    is_greedy: Mask
    state: Any


def beam_search(
    model: Model,
    xs: ArrayLike,
    start_id: int,
    pad_id: int,
    bounds: Bounds,
    width: int,
    n_best: int = 1,
    length_penalty: float = 1.0,
) -> list[list[Hypothesis]]:
    """Find for each question of xs (N, S) up to n_best answers, at most the width, the best first.

    What counts is score / length ** length_penalty, the end counted (after Wu et al. 2016, section 7), with
    length_penalty >= 0.  The greedy answer is found first.  Then, in every step, the `width` likeliest continuations
    of the unfinished answers go on; a finished one keeps its place, so that one less does (Sutskever et al. 2014,
    section 3.2).  Those are left out that can no longer be among the n_best: they would not come above those found so
    far even if all that follows had probability 1, up to the longest answer that there may be.  So the first answer
    is never below the greedy one, with width 1 it is the greedy one, and with a large width the best of all.
    """
    greedy = greedy_answers(model, xs, start_id, pad_id, bounds, width)
    found = Found(len(bounds.longest), n_best)
    lengths = (greedy.written != pad_id).sum(axis=1)
    normalised = greedy.scores / (lengths + 1.0) ** length_penalty
    for n in np.flatnonzero(greedy.scores > -np.inf).tolist():
        found.add(
            n, float(normalised[n]), Hypothesis(greedy.written[n, : lengths[n]].tolist(), float(greedy.scores[n]))
        )
    if width > 1:
        search_beside(greedy, found, model, pad_id, bounds, width, length_penalty)
    return found.answers()


class Found:
    """The n_best answers found for each of N questions; what is worth searching for has to be above `floor` (N,)."""

    def __init__(self, N: int, n_best: int) -> None:
        self.n_best, self.count = n_best, 0
        self.floor = np.full(N, -np.inf)
        self.heaps: list[list[tuple[float, int, Hypothesis]]] = [[] for _ in range(N)]

    def add(self, n: int, normalised: float, answer: Hypothesis) -> None:
        """Take another answer to question n; of equal ones the first stays."""
        heap = self.heaps[n]
        self.count += 1
        heapq.heappush(heap, (normalised, -self.count, answer))
        if len(heap) > self.n_best:
            heapq.heappop(heap)
        if len(heap) == self.n_best:
            self.floor[n] = heap[0][0]

    def answers(self) -> list[list[Hypothesis]]:
        """List every question's answers, the best first."""
        return [[answer for _, _, answer in sorted(heap, reverse=True)] for heap in self.heaps]


def greedy_answers(model: Model, xs: ArrayLike, start_id: int, pad_id: int, bounds: Bounds, width: int) -> Greedy:
    """Write the likeliest id at every step, and keep what else there was, the `width` likeliest."""
    N, longest = len(bounds.longest), bounds.longest
    written, final = np.full((N, int(longest.max(initial=0)) + 1), pad_id, np.int32), np.zeros(N)
    questions, state = np.arange(N), model.encode(xs)
    ids, scores, at = np.full(N, start_id, np.int32), np.zeros(N), np.zeros(N, np.int32)
    steps: list[GreedyStep] = []
    while len(questions) > 0:
        t = len(steps)
        raw, state = model.step(ids, state)
        ways = continuations(raw, scores, at, longest[questions] - t, pad_id, bounds, width)
        steps.append(GreedyStep(questions, ways, state))
        ids, scores = ways.ids[:, 0], ways.scores[:, 0]
        written[questions, t], final[questions] = ids, scores
        going = np.flatnonzero((ids != pad_id) & (scores > -np.inf))
        if len(going) < len(questions):
            questions, ids, scores, at = questions[going], ids[going], scores[going], at[going]
            state = model.select(state, going)
        if bounds.automaton is not None:
            at = bounds.automaton.next(at, ids)
    return Greedy(steps, written, final)


def search_beside(
    greedy: Greedy, found: Found, model: Model, pad_id: int, bounds: Bounds, width: int, length_penalty: float
) -> None:
    """Follow what else there was beside the greedy answers, as `beam_search` says, and add what is found."""
    N = len(bounds.longest)
    places = np.full(N, width)
    live = Hypotheses(
        np.arange(N), np.zeros((N, 0), np.int32), np.zeros(N), np.zeros(N, np.int32), np.ones(N, np.bool_), None
    )
    t = 0
    while len(live.questions) > 0:
        step = greedy.steps[t] if t < len(greedy.steps) else None
        ways, state = all_continuations(live, step, model, pad_id, bounds, width)
        lengths = np.where(ways.ids == pad_id, t, bounds.longest[live.questions, None])
        highest = ways.scores / (lengths + 1.0) ** length_penalty
        parents, ranks = chosen(live.questions, ways.scores, highest > found.floor[live.questions, None], places)
        questions, ids, scores = live.questions[parents], ways.ids[parents, ranks], ways.scores[parents, ranks]
        highest, is_greedy = highest[parents, ranks], live.is_greedy[parents] & (ranks == 0)

        ended = ids == pad_id
        for row in np.flatnonzero(ended & ~is_greedy).tolist():
            answer = Hypothesis(live.written[parents[row]].tolist(), float(scores[row]))
            found.add(int(questions[row]), float(highest[row]), answer)
        np.subtract.at(places, questions[ended], 1)

        going = np.flatnonzero(~ended & (highest > found.floor[questions]))
        # First those that the state has rows of, then those of which the greedy answers' state has.
        going = going[np.lexsort((live.is_greedy[parents[going]], is_greedy[going]))]
        parents, ids = parents[going], ids[going]
        at = live.at[parents]
        live = Hypotheses(
            questions[going],
            np.concatenate([live.written[parents], ids[:, None]], axis=1),
            scores[going],
            at if bounds.automaton is None else bounds.automaton.next(at, ids),
            is_greedy[going],
            next_state(live, parents[~is_greedy[going]], step, state, model),
        )
        t += 1


def all_continuations(
    live: Hypotheses, step: GreedyStep | None, model: Model, pad_id: int, bounds: Bounds, width: int
) -> tuple[Continuations, Any]:
    """Take a step with those that have left the greedy answer; of the others the way on is known."""
    t, beside = live.written.shape[1], int((~live.is_greedy).sum())
    known = []
    if step is not None:
        known.append(step.continuations.of(step.rows(live.questions[beside:])))
    if beside == 0:
        return known[0], None
    raw, state = model.step(np.ascontiguousarray(live.written[:beside, -1]), live.state)
    left = bounds.longest[live.questions[:beside]] - t
    ways = continuations(raw, live.scores[:beside], live.at[:beside], left, pad_id, bounds, width)
    ids, scores = zip(ways, *known, strict=True)
    return Continuations(np.concatenate(ids), np.concatenate(scores)), state


def chosen(questions: Rows, scores: Floats, worth: Mask, places: Ids) -> tuple[Rows, Rows]:
    """Choose, for every question, as many of the continuations (R, k) that are worth it as it has places (N,).

    Returns their rows and columns, question by question, the best first; of equal ones the first comes first.
    """
    rows, columns = np.nonzero(worth)
    order = np.lexsort((-scores[rows, columns], questions[rows]))
    rows, columns = rows[order], columns[order]
    n = questions[rows]
    kept = np.arange(len(n)) - np.searchsorted(n, n) < places[n]
    return rows[kept], columns[kept]


def next_state(live: Hypotheses, parents: Rows, step: GreedyStep | None, state: Any, model: Model) -> Any:
    """Take the state that follows each of the parents, first of those beside the greedy answers."""
    beside = parents[~live.is_greedy[parents]]
    left = None if state is None else model.select(state, beside)
    if step is None or len(beside) == len(parents):
        return left
    others = model.select(step.state, step.rows(live.questions[parents[len(beside) :]]))
    return others if left is None else model.join(left, others)


def continuations(
    raw: Floats, scores: NDArray[np.float64], at: Ids, left: Ids, pad_id: int, bounds: Bounds, width: int
) -> Continuations:
    """Find the `width` likeliest ways on of R hypotheses, of the model's scores raw (R, V) of what follows."""
    R, V = raw.shape
    ids, logs = np.empty((R, min(width, V)), np.int32), np.empty((R, min(width, V)))
    may = what_may_follow(at, left, V, pad_id, bounds.automaton)
    kernels.likeliest(np.ascontiguousarray(raw), may, ids, logs)
    return Continuations(ids, scores[:, None] + logs)

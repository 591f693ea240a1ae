"""Beam search: several hypotheses per question are expanded at a time.

Two things keep the work small.  What the greedy answers could have gone on with is known once they are written, so a
hypothesis costs steps only after it has left them.  And as log-probabilities only fall, it is known how high the
score of a hypothesis can still come to be: where that is not above the answers found already, it is left out.  That
is branch and bound (Land & Doig 1960); by the same bound Huang et al. 2017 (arXiv:1809.00069) end whole searches.
"""

import heapq
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from doldari.arrays import Floats, Ids, Mask
from doldari.inference.search import Bounds, Candidates, Hypothesis, likeliest
from doldari.models.inference_model import InferenceModel, Rows


class GreedyStep(NamedTuple):
    """A step of the greedy answers that had not ended: their questions (R,), ascending; automaton states (R,) before
    it; how they could go on, of which they took the first; and the model's state after it.
    """

    questions: Rows
    at: Ids
    candidates: Candidates
    state: Any

    def rows(self, questions: Rows) -> Rows:
        """Find the rows of questions."""
        return np.searchsorted(self.questions, questions)


class Greedy(NamedTuple):
    """The greedy answers: every step, the ids (N, T), padding after the end, scores (N,), -inf of none, and which
    were cut (N,).
    """

    steps: list[GreedyStep]
    written: Ids
    scores: NDArray[np.float64]
    cut: Mask


class Hypotheses(NamedTuple):
    """R unfinished answers: their questions (R,), ids so far, written (R, t), scores (R,), automaton states (R,), and
    the model's state, None if R is 0.
    """

    questions: Rows
    written: Ids
    scores: NDArray[np.float64]
    at: Ids
    state: Any


def beam_search(
    model: InferenceModel,
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
        ids, score, cut = greedy.written[n, : lengths[n]].tolist(), float(greedy.scores[n]), bool(greedy.cut[n])
        found.add(n, float(normalised[n]), Hypothesis(ids, score, cut))
    if width > 1:
        if bounds.usual is not None:
            bounds = bounds._replace(longest=np.where(lengths <= bounds.usual, bounds.usual, bounds.longest))
        search_beside(greedy, found, model, pad_id, bounds, width, length_penalty)
    return found.answers()


class Found:
    """The n_best answers found for each of N questions; to be among them, others must be above the threshold (N,)."""

    def __init__(self, N: int, n_best: int) -> None:
        self.n_best, self.count = n_best, 0
        self.threshold = np.full(N, -np.inf)
        self.heaps: list[list[tuple[float, int, Hypothesis]]] = [[] for _ in range(N)]

    def add(self, n: int, normalised: float, answer: Hypothesis) -> None:
        """Take another answer to question n; of equal ones the first stays."""
        heap = self.heaps[n]
        self.count += 1
        heapq.heappush(heap, (normalised, -self.count, answer))
        if len(heap) > self.n_best:
            heapq.heappop(heap)
        if len(heap) == self.n_best:
            self.threshold[n] = heap[0][0]

    def answers(self) -> list[list[Hypothesis]]:
        """List every question's answers, the best first."""
        return [[answer for _, _, answer in sorted(heap, reverse=True)] for heap in self.heaps]


def greedy_answers(
    model: InferenceModel, xs: ArrayLike, start_id: int, pad_id: int, bounds: Bounds, width: int
) -> Greedy:
    """Greedy search that keeps the top-k expansions of every step, k = `width`."""
    N, longest = len(bounds.longest), bounds.longest
    written, final = np.full((N, int(longest.max(initial=0)) + 1), pad_id, np.int32), np.zeros(N)
    cut = np.zeros(N, np.bool_)
    questions, state = np.arange(N), model.encode(xs)
    ids, scores, at = np.full(N, start_id, np.int32), np.zeros(N), np.zeros(N, np.int32)
    steps: list[GreedyStep] = []
    while len(questions) > 0:
        t = len(steps)
        raw, state = model.step(ids, state)
        candidates = likeliest(raw, scores, at, longest[questions] - t, pad_id, bounds, width)
        steps.append(GreedyStep(questions, at, candidates, state))
        ids, scores = candidates.ids[:, 0], candidates.scores[:, 0]
        written[questions, t], final[questions], cut[questions] = ids, scores, candidates.cut
        going = np.flatnonzero((ids != pad_id) & (scores > -np.inf))
        if len(going) < len(questions):
            questions, ids, scores, at = questions[going], ids[going], scores[going], at[going]
            state = model.select(state, going)
        if bounds.automaton is not None:
            at = bounds.automaton.next(at, ids)
    return Greedy(steps, written, final, cut)


def search_beside(
    greedy: Greedy,
    found: Found,
    model: InferenceModel,
    pad_id: int,
    bounds: Bounds,
    width: int,
    length_penalty: float,
) -> None:
    """Search from the alternatives to the greedy answers (see `beam_search`), and add the answers found."""
    N = len(bounds.longest)
    slots = np.full(N, width)
    on_greedy = np.arange(N)  # the questions of which one slot still follows the greedy answer
    none = np.zeros(0, np.int32)
    beside = Hypotheses(np.arange(0), np.zeros((0, 0), np.int32), np.zeros(0), none, None)
    t = 0
    while (R := len(beside.questions)) + len(on_greedy) > 0:
        step = greedy.steps[t] if len(on_greedy) > 0 else None
        candidates, state = all_candidates(beside, step, on_greedy, model, pad_id, bounds, width)
        # Rows from here on: first the R hypotheses beside the greedy answers, then the beginnings of those.
        questions = np.concatenate([beside.questions, on_greedy])
        written = np.concatenate([beside.written, greedy.written[on_greedy, :t]])
        lengths = np.where(candidates.ids == pad_id, t, bounds.longest[questions, None])
        highest = candidates.scores / (lengths + 1.0) ** length_penalty
        worth = (highest > found.threshold[questions, None]) & ((candidates.ids == pad_id) | (t < lengths))
        parents, ranks = chosen(questions, candidates.scores, worth, slots)
        questions, highest = questions[parents], highest[parents, ranks]
        ids, scores = candidates.ids[parents, ranks], candidates.scores[parents, ranks]
        is_greedy = (parents >= R) & (ranks == 0)

        ended = ids == pad_id
        for row in np.flatnonzero(ended & ~is_greedy).tolist():
            answer = Hypothesis(
                written[parents[row]].tolist(), float(scores[row]), bool(candidates.cut[parents[row]])
            )
            found.add(int(questions[row]), float(highest[row]), answer)
        np.subtract.at(slots, questions[ended], 1)

        going = ~ended & (highest > found.threshold[questions])
        on_greedy = questions[going & is_greedy]
        children = np.flatnonzero(going & ~is_greedy)
        children = children[np.argsort(parents[children] >= R, kind="stable")]
        parents, questions, ids = parents[children], questions[children], ids[children]
        leaving = questions[parents >= R]  # the greedy answer, that is
        at = beside.at[parents[parents < R]]
        if step is not None:
            at = np.concatenate([at, step.at[step.rows(leaving)]])
        beside = Hypotheses(
            questions,
            np.concatenate([written[parents], ids[:, None]], axis=1),
            scores[children],
            at if bounds.automaton is None else bounds.automaton.next(at, ids),
            next_state(model, state, parents[parents < R], step, leaving),
        )
        t += 1


def all_candidates(
    beside: Hypotheses,
    step: GreedyStep | None,
    on_greedy: Rows,
    model: InferenceModel,
    pad_id: int,
    bounds: Bounds,
    width: int,
) -> tuple[Candidates, Any]:
    """Expand the other hypotheses by one step; the expansions of those in on_greedy are known."""
    every, state = [], None
    if len(beside.questions) > 0:
        raw, state = model.step(np.ascontiguousarray(beside.written[:, -1]), beside.state)
        left = bounds.longest[beside.questions] - beside.written.shape[1]
        every.append(likeliest(raw, beside.scores, beside.at, left, pad_id, bounds, width))
    if step is not None:
        every.append(step.candidates.rows(step.rows(on_greedy)))
    return Candidates(*map(np.concatenate, zip(*every, strict=True))), state


def chosen(questions: Rows, scores: Floats, worth: Mask, slots: Ids) -> tuple[Rows, Rows]:
    """Choose, for every question, as many of the candidates (R, k) that are worth it as it has slots (N,).

    Returns their rows and columns, question by question, the best first; of equal ones the first comes first.
    """
    rows, columns = np.nonzero(worth)
    order = np.lexsort((-scores[rows, columns], questions[rows]))
    rows, columns = rows[order], columns[order]
    n = questions[rows]
    kept = np.arange(len(n)) - np.searchsorted(n, n) < slots[n]
    return rows[kept], columns[kept]


def next_state(model: InferenceModel, state: Any, rows: Rows, step: GreedyStep | None, leaving: Rows) -> Any:
    """Take rows of a state, and below them those of the greedy step's state whose questions are leaving."""
    states = []
    if len(rows) > 0:
        states.append(model.select(state, rows))
    if step is not None and len(leaving) > 0:
        states.append(model.select(step.state, step.rows(leaving)))
    return model.join(*states) if len(states) == 2 else states[0] if states else None

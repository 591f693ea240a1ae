"""From texts to answers with flags, by greedy or beam search."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from doldari.arrays import Floats, Ids
from doldari.data.batches import pad
from doldari.data.vocabulary import PADDING, START, UNKNOWN, Unknown
from doldari.inference.answers import END, Answer, Attention, different
from doldari.inference.automaton import Automaton
from doldari.inference.batching import Progress
from doldari.inference.beam import beam_search
from doldari.inference.questions import Questions, unknown_are_copied
from doldari.inference.search import Bounds, Hypothesis, forced_scores, sample, with_forced
from doldari.models.model_file import TextModel

NOTHING = Hypothesis([], 0.0)  # the answer, for certain, to a text of nothing but white space
# The size of a batch in symbols of sources, padding included.  What greedy answers need fits the second-level cache,
# a fifth faster than four times as many; a beam of 5 takes an eighth less with 10,000 than with a quarter of them.
GREEDY_SYMBOLS, BEAM_SYMBOLS = 1 << 12, 50_000  # of a beam: the symbols times its width


@dataclass(frozen=True)
class AnswerOptions:
    """The options of `Predictor.predict`; scored: with scores and the flag "forced"."""

    unknown: Unknown = "error"
    beam: int = 1
    n_best: int = 1
    allowed: Automaton | None = None
    max_length: int | None = None
    min_probability: float | None = None
    scored: bool = False


def answers_to(
    model: TextModel, texts: Sequence[str], options: AnswerOptions, progress: Progress | None = None
) -> list[list[Answer]]:
    """Predict n_best answers for each text, the best first; scores may be NaN unless options.scored."""
    questions = Questions.of(model, texts, options.unknown, options.max_length, options.allowed)
    scored = options.scored or options.min_probability is not None
    # Subwords spell one text in several ways, so more hypotheses than n_best are searched for.
    searched = options.beam if options.n_best > 1 and model.target.kind == "subwords" else options.n_best

    if options.beam == 1 and options.allowed is None and not scored:
        written = questions.answered(
            lambda _, xs, bounds: greedy(model, xs, bounds), NOTHING, GREEDY_SYMBOLS, progress
        )
        return [[as_answer(model, text, one, options.unknown)] for text, one in zip(texts, written, strict=True)]

    def by_beam(batch: list[int], xs: Ids, bounds: Bounds) -> list[list[Hypothesis]]:
        found = beam_search(model.searched, xs, START, PADDING, bounds, options.beam, searched)
        return with_forced(model.searched, xs, found, START, PADDING, bounds) if scored else found

    symbols = GREEDY_SYMBOLS if options.beam == 1 else BEAM_SYMBOLS // options.beam
    found = questions.answered(by_beam, [NOTHING], symbols, progress)
    answers = [
        different([as_answer(model, text, one, options.unknown) for one in some])[: options.n_best]
        for text, some in zip(texts, found, strict=True)
    ]
    least = options.min_probability
    return answers if least is None else [[one.at_least(least) for one in some] for some in answers]


def texts_greedily(model: TextModel, texts: Sequence[str], unknown: Unknown, max_length: int | None) -> list[str]:
    """Greedy predictions as plain texts; skipping scores and flags saves a third of the time spent in Python."""
    questions = Questions.of(model, texts, unknown, max_length)
    nothing: list[int] = []
    written = questions.answered(lambda _, xs, bounds: greedy_ids(model, xs, bounds)[0], nothing, GREEDY_SYMBOLS)
    return [decoded(model, text, ids, unknown) for text, ids in zip(texts, written, strict=True)]


def greedy(model: TextModel, xs: Ids, bounds: Bounds) -> list[Hypothesis]:
    """Greedy search; the scores are NaN."""
    return [Hypothesis(ids, math.nan, cut) for ids, cut in zip(*greedy_ids(model, xs, bounds), strict=True)]


def greedy_ids(model: TextModel, xs: Ids, bounds: Bounds) -> tuple[list[list[int]], list[bool]]:
    """Greedy search -> ids of each answer, and whether it was cut at its length limit."""
    written = model.model.generate(xs, START, int(bounds.longest.max(initial=0)) + 1, bounds.never)
    lengths = (np.asarray(written) != PADDING).sum(axis=1)
    kept = np.minimum(lengths, bounds.longest).tolist()
    rows = written[:, : max(kept, default=0)].tolist()
    return [ids[:most] for ids, most in zip(rows, kept, strict=True)], (lengths > bounds.longest).tolist()


def as_answer(model: TextModel, text: str, found: Hypothesis, unknown: Unknown) -> Answer:
    """Make the `Answer` of a hypothesis."""
    ids, score, cut, forced = found
    flags = ("limit",) * cut + ("forced",) * forced if cut or forced else ()
    return Answer(decoded(model, text, ids, unknown), score, flags)


def decoded(model: TextModel, text: str, ids: Sequence[int], unknown: Unknown) -> str:
    """Decode an answer; where unknown symbols are copied, they are those of the text, in order.

    A decoder that copies may do so again from the beginning: wiki, wikiwiki.
    """
    if UNKNOWN not in ids or not unknown_are_copied(model, unknown):
        return model.target.decode(ids)
    again = len(ids) if model.copies_unknown else 1
    return model.target.decode(ids, again * model.source.unknown_symbols(text))


def sampled(
    model: TextModel,
    texts: Sequence[str],
    options: AnswerOptions,
    temperature: float,
    top_k: int | None,
    seed: int,
    first: int,
) -> list[Answer]:
    """Sample an answer to each text, as `Predictor.sample`."""

    def draw(batch: list[int], xs: Ids, bounds: Bounds) -> list[Hypothesis]:
        rngs = [np.random.default_rng([seed, first + index]) for index in batch]
        drawn = sample(model.searched, xs, START, PADDING, bounds, rngs, temperature, top_k)
        forced = with_forced(model.searched, xs, [[one] for one in drawn], START, PADDING, bounds)
        return [one for (one,) in forced]

    questions = Questions.of(model, texts, options.unknown, options.max_length, options.allowed)
    drawn = questions.answered(draw, NOTHING, GREEDY_SYMBOLS)
    return [as_answer(model, text, one, options.unknown) for text, one in zip(texts, drawn, strict=True)]


def scores_of(
    model: TextModel, pairs: Sequence[tuple[str, str]], unknown: Unknown, progress: Progress | None = None
) -> list[float]:
    """Return the log-probability, in nats, of each pair's target given its source, end included."""
    questions = Questions.of(model, [source for source, _ in pairs], unknown)
    forced = [[START, *model.target.encode(text, unknown != "error"), PADDING] for _, text in pairs]

    def force(batch: list[int], xs: Ids, bounds: Bounds) -> list[float]:
        ts = pad([forced[index] for index in batch], PADDING)
        return list(map(float, forced_scores(model.searched, xs, ts, PADDING)))

    return questions.answered(force, 0.0, GREEDY_SYMBOLS, progress)


def attention_to(model: TextModel, text: str, unknown: Unknown, beam: int, given: Answer | None = None) -> Attention:
    """Predict from a text by beam search, or take a given answer; with the attention weights, in the texts' order."""
    target = model.target

    def look(batch: list[int], xs: Ids, bounds: Bounds) -> list[tuple[Hypothesis, Floats]]:
        if given is None:
            ((first, *_),) = beam_search(model.searched, xs, START, PADDING, bounds, beam)
        else:
            first = Hypothesis(target.encode(given.text, unknown=True), given.score)
        return [(first, model.model.attention(xs, pad([[START, *first.ids]], PADDING))[0])]

    nothing: tuple[Hypothesis, Floats] = NOTHING, np.zeros((0, 0))
    ((best, weights),) = Questions.of(model, [text], unknown).answered(look, nothing, GREEDY_SYMBOLS)
    if model.config.reads_backwards:
        weights = weights[:, ::-1]
    symbols = [target.decode([id]) for id in best.ids]
    if target.right_to_left:
        symbols, weights = symbols[::-1], np.concatenate([weights[-2::-1], weights[-1:]])  # the end's row stays last
    return Attention(model.source.spell(text), [*symbols, END], weights, as_answer(model, text, best, unknown).text)

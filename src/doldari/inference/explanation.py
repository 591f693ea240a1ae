"""One prediction with all that a page shows of it, as one object for JSON.

`explain(model, text)` returns a dict of this shape (all lists plain, all numbers finite):

    text              the source as it was given
    source            [symbol, ...]             the source's S symbols, features first, in the order of the text
    reading           [index, ...]              the order in which the encoder reads them
    unknown           [index, ...]              which of them were never seen in training
    answer            Answer
    n_best            [Answer, ...]             up to `beam` answers, the best first; only this one if `forced`
    forced            [id, ...]                 the first output symbols, which were forced
    steps             [Step, ...]               one for each symbol of the answer, and one for its end
    encoder, decoder  Insides or null           null where the model has no recurrent state, or is an ensemble
    tree              [Node, ...]               the beam search: every hypothesis that it kept, parents first

    Answer   {text, log_probability, probability, flags: ["limit", ...]}
    Symbol   {id, symbol, probability}          id 0 is the end, shown as the symbol "⏎"; id 1, the start, as "▷"
    Step     {input: {id, symbol},              what the decoder read
              output: Symbol,                   what it wrote
              forced: bool,
              top: [Symbol, ...],               the most probable outputs, the best first
              attention: [weight, ...] or null} over `source`, in its order; sums to 1
    Insides  {order: [symbol, ...],             what was read, a symbol for each position
              change: [number, ...],            norm of the top layer's h after it minus h before it
              states: [[value, ...], ...],      h of the top layer after it, K <= 64 of its units, each in [-1, 1]
              units: int,                       how many units the layer has in all
              gates: [{layer: "1" | "1 →" | "1 ←", f: [mean, ...], i: [...], o: [...]}]}
                                                means over the units, by position; r and z for a GRU
    Node     {parent: index or -1, id, symbol, probability, log_probability, rank: int or null}
                                                log_probability of the whole path; rank of a finished answer

Of an ensemble of different kinds, the answers are those that they vote for; all else is its first kind's: steps and
insides while it writes that answer, and the tree of its own search.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from doldari.arrays import Ids
from doldari.data.batches import pad
from doldari.data.vocabulary import PADDING, SPECIALS, START, UNKNOWN, UNKNOWN_TEXT, Unknown, Vocabulary
from doldari.errors import ConfigError, DataError
from doldari.inference.answering import GREEDY_SYMBOLS, AnswerOptions, as_answer
from doldari.inference.answers import END, Answer, different
from doldari.inference.arguments import check_text
from doldari.inference.beam import beam_search
from doldari.inference.beam_tree import beam_tree
from doldari.inference.insides import decoder_insides, encoder_insides
from doldari.inference.questions import Questions
from doldari.inference.search import Bounds, Hypothesis, allowed_ids
from doldari.inference.voting import voting_of
from doldari.layers.softmax_loss import log_softmax
from doldari.models.model_file import TextModel
from doldari.models.seq2seq import Seq2seq

START_SYMBOL = "▷"  # how the start symbol is shown
Explanation = dict[str, Any]


def explain(
    model: TextModel,
    text: str,
    *,
    unknown: Unknown = "error",
    beam: int = 1,
    forced: Sequence[int] = (),
    top: int = 10,
) -> Explanation:
    """Predict one text, and return all that led to the answer, in the shape above.

    Without `forced` the answers are those of `predict` with that `unknown`, that beam and n_best=beam.  With it the
    answer begins with those ids, PADDING for the end, and goes on greedily.  DataError where the text is blank,
    UnknownSymbolError as in `predict`, ConfigError where no answer begins with `forced`.
    """
    check_text("text", text)
    if model.source.is_blank(text):
        raise DataError("the text is empty")
    voted: list[Answer] = []
    if model.others:
        if not forced:
            (voted,) = voting_of(model).answers([text], AnswerOptions(unknown, beam, beam))
        model = model.kinds[0]

    def look(_: list[int], xs: Ids, bounds: Bounds) -> list[Explanation]:
        if forced:
            check_forced(forced, model.target, int(bounds.longest[0]))
            written, answers = list(forced), []
        elif voted:
            written, answers = [*model.target.encode(voted[0].text, unknown=True), PADDING], voted
        else:
            (found,) = beam_search(model.searched, xs, START, PADDING, bounds, beam, beam)
            written, answers = [*found[0].ids, PADDING], [as_answer(model, text, one, unknown) for one in found]
        steps, answer = walked(model, xs, bounds, written, top)
        answers = different(answers or [as_answer(model, text, answer, unknown)])
        read = [START, *answer.ids]
        add_attention(model, xs, read, steps)
        for t, step in enumerate(steps):
            step["forced"] = t < len(forced)
        symbols = model.source.spell(text)
        reading = list(range(len(symbols)))[:: -1 if model.config.reads_backwards else 1]
        recurrent = model.config.model == "recurrent"
        inner = model.model if recurrent and isinstance(model.model, Seq2seq) else None
        return [
            {
                "text": text,
                "source": symbols,
                "reading": reading,
                "unknown": np.flatnonzero(np.array(model.source.encode(text, unknown=True)) == UNKNOWN).tolist(),
                "answer": as_object(answers[0]),
                "n_best": [as_object(one) for one in answers],
                "forced": list(forced),
                "steps": steps,
                "encoder": inner and encoder_insides(inner, xs, [symbols[place] for place in reading]),
                "decoder": inner and decoder_insides(inner, xs, read, [step["input"]["symbol"] for step in steps]),
                "tree": [
                    {**node._asdict(), "symbol": spelled(model.target, node.id)}
                    for node in beam_tree(model.searched, xs, START, PADDING, bounds, beam)
                ],
            }
        ]

    nothing: Explanation = {}
    (explanation,) = Questions.of(model, [text], unknown).answered(look, nothing, GREEDY_SYMBOLS)
    return explanation


def walked(
    model: TextModel, xs: Ids, bounds: Bounds, given: Sequence[int], top: int
) -> tuple[list[dict[str, Any]], Hypothesis]:
    """Take the decoder's steps on one question xs (1, S): the given ids first, then the likeliest -> steps, answer.

    An answer that may have no more symbols ends, whatever the model would write.
    """
    longest = int(bounds.longest[0])
    ids, state, score, cut = np.array([START], np.int32), model.searched.encode(xs), 0.0, False
    steps: list[dict[str, Any]] = []
    at = np.zeros(1, np.int32)
    while not steps or steps[-1]["output"]["id"] != PADDING:
        t = len(steps)
        raw, state = model.searched.step(ids, state)
        logs = log_softmax(raw.astype(np.float64))[0]
        may = allowed_ids(at, np.array([longest - t], np.int32), len(logs), PADDING, bounds)
        likeliest = int(np.argmax(logs if may is None else np.where(may[0], logs, -np.inf)))
        id = given[t] if t < len(given) else likeliest
        cut = t >= longest and int(np.argmax(logs)) != PADDING
        score += float(logs[id])
        order = np.argsort(-logs, kind="stable")[:top].tolist()
        steps.append(
            {
                "input": {"id": int(ids[0]), "symbol": spelled(model.target, int(ids[0]))},
                "output": symbol_object(model.target, id, logs[id]),
                "forced": False,
                "top": [symbol_object(model.target, one, logs[one]) for one in order],
                "attention": None,
            }
        )
        ids = np.array([id], np.int32)
    return steps, Hypothesis([step["output"]["id"] for step in steps[:-1]], score, cut)


def add_attention(model: TextModel, xs: Ids, read: Sequence[int], steps: list[dict[str, Any]]) -> None:
    """Add to each step where the model looked, if it has attention, in the order of the text."""
    if not model.config.attends:
        return
    weights = model.model.attention(xs, pad([read], PADDING))[0]
    if model.config.reads_backwards:
        weights = weights[:, ::-1]
    for step, row in zip(steps, weights, strict=True):
        step["attention"] = np.round(row.astype(np.float64), 4).tolist()


def check_forced(forced: Sequence[int], target: Vocabulary, longest: int) -> None:
    """Refuse ids with which no answer begins."""
    if len(forced) > longest + 1:
        raise ConfigError(f"forced: {len(forced):,} symbols; an answer to this text has at most {longest:,}")
    for place, id in enumerate(forced):
        if id != PADDING and not SPECIALS <= id < len(target):
            raise ConfigError(f"forced[{place}]={id}: not the id of an output symbol; 0 is the end")
        if id == PADDING and place < len(forced) - 1:
            raise ConfigError(f"forced[{place}]=0: the end; nothing may follow it")
    if len(forced) == longest + 1 and forced[-1] != PADDING:
        raise ConfigError(f"forced: {len(forced):,} symbols; an answer to this text has at most {longest:,}")


def spelled(vocabulary: Vocabulary, id: int) -> str:
    """Write an id's symbol; the special ones as a reader can see them."""
    if id < SPECIALS:
        return {PADDING: END, START: START_SYMBOL, UNKNOWN: UNKNOWN_TEXT}[id]
    return (*vocabulary.symbols, *vocabulary.features)[id - SPECIALS]


def symbol_object(vocabulary: Vocabulary, id: int, log_probability: float) -> dict[str, Any]:
    """Put an id, its symbol and its probability into an object."""
    return {"id": id, "symbol": spelled(vocabulary, id), "probability": float(f"{np.exp(log_probability):.6g}")}


def as_object(answer: Answer) -> dict[str, Any]:
    """Put an answer into an object."""
    return {
        "text": answer.text,
        "log_probability": round(answer.score, 6),
        "probability": float(f"{answer.probability:.6g}"),
        "flags": list(answer.flags),
    }

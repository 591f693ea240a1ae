"""The report of an evaluation: scores, accuracy by length and position, errors, attention, confusions."""

from collections.abc import Mapping, Sequence
from html import escape

from doldari.data.leaks import Leaks
from doldari.data.pairs import Pair
from doldari.inference.calibration import reliability
from doldari.inference.metrics import Evaluation, compared
from doldari.inference.predictor import Attention, Predictor
from doldari.inference.scores import SAMPLES, Score
from doldari.report.alignment import (
    Step,
    alignments,
    confusions,
    in_groups,
    right_by_length,
    right_by_position,
)
from doldari.report.charts import share_rows
from doldari.report.letters import visible
from doldari.report.page import Section, page, table
from doldari.report.reliability import reliability_section

GROUPS = 16  # bars in a picture
ERRORS = 50  # rows in a table
LOOKS = 9  # pictures of attention
MEANINGS = {
    "accuracy": "exact matches",
    "WER": "word (sequence) error rate, 1 - accuracy",
    "PER": "edit distance per target symbol",
    "CER": "edit distance per target character",
    "BLEU": "word n-gram overlap with the targets, 0 to 100",
    "chrF": "character n-gram overlap with the targets, 0 to 100",
}


def evaluation_report(
    title: str,
    model: Predictor,
    evaluation: Evaluation,
    scores: Mapping[str, Score],
    leaks: Leaks | None,
    beam: int = 1,
) -> str:
    """Write the report as HTML; leaks is None where the training pairs are not known, beam that of the evaluation."""
    config, source = model.text_model.config, model.text_model.source
    has_unknown = [bool(source.unknown_symbols(pair.source.partition("\t")[0])) for pair in evaluation.pairs]
    lead = f"<p>{summary(evaluation, has_unknown)}</p>\n{score_table(scores)}"
    settings = escape(", ".join(f"{name} {value}" for name, value in vars(config).items()))
    rest = [("Leaks", leaks_section(leaks)), ("Model", f'<p class="faint">{settings}</p>')]
    return page(title, lead, [*evaluation_sections(model, evaluation, beam), *rest])


def evaluation_sections(model: Predictor, evaluation: Evaluation, beam: int = 1) -> list[Section]:
    """Write what an evaluation shows beside its scores."""
    aligned = alignments(evaluation)
    kind = model.text_model.source.kind
    lengths = [len(compared(pair.source.partition("\t")[0], kind)) for pair in evaluation.pairs]
    by_length = in_groups(right_by_length(lengths, evaluation.right), GROUPS)
    by_position = in_groups(right_by_position(aligned), GROUPS)
    bins = reliability(evaluation.probabilities, evaluation.right if evaluation.detailed else ())
    return [
        ("Accuracy by source length", share_rows(by_length, "length", "sources")),
        ("Symbol accuracy by target position", share_rows(by_position, "position", "symbols")),
        ("Worst errors", errors_table(evaluation, aligned)),
        ("Attention weights", attention_section(model, evaluation, beam)),
        ("Confusions", confusions_table(confusions(aligned))),
        ("Reliability", reliability_section(bins)),
    ]


def summary(evaluation: Evaluation, has_unknown: Sequence[bool]) -> str:
    """Return how many sources there are, how many of them with symbols that the model has not seen in training."""
    text = f"{len(evaluation.pairs):,} sources, {sum(evaluation.right):,} predicted correctly."
    several = sum(len(set(targets)) > 1 for targets in evaluation.targets)
    if several:
        text += f" With several targets, each of them correct: {several:,}."
    if any(has_unknown):
        right = sum(right for right, unknown in zip(evaluation.right, has_unknown, strict=True) if unknown)
        text += f" With symbols not seen in training: {sum(has_unknown):,}, of them predicted correctly: {right:,}."
    return text


def score_table(scores: Mapping[str, Score]) -> str:
    """Lay out the measures with their intervals and what they mean."""
    rows = [
        f'<tr><th>{name}<td class="number">{score}<td class="number">{score.interval}'
        f'<td class="meaning">{MEANINGS.get(name, "")}'
        for name, score in scores.items()
    ]
    heads = ("metric", "value", "95 % interval", "")
    return table("", heads, rows) + f'\n<p class="faint">95 % bootstrap intervals ({SAMPLES:,} samples).</p>'


def errors_table(evaluation: Evaluation, aligned: Sequence[Sequence[Step]]) -> str:
    """Lay out the wrong answers with the most edits, aligned with their targets."""
    wrong = worst(evaluation)
    if not wrong:
        return "<p>None: every prediction is correct.</p>"
    rows = [
        f'<tr><td dir="auto">{source_cell(evaluation.pairs[index])}'
        f'<td class="number">{evaluation.edits[index]}<td>{alignment_table(aligned[index])}'
        for index in wrong[:ERRORS]
    ]
    caption = counted("Wrong predictions", len(wrong), len(rows), "most edits first")
    return table(caption, ("source", "edits", "target and prediction"), rows)


def worst(evaluation: Evaluation) -> list[int]:
    """Order the wrong answers: by their edits, and if equal by those per symbol, the most first."""
    wrong = [index for index, edits in enumerate(evaluation.edits) if edits]
    return sorted(wrong, key=lambda i: (-evaluation.edits[i], -evaluation.edits[i] / max(evaluation.lengths[i], 1)))


def attention_section(model: Predictor, evaluation: Evaluation, beam: int) -> str:
    """Show where the model looked in the sources of its worst errors, or of the first if all is right."""
    attending = model.text_model.attending
    if attending is None:
        return "<p>This model has no attention.</p>"
    wrong = worst(evaluation)
    pairs = [evaluation.pairs[index] for index in wrong or range(len(evaluation.pairs))]
    known = [pair for pair in pairs if pair.source and model.knows(pair.source)][:LOOKS]
    pictures = [attention_figure(pair, model.attention(pair.source, unknown="unknown", beam=beam)) for pair in known]
    which = "For the worst errors" if wrong else "For the first sources"
    darker = "darker means more attention."
    if attending.config.decoder == "transducer":
        darker = (
            "the darker, the more probable it is that the symbol is inserted or copied there, and else at the end."
        )
    caption = f"{which}: source above, prediction and its end on the left; {darker}"
    return f'<p class="faint">{caption}</p>\n<div class="pictures">{"".join(pictures)}</div>'


def attention_figure(pair: Pair, attention: Attention) -> str:
    """Draw a picture with the source and the target above it."""
    target = f'<span class="faint">target {escape(pair.target)}</span>'
    about = f'<figcaption dir="auto">{source_cell(pair)}<br>{target}</figcaption>'
    return f"<figure>{about}{attention_table(attention)}</figure>"


def attention_table(attention: Attention) -> str:
    """Lay out the weights: a column for each source symbol, a row for each of the answer's, the darker the more."""
    head = "".join(f"<td>{visible(symbol)}" for symbol in attention.source)
    rows = []
    for symbol, weights in zip(attention.answer, attention.weights.tolist(), strict=True):
        cells = (f'<td class="tenths{weight * 10:.0f}" title="{weight:.0%}">' for weight in weights)
        rows.append(f"<tr><td>{visible(symbol)}{''.join(cells)}")
    return f'<div class="scroll"><table class="attention"><tr><td>{head}{"".join(rows)}</table></div>'


def alignment_table(steps: Sequence[Step]) -> str:
    """Put a target's symbols above the answer's."""
    lines = []
    for name, symbols in (
        ("target", [step.target for step in steps]),
        ("prediction", [step.answer for step in steps]),
    ):
        cells = [
            f"<td>{visible(symbol)}" if step.right else f"<td><mark>{visible(symbol) or '·'}</mark>"
            for symbol, step in zip(symbols, steps, strict=True)
        ]
        lines.append(f"<tr><th>{name}{''.join(cells)}")
    return f'<table class="aligned">{"".join(lines)}</table>'


def confusions_table(counts: Sequence[tuple[Step, int]]) -> str:
    """Lay out the most frequent wrong symbols."""
    if not counts:
        return "<p>None.</p>"
    rows = []
    for (target, answer), count in counts[:ERRORS]:
        kind = "deleted" if not answer else "inserted" if not target else "substituted"
        rows.append(
            f'<tr><td>{visible(target) or "·"}<td>{visible(answer) or "·"}<td>{kind}<td class="number">{count:,}'
        )
    caption = counted("Different confusions", len(counts), len(rows), "most frequent first")
    return table(caption, ("target", "prediction", "error", "count"), rows)


def leaks_section(leaks: Leaks | None) -> str:
    """List the held-out pairs that are in the training data, and sources that are there with another target."""
    if leaks is None:
        return "<p>Not checked: no training pairs given (<code>--training FILE</code>).</p>"
    if not leaks.pairs and not leaks.sources:
        return "<p>None: no source of these pairs is in the training pairs.</p>"
    sections = []
    if leaks.pairs:
        rows = [
            f'<tr><td dir="auto">{source_cell(pair)}<td dir="auto">{escape(pair.target)}'
            for pair in leaks.pairs[:ERRORS]
        ]
        caption = counted("Pairs that are also training pairs", len(leaks.pairs), len(rows))
        sections.append(table(caption, ("source", "target"), rows))
    if leaks.sources:
        rows = [
            f'<tr><td dir="auto">{source_cell(pair)}<td dir="auto">{escape(pair.target)}'
            f'<td dir="auto">{escape(other)}'
            for pair, other in leaks.sources[:ERRORS]
        ]
        caption = counted("Sources that have another target in the training pairs", len(leaks.sources), len(rows))
        sections.append(table(caption, ("source", "target", "target in training"), rows))
    return "\n".join(sections)


def counted(what: str, there: int, shown: int, order: str = "") -> str:
    """Return how many there are, in which order they stand, and how many of them are shown, if not all."""
    some = f"{shown:,} shown" if shown < there else ""
    return ", ".join(part for part in (f"{what}: {there:,}", order, some) if part) + "."


def source_cell(pair: Pair) -> str:
    """Write a source, and its features set apart."""
    text, tab, features = pair.source.partition("\t")
    return escape(text) + (f' <span class="features">{escape(features)}</span>' if tab else "")

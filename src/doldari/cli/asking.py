"""doldari predict, score and attend: asking a trained model."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from doldari.cli.arguments import (
    UNKNOWN_HINT,
    BeamOption,
    DataArgument,
    FeaturesColumnOption,
    ModelArgument,
    SourceColumnOption,
    TargetColumnOption,
    UnknownOption,
    features_column_of,
)
from doldari.cli.console import complain, counting, stderr, stdout
from doldari.errors import ConfigError, DataError, UnknownSymbolError

if TYPE_CHECKING:
    from doldari.data.vocabulary import Unknown
    from doldari.inference.predictor import Answer, Predictor

CHUNK = 5_000  # pairs that are scored and printed at a time


def predict(
    model: ModelArgument,
    texts: Annotated[
        list[str] | None, typer.Argument(metavar="[TEXT ...]", help="Sources; without any, the lines of stdin.")
    ] = None,
    beam: BeamOption = 1,
    n_best: Annotated[
        int | None, typer.Option(metavar="N", help="Print so many each, the likeliest per symbol first.")
    ] = None,
    sample: Annotated[bool, typer.Option("--sample", help="Draw the answer instead.")] = False,
    temperature: Annotated[float, typer.Option(help="Of --sample: the higher, the more freely.")] = 1.0,
    top_k: Annotated[int | None, typer.Option(help="Of --sample: among so many likeliest symbols.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of --sample.")] = 0,
    matching: Annotated[
        str | None, typer.Option(metavar="REGEX", help="Answer only what this regular expression matches whole.")
    ] = None,
    one_of: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Answer only with one of this file's lines.")
    ] = None,
    scores: Annotated[bool, typer.Option("--scores", help="Add a column: the answer's log-probability.")] = False,
    tsv: Annotated[bool, typer.Option("--tsv", help="Begin each line with a column: the source.")] = False,
    unknown: UnknownOption = "error",
) -> None:
    """Answer texts, or the lines of standard input: one answer a line, on standard output.

    A model with features is asked `text TAB one;two`.  A text that cannot be answered gets an empty line, and its
    reason on standard error.
    """
    from doldari.data.lines import read_lines
    from doldari.inference.predictor import Answer, check_beam, load

    if sample and (beam > 1 or n_best is not None):
        raise ConfigError("sample: goes with neither beam nor n_best")
    if not sample and (temperature, top_k, seed) != (1.0, None, 0):
        raise ConfigError("temperature, top_k and seed: go with sample")
    if matching is not None and one_of is not None:
        raise ConfigError("matching and one_of: give one of them")
    check_beam(beam, n_best)
    predictor = load(model)
    allowed = None
    if matching is not None:
        allowed = predictor.allowing(matching)
    elif one_of is not None:
        try:
            allowed = predictor.allowing([line for _, line in read_lines(one_of)])
        except ConfigError as error:
            raise ConfigError(f"{one_of}: {error}") from error

    def ask(sources: list[str], first: int) -> list[list[Answer]]:
        if sample:
            drawn = predictor.sample(
                sources,
                temperature=temperature,
                top_k=top_k,
                seed=seed,
                first=first,
                unknown=unknown,
                allowed=allowed,
            )
            return [[one] for one in drawn]
        if n_best is not None or scores:
            return predictor.predict(sources, n_best=n_best or 1, beam=beam, unknown=unknown, allowed=allowed)
        plain = predictor.predict(sources, beam=beam, unknown=unknown, allowed=allowed)
        return [[Answer(text, 0.0)] for text in plain]

    chunks = [[os.fsencode(text) for text in texts]] if texts else stdin_lines()
    if not print_answers(predictor, chunks, ask, unknown, scores, tsv):
        raise typer.Exit(1)


def print_answers(
    predictor: "Predictor",
    chunks: Iterable[list[bytes]],
    ask: "Callable[[list[str], int], list[list[Answer]]]",
    unknown: "Unknown",
    scores: bool,
    tsv: bool,
) -> bool:
    """Print the answers to lines, in order; False if there was a line that could not be answered.

    ask answers texts, of which it is told how many lines came before.
    """
    number, failed = 0, False
    with counting(stderr, stdout) as count:
        for chunk in chunks:
            sources = [readable(predictor, line, at, unknown) for at, line in enumerate(chunk, start=number + 1)]
            failed = failed or None in sources
            found = iter(ask([source for source in sources if source], number))
            for line, source in zip(chunk, sources, strict=True):
                shown = line.decode("utf-8", "backslashreplace").removesuffix("\r") if source is None else source
                for answer in next(found) if source else [None]:
                    print_answer(shown, answer, scores, tsv)
            print(end="", flush=True)
            number += len(chunk)
            count(number)
    return not failed


def print_answer(source: str, answer: "Answer | None", scores: bool, tsv: bool) -> None:
    """Print an answer's line, with the columns that are asked for; of None they are empty."""
    text, score = ("", "") if answer is None else (answer.text, f"{answer.score:.4f}")
    print("\t".join([source] * tsv + [text] + [score] * scores))


def readable(predictor: "Predictor", line: bytes, number: int, unknown: "Unknown") -> str | None:
    """Decode a line that the model can answer; complain of another, and return None."""
    try:
        text = line.decode("utf-8").removesuffix("\r")
        source = predictor.text_model.source
        if "\t" in text and not source.features and "\t" not in source.ids:
            raise DataError(f"{text!r}: a tab in it, and the model has no features; give sources only, as by cut -f1")
        if text:
            predictor.encode(text, unknown)
    except (UnicodeDecodeError, DataError) as error:
        reason = "not UTF-8" if isinstance(error, UnicodeDecodeError) else error
        hint = UNKNOWN_HINT if isinstance(error, UnknownSymbolError) and unknown == "error" else ""
        complain(f"text {number}: {reason}{hint}")
        return None
    return text


def score(
    model: ModelArgument,
    data: DataArgument,
    source_column: SourceColumnOption = None,
    target_column: TargetColumnOption = None,
    features_column: FeaturesColumnOption = None,
    unknown: UnknownOption = "error",
) -> None:
    """Print how likely a model finds given answers: source, target and log-probability in nats, a pair a line."""
    from doldari.data import load_pairs
    from doldari.data.formats import choose_columns
    from doldari.inference.predictor import load

    predictor = load(model)
    features_column = features_column_of(predictor, model, features_column)
    pairs = load_pairs(data, choose_columns(source_column, target_column, features_column))
    for index, (source, target) in enumerate(pairs):
        try:
            predictor.encode(source, unknown)
            predictor.text_model.target.encode(target, unknown != "error")
        except UnknownSymbolError as error:
            hint = UNKNOWN_HINT if unknown == "error" else ""
            raise UnknownSymbolError(f"{pairs.place(index)}: {error}{hint}") from error
    for start in range(0, len(pairs), CHUNK):
        some = pairs[start : start + CHUNK]
        for (source, target), value in zip(some, predictor.score(some, unknown=unknown), strict=True):
            print(f"{source}\t{target}\t{value:.4f}")


def attend(
    model: ModelArgument,
    text: Annotated[str, typer.Argument(help="A source.")],
    out: Annotated[Path, typer.Option(help="The picture's file: .png, .pdf or .svg.")] = Path("attention.png"),
    beam: BeamOption = 1,
    unknown: UnknownOption = "error",
) -> None:
    """Draw where the model looks in a source while it writes its answer; of models with --decoder attention."""
    from doldari.inference.predictor import load
    from doldari.report.attention import draw_attention
    from doldari.report.pictures import picture_format

    if not text:
        raise DataError("the text is empty: there is nothing to look at")
    picture_format(out)  # refused before the model is read
    attention = load(model).attention(text, unknown=unknown, beam=beam)
    draw_attention(out, attention, f"{text} → {attention.text}")
    stdout.print(f"{text} -> {attention.text}; the picture is in {out}")


def stdin_lines() -> Iterator[list[bytes]]:
    """Yield the lines of standard input, as many at a time as there are: who writes one line is answered."""
    if sys.stdin is None:
        raise DataError("standard input is closed; give texts as arguments")
    stdin: Any = sys.stdin.buffer
    rest = more = stdin.read1(1 << 16).removeprefix(b"\xef\xbb\xbf")
    while more:
        *lines, rest = rest.split(b"\n")
        if lines:
            yield lines
        more = stdin.read1(1 << 16)
        rest += more
    if rest:
        yield [rest]

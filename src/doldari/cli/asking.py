"""doldari predict, score and attend: asking a trained model."""

import os
from pathlib import Path
from typing import Annotated

import typer

from doldari.cli.answering import Asked, lines_of, print_answers
from doldari.cli.arguments import (
    UNKNOWN_HINT,
    BeamOption,
    DataArgument,
    DeviceOption,
    EngineOption,
    FeaturesColumnOption,
    FormatOption,
    ModelArgument,
    SourceColumnOption,
    TargetColumnOption,
    UnknownOption,
    features_column_of,
    reading_of,
)
from doldari.cli.console import answers_in_utf8, stdout
from doldari.errors import ConfigError, DataError, UnknownSymbolError, quoted

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
    input: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A file with a source a line, compressed or not.")
    ] = None,
    tsv: Annotated[bool, typer.Option("--tsv", help="Begin each line with a column: the source.")] = False,
    unknown: UnknownOption = "error",
    engine: EngineOption = "numpy",
    device: DeviceOption = "auto",
) -> None:
    """Answer texts, or the lines of standard input: one answer a line, on standard output.

    A model with features is asked `text TAB one;two`.  A text that cannot be answered gets an empty line, and its
    reason on standard error.
    """
    from doldari.data.lines import read_lines
    from doldari.data.opening import printable_name
    from doldari.inference.predictor import Answer, check_beam, load

    if sample and (beam > 1 or n_best is not None):
        raise ConfigError("sample: goes with neither beam nor n_best")
    if not sample and (temperature, top_k, seed) != (1.0, None, 0):
        raise ConfigError("temperature, top_k and seed: go with sample")
    if matching is not None and one_of is not None:
        raise ConfigError("matching and one_of: give one of them")
    check_beam(beam, n_best)
    predictor = load(model, engine=engine, device=device)
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

    if texts and input is not None:
        raise ConfigError(f"{printable_name(input)}: texts are given too; give one of them")
    chunks = [[os.fsencode(text) for text in texts]] if texts else lines_of(input)
    answers_in_utf8()
    if not print_answers(predictor, chunks, ask, Asked(unknown, beam), scores, tsv):
        raise typer.Exit(1)


def score(
    model: ModelArgument,
    data: DataArgument,
    source_column: SourceColumnOption = None,
    target_column: TargetColumnOption = None,
    features_column: FeaturesColumnOption = None,
    format: FormatOption = None,
    unknown: UnknownOption = "error",
) -> None:
    """Print how likely a model finds given answers: source, target and log-probability in nats, a pair a line."""
    from doldari.data import load_pairs
    from doldari.inference.predictor import load

    answers_in_utf8()
    predictor = load(model)
    features_column = features_column_of(predictor, model, features_column)
    pairs = load_pairs(data, reading_of(source_column, target_column, features_column, format))
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
    from doldari.inference.arguments import check_length
    from doldari.inference.predictor import load
    from doldari.report.attention import draw_attention
    from doldari.report.pictures import picture_format

    try:
        text.encode()
    except UnicodeEncodeError as error:  # of an argument
        raise DataError(f"{quoted(text)}: not UTF-8") from error
    predictor = load(model)
    if not predictor.text_model.source.is_blank(text):  # which is refused later
        check_length(len(predictor.encode(text, unknown)), predictor.text_model.longest_source, beam)
    picture_format(out)  # refused before anything is computed
    attention = predictor.attention(text, unknown=unknown, beam=beam)
    draw_attention(out, attention, f"{text} → {attention.text}")
    stdout.print(f"{text} -> {attention.text}; the picture is in {out}")

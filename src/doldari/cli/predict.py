"""doldari predict, score and attend: inference with a trained model."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from doldari.cli.arguments import (
    BeamOption,
    DataArgument,
    DeviceOption,
    EngineOption,
    FeaturesColumnOption,
    FormatOption,
    MaxLengthOption,
    ModelArgument,
    SourceColumnOption,
    TargetColumnOption,
    UnknownOption,
    VoteOption,
    features_column_of,
    reading_of,
    unknown_hint,
    warn_of_copy,
)
from doldari.cli.console import answers_in_utf8, counting, stderr, stdout, warn
from doldari.cli.predictions import Columns, lines_of, output_file, print_answers
from doldari.cli.reading import read_shown
from doldari.errors import ConfigError, DataError, UnknownSymbolError, quoted

if TYPE_CHECKING:
    from doldari.inference.automaton import Automaton
    from doldari.inference.predictor import Predictor

CHUNK = 5_000  # pairs that score processes and prints at a time


def predict(
    model: ModelArgument,
    texts: Annotated[
        list[str] | None, typer.Argument(metavar="[TEXT]...", help="Source texts; without any, the lines of stdin.")
    ] = None,
    beam: BeamOption = 1,
    vote: VoteOption = None,
    n_best: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Hypotheses per input, ranked by length-normalized log-probability; raises the beam size to N.",
        ),
    ] = None,
    sample: Annotated[bool, typer.Option("--sample", help="Sample instead of searching.")] = False,
    temperature: Annotated[
        float, typer.Option(metavar="X", help="Sampling temperature; higher is more random.")
    ] = 1.0,
    top_k: Annotated[
        int | None, typer.Option(metavar="K", help="Top-k sampling: draw among the K most likely symbols.")
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Random seed of --sample.")] = 0,
    matching: Annotated[
        str | None,
        typer.Option(metavar="REGEX", help="Constrain outputs to full matches of this regular expression."),
    ] = None,
    one_of: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Constrain outputs to the lines of this file.")
    ] = None,
    max_length: MaxLengthOption = None,
    min_probability: Annotated[
        float | None,
        typer.Option(metavar="P", help="Leave the output empty if its probability is lower (see doldari calibrate)."),
    ] = None,
    scores: Annotated[bool, typer.Option("--scores", help="Append the log-probability as a column.")] = False,
    details: Annotated[
        bool,
        typer.Option(
            "--details",
            help="Append log-probability, probability and flags as columns. Flags: limit (cut at the length limit), "
            "forced (by --matching or --one-of, against the model), abstained (--min-probability).",
        ),
    ] = False,
    input: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Input file, one source per line; may be compressed.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Output file, which appears once it is complete."),
    ] = None,
    tsv: Annotated[bool, typer.Option("--tsv", help="Prepend the source as a column.")] = False,
    header: Annotated[bool, typer.Option("--header", help="Print a header line with the column names.")] = False,
    unknown: UnknownOption = "error",
    engine: EngineOption = "numpy",
    device: DeviceOption = "auto",
) -> None:
    """Predict the output for each TEXT or line of standard input.

    Prints one prediction per line.  For a model with features an input is: source TAB feature;feature.  An input that
    cannot be processed gets an empty line, with the reason on standard error, where predictions that were cut, forced
    or left empty are counted too.
    """
    from doldari.data.opening import printable_name
    from doldari.inference.arguments import check_answering, checked_beam
    from doldari.inference.predictor import Answer, AnswerOptions, load

    if sample and (beam > 1 or n_best is not None):
        raise ConfigError("{sample}: cannot be combined with {beam} or {n_best}", sample=True, beam=None, n_best=None)
    if not sample and (temperature, top_k, seed) != (1.0, None, 0):
        raise ConfigError("--temperature, --top-k, --seed: need --sample")
    if texts and input is not None:
        raise ConfigError(f"{printable_name(input)}: texts are given too; give either texts or --input")
    beam = checked_beam(beam, n_best)
    check_answering(max_length, min_probability)
    predictor = load(model, engine=engine, device=device)
    if vote is not None:
        predictor = predictor.voting(vote)
    warn_of_copy(predictor, unknown)
    allowed = constraint_of(predictor, matching, one_of, max_length)
    is_scored = scores or details or allowed is not None
    options = AnswerOptions(unknown, beam, n_best or 1, allowed, max_length, min_probability, is_scored)

    def ask(sources: list[str], first: int) -> list[list[Answer]]:
        if not sample:
            return predictor.answers(sources, options)
        drawn = predictor.sample(
            sources,
            temperature=temperature,
            top_k=top_k,
            seed=seed,
            first=first,
            unknown=unknown,
            allowed=allowed,
            max_length=max_length,
        )
        return [[one if min_probability is None else one.at_least(min_probability)] for one in drawn]

    if input is not None and output is not None and output.exists() and output.samefile(input):
        warn(f"{printable_name(input)}: the input file is replaced by its predictions")
    for text in texts or ():
        if os.path.isfile(text):
            warn(f"{text} is a file; to predict each of its lines: doldari predict {model} --input {text}")
    chunks = [[os.fsencode(text) for text in texts]] if texts else lines_of(input)
    columns = Columns(tsv, scores, details)
    with output_file(output) as file:
        if header:
            print(columns.header, file=file)
        printed = print_answers(predictor, chunks, ask, options, columns, file, "text" if texts else "line")
    printed.warn()
    if printed.failed:
        raise typer.Exit(1)


def constraint_of(
    predictor: "Predictor", matching: str | None, one_of: Path | None, max_length: int | None
) -> "Automaton | None":
    """Compile the constraint of --matching or --one-of, if given."""
    from doldari.data.lines import read_lines

    if matching is not None and one_of is not None:
        raise ConfigError("--matching, --one-of: give one of the two")
    if matching is not None:
        return predictor.allowing(matching, max_length)
    if one_of is None:
        return None
    try:
        return predictor.allowing([line for _, line in read_lines(one_of)], max_length)
    except ConfigError as error:
        raise ConfigError(f"{one_of}: {error}") from error


def score(
    model: ModelArgument,
    data: DataArgument,
    source_column: SourceColumnOption = None,
    target_column: TargetColumnOption = None,
    features_column: FeaturesColumnOption = None,
    format: FormatOption = None,
    unknown: UnknownOption = "error",
) -> None:
    """Print the log-probability of given targets.

    Each line has the source, the target and its log-probability (natural logarithm).
    """
    from doldari.inference.predictor import load

    answers_in_utf8()
    predictor = load(model)
    features_column = features_column_of(predictor, model, features_column)
    warn_of_copy(predictor, unknown)
    pairs = read_shown(data, reading_of(source_column, target_column, features_column, format))
    for index, (source, target) in enumerate(pairs):
        try:
            predictor.encode(source, unknown)
            predictor.text_model.target.encode(target, unknown != "error")
        except UnknownSymbolError as error:
            hint = unknown_hint(predictor, source) if unknown == "error" else ""
            raise UnknownSymbolError(f"{pairs.place(index)}: {error}{hint}") from error
    with counting(stderr, stdout, "scored") as count:
        for start in range(0, len(pairs), CHUNK):
            some = pairs[start : start + CHUNK]
            for (source, target), value in zip(some, predictor.score(some, unknown=unknown), strict=True):
                print(f"{source}\t{target}\t{value:.4f}")
            count(start + len(some))


def attend(
    model: ModelArgument,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="Source text.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="Output file: .png, .pdf or .svg.")] = Path(
        "attention.png"
    ),
    beam: BeamOption = 1,
    unknown: UnknownOption = "error",
) -> None:
    """Plot the attention weights for a source text.

    The model must be a transformer, or have been trained with --decoder attention, pointer or transducer. Of a
    transducer the plot shows where each symbol is inserted or copied; what a row lacks to a sum of 1 is at the end.
    Of an ensemble of different kinds it shows the first that attends.
    """
    from doldari.inference.arguments import check_length
    from doldari.inference.predictor import load
    from doldari.report.attention import draw_attention
    from doldari.report.pictures import picture_format

    try:
        text.encode()
    except UnicodeEncodeError as error:  # of an argument
        raise DataError(f"{quoted(text)}: not UTF-8") from error
    predictor = load(model)
    warn_of_copy(predictor, unknown)
    if not predictor.text_model.source.is_blank(text):  # which is refused later
        check_length(len(predictor.encode(text, unknown)), predictor.text_model.longest_source, beam)
    picture_format(out)  # refused before anything is computed
    attention = predictor.attention(text, unknown=unknown, beam=beam)
    draw_attention(out, attention, f"{text} → {attention.text}")
    stdout.print(f"{text} -> {attention.text}; plot saved to {out}")

"""doldari evaluate."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from doldari.cli.arguments import (
    BeamOption,
    CountOption,
    DataArgument,
    DeviceOption,
    DigitsOption,
    EngineOption,
    FeaturesColumnOption,
    FormatOption,
    MaxLengthOption,
    ModelArgument,
    SourceColumnOption,
    TargetColumnOption,
    UnknownOption,
    VoteOption,
    unknown_hint,
    warn_of_copy,
)
from doldari.cli.console import stdout, warn, working
from doldari.cli.predictions import output_file
from doldari.cli.reading import read_shown, reading_for
from doldari.errors import ConfigError, DataError, UnknownSymbolError, and_more, plural

if TYPE_CHECKING:
    from doldari.data.leaks import Leaks
    from doldari.data.pairs import Pairs
    from doldari.data.vocabulary import Unknown
    from doldari.inference.calibration import Bin
    from doldari.inference.metrics import Evaluation
    from doldari.inference.predictor import Predictor
    from doldari.inference.scores import Score


def evaluate(
    model: ModelArgument,
    data: DataArgument,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    source_column: SourceColumnOption = None,
    target_column: TargetColumnOption = None,
    features_column: FeaturesColumnOption = None,
    format: FormatOption = None,
    count: CountOption = None,
    digits: DigitsOption = None,
    beam: BeamOption = 1,
    vote: VoteOption = None,
    unknown: UnknownOption = "error",
    engine: EngineOption = "numpy",
    device: DeviceOption = "auto",
    max_length: MaxLengthOption = None,
    training: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE",
            help="Training pairs: counts the pairs and sources of DATA that are among them. Give it twice for two "
            "parallel files.",
        ),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(metavar="FILE.html", help="Write an HTML report: plots, worst errors, confusions."),
    ] = None,
    predictions: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.tsv",
            help="Write all predictions: source, target, prediction, correct, score, probability, flags.",
        ),
    ] = None,
    reliability: Annotated[Path | None, typer.Option(metavar="FILE.png", help="Plot a reliability diagram.")] = None,
) -> None:
    """Measure accuracy and related metrics on test pairs.

    Accuracy is the share of exact matches; WER the word (sequence) error rate, 1 - accuracy; PER and CER the edit
    distance per target symbol; BLEU and chrF, for words, need sacrebleu; ECE the expected calibration error over 15
    bins, which doldari calibrate lowers.  Intervals are 95 % bootstrap intervals.  A source with several targets in
    DATA is one example; each of the targets is correct.  For a built-in task, new pairs are generated that were used
    neither for training nor for validation, a tenth as many; --count and --digits are those of the run by default.
    """
    from doldari.data.leaks import find_leaks, known_lemmas
    from doldari.data.opening import printable_name
    from doldari.data.statistics import blank_ends_warning
    from doldari.display import SAMPLES, samples, score_table
    from doldari.files import write_whole
    from doldari.inference import metrics
    from doldari.inference.arguments import check_answering
    from doldari.inference.calibration import reliability as reliability_bins
    from doldari.inference.predictor import load
    from doldari.inference.scores import scores
    from doldari.report.evaluation import evaluation_report
    from doldari.report.pictures import picture_format
    from doldari.report.reliability import draw_reliability

    for path, what in ((report, "report"), (predictions, "predictions"), (reliability, "plot")):
        if path is not None and path.is_dir():
            raise ConfigError(f"{path}: is a directory; give the name of a file for the {what}")
    if reliability is not None:
        picture_format(reliability)  # refused before anything is computed
    check_answering(max_length, None)
    predictor = load(model, engine=engine, device=device)
    if vote is not None:
        predictor = predictor.voting(vote)
    warn_of_copy(predictor, unknown)
    columns = source_column, target_column, features_column
    reading = reading_for(predictor, model, data, columns, format, count, digits)
    pairs = read_shown(data, reading, unseen=True)
    check_symbols(predictor, pairs, unknown, beam)
    blanks = blank_ends_warning(pairs, predictor.text_model.target.kind)
    if blanks:
        warn(blanks)
    with working("predicting", len(pairs)) as progress:
        evaluation = metrics.evaluate(
            predictor, pairs, unknown=unknown, beam=beam, max_length=max_length, detailed=True, progress=progress
        )
    measured = scores(evaluation)
    bins = reliability_bins(evaluation.probabilities, evaluation.right)
    read_alike = dataclasses.replace(reading, count=None, digits=None)
    leaks, lemmas = None, None
    if training is not None:
        trained_on = read_shown(training, read_alike)
        leaks = find_leaks(trained_on, pairs)
        lemmas = len(known_lemmas(trained_on, pairs)) if pairs.has_features else None
    if report is not None:
        page = evaluation_report(
            printable_name(f"{model} on {' and '.join(data)}"), predictor, evaluation, measured, leaks, beam
        )
        write_whole(report, page.encode())
    if predictions is not None:
        with output_file(predictions) as file:
            print(prediction_table(evaluation), end="", file=file)
    if reliability is not None:
        draw_reliability(reliability, bins, printable_name(f"{model} on {' and '.join(data)}"))
    if as_json:
        print(json.dumps(as_object(evaluation, measured, bins, leaks, lemmas)))
        return
    stdout.print(score_table(evaluation, measured))
    print_calibration(bins)
    print_lengths(evaluation)
    if leaks is not None:
        others = f"{len(leaks.sources):,} sources with another target"
        stdout.print(f"also in {' and '.join(training or [])}: {len(leaks.pairs):,} pairs; and {others}")
    if lemmas is not None:
        stdout.print(f"with a source (lemma) known from training with other features: {lemmas:,} pairs")
    wrong = [index for index, right in enumerate(evaluation.right) if not right]
    if wrong:
        stdout.print("errors:" if len(wrong) <= SAMPLES else f"the first {SAMPLES} errors:")
        stdout.print(samples(evaluation, wrong[:SAMPLES]))


def as_object(
    evaluation: "Evaluation",
    measured: "Mapping[str, Score]",
    bins: "Sequence[Bin]",
    leaks: "Leaks | None",
    lemmas: int | None = None,
) -> dict[str, Any]:
    """Collect all metrics in one object, for JSON."""
    from doldari.inference.calibration import calibration_error

    result: dict[str, Any] = {
        "accuracy": evaluation.accuracy,
        "correct": sum(evaluation.right),
        "examples": len(evaluation.pairs),
        "scores": {name: dataclasses.asdict(score) for name, score in measured.items()},
        "calibration_error": calibration_error(bins),
        "reliability": [one._asdict() for one in bins],
        "cut": evaluation.cut,
        "unreachable": evaluation.unreachable,
    }
    if leaks is not None:
        result["leaks"] = {"pairs": len(leaks.pairs), "sources": len(leaks.sources)}
    if lemmas is not None:
        result["leaks"]["lemmas"] = lemmas
    return result


def print_calibration(bins: "Sequence[Bin]") -> None:
    """Print the expected calibration error below the other metrics."""
    from doldari.inference.calibration import shown_error

    what = f"expected calibration error, {len(bins)} bins"
    stdout.print(f"{'ECE':<8} {shown_error(bins):<7}  {'':<18}  {what}")


def print_lengths(evaluation: "Evaluation") -> None:
    """Print how many predictions were cut at the length limit, and how many targets exceed it, if any."""
    if evaluation.cut:
        stdout.print(f"{plural(evaluation.cut, 'prediction')} cut at the length limit (--max-length N)")
    if evaluation.unreachable:
        what = plural(evaluation.unreachable, "source")
        stdout.print(f"{what} whose target exceeds the length limit; raise it with --max-length N")


def prediction_table(evaluation: "Evaluation") -> str:
    """Write every example as tab-separated values with a header; of several targets the nearest one.

    score is the log-probability in nats; correct is true or false; flags are separated by commas.
    """
    has_features = any("\t" in pair.source for pair in evaluation.pairs)
    texts = ["source", *["features"] * has_features, "target", "prediction"]
    rows = ["\t".join([*texts, "correct", "score", "probability", "flags"])]
    for pair, answer, right in zip(evaluation.pairs, evaluation.detailed or (), evaluation.right, strict=True):
        source, _, features = pair.source.partition("\t")
        texts = [source, *[features] * has_features, pair.target, answer.text]
        cells = [text.translate({9: "\\t", 10: "\\n", 13: "\\r"}) for text in texts]
        confidence = [f"{answer.score:.4f}", f"{answer.probability:.4g}", ",".join(answer.flags)]
        rows.append("\t".join([*cells, "true" if right else "false", *confidence]))
    return "\n".join(rows) + "\n"


def check_symbols(predictor: "Predictor", pairs: "Pairs", unknown: "Unknown", beam: int) -> None:
    """Raise an error, with file and line, for the first source with unknown symbols, or that is too long; warn about
    sources of unknown symbols only.
    """
    from doldari.inference.arguments import check_length

    refused = []
    for index, pair in enumerate(pairs):
        try:
            ids = predictor.encode(pair.source, unknown)
        except UnknownSymbolError as error:
            refused.append((index, str(error)))
            continue
        try:
            check_length(len(ids), predictor.text_model.longest_source, beam)
        except DataError as error:
            raise DataError(f"{pairs.place(index)}: {error}") from error
    if refused:
        index, reason = refused[0]
        more = and_more(len(refused) - 1, "source")
        if unknown == "error":
            hint = unknown_hint(predictor, pairs[index].source)
            raise UnknownSymbolError(f"{pairs.place(index)}: {reason}{more}{hint}")
        warn(f"{pairs.place(index)}: {reason}{more}; counted as errors")

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
    features_column_of,
    reading_of,
    unknown_hint,
)
from doldari.cli.console import stdout, warn, working
from doldari.cli.predictions import output_file
from doldari.errors import ConfigError, DataError, UnknownSymbolError
from doldari.percent import percent

if TYPE_CHECKING:
    from doldari.data.formats import Reading
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
            help="Write all predictions, with target, log-probability and whether correct.",
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
    from doldari.data import TASKS, load_pairs
    from doldari.data.leaks import find_leaks
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
    features = features_column_of(predictor, model, features_column)
    reading = reading_of(source_column, target_column, features, format, count, digits)
    if data[0] in TASKS:
        reading = sized_as_in_training(model, data[0], reading)
    with working(f"reading {' and '.join(data)}"):
        pairs = load_pairs(data, reading, unseen=True)
    check_symbols(predictor, pairs, unknown, beam)
    blanks = blank_ends_warning(pairs, predictor.text_model.target.kind)
    if blanks:
        warn(blanks)
    with working("answering", len(pairs)) as progress:
        evaluation = metrics.evaluate(
            predictor, pairs, unknown=unknown, beam=beam, max_length=max_length, detailed=True, progress=progress
        )
    measured = scores(evaluation)
    bins = reliability_bins(evaluation.probabilities, evaluation.right)
    read_alike = dataclasses.replace(reading, count=None, digits=None)
    leaks = None if training is None else find_leaks(load_pairs(training, read_alike), pairs)
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
        print(json.dumps(as_object(evaluation, measured, bins, leaks)))
        return
    stdout.print(score_table(evaluation, measured))
    print_calibration(bins)
    print_lengths(evaluation)
    if leaks is not None:
        others = f"{len(leaks.sources):,} sources with another target"
        stdout.print(f"also in {' and '.join(training or [])}: {len(leaks.pairs):,} pairs; and {others}")
    wrong = [index for index, right in enumerate(evaluation.right) if not right]
    if wrong:
        stdout.print("errors:" if len(wrong) <= SAMPLES else f"the first {SAMPLES} errors:")
        stdout.print(samples(evaluation, wrong[:SAMPLES]))


def sized_as_in_training(model: Path, task: str, reading: "Reading") -> "Reading":
    """Take count and digits of a built-in task from the run, if it was trained on that task and none were given."""
    from doldari.report.record import read_json
    from doldari.run_files import RECORD_FILE

    if (reading.count, reading.digits) != (None, None):
        return reading
    trained = read_json((model if model.is_dir() else model.parent) / RECORD_FILE).part("reading")
    if trained.text("data") != task:
        return reading
    return dataclasses.replace(reading, count=trained.count("count"), digits=trained.count("digits"))


def as_object(
    evaluation: "Evaluation", measured: "Mapping[str, Score]", bins: "Sequence[Bin]", leaks: "Leaks | None"
) -> dict[str, Any]:
    """Put what was measured into one object, for JSON."""
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
    return result


def print_calibration(bins: "Sequence[Bin]") -> None:
    """Print the calibration error below the measures."""
    from doldari.inference.calibration import calibration_error

    error = percent(calibration_error(bins))
    stdout.print(f"{'ECE':<8} {error:<7}  {'':<18}  calibration error of probabilities, {len(bins)} bins")


def print_lengths(evaluation: "Evaluation") -> None:
    """Say how many answers were cut at their length limit, and how many targets none could reach; if any."""
    if evaluation.cut:
        stdout.print(f"cut at the length limit, before they ended: {evaluation.cut:,} answers")
    if evaluation.unreachable:
        what = "with targets longer than any answer may be"
        stdout.print(f"{what}: {evaluation.unreachable:,} sources; --max-length N allows longer answers")


def prediction_table(evaluation: "Evaluation") -> str:
    """Lay out every example as tab-separated values below the columns' names; of several targets the nearest."""
    rows = ["source\ttarget\tanswer\tlog_probability\tright"]
    has_features = any("\t" in pair.source for pair in evaluation.pairs)
    if has_features:
        rows[0] = rows[0].replace("source", "source\tfeatures")
    for pair, answer, right in zip(evaluation.pairs, evaluation.detailed or (), evaluation.right, strict=True):
        source, _, features = pair.source.partition("\t")
        texts = [source, *[features] * has_features, pair.target, answer.text]
        cells = [text.translate({9: "\\t", 10: "\\n", 13: "\\r"}) for text in texts]
        rows.append("\t".join([*cells, f"{answer.score:.4f}", "right" if right else "wrong"]))
    return "\n".join(rows) + "\n"


def check_symbols(predictor: "Predictor", pairs: "Pairs", unknown: "Unknown", beam: int) -> None:
    """Refuse, by file and line, the first source with unknown symbols, or that is too long; warn of those that have
    no others.
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
        more = f" (and {len(refused) - 1:,} more sources)" if len(refused) > 1 else ""
        if unknown == "error":
            hint = unknown_hint(predictor, pairs[index].source)
            raise UnknownSymbolError(f"{pairs.place(index)}: {reason}{more}{hint}")
        warn(f"{pairs.place(index)}: {reason}{more}; counted as errors")

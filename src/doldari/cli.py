"""The command line: each command parses, calls the library, and prints.

What takes long to import is imported by the command that needs it, so that `--help` answers at once.
"""

import dataclasses
import io
import json
import os
import shlex
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console
from rich.text import Text

import doldari
from doldari.errors import ConfigError, DataError, DoldariError, TrainingError, UnknownSymbolError

if TYPE_CHECKING:
    from doldari.config import Config
    from doldari.data.pairs import Columns, Pair
    from doldari.data.vocabulary import Unknown
    from doldari.inference.predictor import Predictor
    from doldari.training.run import Run

app = typer.Typer(
    help="Train sequence-to-sequence models on pairs of texts, and ask them.",
    epilog="Start with: doldari train addition",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="markdown",
)
# What is printed is often the user's own text: no markup is read in it.
stdout = Console(highlight=False, soft_wrap=True, markup=False, emoji=False)
stderr = Console(stderr=True, highlight=False, soft_wrap=True, markup=False, emoji=False)
UNKNOWN_HINT = "; let such symbols through with --unknown unknown, or --unknown copy"

DataArgument = Annotated[
    str,
    typer.Argument(
        metavar="DATA",
        help="A UTF-8 file with a pair a line, source TAB target, or other columns by option; "
        "or a task: addition, copy, dates, reverse.",
    ),
]
ModelArgument = Annotated[Path, typer.Argument(metavar="MODEL", help="A run's directory, or the model file in it.")]
SourceColumnOption = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="The column of the sources.", show_default="1")
]
TargetColumnOption = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="The column of the targets.", show_default="2")
]
FeaturesColumnOption = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        help="The column of the sources' features, such as V;PST, which become symbols of their own kind.",
        show_default="none; for a model with features 3",
    ),
]
UnknownOption = Annotated[
    Literal["error", "unknown", "copy"],
    typer.Option(
        help="Symbols never seen in training are refused, or let through as unknown, "
        "or also copied: the first stands for the first unknown symbol of the answer, and so on."
    ),
]
OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="Replace the run that is in the directory.")]
ConfigOption = Annotated[
    Path | None, typer.Option("--config", metavar="FILE.toml", help="Settings to start from, as a run's config.toml.")
]
Decoder = Literal["plain", "peeky"]
Symbols = Literal["characters", "graphemes", "whitespace", "words", "subwords"]
Normalization = Literal["none", "NFC", "NFD", "NFKC", "NFKD"]


@app.callback(invoke_without_command=True)
def version(
    show: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Train sequence-to-sequence models on pairs of texts, and ask them."""
    if show:
        print(doldari.__version__)
        raise typer.Exit


@app.command()
def train(
    data: DataArgument,
    out: Annotated[Path | None, typer.Option(help="The run's directory.", show_default="runs/NAME")] = None,
    validation: Annotated[
        Path | None, typer.Option(help="A file of pairs to validate with.", show_default="a tenth of DATA")
    ] = None,
    config: ConfigOption = None,
    source_column: SourceColumnOption = None,
    target_column: TargetColumnOption = None,
    features_column: FeaturesColumnOption = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the training pairs.", show_default="10")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Pairs in a training step.", show_default="128")] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help="The highest learning rate of the schedule.", show_default="0.005")
    ] = None,
    schedule: Annotated[
        Literal["one-cycle", "constant"] | None,
        typer.Option(help="one-cycle: the learning rate rises, then falls to 0.", show_default="one-cycle"),
    ] = None,
    max_grad: Annotated[
        float | None, typer.Option(help="Gradients longer than this are shortened to it.", show_default="5")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of first weights and shuffling.", show_default="0")] = None,
    decoder: Annotated[
        Decoder | None, typer.Option(help="peeky: sees the encoder's last state in every step.", show_default="peeky")
    ] = None,
    reverse: Annotated[
        bool | None, typer.Option("--reverse/--no-reverse", help="Read sources backwards.", show_default="reverse")
    ] = None,
    hidden_size: Annotated[int | None, typer.Option(help="Units of each LSTM.", show_default="128")] = None,
    wordvec_size: Annotated[
        int | None, typer.Option(help="Size of the vector a symbol becomes.", show_default="16")
    ] = None,
    source_symbols: Annotated[
        Symbols | None, typer.Option(help="How sources are cut into symbols.", show_default="characters")
    ] = None,
    target_symbols: Annotated[
        Symbols | None, typer.Option(help="How targets are cut into symbols.", show_default="characters")
    ] = None,
    source_normalization: Annotated[
        Normalization | None, typer.Option(help="Unicode form into which sources are brought.", show_default="none")
    ] = None,
    target_normalization: Annotated[
        Normalization | None,
        typer.Option(help="The same of targets; answers come in the form that they had.", show_default="none"),
    ] = None,
    min_count: Annotated[
        int | None, typer.Option(help="Symbols seen fewer times in training become unknown.", show_default="1")
    ] = None,
    subword_count: Annotated[
        int | None, typer.Option(help="The most subwords, where these are the symbols.", show_default="8000")
    ] = None,
    shared_vocabulary: Annotated[
        bool | None,
        typer.Option(
            "--shared-vocabulary/--own-vocabularies",
            help="One set of symbols for both sides.",
            show_default="own-vocabularies",
        ),
    ] = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Train a model: `doldari train addition`, or `doldari train pairs.tsv`.

    After every epoch the loss and the accuracy, the share of validation sources answered exactly, are printed.
    The run's directory then holds the model, its settings (config.toml), history.jsonl and the picture accuracy.png.
    Ctrl-C stops and keeps what is there.
    """
    from doldari.data import load_pairs
    from doldari.data.pairs import read_pairs
    from doldari.training.run import Run, claim

    settings = configure(
        config,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        schedule=schedule,
        max_grad=max_grad,
        seed=seed,
        decoder=decoder,
        reverse=reverse,
        hidden_size=hidden_size,
        wordvec_size=wordvec_size,
        source_symbols=source_symbols,
        target_symbols=target_symbols,
        source_normalization=source_normalization,
        target_normalization=target_normalization,
        min_count=min_count,
        subword_count=subword_count,
        shared_vocabulary=shared_vocabulary,
    )
    name = Path(data).stem
    out = Path("runs") / name if out is None else out
    columns = choose_columns(source_column, target_column, features_column)
    if validation is None:
        training, held_out = load_split(data, columns)
    else:
        training, held_out = load_pairs(data, columns), read_pairs(validation, columns)
    run = Run.prepare(settings, training, held_out)
    claim(out, settings, overwrite)
    describe(run)
    stopped_by = train_and_draw(run, out, name)
    if stopped_by is not None:
        stderr.print(f"stopped at step {run.trainer.steps:,}; the model as it stands is in {out}")
        raise typer.Exit(128 + stopped_by)
    question = next((pair.source for pair in held_out if pair.source.replace("\t", "").isprintable()), "")
    ask = shlex.join(["doldari", "predict", str(out), *["--"] * question.startswith("-")])
    stdout.print(f"{out} holds the model; ask it: {ask} {quote(question)}")


def quote(text: str) -> str:
    """Write a text for a shell; one with a tab as Bash and Zsh write it."""
    if "\t" not in text:
        return shlex.quote(text)
    return "$'" + text.replace("\\", r"\\").replace("'", r"\'").replace("\t", r"\t") + "'"


def choose_columns(source: int | None, target: int | None, features: int | None) -> "Columns | None":
    """Take the columns that were given as options; None where none was."""
    from doldari.data.pairs import Columns

    if source is target is features is None:
        return None
    columns = Columns(source or 1, target or 2, features or 0)
    if len(set(columns)) < len(columns):
        chosen = ", ".join(f"{name}={column}" for name, column in columns._asdict().items())
        raise ConfigError(f"{chosen}: must be different columns")
    return columns


def load_split(data: str, columns: "Columns | None" = None) -> "tuple[list[Pair], list[Pair]]":
    """Load pairs and split them into those to train on and those to validate with."""
    from doldari.data import load_pairs
    from doldari.data.pairs import split_pairs

    pairs = load_pairs(data, columns)
    try:
        return split_pairs(pairs)
    except DataError as error:
        raise DataError(f"{data}: {error}") from error


def configure(path: Path | None, **options: Any) -> "Config":
    """Take the settings of a file, or the defaults, and change those that were given as options."""
    from doldari.config import Config

    base = Config() if path is None else Config.from_toml(path)
    return base.replace(**{name: value for name, value in options.items() if value is not None})


def describe(run: "Run") -> None:
    """Say what is about to be trained."""
    text_model = run.predictor.text_model
    features = len(text_model.source.features)
    stdout.print(
        f"{len(run.x):,} pairs to train on, {len(run.validation):,} to validate with; "
        f"{len(text_model.source.symbols)} source and {len(text_model.target.symbols)} target symbols"
        f"{f', {features} features' if features else ''}; "
        f"{text_model.model.parameters.values.size:,} weights"
    )


def train_and_draw(run: "Run", out: Path, title: str) -> int | None:
    """Train a run with everything shown, and draw its picture; return the signal that stopped it, if one did."""
    from doldari.display import TrainingDisplay, samples, stop_on_signals
    from doldari.report.curves import draw_accuracy
    from doldari.training.run import PICTURE_FILE
    from doldari.training.run import train as train_run

    def draw() -> None:
        if run.history:
            draw_accuracy(out / PICTURE_FILE, {title: [epoch.accuracy for epoch in run.history]}, title)

    with stop_on_signals() as stop:
        try:
            with TrainingDisplay(run, stop, stdout, stderr) as display:
                finished = train_run(run, out, display.after_step, display.after_epoch)
        except TrainingError:
            draw()
            raise
        draw()
    if display.evaluation is not None:
        stdout.print(samples(display.evaluation))
    return None if finished else stop.signal


@app.command()
def evaluate(
    model: ModelArgument,
    data: DataArgument,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    source_column: SourceColumnOption = None,
    target_column: TargetColumnOption = None,
    features_column: FeaturesColumnOption = None,
    unknown: UnknownOption = "error",
    training: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The training pairs: says how many of DATA, or of its sources, are in it."),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(metavar="FILE.html", help="Write a page with pictures, the worst errors and confusions."),
    ] = None,
) -> None:
    """Measure the accuracy, the share of sources answered exactly as their target, and what goes with it.

    A source with several targets in DATA is one example, and each of them is right.  WER is the share of sources
    answered wrong; PER and CER are edits per symbol of the target; BLEU and chrF, of words, need sacrebleu.  The
    intervals are of 95 %, by bootstrap.  Of a built-in task, the tenth that training holds out is used.
    """
    from doldari.data import TASKS, load_pairs
    from doldari.data.leaks import find_leaks
    from doldari.data.pairs import read_pairs
    from doldari.display import SAMPLES, samples, score_table
    from doldari.files import write_whole
    from doldari.inference import metrics
    from doldari.inference.predictor import load
    from doldari.inference.scores import scores
    from doldari.report.evaluation import evaluation_report

    predictor = load(model)
    has_features = bool(predictor.text_model.source.features)
    if features_column and not has_features:
        raise ConfigError(f"--features-column {features_column}: {model} was trained without features")
    columns = choose_columns(source_column, target_column, features_column or (3 if has_features else None))
    pairs = load_split(data, columns)[1] if data in TASKS else load_pairs(data, columns)
    check_symbols(predictor, data, pairs, unknown)
    evaluation = metrics.evaluate(predictor, pairs, unknown=unknown)
    measured = scores(evaluation)
    leaks = None if training is None else find_leaks(read_pairs(training, columns), pairs)
    if report is not None:
        page = evaluation_report(f"{model} on {data}", predictor, evaluation, measured, leaks)
        write_whole(report, page.encode())
    if as_json:
        result: dict[str, Any] = {
            "accuracy": evaluation.accuracy,
            "correct": sum(evaluation.right),
            "examples": len(evaluation.pairs),
        }
        result["scores"] = {name: dataclasses.asdict(score) for name, score in measured.items()}
        if leaks is not None:
            result["leaks"] = {"pairs": len(leaks.pairs), "sources": len(leaks.sources)}
        print(json.dumps(result))
        return
    stdout.print(score_table(evaluation, measured))
    if leaks is not None:
        others = f"the sources of {len(leaks.sources):,} others, with another target"
        stdout.print(f"also in {training}: {len(leaks.pairs):,} of the pairs, and {others}")
    wrong = [index for index, right in enumerate(evaluation.right) if not right]
    if wrong:
        stdout.print("wrong:" if len(wrong) <= SAMPLES else f"the first {SAMPLES} wrong:")
        stdout.print(samples(evaluation, wrong[:SAMPLES]))


def check_symbols(predictor: "Predictor", data: str, pairs: "Sequence[Pair]", unknown: "Unknown") -> None:
    """Refuse, by file and line, the first source with unknown symbols; or warn of those that have no others."""
    from doldari.data import place

    refused = []
    for index, pair in enumerate(pairs):
        try:
            predictor.encode(pair.source, unknown)
        except UnknownSymbolError as error:
            if unknown == "error":
                raise UnknownSymbolError(f"{place(data, index)}: {error}{UNKNOWN_HINT}") from error
            refused.append((index, str(error)))
    if refused:
        index, reason = refused[0]
        more = f" (and {len(refused) - 1:,} more such sources)" if len(refused) > 1 else ""
        complain(f"{place(data, index)}: {reason}{more}; counted as wrong", "warning: ", "yellow")


@app.command()
def predict(
    model: ModelArgument,
    texts: Annotated[
        list[str] | None, typer.Argument(metavar="[TEXT ...]", help="Sources; without any, the lines of stdin.")
    ] = None,
    unknown: UnknownOption = "error",
) -> None:
    """Answer texts, or the lines of standard input: one answer a line, on standard output.

    A model with features is asked `text TAB one;two`.  A text that cannot be answered gets an empty line, and its
    reason on standard error.
    """
    from doldari.inference.predictor import load

    predictor = load(model)
    number, failed = 0, False
    for chunk in [[os.fsencode(text) for text in texts]] if texts else stdin_lines():
        answers, good = [""] * len(chunk), dict[int, str]()
        for index, line in enumerate(chunk):
            number += 1
            try:
                text = line.decode("utf-8").removesuffix("\r")
                if text:
                    predictor.encode(text, unknown)
            except (UnicodeDecodeError, DataError) as error:
                failed = True
                reason = "not UTF-8" if isinstance(error, UnicodeDecodeError) else error
                hint = UNKNOWN_HINT if isinstance(error, UnknownSymbolError) and unknown == "error" else ""
                complain(f"text {number}: {reason}{hint}")
            else:
                good |= {index: text} if text else {}
        for index, answer in zip(good, predictor.predict(list(good.values()), unknown=unknown), strict=True):
            answers[index] = answer
        print("\n".join(answers), flush=True)
    if failed:
        raise typer.Exit(1)


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


@app.command()
def generate(
    task: Annotated[Literal["addition", "copy", "dates", "reverse"], typer.Argument(help="The task.")],
    count: Annotated[int, typer.Option(help="How many different pairs.")] = 50_000,
    digits: Annotated[int | None, typer.Option(help="The most a number has; of addition.", show_default="3")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the random numbers.")] = 0,
    format: Annotated[Literal["tsv", "chapter"], typer.Option(help="chapter: 16+75  _91  ")] = "tsv",
) -> None:
    """Print the pairs of a built-in task, one a line."""
    from doldari.data import TASKS
    from doldari.data.addition import addition_pairs
    from doldari.data.pairs import chapter_lines

    if digits is None:
        pairs = TASKS[task](count=count, seed=seed)
    elif task == "addition":
        pairs = addition_pairs(count, digits, seed)
    else:
        raise ConfigError(f"digits={digits}: {task} has none")
    for line in chapter_lines(pairs) if format == "chapter" else ("\t".join(pair) for pair in pairs):
        print(line)


@app.command()
def compare(
    data: DataArgument,
    out: Annotated[Path | None, typer.Option(help="The directory.", show_default="runs/compare-NAME")] = None,
    epochs: Annotated[int, typer.Option(help="Passes over the training pairs.")] = 25,
    learning_rate: Annotated[float, typer.Option(help="Constant, as in the chapter.")] = 1e-3,
    seed: Annotated[int, typer.Option(help="Of first weights and shuffling.")] = 0,
    overwrite: OverwriteOption = False,
) -> None:
    """Train plain, reversed, and reversed + peeky models, as in the chapter, and draw their curves in one picture."""
    from doldari.report.curves import draw_accuracy
    from doldari.training.run import PICTURE_FILE, Run, claim

    name = Path(data).stem
    out = Path("runs") / f"compare-{name}" if out is None else out
    variants = {
        "plain": {"reverse": False, "decoder": "plain"},
        "reversed": {"reverse": True, "decoder": "plain"},
        "reversed + peeky": {"reverse": True, "decoder": "peeky"},
    }
    settings = configure(None, epochs=epochs, learning_rate=learning_rate, schedule="constant", seed=seed)
    directories = {variant: out / variant.replace(" + ", "-") for variant in variants}
    training, held_out = load_split(data)
    configs = {variant: settings.replace(**changes) for variant, changes in variants.items()}
    for variant, directory in directories.items():
        claim(directory, configs[variant], overwrite)
    curves = {}
    for variant in variants:
        stdout.print(Text(variant, "bold"))
        run = Run.prepare(configs[variant], training, held_out)
        stopped_by = train_and_draw(run, directories[variant], variant)
        curves[variant] = [epoch.accuracy for epoch in run.history]
        draw_accuracy(out / PICTURE_FILE, curves, name)
        if stopped_by is not None:
            stderr.print(f"stopped; what there is, is in {out}")
            raise typer.Exit(128 + stopped_by)
    stdout.print(f"the curves are in {out / 'accuracy.png'}")


def main() -> None:
    """Run the command line: users' mistakes end in one line on standard error and exit status 1."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # where the terminal lacks a character
    warnings.showwarning = lambda message, *_, **__: complain(str(message), "warning: ", "yellow")
    try:
        app()
    except DoldariError as error:
        fail(str(error))
    except MemoryError as error:
        fail(f"not enough memory: {error}" if str(error) else "not enough memory")
    except KeyboardInterrupt:
        stderr.print("interrupted")
        sys.exit(130)
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}" if error.filename else str(error))


def fail(message: str) -> None:
    """Print an error and exit with status 1."""
    complain(message)
    sys.exit(1)


def complain(message: str, kind: str = "error: ", colour: str = "red") -> None:
    """Print an error, or a warning, on standard error."""
    stderr.print(Text.assemble((kind, colour), message))

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
from doldari.options import with_settings

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


@app.callback(invoke_without_command=True)
def version(
    show: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Train sequence-to-sequence models on pairs of texts, and ask them."""
    if show:
        print(doldari.__version__)
        raise typer.Exit


@app.command()
@with_settings
def train(
    data: DataArgument,
    out: Annotated[Path | None, typer.Option(help="The run's directory.", show_default="runs/NAME")] = None,
    validation: Annotated[
        Path | None, typer.Option(help="A file of pairs to validate with.", show_default="a tenth of DATA")
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(help="Settings known to do well for a kind of task.", show_default="the task's own, or general"),
    ] = None,
    config: ConfigOption = None,
    source_column: SourceColumnOption = None,
    target_column: TargetColumnOption = None,
    features_column: FeaturesColumnOption = None,
    overwrite: OverwriteOption = False,
    **settings: Any,
) -> None:
    """Train a model: `doldari train addition`, or `doldari train pairs.tsv`.

    After every epoch are printed the training loss, the validation loss and the accuracy, the share of validation
    sources answered exactly; a star marks the best so far.  The run's directory then holds the best epoch's model,
    its settings (config.toml), history.jsonl and the picture accuracy.png.  Ctrl-C stops and keeps the best so far.
    """
    from doldari.data import load_pairs
    from doldari.data.pairs import read_pairs
    from doldari.training.run import Run, claim

    chosen = configure(data, recipe, config, **settings)
    name = Path(data).stem
    out = Path("runs") / name if out is None else out
    columns = choose_columns(source_column, target_column, features_column)
    if validation is None:
        training, held_out = load_split(data, columns)
    else:
        training, held_out = load_pairs(data, columns), read_pairs(validation, columns)
    if chosen.model.ensemble > 1:
        return train_ensemble(chosen, training, held_out, out, overwrite)
    run = Run.prepare(chosen, training, held_out)
    if validation is not None and not run.spelled:
        raise DataError(
            f"{validation}: every pair has symbols never seen in training ({len(held_out):,} pairs); "
            "validate with pairs like those trained on"
        )
    claim(out, chosen, overwrite)
    describe(run)
    stopped_by = train_and_draw(run, out, name)
    conclude(run, out, stopped_by)


def train_ensemble(
    config: "Config", training: "list[Pair]", held_out: "list[Pair]", out: Path, overwrite: bool
) -> None:
    """Train the members one after the other, each in a directory of its own, and join them in `out`."""
    from doldari.inference.metrics import evaluate
    from doldari.inference.predictor import MODEL_FILE
    from doldari.training.ensemble import join, member_configs
    from doldari.training.run import Run, claim

    claim(out, config, overwrite)
    runs: list[Run] = []
    stopped_by = None
    for number, settings in enumerate(member_configs(config), start=1):
        directory = out / f"member-{number}"
        claim(directory, settings, overwrite)
        run = Run.prepare(settings, training, held_out)
        if number == 1:
            describe(run)
        stdout.print(Text(f"model {number} of {config.model.ensemble}", "bold"))
        stopped_by = train_and_draw(run, directory, directory.name)
        if run.best is not None or not runs:
            runs.append(run)
        if stopped_by is not None:
            break
    joined = join(runs)
    joined.save(out / MODEL_FILE)
    evaluation = evaluate(joined, held_out, unknown="unknown")
    stdout.print(f"all {len(runs)} together: accuracy", Text(f"{evaluation.accuracy:.2%}", "bold"))
    if stopped_by is not None:
        stderr.print(f"stopped; {out} holds a model of the {len(runs)} so far")
        raise typer.Exit(128 + stopped_by)
    stdout.print(f"{out} holds the model; ask it: {asking(out, held_out)}")


def conclude(run: "Run", out: Path, stopped_by: int | None) -> None:
    """Say which model a run has left, and how to ask it; exit with the status of the signal that stopped it."""
    best = run.best
    if stopped_by is not None:
        kept = "the model as it stands" if best is None else f"the model of epoch {best.epoch}, the best so far,"
        stderr.print(f"stopped at step {run.trainer.steps:,}; {kept} is in {out}")
        raise typer.Exit(128 + stopped_by)
    if run.out_of_patience:
        stdout.print(f"stopped early: no better epoch in {run.config.training.patience}")
    kept = f"the model of epoch {best.epoch}, the best" if best and best is not run.history[-1] else "the model"
    stdout.print(f"{out} holds {kept}; ask it: {asking(out, run.validation)}")


def asking(out: Path, pairs: "Sequence[Pair]") -> str:
    """Write the command that asks a model the first source that can be typed."""
    question = next((pair.source for pair in pairs if pair.source.replace("\t", "").isprintable()), "")
    ask = shlex.join(["doldari", "predict", str(out), *["--"] * question.startswith("-")])
    return f"{ask} {quote(question)}"


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


def configure(data: str, recipe: str | None, path: Path | None, **options: Any) -> "Config":
    """Take the settings of a recipe or a file, or those that suit the data, and change what was given as options."""
    from doldari.config import Config
    from doldari.recipes import RECIPES, load_recipe

    if recipe is not None and path is not None:
        raise ConfigError(f"recipe={recipe} and config={path}: give one of them")
    if path is not None:
        base = Config.from_toml(path)
    else:
        base = load_recipe(recipe or (data if data in RECIPES else "general"))
    return base.replace(**{name: value for name, value in options.items() if value is not None})


def describe(run: "Run") -> None:
    """Say what is about to be trained."""
    text_model = run.predictor.text_model
    unspelled, features = len(run.validation) - len(run.spelled), len(text_model.source.features)
    stdout.print(
        f"{len(run.x):,} pairs to train on, {len(run.validation):,} to validate with"
        + f" ({unspelled:,} of them with symbols never seen in training)" * (unspelled > 0)
        + "; "
        f"{len(text_model.source.symbols)} source and {len(text_model.target.symbols)} target symbols"
        + f", {features} features"
        * (features > 0)
        + "; "
        f"{sum(weight.value.size for weight in text_model.model.weights().values()):,} weights"
    )
    if run.budget is not None:
        stdout.print(f"budget {run.config.training.budget}: {run.epochs:,} epochs of about {run.budget.epoch:.1f} s")


def train_and_draw(run: "Run", out: Path, title: str) -> int | None:
    """Train a run with everything shown, and draw its picture; return the signal that stopped it, if one did."""
    from doldari.display import TrainingDisplay, samples, stop_on_signals
    from doldari.report.curves import draw_accuracy
    from doldari.training.run import PICTURE_FILE
    from doldari.training.run import train as train_run

    def draw() -> None:
        if run.best is not None:
            curves = {title: [epoch.accuracy for epoch in run.history]}
            draw_accuracy(out / PICTURE_FILE, curves, title, best=run.best.epoch)

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


@app.command()
def attend(
    model: ModelArgument,
    text: Annotated[str, typer.Argument(help="A source.")],
    out: Annotated[Path, typer.Option(help="The picture's file.")] = Path("attention.png"),
    unknown: UnknownOption = "error",
) -> None:
    """Draw where the model looks in a source while it writes its answer; of models with --decoder attention."""
    from doldari.inference.predictor import load
    from doldari.report.attention import draw_attention

    attention = load(model).attention(text, unknown=unknown)
    draw_attention(out, attention)
    stdout.print(f"{text} -> {''.join(attention.answer[:-1])}; the picture is in {out}")


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
    settings = configure(
        data, "chapter", None, epochs=epochs, learning_rate=learning_rate, schedule="constant", seed=seed
    )
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

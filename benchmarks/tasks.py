"""Train every language of a published task with one recipe, and print each beside published figures.

python -m benchmarks.tasks g2p --recipe g2p                        languages of X_train, X_dev: errors on the latter
python -m benchmarks.tasks g2p --recipe g2p --test --set ensemble=5 --published sigmorphon2020-g2p
python -m benchmarks.tasks inflection --size medium --seeds 3      of X_train_low and X_train_medium the one

DIR has a file of pairs to train on and one to develop with for each language, and one to test with for --test:
fre_train.tsv, fre_dev.tsv, fre_test.tsv; finnish-train-medium, finnish-dev; or train.fre.  Of three columns one has
features, told by their capitals.  Runs are kept in --out, and the command can be stopped and repeated: what is
finished is not trained anew.  --published is a file of tab-separated values: a row of names, language and systems,
and below it a row for each language; or the name of one in benchmarks/published.
"""

import argparse
import math
import re
import statistics
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from benchmarks.inflection_baseline import errors_of_baseline
from doldari.data import load_pairs
from doldari.data.formats import Columns, Reading
from doldari.display import TrainingDisplay
from doldari.errors import DoldariError
from doldari.inference.metrics import evaluate
from doldari.inference.predictor import load
from doldari.training.comparing import finished_run, request_of, variants
from doldari.training.directory import RunDirectory
from doldari.training.observer import Stop
from doldari.training.plan import Plan, Request
from doldari.training.train import Trained, train

PUBLISHED = Path(__file__).parent / "published"
PARTS = {"train": "train", "trn": "train", "dev": "dev", "valid": "dev", "validation": "dev", "test": "test"}
PART = "|".join(sorted(PARTS, key=len, reverse=True))
NAMED = re.compile(rf"(?P<language>.+?)[-_.](?P<part>{PART})(?:[-_.](?P<size>[a-z0-9]+))?")
TURNED = re.compile(rf"(?P<part>{PART})[-_.](?P<language>.+?)(?:[-_.](?P<size>low|medium|high))?")
TAGS = re.compile(r"[A-Z0-9][^a-z\s]*")


class Language(NamedTuple):
    """A language of a task, its size of training data if there are several, and its files."""

    name: str
    size: str
    train: Path
    dev: Path
    test: Path | None

    @property
    def label(self) -> str:
        """Name it with its size."""
        return f"{self.name} {self.size}".strip()


class Result(NamedTuple):
    """How a language went: for each seed the share of examples with a wrong answer, of how many; the baseline's."""

    language: Language
    errors: list[float]
    examples: int
    baseline: float | None

    @property
    def mean(self) -> float:
        """The mean over seeds, per cent."""
        return 100 * statistics.fmean(self.errors)

    @property
    def variance(self) -> float:
        """The variance of the mean over examples, as of a share of so many draws, in squared points."""
        share = self.mean / 100
        return 100**2 * share * (1 - share) / self.examples


def main() -> None:
    """Train what is not trained, evaluate all, and print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.tasks", description=__doc__, formatter_class=Formatter
    )
    parser.add_argument("directory", type=Path, metavar="DIR", help="files of the languages")
    parser.add_argument("--recipe", help="recipe of all languages (chosen by the data of each)")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of all languages")
    parser.add_argument("--seeds", type=int, default=1, help="how many seeds each (1)")
    parser.add_argument("--size", help="of X_train_SIZE files, those of this size")
    parser.add_argument("--only", help="languages, with commas between them")
    parser.add_argument("--test", action="store_true", help="errors on the test data, which are to be read once")
    parser.add_argument("--beam-size", type=int, default=1, help="beam size; 1 is greedy (1)")
    parser.add_argument("--published", help="published figures, a file or one of " + ", ".join(shipped()))
    parser.add_argument("--out", type=Path, help="where runs are kept (runs/tasks-DIR)")
    arguments = parser.parse_args()
    try:
        sys.exit(run(arguments))
    except DoldariError as error:
        sys.exit(f"error: {error}")


def run(arguments: argparse.Namespace) -> int:
    """Do what is asked for; return the exit status, 1 if a language failed."""
    published = read_published(arguments.published) if arguments.published else {}
    languages = find_languages(arguments.directory, arguments.size, arguments.only, arguments.test)
    out = arguments.out or Path("runs") / f"tasks-{arguments.directory.resolve().name}"
    stderr, results, failed = Console(stderr=True), [], False
    for number, language in enumerate(languages, start=1):
        stderr.print(f"{language.label} ({number} of {len(languages)})")
        try:
            results.append(result_of(language, arguments, out, stderr))
        except DoldariError as error:
            stderr.print(f"error: {language.label}: {error}", style="red", markup=False)
            failed = True
    if results:
        part = "test data" if arguments.test else "dev data; published figures are of test data" * bool(published)
        print(f"word error rate, per cent, on {part or 'dev data'}")
        print("\n".join(table(results, published)))
    return int(failed)


def result_of(language: Language, arguments: argparse.Namespace, out: Path, stderr: Console) -> Result:
    """Train a language with every seed, unless it is, and count its errors."""
    columns = columns_of(language.train)
    reading = Reading(columns)
    (variant,) = variants(arguments.set)
    errors, stop = [], Stop()
    held_out = language.test if arguments.test and language.test else language.dev
    pairs = load_pairs(str(held_out), reading)
    for seed in range(arguments.seeds):
        place = out / f"{language.label.replace(' ', '-')}-seed-{seed}"
        request = Request(
            command=["python -m benchmarks.tasks", *sys.argv[1:]],
            data=str(language.train),
            validation=str(language.dev),
            reading=reading,
            recipe=arguments.recipe,
            settings={"seed": seed},
            out=place,
        )

        def shown(plan: Plan, directory: RunDirectory, stop: Stop = stop) -> Trained:
            if plan.recipe is not None and plan.recipe.why is not None:
                stderr.print(str(plan.recipe), markup=False, soft_wrap=True)
            with TrainingDisplay(lambda *_: None, stderr) as display:
                return train(plan, directory, display, stop)

        trained = finished_run(request_of(request, variant), shown)
        if trained is not None and trained.error is not None:
            raise trained.error
        if stop.signal is not None:
            sys.exit(f"stopped; {out} keeps what is trained; the same command goes on")
        evaluation = evaluate(load(place), pairs, unknown="unknown", beam=arguments.beam_size)
        errors.append(1 - evaluation.accuracy)
        examples = len(evaluation.right)
    baseline = None
    if pairs.has_features:
        baseline = errors_of_baseline(load_pairs(str(language.train), reading), pairs)
    return Result(language, errors, examples, baseline)


def find_languages(directory: Path, size: str | None, only: str | None, test: bool) -> list[Language]:
    """Find the languages of a folder by their files' names; DoldariError where none is whole."""
    if not directory.is_dir():
        raise DoldariError(f"{directory}: no such folder")
    files: dict[str, dict[str, dict[str, Path]]] = {}
    for path in sorted(directory.iterdir()):
        name = re.sub(r"\.(tsv|txt|csv|jsonl)(\.gz|\.xz|\.bz2|\.zst)?$", "", path.name)
        found = NAMED.fullmatch(name) or TURNED.fullmatch(name)
        if found and path.is_file():
            parts = files.setdefault(found["language"], {})
            parts.setdefault(PARTS[found["part"]], {})[found["size"] or ""] = path
    wanted = None if only is None else only.split(",")
    languages = []
    for name, parts in files.items():
        if (wanted is not None and name not in wanted) or not {"train", "dev"} <= parts.keys():
            continue
        for training_size, path in parts["train"].items():
            if size is None or training_size == size:
                dev, test_file = (by_size(parts.get(part, {}), training_size) for part in ("dev", "test"))
                if dev is not None and (test_file is not None or not test):
                    languages.append(Language(name, training_size, path, dev, test_file))
    if not languages:
        what = "train, dev and test" if test else "train and dev"
        raise DoldariError(f"{directory}: no language with files to {what}, such as fre_train.tsv, fre_dev.tsv")
    return languages


def by_size(files: dict[str, Path], size: str) -> Path | None:
    """Take the file of a size, or the one that is for all."""
    return files.get(size) or files.get("")


def columns_of(path: Path) -> Columns | None:
    """Tell the columns of a file of tab-separated values by its first lines; of two there is nothing to tell."""
    with path.open(encoding="utf-8-sig") as file:
        rows = [line.rstrip("\r\n").split("\t") for line, _ in zip(file, range(200), strict=False) if line.strip()]
    if not rows or {len(row) for row in rows} != {3}:
        return None
    tags = [sum(TAGS.fullmatch(row[column]) is not None for row in rows) for column in range(3)]
    features = tags.index(max(tags))
    source, target = (column for column in range(3) if column != features)
    return Columns(source + 1, target + 1, features + 1)


def shipped() -> list[str]:
    """Name the published figures that are here."""
    return sorted(path.stem for path in PUBLISHED.glob("*.tsv"))


def read_published(name: str) -> dict[str, dict[str, str]]:
    """Read published figures: of each system those of the languages, as they are written."""
    path = PUBLISHED / f"{name}.tsv" if name in shipped() else Path(name)
    if not path.is_file():
        raise DoldariError(f"{name}: no such file of published figures (known: {', '.join(shipped())})")
    lines = [line for line in path.read_text("utf-8").splitlines() if line.strip() and not line.startswith("#")]
    (_, *systems), *rows = (line.split("\t") for line in lines)
    return {system: {row[0]: row[at] for row in rows if at < len(row)} for at, system in enumerate(systems, start=1)}


def table(results: Sequence[Result], published: dict[str, dict[str, str]]) -> Iterator[str]:
    """Lay out word error rates, per cent: of each language, and their mean with its standard error."""
    several = len(results[0].errors) > 1
    baseline = any(result.baseline is not None for result in results)
    rows = [["", "doldari", *["deviation"] * several, *["baseline"] * baseline, *published, "examples"]]
    for result in results:
        rows.append([result.language.label, f"{result.mean:.2f}"])
        if several:
            rows[-1].append(f"{100 * statistics.stdev(result.errors):.2f}")
        if baseline:
            rows[-1].append("" if result.baseline is None else f"{100 * result.baseline:.2f}")
        rows[-1] += [figures.get(result.language.name, "") for figures in published.values()]
        rows[-1].append(f"{result.examples:,}")
    mean = statistics.fmean(result.mean for result in results)
    error = math.sqrt(sum(result.variance for result in results)) / len(results)
    rows.append(["mean", f"{mean:.2f}", *[""] * several])
    if baseline:
        rows[-1].append(mean_of([None if one.baseline is None else 100 * one.baseline for one in results]))
    for figures in published.values():
        found = [figures.get(result.language.name) for result in results]
        rows[-1].append(mean_of([float(figure) if figure else None for figure in found]))
    rows[-1].append(f"standard error of the mean {error:.2f}")
    widths = [max(len(row[column]) for row in rows[:-1]) for column in range(len(rows[0]))]
    for row in rows:
        cells = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        yield "  ".join([row[0].ljust(widths[0]), *cells])


def mean_of(figures: Sequence[float | None]) -> str:
    """Write the mean of figures; nothing where one is not known."""
    known = [figure for figure in figures if figure is not None]
    return f"{statistics.fmean(known):.2f}" if len(known) == len(figures) else ""


class Formatter(argparse.RawDescriptionHelpFormatter):
    """Leaves the lines of the description as they are."""


if __name__ == "__main__":
    main()

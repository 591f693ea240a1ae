"""Count the sums that a model gets wrong: of all from 0+0 to 999+999, or of a million longer ones it has not seen.

python -m benchmarks.sums runs/addition              all 1,000,000 questions of up to three digits
python -m benchmarks.sums runs/five --digits 5       1,000,000 fresh ones, either number as often of each length

The model is one of `doldari train addition`, with the options --digits and --count that are in its run.json.
"""

import argparse
import itertools
import json
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.progress import track

import doldari
from doldari.data import task_pairs
from doldari.data.addition import smallest, sum_of
from doldari.data.pairs import Pair

BATCH = 10_000


def main() -> None:
    """Ask, and print how many answers are wrong, by the lengths of the numbers, and the first of them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sums", description=__doc__, formatter_class=Formatter)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="a run's directory")
    parser.add_argument("--digits", type=int, default=3, help="of the longest numbers (3)")
    parser.add_argument(
        "--count", type=int, default=1_000_000, help="of more than three digits, how many (1,000,000)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the questions drawn (0)")
    arguments = parser.parse_args()
    for run in arguments.runs:
        if arguments.digits <= 3:
            count, questions = 10 ** (2 * arguments.digits), all_questions(arguments.digits)
        else:
            count, questions = arguments.count, fresh_questions(run, arguments.digits, arguments.seed)
        model, wrong = doldari.load(run), []
        for first in track(range(0, count, BATCH), console=Console(stderr=True), transient=True):
            batch = list(itertools.islice(questions, min(BATCH, count - first)))
            answers = model.predict([pair.source for pair in batch])
            wrong += [(pair, answer) for pair, answer in zip(batch, answers, strict=True) if answer != pair.target]
        print(f"{run}: {len(wrong):,} of {count:,} wrong")
        lengths = Counter("+".join(str(len(number)) for number in pair.source.split("+")) for pair, _ in wrong)
        for length, number in sorted(lengths.items()):
            print(f"  {length} digits: {number:,}")
        for pair, answer in wrong[:10]:
            print(f"  {pair.source}={answer}, expected {pair.target}")


def all_questions(digits: int) -> Iterator[Pair]:
    """Make every question there is."""
    return itertools.starmap(sum_of, itertools.product(range(10**digits), repeat=2))


def fresh_questions(run: Path, digits: int, seed: int) -> Iterator[Pair]:
    """Draw different questions that the run has not been trained or validated on, either number's length evenly."""
    reading = json.loads((run / "run.json").read_text("utf-8"))["reading"]
    seen = {pair.source for pair in task_pairs("addition", reading["count"], reading["digits"])}
    rng = random.Random(seed)
    while True:
        lengths = rng.randint(1, digits), rng.randint(1, digits)
        pair = sum_of(*(rng.randrange(smallest(length), 10**length) for length in lengths))
        if pair.source not in seen:
            seen.add(pair.source)
            yield pair


class Formatter(argparse.RawDescriptionHelpFormatter):
    """Leaves the description as it is."""


if __name__ == "__main__":
    main()

"""How a model answers in a service: one call with many texts, a call a text, and calls from several threads.

python -m benchmarks.service [MODEL] [--rounds 5]; without a model it trains a small one on sums, for a minute.  The
ways take turns, so that other work on the machine slows all of them; medians are printed.  All answers are compared.
"""

import argparse
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from statistics import median

import doldari
from doldari.data.addition import addition_pairs

COUNT = 1_000  # texts
THREADS = (2, 4, 8)


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.service", description=__doc__)
    parser.add_argument("model", nargs="?", metavar="MODEL", help="run directory or model file that reads sums")
    parser.add_argument("--rounds", type=int, default=5, help="how often each way is measured (5)")
    arguments = parser.parse_args()
    texts = [pair.source for pair in addition_pairs(COUNT, seed=7)]
    doldari.set_num_threads(1)
    if arguments.model:
        model = doldari.load(arguments.model)
    else:
        model = doldari.train("addition", count=20_000, epochs=1, seed=0, progress=False)
    ways: dict[str, Callable[[], list[str]]] = {
        f"one call with {COUNT:,} texts": lambda: model.predict(texts),
        "calls with 32 texts": lambda: [
            answer for start in range(0, COUNT, 32) for answer in model.predict(texts[start : start + 32])
        ],
        "a call a text": lambda: [model(text) for text in texts],
    }
    ways |= {f"a call a text, from {count} threads": from_threads(model, texts, count) for count in THREADS}
    expected, seconds = ways["a call a text"](), {way: [] for way in ways}
    for _ in range(arguments.rounds):
        for way, answer in ways.items():
            start = time.perf_counter()
            answers = answer()
            seconds[way].append(time.perf_counter() - start)
            if answers != expected:
                raise SystemExit(f"{way}: other answers than those of a call a text")
    for way, taken in seconds.items():
        print(f"{way:<30} {COUNT / median(taken):>8,.0f} answers/s")


def from_threads(model: doldari.Predictor, texts: list[str], count: int) -> Callable[[], list[str]]:
    """Ask one text at a time from `count` threads."""

    def ask() -> list[str]:
        with ThreadPoolExecutor(count) as pool:
            return list(pool.map(model, texts))

    return ask


if __name__ == "__main__":
    main()

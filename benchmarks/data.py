"""Memory and time of large data: pairs read, split, encoded, and trained on for 100 steps.

python -m benchmarks.data               10 million pairs like those of a pronunciation dictionary
python -m benchmarks.data --pairs 100_000 --symbols 100_000
python -m benchmarks.data --stream      as shards of 100,000 pairs, never all in memory; --parquet: of Parquet

Each stage prints its seconds and the most memory that the process has had so far; the file is made beside it, in a
directory that goes again.
"""

import argparse
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np

PHONES = ["p", "t", "k", "b", "d", "ɡ", "m", "n", "ŋ", "f", "v", "s", "z", "ʃ", "ʒ", "h", "l", "ɹ", "j", "w"]
PHONES += ["iː", "ɪ", "ɛ", "æ", "ɑː", "ɔː", "ʊ", "uː", "ʌ", "ɜː", "ə", "eɪ", "aɪ", "ɔɪ", "oʊ", "aʊ", "tʃ", "dʒ"]
LETTERS = "abcdefghijklmnopqrstuvwxyz"
STEPS = 100
SHARD = 100_000  # pairs


def write_pairs(path: Path, count: int, symbols: int | None) -> None:
    """Write words of 3 to 13 letters with about as many phones; or of that many different symbols."""
    rng = np.random.default_rng(0)
    letters = np.array(list(LETTERS)) if symbols is None else np.array([chr(0x20000 + n) for n in range(symbols)])
    phones = np.array(PHONES)
    with path.open("w", encoding="utf-8") as file:
        for start in range(0, count, 10_000):
            lengths = rng.integers(3, 14, min(10_000, count - start))
            extra = rng.integers(0, 3, len(lengths))
            drawn = letters[rng.integers(len(letters), size=(len(lengths), 13))]
            said = phones[rng.integers(len(phones), size=(len(lengths), 15))]
            for word, sound, length, more in zip(drawn, said, lengths.tolist(), extra.tolist(), strict=True):
                file.write(f"{''.join(word[:length])}\t{' '.join(sound[: length + more])}\n")


def write_shards(directory: Path, count: int, symbols: int | None, parquet: bool) -> None:
    """Write such pairs to files of SHARD pairs each."""
    path = directory / "pairs.tsv"
    write_pairs(path, count, symbols)
    with path.open(encoding="utf-8") as file:
        for number in range(math.ceil(count / SHARD)):
            lines = list(islice(file, SHARD))
            if not parquet:
                (directory / f"{number:05}.tsv").write_text("".join(lines), "utf-8")
                continue
            import pyarrow.parquet

            sources, targets = zip(*(line.rstrip("\n").split("\t") for line in lines), strict=True)
            table = pyarrow.table({"source": sources, "target": targets})
            pyarrow.parquet.write_table(table, directory / f"{number:05}.parquet")
    path.unlink()


def reporter() -> Callable[..., None]:
    """Give what prints a stage, its seconds since the one before, and the most memory so far."""
    start = time.perf_counter()

    def report(what: str, more: str = "") -> None:
        nonlocal start
        now = time.perf_counter()
        most = int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) / (1 << 10)
        print(f"{what:<32} {now - start:8.1f} s   {most:8,.0f} MiB   {more}", flush=True)
        start = now

    return report


def measure_stream(directory: Path) -> None:
    """Train on shards, and go through all batches of an epoch, printing what each stage took."""
    from doldari.config import Config
    from doldari.data.formats import Reading
    from doldari.training.read_shards import read_stream
    from doldari.training.run import Run

    report = reporter()
    report("imports")
    config = Config().replace(target_symbols="whitespace", hidden_size=128, stream=True)
    data = read_stream(str(directory), None, Reading(), config=config)
    report("read once", f"{len(data.training):,} pairs, and {len(data.validation):,} held out")
    run = Run.prepare(config, data.training, data.validation)
    report("vocabularies, lengths, model")
    for x, t, whole in islice(run.batches(run.rng), STEPS):
        run.learner.step(x, t, 5.0, whole)
    report(f"{STEPS} steps")
    pairs = sum(len(batch.x) for batch in run.batches(run.rng))
    report("the batches of an epoch", f"{pairs:,} pairs")


def measure(path: Path) -> None:
    """Read a file and train on it, printing what each stage took."""
    from doldari.config import Config
    from doldari.training.data import read_training_data
    from doldari.training.run import Run

    report = reporter()
    report("imports")
    data = read_training_data(str(path))
    pairs = len(data.training) + len(data.validation)
    size = data.training.nbytes + data.validation.rows.nbytes
    report(
        "read and split",
        f"{pairs:,} pairs, {path.stat().st_size / pairs:.1f} bytes each in the file, {size / pairs:.1f} in memory",
    )
    config = Config().replace(target_symbols="whitespace", reverse=False, hidden_size=128)
    run = Run.prepare(config, data.training, data.validation)
    ids = run.x.nbytes + run.t.nbytes
    symbols = int(run.x.lengths.sum() + run.t.lengths.sum())
    report(
        "vocabularies, ids, model",
        f"{ids / len(run.x):.1f} bytes of ids a pair, {ids / symbols:.2f} a symbol; "
        f"{len(run.predictor.text_model.source.symbols):,} source symbols",
    )
    for x, t, whole in islice(run.batches(run.rng), STEPS):
        run.learner.step(x, t, 5.0, whole)
    report(f"{STEPS} steps")


def main() -> None:
    """Write a file, and measure in a process of its own what it takes to train on it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.data", description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=10_000_000)
    parser.add_argument("--symbols", type=int, help="different source symbols (26 letters)")
    parser.add_argument("--stream", action="store_true", help="as shards, read as a stream")
    parser.add_argument("--parquet", action="store_true", help="as shards of Parquet, read as a stream")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure is not None:
        (measure_stream if arguments.measure.is_dir() else measure)(arguments.measure)
        return
    with tempfile.TemporaryDirectory() as directory:
        if arguments.stream or arguments.parquet:
            path = Path(directory)
            write_shards(path, arguments.pairs, arguments.symbols, arguments.parquet)
        else:
            path = Path(directory) / "pairs.tsv"
            write_pairs(path, arguments.pairs, arguments.symbols)
        subprocess.run([sys.executable, "-m", "benchmarks.data", "--measure", str(path)], check=True)


if __name__ == "__main__":
    main()

"""The PyTorch engine beside a plain, well-written PyTorch loop on one GPU: examples a second, both in one run.

python -m benchmarks.gpu                  on cuda:0; says so where there is no GPU
python -m benchmarks.gpu --device cpu     the same on the CPU, on one thread, with small sizes

Wanted on a GPU: 5 times the plain loop for the chapter's set-up, 1.5 times for the large one.  Float32 is measured as
PyTorch takes it ("highest", no TF32); bf16 is autocast on both sides.
"""

import argparse
import statistics
import sys
from collections.abc import Callable

import numpy as np
import torch
from rich.console import Console

from benchmarks import report
from benchmarks.measure import rounds_of
from benchmarks.peers.pytorch import TorchSeq2seq as PlainLoop
from benchmarks.peers.pytorch_attention import TorchWords
from benchmarks.sides import chapter_batches
from doldari import AttentionSeq2seq, Seq2seq
from doldari.arrays import Ids
from doldari.config import TrainingConfig
from doldari.engines.torch.learner import TorchLearner
from doldari.engines.torch.processes import Processes

Batches = list[tuple[Ids, Ids]]
STEPS, ROUNDS, WARM = 50, 7, 20  # steps a round; rounds; steps not counted before, in which graphs are captured


def random_batches(count: int, N: int, longest: int, V: int) -> Batches:
    """Make batches of questions and answers of half to all of `longest` symbols, start symbol first."""
    rng = np.random.default_rng(0)

    def ids() -> Ids:
        padded = rng.integers(2, V, (N, longest)).astype(np.int32)
        padded[np.arange(longest) >= rng.integers(longest // 2, longest + 1, N)[:, None]] = 0
        padded[0, :] = 2  # one is as long as can be, so that all batches are of one shape
        return padded

    ends = np.ones((N, 1), np.int32), np.zeros((N, 1), np.int32)
    return [(ids(), np.hstack([ends[0], ids(), ends[1]])) for _ in range(count)]


def doldari_learner(model: Seq2seq, device: str, precision: str) -> TorchLearner:
    """Make doldari's learner."""
    settings = TrainingConfig(engine="torch", device=device, precision=precision, dropout=0.0, learning_rate=1e-3)
    return TorchLearner(model, settings, np.random.default_rng(0), Processes())


def sides_of(name: str, device: str, precision: str, small: bool) -> tuple[Batches, dict[str, Callable]]:
    """Make both sides' training step for a set-up, `chapter` or `large`, and its batches."""
    rng = np.random.default_rng(0)
    if name == "chapter":
        batches, plain = chapter_batches(1280), PlainLoop(13, 16, 128, False, 0, device=device)
        model: Seq2seq = Seq2seq(13, 16, 128, pad_id=0, rng=rng)
    else:
        N, H, V = (64, 64, 60) if small else (1024, 512, 8_000)
        batches = random_batches(4, N, 8 if small else 24, V)
        plain = TorchWords(V, H // 2, H, 0, layers=2, device=device)
        model = AttentionSeq2seq(V, H // 2, H, layers=2, bidirectional=True, pad_id=0, rng=rng)
    learner = doldari_learner(model, device, precision)

    def plain_step(x: Ids, t: Ids) -> object:
        with torch.autocast(torch.device(device).type, torch.bfloat16, enabled=precision == "bf16"):
            return plain.step(x, t)

    return batches, {"doldari": lambda x, t: learner.step(x, t, 5.0), "plain PyTorch loop": plain_step}


def measure(name: str, device: str, precision: str, small: bool) -> dict[str, float]:
    """Train on both sides, in turn: examples a second, the median of some rounds."""
    batches, steps = sides_of(name, device, precision, small)
    count, rounds = (5, 3) if small else (STEPS, ROUNDS)

    def repeated(step: Callable, times: int) -> Callable[[], None]:
        def run() -> None:
            for number in range(times):
                step(*batches[number % len(batches)])
            if device != "cpu":
                torch.cuda.synchronize()

        return run

    for step in steps.values():
        repeated(step, 2 if small else WARM * len(batches))()
    times = rounds_of({side: repeated(step, count) for side, step in steps.items()}, rounds)
    return {side: count * len(batches[0][0]) / statistics.median(seconds) for side, seconds in times.items()}


def main() -> int:
    """Measure both set-ups in both precisions, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda", help="cuda, cuda:1, or cpu")
    arguments = parser.parse_args()
    small = arguments.device == "cpu"
    if small:
        torch.set_num_threads(1)
    elif not torch.cuda.is_available():
        print("there is no NVIDIA GPU here, so nothing is measured; --device cpu tries the program", file=sys.stderr)
        return 1
    card = "cpu, one thread" if small else torch.cuda.get_device_name(arguments.device)
    rows = []
    for name in ("chapter", "large"):
        for precision in ("float32", "bf16"):
            speeds = measure(name, arguments.device, precision, small)
            ratio = speeds["doldari"] / speeds["plain PyTorch loop"]
            rows.append(
                {"set-up": f"{name}, {precision}", **{side: f"{speed:,.0f}" for side, speed in speeds.items()}}
                | {"times as fast": f"{ratio:.2f}"}
            )
    report.print_table(Console(), f"examples a second, {card}, torch {torch.__version__}", rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())

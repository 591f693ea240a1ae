"""What is measured, a function a section; each returns its rows."""

import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import in_process, interleaved, per_call, rounds_of
from benchmarks.sides import NATIVE, TORCH, all_steps, chapter_batches, doldari_step, using_kernels

Row = dict[str, Any]
Say = Callable[[str], None]
V, D, H, N = 13, 16, 128, 128
GRID = {
    "H": (32, 64, 128, 256, 512, 1024),
    "N": (16, 32, 64, 128, 256, 512, 1024),
    "T": (5, 10, 20, 50, 100, 200),
    "V": (13, 100, 1_000, 10_000, 30_000),
}


def training(rounds: int, say: Say) -> list[Row]:
    """Epochs of the chapter's set-up (45,000 questions, batch 128, D 16, H 128): a quarter is timed, times 4."""
    batches = chapter_batches(45_000)[::4]
    rows = []
    for peeky in (False, True):
        for pad_id in (None, 0):
            name = model_name(peeky, pad_id)
            say(f"training: {name}")
            steps = all_steps(V, D, H, peeky, pad_id)
            epochs = {side: (lambda step=step: [step(x, t) for x, t in batches]) for side, step in steps.items()}
            times = interleaved(epochs, rounds)
            rows.append({"model": name} | {side: 4 * seconds for side, seconds in times.items()})
    return rows


def share_of_peak(rounds: int, say: Say) -> list[Row]:
    """The share of this machine's sgemm, on all cores and in turn with it, that epochs of training reach.

    Counted are the products that the result needs; then also those for what rows of a batch have in common, which
    other implementations take once for each row.  sgemm is of 2048 x 2048 matrices, through NumPy: the median of the
    rounds, as of the epochs, and the best.
    """
    if not NATIVE:
        return []
    batches = chapter_batches(45_000)[::4]
    matrix, product = np.ones((2, 2048, 2048), np.float32)
    shares = []
    for peeky in (False, True):
        for pad_id in (None, 0):
            name = model_name(peeky, pad_id)
            say(f"share of peak: {name}")
            step = doldari_step("native", V, D, H, peeky, pad_id)
            sides = {
                "epoch": lambda step=step: [step(x, t) for x, t in batches],
                "sgemm": lambda: [np.matmul(matrix, matrix, out=product) for _ in range(4)],
            }
            times = rounds_of(sides, rounds)
            epoch, sgemm = (statistics.median(seconds) for seconds in times.values())
            needed, repeated = (
                sum(useful_flops(x, t, peeky, pad_id == 0, count) for x, t in batches) / 1e9 / epoch
                for count in (distinct_steps, all_steps_after_first)
            )
            sgemm_speed, best_speed = (4 * 2 * 2048**3 / 1e9 / seconds for seconds in (sgemm, min(times["sgemm"])))
            shares.append(
                {"model": name, "GFLOP/s": needed, "sgemm": sgemm_speed, "share": needed / sgemm_speed}
                | {"share, repeated ones counted": repeated / sgemm_speed}
                | {"sgemm, best": best_speed, "share of the best": needed / best_speed}
            )
    return shares


def model_name(peeky: bool, pad_id: int | None) -> str:
    """Name the chapter's model in a table."""
    return f"{'peeky' if peeky else 'plain'}, padding {'ordinary' if pad_id is None else 'masked'}"


def useful_flops(
    x: np.ndarray, t: np.ndarray, peeky: bool, masked: bool, encoder_steps: Callable[[np.ndarray, bool], int]
) -> int:
    """Count a training step's floating-point operations in matrix products.

    A product forward comes twice more backward, for its input and its weights; masked positions need none, and the
    input products are one row a symbol.
    """
    rows = len(x)
    decoder_positions = int((t[:, :-1] != 0).sum()) if masked else t[:, :-1].size
    C = H if peeky else 0
    recurrent = (encoder_steps(x, masked) + decoder_positions) * H * 4 * H
    tables = 2 * V * D * 4 * H
    peeked = rows * C * 4 * H + rows * C * V
    scores = decoder_positions * H * V
    return 3 * 2 * (recurrent + tables + peeked + scores)


def all_steps_after_first(x: np.ndarray, masked: bool) -> int:
    """Count the encoder's recurrent products, a row each: at every symbol but the first, before which h is 0."""
    return int(sum(max(0, length - 1) for length in ((x != 0).sum(axis=1) if masked else [x.shape[1]] * len(x))))


def distinct_steps(x: np.ndarray, masked: bool) -> int:
    """Count those that differ: one for each beginning, of any row, that a symbol follows."""
    rows = [tuple(row[row != 0] if masked else row) for row in x]
    return len({row[:length] for row in rows for length in range(1, len(row))})


def scaling(rounds: int, say: Say, most: int | None = None) -> list[Row]:
    """Time a training step of the plain model while one size, H, N, T or V, grows and the others stay."""
    rows = []
    for letter, values in GRID.items():
        for value in values[:most]:
            say(f"scaling: {letter} {value}")
            sizes = {"H": H, "N": N, "T": 20, "V": V} | {letter: value}
            rng = np.random.default_rng(0)
            x = rng.integers(0, sizes["V"], (sizes["N"], sizes["T"])).astype(np.int32)
            t = rng.integers(0, sizes["V"], (sizes["N"], sizes["T"] + 1)).astype(np.int32)
            steps = all_steps(sizes["V"], D if letter != "V" else 64, sizes["H"], False, None, slow=False)
            times = per_call({side: partial(step, x, t) for side, step in steps.items()}, rounds)
            rows.append({"varied": letter, "value": value} | times)
    return rows


def predicting(rounds: int, say: Say) -> list[Row]:
    """Answer 5,000 questions in one call, and one question alone, the mean of 100 in turn; seconds."""
    from doldari import AttentionSeq2seq, PeekySeq2seq, Predictor, Seq2seq
    from doldari.config import ModelConfig
    from doldari.data.addition import addition_pairs
    from doldari.data.vocabulary import PADDING, Vocabulary
    from doldari.models.model_file import TextModel

    vocabulary = Vocabulary("characters", tuple("+0123456789"))
    V, rng = len(vocabulary), np.random.default_rng(0)
    models: dict[str, Seq2seq] = {
        "peeky": PeekySeq2seq(V, D, H, pad_id=PADDING, rng=rng),
        "attention": AttentionSeq2seq(V, D, H, pad_id=PADDING, bidirectional=True, rng=rng),
    }
    texts = [pair.source for pair in addition_pairs(5_000)]
    rows = []
    for kind, model in models.items():
        say(f"predicting: {kind}")
        model.parameters["decoder.affine.b"].value[PADDING] = -10.0  # answers of full length: nobody gets away early
        predictor = Predictor(TextModel(model, ModelConfig(), vocabulary, vocabulary, 7, 4))
        for what, calls in (("5,000 questions", [texts]), ("one question", [[text] for text in texts[:100]])):
            sides: dict[str, Callable[[], object]] = {}
            if NATIVE:
                sides["doldari"] = partial(ask, predictor, calls, "native")
            sides["doldari, reference kernels"] = partial(ask, predictor, calls, "reference")
            if TORCH:
                sides |= torch_predicting(kind, calls, vocabulary)
            times = per_call(sides, rounds)
            rows.append(
                {"model": kind, "asked": what} | {side: seconds / len(calls) for side, seconds in times.items()}
            )
    return rows


def ask(predictor: Any, calls: list[list[str]], kernels: str) -> None:
    """Answer texts, call by call, with these kernels."""
    with using_kernels(kernels):
        for asked in calls:
            predictor.predict(asked, max_length=4)  # as PyTorch does


def torch_predicting(kind: str, calls: list[list[str]], vocabulary: Any) -> dict[str, Callable[[], object]]:
    """Answer texts with PyTorch: encode, one batch, greedy, decode."""
    import torch

    from benchmarks.peers.pytorch import TorchSeq2seq
    from benchmarks.peers.pytorch_attention import TorchWords
    from doldari.data.batches import pad
    from doldari.data.vocabulary import PADDING, START

    V = len(vocabulary)
    model = TorchSeq2seq(V, D, H, True, PADDING) if kind == "peeky" else TorchWords(V, D, H, PADDING)

    def predict(threads: int) -> object:
        torch.set_num_threads(threads)
        for asked in calls:
            ids = pad([vocabulary.encode(text)[::-1] for text in asked], PADDING)
            answers = [vocabulary.decode(answer) for answer in model.generate(ids, START, 4).tolist()]
        return answers

    return {f"PyTorch, {n} thread{'s' * (n > 1)}": (lambda n=n: predict(n)) for n in (1, 2)}


def memory(rounds: int, say: Say) -> list[Row]:
    """Peak memory, in MiB, of a process that trains 100 steps of the chapter's peeky model, padding masked."""
    say("memory")
    work = "b = chapter_batches(12_800); s = {}(13, 16, 128, True, 0); [s(x, t) for x, t in b]"
    sides = {"doldari": "doldari_step"} if NATIVE else {}
    sides["doldari, reference kernels"] = "doldari_step"
    if TORCH:
        sides["PyTorch, 2 threads"] = "torch_step"
    row: Row = {"what": "training, peak MiB"}
    for side, function in sides.items():
        first = {"doldari": "'native', ", "PyTorch, 2 threads": "2, "}.get(side, "'reference', ")
        code = f"from benchmarks.sides import *; {work.format(function).replace('(13,', f'({first}13,')}"
        row[side] = in_process(code, rounds)[1]
    return [row]


def startup(rounds: int, say: Say) -> list[Row]:
    """Seconds of whole processes, with Python's bytecode cache filled and empty; MiB of what is installed."""
    say("start-up")
    rows: list[Row] = []
    cases = {
        "import doldari and its models": "import doldari; doldari.load",
        "doldari --help": "import sys; sys.argv = ['doldari', '--help']; from doldari.cli import main; main()",
    }
    if TORCH:
        cases["import torch"] = "import torch"
    for name, code in cases.items():
        warm, _ = in_process(code, rounds)
        cold = []
        for _ in range(3):
            with tempfile.TemporaryDirectory() as empty:
                cold.append(in_process(code, 1, PYTHONPYCACHEPREFIX=empty)[0])
        rows.append({"what": f"{name}, s", "measured": warm})
        rows.append({"what": f"{name}, nothing compiled yet, s", "measured": sorted(cold)[1]})
    with tempfile.TemporaryDirectory() as directory:
        command = [sys.executable, "-u", "-m", "doldari", "train", "addition", "--out", f"{directory}/run"]
        rows.append({"what": "doldari train addition, to the first accuracy, s", "measured": first_epoch(command)})
    for package in ["doldari"] + ["torch"] * TORCH:
        rows.append({"what": f"{package} and what it requires, installed, MiB", "measured": installed_mib(package)})
    return rows


def first_epoch(command: list[str]) -> float:
    """Run a training until it prints its first epoch; seconds."""
    import time

    start = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as training:
        assert training.stdout is not None
        for line in training.stdout:
            if line.startswith("epoch"):
                break
        seconds = time.perf_counter() - start
        training.terminate()
    return seconds


def installed_mib(package: str) -> float:
    """Add up the installed files of a distribution and of all that it requires."""
    seen: set[str] = set()
    waiting, size = [package], 0
    while waiting:
        name = waiting.pop()
        if name.lower() in seen:
            continue
        seen.add(name.lower())
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        size += sum(path.stat().st_size for f in distribution.files or () if (path := Path(f.locate())).is_file())
        for requirement in distribution.requires or ():
            if "extra ==" not in requirement:
                waiting.append(requirement.split(";")[0].split("[")[0].rstrip("0123456789.<>=!~, ").strip())
    return size / 2**20

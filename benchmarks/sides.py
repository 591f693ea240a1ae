"""The sides that are compared, all with one interface: `step(x, t)` trains on one batch of ids."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec

import numpy as np

from doldari import Adam, PeekySeq2seq, Seq2seq, Trainer, kernels
from doldari.arrays import Ids
from doldari.data.addition import addition_pairs
from doldari.data.formats import chapter_lines
from doldari.kernels import reference

Step = Callable[[Ids, Ids], object]
TORCH = find_spec("torch") is not None
NATIVE = find_spec("doldari.kernels._native") is not None


@contextmanager
def using_kernels(name: str) -> Iterator[None]:
    """Let doldari's layers use the kernels of that name, "native" or "reference"."""
    module = __import__(f"doldari.kernels.{'_native' if name == 'native' else name}", fromlist=["kernels"])
    before = {function: getattr(kernels, function) for function in reference.__all__}
    for function in reference.__all__:
        setattr(kernels, function, getattr(module, function))
    try:
        yield
    finally:
        for function, implementation in before.items():
            setattr(kernels, function, implementation)


def doldari_step(name: str, V: int, D: int, H: int, peeky: bool, pad_id: int | None) -> Step:
    """Make doldari's training step with the kernels of that name."""
    model = (PeekySeq2seq if peeky else Seq2seq)(V, D, H, pad_id=pad_id, rng=np.random.default_rng(0))
    trainer = Trainer(model, Adam())

    def step(x: Ids, t: Ids) -> object:
        with using_kernels(name):
            return trainer.step(x, t, max_grad=5.0)

    return step


def torch_step(threads: int, V: int, D: int, H: int, peeky: bool, pad_id: int | None) -> Step:
    """Make PyTorch's training step with that many threads."""
    import torch

    from benchmarks.peers.pytorch import TorchSeq2seq

    model = TorchSeq2seq(V, D, H, peeky, pad_id)

    def step(x: Ids, t: Ids) -> object:
        torch.set_num_threads(threads)
        return model.step(x, t)

    return step


def textbook_step(V: int, D: int, H: int, peeky: bool) -> Step:
    """Make the textbook's training step."""
    from benchmarks.peers.textbook import TextbookSeq2seq

    return TextbookSeq2seq(V, D, H, peeky).step


def all_steps(V: int, D: int, H: int, peeky: bool, pad_id: int | None, slow: bool = True) -> dict[str, Step]:
    """Make every side's training step; without `slow` only doldari's best and PyTorch's."""
    sides = {}
    if NATIVE:
        sides["doldari"] = doldari_step("native", V, D, H, peeky, pad_id)
    if slow or not NATIVE:
        sides["doldari, reference kernels"] = doldari_step("reference", V, D, H, peeky, pad_id)
    if TORCH:
        for threads in (1, 2):
            sides[f"PyTorch, {threads} thread{'s' * (threads > 1)}"] = torch_step(threads, V, D, H, peeky, pad_id)
    if slow and pad_id is None:
        sides["textbook NumPy"] = textbook_step(V, D, H, peeky)
    return sides


def chapter_batches(count: int, batch_size: int = 128) -> list[tuple[Ids, Ids]]:
    """Make batches of the chapter's data: fixed-width questions (N, 7) and answers (N, 5); the blank has id 0."""
    letters = " +_0123456789"
    lines = list(chapter_lines(lambda: addition_pairs(count)))
    ids = np.array([[letters.index(char) for char in line] for line in lines], np.int32)
    x, t = np.ascontiguousarray(ids[:, :7]), np.ascontiguousarray(ids[:, 7:])
    return [(x[at : at + batch_size], t[at : at + batch_size]) for at in range(0, count, batch_size)]

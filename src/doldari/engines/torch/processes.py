"""All that knows of processes, ranks and devices.

`torchrun` starts the processes and tells each its rank by environment variables.  Each computes the same steps on its
share of every batch; the sum of the gradients is all that they exchange, with what was found in validation.  The
first, rank 0, alone prints and writes.
"""

import atexit
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any

import torch
from torch import Tensor, distributed

from doldari.errors import ProcessLostError
from doldari.settings import refused
from doldari.torchrun import attempt, rank, world_size

PATIENCE = timedelta(minutes=10)  # for the others at a meeting, before a process gives up


@dataclass(frozen=True)
class Processes:
    """The processes that train together: how many, this one's rank, and its rank on its own machine."""

    count: int = 1
    rank: int = 0
    local_rank: int = 0
    on_machine: int = 1

    def share(self, N: int) -> range:
        """Give the rows of a batch of N that are this process's."""
        return range(N * self.rank // self.count, N * (self.rank + 1) // self.count)

    def check(self, batch_size: int, budget: str | None) -> None:
        """Refuse settings that several processes cannot share."""
        if self.count > batch_size:
            raise refused("batch_size", batch_size, f"fewer pairs than the {self.count} processes of torchrun")
        if self.count > 1 and budget is not None:
            raise refused(
                "budget", budget, f"needs a single process, not {self.count}; give a number of epochs instead"
            )

    def mean(self, vector: Tensor, weight: int) -> None:
        """Take the mean of a vector over all processes, each with its weight, in place: one message."""
        if self.count > 1:
            message = torch.cat([vector * weight, vector.new_tensor([weight])])
            self.sum(message)
            torch.div(message[:-1], message[-1], out=vector)

    def sum(self, vector: Tensor) -> None:
        """Sum up a vector over all processes, in place."""
        if self.count > 1:
            with others():
                distributed.all_reduce(vector)

    def any(self, wish: bool) -> bool:
        """Return whether any process has this wish."""
        if self.count == 1:
            return wish
        wishes = torch.tensor([float(wish)])
        self.sum(wishes)
        return bool(wishes[0] > 0)

    def gather(self, found: Sequence[list[Any]], total: int) -> list[Any]:
        """Put together what each found for every count-th item, from its rank on: one list for all of the items."""
        (mine,) = found
        if self.count == 1:
            return mine
        everything: list[Any] = [None] * total
        for number, share in enumerate(self.gathered(mine)):
            everything[number :: self.count] = share
        return everything

    def gathered(self, one: Any) -> list[Any]:
        """Give every process what each of them has."""
        parts: list[Any] = [None] * self.count
        with others():
            distributed.all_gather_object(parts, one)
        return parts


@contextmanager
def others() -> Iterator[None]:
    """Say in a line that another process is gone, where an exchange with it fails."""
    try:
        yield
    except RuntimeError as error:
        raise ProcessLostError(
            "another process of this training ended or cannot be reached; the last checkpoint is whole: resume with "
            "--resume, or let torchrun do so with --max-restarts"
        ) from error


@cache
def this_process() -> Processes:
    """Read what torchrun says of this process, and meet the others."""
    if world_size() == 1:
        return Processes()
    on_machine = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    processes = Processes(world_size(), rank(), int(os.environ.get("LOCAL_RANK", "0")), on_machine)
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    if torch.cuda.is_available():
        torch.cuda.set_device(processes.local_rank % torch.cuda.device_count())
    with others(), without_signals():
        # Addresses are put where those of an attempt before this one still stand: they must not be taken for them.
        store, rank_there, size = next(distributed.rendezvous("env://", timeout=PATIENCE))  # type: ignore[attr-defined]
        store = distributed.PrefixStore(f"attempt-{attempt()}", store)  # type: ignore[attr-defined]
        distributed.init_process_group(backend, store=store, rank=rank_there, world_size=size, timeout=PATIENCE)
    atexit.register(leave)
    return processes


@contextmanager
def without_signals() -> Iterator[None]:
    """Let no thread that is started in the block receive a polite signal; this thread does again after it.

    One that interrupts a system call of gloo's threads, which exchange the sums, ends the process at once.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def leave() -> None:
    """End the threads by which processes exchange, which must be before the interpreter ends."""
    with suppress(RuntimeError):  # where another process is gone already
        distributed.destroy_process_group()


def choose_device(name: str, processes: Processes) -> torch.device:
    """Find the device of that name for this process; ConfigError where this machine does not have it."""
    gpus, mps = torch.cuda.device_count(), torch.backends.mps.is_available()
    if name == "auto":
        name = "cuda" if gpus else "mps" if mps else "cpu"
    if name == "cpu":
        return torch.device("cpu")
    if name == "mps":
        if not mps:
            raise refused("device", "mps", "PyTorch finds no Apple GPU here; choose cpu or auto")
        return torch.device("mps")
    if not gpus:
        built = "" if torch.version.cuda else "; this PyTorch is built without CUDA"
        raise refused("device", name, f"PyTorch finds no NVIDIA GPU here{built}; choose cpu or auto")
    if name != "cuda" and processes.on_machine > 1:
        raise refused("device", name, f"{processes.on_machine} processes cannot share it; choose cuda")
    number = processes.local_rank if name == "cuda" else int(name.removeprefix("cuda:"))
    if number >= gpus:
        wanted = f"{processes.on_machine} processes" if name == "cuda" else f"GPU number {number}"
        raise refused("device", name, f"{wanted}, but there are {gpus} GPUs here, cuda:0 to cuda:{gpus - 1}")
    return torch.device("cuda", number)


def check_precision(precision: str, device: torch.device) -> None:
    """Refuse a number format that the device does not compute in."""
    if precision != "bf16":
        return
    if device.type == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False):
        name = torch.cuda.get_device_name(device)
        raise refused("precision", "bf16", f"{name} does not support bfloat16; choose float32")
    if device.type == "mps" and not torch.backends.mps.is_macos_or_newer(14, 0):
        raise refused("precision", "bf16", "needs macOS 14; choose float32")

"""Who watches a training, and who may stop it."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

from doldari.inference.metrics import Evaluation

if TYPE_CHECKING:
    from doldari.training.run import Run


class Observer:
    """Told what happens in a training, which it may show; of an ensemble each member's run is told of in turn.

    Here nothing is done with it: override what is wanted.
    """

    def started(self, run: "Run") -> None:
        """A model's training begins or resumes."""

    def step(self, run: "Run", loss: float) -> None:
        """A step was taken on a batch of that mean loss."""

    def epoch(self, run: "Run", evaluation: Evaluation) -> None:
        """An epoch is over, the last of run.history; evaluation is of the pairs held out."""

    def stopped(self, run: "Run") -> None:
        """The training ends early: it was stopped, or its loss became NaN."""

    def finished(self, run: "Run") -> None:
        """The training is over, and the run's model is that of its best epoch."""


class Observers(Observer):
    """Tells several observers, in their order."""

    def __init__(self, *observers: Observer) -> None:
        self.observers = observers

    def started(self, run: "Run") -> None:
        """Tell all."""
        for observer in self.observers:
            observer.started(run)

    def step(self, run: "Run", loss: float) -> None:
        """Tell all."""
        for observer in self.observers:
            observer.step(run, loss)

    def epoch(self, run: "Run", evaluation: Evaluation) -> None:
        """Tell all."""
        for observer in self.observers:
            observer.epoch(run, evaluation)

    def stopped(self, run: "Run") -> None:
        """Tell all."""
        for observer in self.observers:
            observer.stopped(run)

    def finished(self, run: "Run") -> None:
        """Tell all."""
        for observer in self.observers:
            observer.finished(run)


class Stop:
    """A wish to stop: set `signal`, from any thread, and the training stops after the step under way.

    `numbers` are the signals that are taken for that wish while a training runs in the main thread.
    """

    def __init__(self, numbers: tuple[int, ...] = (signal.SIGINT, signal.SIGTERM)) -> None:
        self.numbers = numbers
        self.signal: int | None = None


@contextmanager
def stop_on_signals(stop: Stop) -> Iterator[None]:
    """Let Ctrl-C, or a polite kill, ask for a stop; a second one of either does what Ctrl-C does without this.

    Only the main thread is told of signals; in another one this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(number: int, frame: FrameType | None) -> None:
        if stop.signal is None:
            stop.signal = number
            return
        handler = before.get(signal.SIGINT)
        if callable(handler):
            handler(signal.SIGINT, frame)

    before = {number: signal.signal(number, handle) for number in stop.numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

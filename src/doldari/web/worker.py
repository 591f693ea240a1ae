"""One thread that predicts, for all clients: what waits is answered together, as far as it asks the same of a model.

Large requests are cut into batches that use all cores, so a second such thread would gain nothing; and models,
warnings and caches are then touched by one thread only.
"""

import asyncio
import queue
import threading
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

from doldari import kernels
from doldari.errors import DataError, DoldariError
from doldari.inference.predictor import Answer, AnswerOptions, LongSourceWarning, Predictor

MOST_WAITING = 1_000  # requests; further ones are told to come again
MOST_TOGETHER = 2_000  # texts

Result = TypeVar("Result")
Load = Callable[[], Predictor]


class BusyError(Exception):
    """Too many requests wait already."""


class Job:
    """A function of texts, whose result `future` will have.

    Jobs of one key do the same, and may be done in one call, which returns a list with an item for each text.
    """

    def __init__(self, work: Callable[[Sequence[str]], Any], texts: Sequence[str] = (), key: Any = None) -> None:
        self.work, self.texts, self.key = work, texts, self if key is None else key
        self.future: Future[Any] = Future()

    def finish(self) -> None:
        """Let the future have what the function returns, or raises."""
        try:
            self.future.set_result(self.work(self.texts))
        except Exception as error:  # whoever asked is told, and the thread goes on
            self.future.set_exception(error)


class Worker:
    """The thread, and the queue in front of it."""

    def __init__(self) -> None:
        self.queue: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self.thread = threading.Thread(target=self._run, name="doldari-worker", daemon=True)
        self.thread.start()

    async def call(self, work: Callable[[], Result]) -> Result:
        """Call a function in the thread."""
        result: Result = await self._wait(Job(lambda _: work()))
        return result

    async def predict(
        self, model: str, load: Load, texts: Sequence[str], options: AnswerOptions, tolerant: bool = False
    ) -> list[list[Answer] | str]:
        """Predict texts by the model of that name, which `load` gives, together with others that wait.

        Where it is tolerant, what is wrong with a text takes the place of its answers; otherwise it is raised.
        """
        work = (
            (lambda texts: tolerantly(load(), texts, options))
            if tolerant
            else (lambda texts: load().answers(texts, options))
        )
        answers: list[list[Answer] | str] = await self._wait(Job(work, texts, (model, options, tolerant)))
        return answers

    def stop(self) -> None:
        """Finish what waits, and end."""
        self.queue.put(None)
        self.thread.join()

    async def _wait(self, job: Job) -> Any:
        if self.queue.qsize() >= MOST_WAITING:
            raise BusyError
        self.queue.put(job)
        return await asyncio.wrap_future(job.future)

    def _run(self) -> None:
        kernels.work_alone()  # what is small is not worth a second thread; several batches get one each
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", LongSourceWarning)  # the page says so itself
            while (job := self.queue.get()) is not None:
                jobs = [job]
                last = False
                while not self.queue.empty() and sum(len(job.texts) for job in jobs) < MOST_TOGETHER:
                    following = self.queue.get()
                    if following is None:
                        last = True
                        break
                    jobs.append(following)
                for together in grouped(jobs):
                    do(together)
                if last:
                    return


def tolerantly(predictor: Predictor, texts: Sequence[str], options: AnswerOptions) -> list[list[Answer] | str]:
    """Predict the texts that can be read; tell of each other what is wrong with it."""
    found: dict[int, list[Answer] | str] = {}
    for place, text in enumerate(texts):
        try:
            predictor.encode(text, options.unknown)
        except DataError as error:
            found[place] = str(error)
    readable = [place for place in range(len(texts)) if place not in found]
    found |= zip(readable, predictor.answers([texts[place] for place in readable], options), strict=True)
    return [found[place] for place in range(len(texts))]


def grouped(jobs: Sequence[Job]) -> list[list[Job]]:
    """Put jobs of one key together, in the order of the first of each, without those of clients that have gone."""
    groups: dict[Any, list[Job]] = {}
    for job in jobs:
        if job.future.set_running_or_notify_cancel():
            groups.setdefault(job.key, []).append(job)
    return list(groups.values())


def do(jobs: Sequence[Job]) -> None:
    """Do jobs of one key in one call; where that fails, each alone, so that none pays for another's mistake."""
    if len(jobs) > 1:
        try:
            results = iter(jobs[0].work([text for job in jobs for text in job.texts]))
        except (DoldariError, MemoryError):
            pass
        else:
            for job in jobs:
                job.future.set_result([next(results) for _ in job.texts])
            return
    for job in jobs:
        job.finish()

"""Processing many sources in batches of similar length, one batch per thread."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from doldari import kernels
from doldari.arrays import Ids
from doldari.data.batches import pad
from doldari.data.vocabulary import PADDING

Found = TypeVar("Found")
Progress = Callable[[int], None]  # told how many are done


def batches_by_length(encoded: Sequence[Sequence[int]], symbols: int) -> Iterator[list[int]]:
    """Group indices of sources of similar length into batches of at most `symbols` ids, or of one source.

    The longest come first: the threads then end about together.  The end of a source counts as one of its ids.
    """
    batch: list[int] = []
    for index in sorted(range(len(encoded)), key=lambda index: -len(encoded[index])):
        if batch and (len(batch) + 1) * (len(encoded[batch[0]]) + 1) > symbols:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


def answers_in_batches(
    answer: Callable[[list[int], Ids], list[Found]],
    encoded: Sequence[Sequence[int]],
    symbols: int,
    progress: Progress | None = None,
) -> list[Found]:
    """Apply `answer` to batches: the numbers of their sources, and ids xs (N, S).

    progress is told, after each batch, how many sources are answered.
    """
    batches = [
        (batch, pad([encoded[number] for number in batch], PADDING)) for batch in batches_by_length(encoded, symbols)
    ]
    by_number: dict[int, Found] = {}
    for (batch, _), found in zip(batches, side_by_side(answer, batches), strict=True):
        by_number |= zip(batch, found, strict=True)
        if progress is not None:
            progress(len(by_number))
    return [by_number[number] for number in range(len(encoded))]


def side_by_side(answer: Callable[..., Found], batches: Sequence[tuple[Any, ...]]) -> Iterator[Found]:
    """Call answer(*batch) for each batch, on as many threads as the kernels use, each single-threaded inside."""
    threads = min(kernels.get_num_threads(), len(batches))
    if threads < 2:
        yield from (answer(*batch) for batch in batches)
        return
    with ThreadPoolExecutor(threads, initializer=kernels.work_alone) as workers:
        yield from workers.map(answer, *zip(*batches, strict=True))

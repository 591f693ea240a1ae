"""Many sources at once: in batches of about one length, and one batch on each thread."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from doldari import kernels

Found = TypeVar("Found")


def batches_by_length(encoded: Sequence[Sequence[int]], symbols: int) -> Iterator[list[int]]:
    """Group the indices of sources of about one length into batches of at most `symbols` ids, or of one source.

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


def side_by_side(answer: Callable[..., Found], batches: Sequence[tuple[Any, ...]]) -> list[Found]:
    """Call answer(*batch) for each batch, on as many threads as the kernels use, each of which then works alone."""
    threads = min(kernels.get_num_threads(), len(batches))
    if threads < 2:
        return [answer(*batch) for batch in batches]
    with ThreadPoolExecutor(threads, initializer=kernels.work_alone) as workers:
        return list(workers.map(answer, *zip(*batches, strict=True)))

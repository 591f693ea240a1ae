"""Small models on a GPU: forward and backward of a batch as one launch rather than some hundred (a CUDA graph).

A graph is of one shape, so it is captured for shapes that come again and again, after they came often enough.  What
it computes is compared once with the eager step; where capturing fails or differs, training continues without it.
"""

import warnings
from collections import Counter
from collections.abc import Callable

import torch
from torch import Tensor

from doldari.engines.torch.batch import Batch

SEEN, MOST = 3, 32  # how often a shape must have come; how many graphs are kept

Work = Callable[[], None]


class UncapturedWarning(UserWarning):
    """A GPU computes step by step what might have been one launch."""


class CapturedSteps:
    """Adds a batch's loss and gradient to `sums` as `compute` does, from graphs where there are any."""

    def __init__(
        self, compute: Callable[[Batch], None], sums: Tensor, capture: Callable[[Work], Work] | None = None
    ) -> None:
        self.compute, self.sums, self.capture = compute, sums, capture or capture_on_gpu
        self.seen: Counter[tuple[torch.Size, ...]] = Counter()
        self.graphs: dict[tuple[torch.Size, ...], tuple[Batch, Work]] = {}
        self.works = True

    def __call__(self, batch: Batch) -> None:
        """Compute a batch."""
        shape = tuple(tensor.shape for tensor in batch.tensors())
        if shape in self.graphs:
            static, replay = self.graphs[shape]
            for mine, theirs in zip(static.tensors(), batch.tensors(), strict=True):
                mine.copy_(theirs, non_blocking=True)
            replay()
            return
        self.seen[shape] += 1
        if self.works and self.seen[shape] >= SEEN and len(self.graphs) < MOST:
            self.capture_shape(shape, batch)
        else:
            self.compute(batch)

    def capture_shape(self, shape: tuple[torch.Size, ...], batch: Batch) -> None:
        """Compute a batch, and capture how; keep that if it does the same."""
        before = self.sums.clone()
        self.compute(batch)
        right = self.sums.clone()
        static = batch.copied()
        try:
            replay = self.capture(lambda: self.compute(static))
            self.sums.copy_(before)
            replay()
            difference = (self.sums - right).abs().max() / (right - before).abs().max()
            if not difference < 1e-2:  # bfloat16 sums up in any order
                raise RuntimeError(f"a captured step differs by {float(difference):.1e}")
            self.graphs[shape] = static, replay
        except RuntimeError as error:
            self.works = False
            warnings.warn(f"training without CUDA graphs: {error}", UncapturedWarning, stacklevel=2)
        self.sums.copy_(right)


def capture_on_gpu(work: Work) -> Work:
    """Capture work as a CUDA graph, after it was done once beside, as PyTorch asks for: what does it again."""
    beside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    beside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(beside):
        work()
    torch.cuda.current_stream().wait_stream(beside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        work()
    return graph.replay

"""A batch on its way to the device: padding moved to the right, which changes neither states nor loss.

A recurrent layer passes through padding unchanged, wherever it stands, and the loss leaves its positions out: so a
sequence may as well have all of its padding behind it, where PyTorch's kernels need not know of it.
"""

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from doldari.arrays import Floats, Ids, Mask

UNCOUNTED = -100  # the target of a position that does not count


class Batch(NamedTuple):
    """Questions x (N, S), their lengths, what the decoder reads (N, T), its targets (N, T), and dropout's scales.

    lengths (N,) is None where nothing is padding; a scale (N, 1, D), or (N, T, D), for each vector that is
    dropped from, in order.
    share () is what a position weighs in the loss: 1 / the positions of the whole batch that it is a part of.
    """

    x: Tensor
    lengths: Tensor | None
    read: Tensor
    targets: Tensor
    share: Tensor
    scales: list[Tensor]

    def tensors(self) -> list[Tensor]:
        """List all that is there."""
        lengths = [] if self.lengths is None else [self.lengths]
        return [self.x, *lengths, self.read, self.targets, self.share, *self.scales]

    def copied(self) -> "Batch":
        """Copy every tensor."""
        lengths = None if self.lengths is None else self.lengths.clone()
        x, read, targets, share = (part.clone() for part in (self.x, self.read, self.targets, self.share))
        return Batch(x, lengths, read, targets, share, [scale.clone() for scale in self.scales])


class Question(NamedTuple):
    """Ids (N, S) with padding on the right, their lengths if any is shorter, and where each id stood before."""

    ids: Ids
    lengths: NDArray[np.intp] | None
    order: NDArray[np.intp] | None


def to_the_left(ids: Ids, mask: Mask | None) -> Question:
    """Put what is read of ids (N, S), where mask (N, S) is True, in front of the rest, in its order."""
    if mask is None or mask.all():
        return Question(ids, None, None)
    if not (mask[:, 1:] & ~mask[:, :-1]).any():
        return Question(ids, mask.sum(axis=1), None)
    order = np.argsort(~mask, axis=1, kind="stable")
    return Question(np.take_along_axis(ids, order, axis=1), mask.sum(axis=1), order)


def counted_positions(t: Ids, pad_id: int | None) -> Mask:
    """Return which positions of answers t (N, T + 1) count in the loss: where what is read is not padding; (N, T)."""
    read = t[:, :-1]
    return np.ones(read.shape, np.bool_) if pad_id is None else read != pad_id


def make_batch(
    x: Ids, read_of_x: Mask | None, t: Ids, pad_id: int | None, scales: list[Floats], share: Tensor
) -> Batch:
    """Bring questions x (N, S), answers t (N, T + 1) and dropout's scales to the device where `share` is."""
    device = share.device
    question = to_the_left(x, read_of_x)
    counted = counted_positions(t, pad_id)
    read, targets = t[:, :-1], np.where(counted, t[:, 1:], UNCOUNTED)
    if (counted[:, 1:] & ~counted[:, :-1]).any():
        order = np.argsort(~counted, axis=1, kind="stable")
        read, targets = np.take_along_axis(read, order, axis=1), np.take_along_axis(targets, order, axis=1)
    lengths = None if question.lengths is None else to_device(question.lengths, device)
    return Batch(
        to_device(question.ids, device),
        lengths,
        to_device(read, device),
        to_device(targets, device),
        share,
        [torch.from_numpy(scale).to(device, non_blocking=True) for scale in scales],
    )


def to_device(ids: NDArray[Any], device: torch.device) -> Tensor:
    """Bring whole numbers to a device as int64, without waiting for a GPU."""
    tensor = torch.from_numpy(np.ascontiguousarray(ids, np.int64))
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)

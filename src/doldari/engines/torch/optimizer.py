"""The update of all weights at once, as doldari.engines.optimizers and averaging do it, on a device."""

import math

import torch
from torch import Tensor
from torch.optim.adam import adam

from doldari.engines.torch.parameters import FlatTensors


class Adam:
    """Adam, or with weight_decay AdamW; eps stands beside the uncorrected second moment, as in `Adam` of NumPy."""

    BETA1, BETA2, EPS = 0.9, 0.999, 1e-7

    def __init__(self, tensors: FlatTensors, learning_rate: float, weight_decay: float = 0.0) -> None:
        self.tensors, self.learning_rate, self.weight_decay = tensors, learning_rate, weight_decay
        self.m, self.v = torch.zeros_like(tensors.values), torch.zeros_like(tensors.values)
        self.steps = 0

    @torch.no_grad()
    def step(self) -> None:
        """Draw the matrices towards 0, then take Adam's step along the gradients."""
        values, gradients = self.tensors.values, self.tensors.gradients
        if self.weight_decay > 0:
            values.addcmul_(values, self.tensors.is_matrix, value=-self.learning_rate * self.weight_decay)
        # PyTorch's own, which goes through memory once.  It has eps beside the corrected second moment.
        steps = torch.full((), float(self.steps), device=values.device)
        self.steps += 1
        adam(
            *([values], [gradients], [self.m], [self.v], [], [steps]),
            fused=True,
            amsgrad=False,
            beta1=self.BETA1,
            beta2=self.BETA2,
            lr=self.learning_rate,
            weight_decay=0.0,
            eps=self.EPS / math.sqrt(1 - self.BETA2**self.steps),
            maximize=False,
        )


def clip(gradients: Tensor, max_grad: float | None) -> Tensor:
    """Scale the flat gradient to a norm of at most max_grad; return the norm it had, on its device."""
    norm: Tensor = torch.linalg.vector_norm(gradients)
    if max_grad is not None:
        gradients.mul_((max_grad / norm).clamp(max=1.0).nan_to_num(nan=1.0))
    return norm


class MovingAverage:
    """The moving average of the weights, as `doldari.engines.averaging.MovingAverage`."""

    def __init__(self, values: Tensor, decay: float) -> None:
        self.average, self.decay = values.clone(), decay
        self.updates = 0

    def update(self, values: Tensor) -> None:
        """Take in the values after a step."""
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        self.updates += 1
        self.average.lerp_(values, 1 - decay)

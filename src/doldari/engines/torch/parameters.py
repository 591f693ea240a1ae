"""Named tensors over two flat vectors, as `doldari.layers.Parameters`, on whichever device."""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from doldari.layers import Parameters


class FlatTensors:
    """The weights of a model as leaf tensors, views of one vector, with gradients that are views of another.

    On the CPU `values` shares its memory with the NumPy parameters, which are then always up to date.
    """

    def __init__(self, parameters: Parameters, device: torch.device) -> None:
        self.values = torch.from_numpy(parameters.values).to(device)
        self.sums = self.values.new_zeros(len(self.values) + 1)  # over all processes, in one message
        self.gradients = self.sums[:-1]  # the last is the loss
        self.is_matrix = torch.zeros_like(self.values)  # 1 where weight decay applies
        self.named: dict[str, Tensor] = {}
        start = 0
        for name, parameter in parameters.items():
            shape, stop = parameter.value.shape, start + parameter.value.size
            tensor = self.values[start:stop].view(shape).detach().requires_grad_()
            tensor.grad = self.gradients[start:stop].view(shape)  # backward adds to it in place
            self.named[name] = tensor
            self.is_matrix[start:stop] = len(shape) > 1
            start = stop


class Named:
    """The tensors whose names begin with a prefix, by the rest of their names."""

    def __init__(self, named: Mapping[str, Tensor], prefix: str = "") -> None:
        self.named, self.prefix = named, prefix

    def __getitem__(self, name: str) -> Tensor:
        return self.named[self.prefix + name]

    def __contains__(self, name: str) -> bool:
        return self.prefix + name in self.named

    def __iter__(self) -> Iterator[str]:
        return (name.removeprefix(self.prefix) for name in self.named if name.startswith(self.prefix))

    def part(self, prefix: str) -> "Named":
        """Give those of a part: part("lstm")["Wx"] is ["lstm.Wx"]."""
        return Named(self.named, f"{self.prefix}{prefix}.")

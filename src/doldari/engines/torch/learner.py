"""A model that learns on PyTorch: one training step, by one process or shared out among many."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from doldari.arrays import Floats, Ids
from doldari.config import TrainingConfig
from doldari.engines.learner import Found, Item, Step
from doldari.engines.torch.batch import Batch, counted_positions, make_batch
from doldari.engines.torch.captured import CapturedSteps
from doldari.engines.torch.inference_model import TorchInferenceModel
from doldari.engines.torch.memory import fits, too_large
from doldari.engines.torch.models import torch_model
from doldari.engines.torch.optimizer import Adam, MovingAverage, clip
from doldari.engines.torch.parameters import FlatTensors
from doldari.engines.torch.processes import Processes, check_precision, choose_device
from doldari.errors import ConfigError, TrainingError
from doldari.models import Seq2seq


class TorchLearner:
    """A model with its optimizer on a device; the gradient is summed over all processes that train together."""

    def __init__(
        self, model: Seq2seq, settings: TrainingConfig, dropout_rng: np.random.Generator, processes: Processes
    ) -> None:
        self.model, self.settings, self.dropout_rng, self.processes = model, settings, dropout_rng, processes
        self.device = choose_device(settings.device, processes)
        check_precision(settings.precision, self.device)
        processes.check(settings.batch_size, settings.budget)
        self.tensors = FlatTensors(model.parameters, self.device)
        self.torch_model = torch_model(model, self.tensors.named, self.device, settings.precision == "bf16")
        self.inference_model = TorchInferenceModel(model, self.torch_model)
        self.compute: Callable[[Batch], None] = self.backward
        if self.device.type == "cuda":
            self.compute = CapturedSteps(self.backward, self.tensors.sums)
        self.optimizer = Adam(self.tensors, settings.learning_rate, settings.weight_decay)
        self.average = MovingAverage(self.tensors.values, settings.ema) if settings.ema else None

    @property
    def learning_rate(self) -> float:
        """The optimizer's."""
        return self.optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, rate: float) -> None:
        self.optimizer.learning_rate = rate

    @property
    def values(self) -> Floats:
        """All weights as the flat vector of `model`, brought up to date."""
        values = self.model.parameters.values
        if self.device.type != "cpu":
            values[...] = self.tensors.values.cpu().numpy()
        return values

    def rows(self, N: int) -> slice:
        """Say which rows of a batch of N are this process's."""
        mine = self.processes.share(N)
        return slice(mine.start, mine.stop)

    def step(self, x: Ids, t: Ids, max_grad: float | None = None, whole: int | None = None) -> Step:
        """Train on a batch x (N, S), t (N, T), start symbol first; or on this process's rows of one of `whole`."""
        self.tensors.sums.zero_()
        if not fits(partial(self.forward_backward, x, t, whole)):
            raise self.too_large(x, t)
        self.processes.mean(self.tensors.sums, int(counted_positions(t, self.model.pad_id).sum()))
        loss, norm = self.tensors.sums[-1], clip(self.tensors.gradients, max_grad)
        loss_value, norm_value = torch.stack([loss, norm]).tolist()  # the one time that a step waits for the device
        if not math.isfinite(loss_value):
            raise TrainingError(f"the loss became {loss_value}")
        if not math.isfinite(norm_value):
            raise TrainingError(f"the gradient's norm became {norm_value}")
        self.optimizer.step()
        if self.average is not None:
            self.average.update(self.tensors.values)
        return Step(loss_value, norm_value)

    def forward_backward(self, x: Ids, t: Ids, whole: int | None = None) -> None:
        """Add the mean loss of these rows and its gradient to the sums; dropout is that of the whole batch."""
        counted = int(counted_positions(t, self.model.pad_id).sum())
        mine = range(len(x)) if whole is None else self.processes.share(whole)
        lengths = x.shape[1], t.shape[1] - 1
        scales = self.torch_model.draw_scales(whole or len(x), mine, lengths, self.dropout_rng)
        for rows in np.array_split(np.arange(len(x)), min(self.settings.accumulate, max(1, len(x)))):
            if len(rows) > 0:
                self.compute(self.batch(x[rows], t[rows], [scale[rows] for scale in scales], counted))

    def batch(self, x: Ids, t: Ids, scales: list[Floats], counted: int) -> Batch:
        """Move a part of a batch to the device; positions is the number of unmasked ones in the whole batch."""
        share = torch.tensor(1 / max(1, counted), dtype=self.tensors.values.dtype, device=self.device)
        return make_batch(x, self.model.read(x), t, self.model.pad_id, scales, share)

    def backward(self, batch: Batch) -> None:
        """Add a batch's loss and gradient to the sums."""
        loss = self.torch_model.mean_loss(batch)
        loss.backward()  # type: ignore[no-untyped-call]
        self.tensors.sums[-1] += loss.detach()

    def too_large(self, x: Ids, t: Ids) -> ConfigError:
        """Say that this process's share of a batch does not fit into the device's memory, and what would."""

        def try_some(pairs: int) -> None:
            scales = self.torch_model.draw_scales(pairs, range(pairs), lengths, self.dropout_rng)
            self.backward(self.batch(x[:pairs], t[:pairs], scales, 1))

        lengths = x.shape[1], t.shape[1] - 1
        return too_large(try_some, len(x), self.settings.accumulate, lengths, self.device, self.settings.batch_size)

    @torch.inference_mode()
    def loss(self, x: Ids, t: Ids) -> float:
        """Mean loss of a batch, in nats a symbol, without dropout."""
        counted = int(counted_positions(t, self.model.pad_id).sum())
        return float(self.torch_model.mean_loss(self.batch(x, t, [], counted)))

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Put the moving average, if there is one, in the weights' place, for a `with` block."""
        weights = self.tensors.values.clone()
        if self.average is not None:
            self.tensors.values.copy_(self.average.average)
        _ = self.values
        try:
            yield
        finally:
            self.tensors.values.copy_(weights)

    def vectors(self) -> dict[str, torch.Tensor]:
        """Name the vectors that training changes, each as long as the weights."""
        vectors = {"parameters": self.tensors.values, "m": self.optimizer.m, "v": self.optimizer.v}
        return vectors if self.average is None else vectors | {"average": self.average.average}

    def arrays(self) -> dict[str, Floats]:
        """Name every array that training changes, as `NumpyLearner.arrays`; on a GPU copies."""
        return {
            f"{kind}.{name}": array
            for kind, vector in self.vectors().items()
            for name, array in self.model.parameters.views(vector.cpu().numpy()).items()
        }

    def counters(self) -> dict[str, Any]:
        """Return the other state of training, as plain numbers for JSON."""
        return {
            "optimizer_steps": self.optimizer.steps,
            "learning_rate": self.optimizer.learning_rate,
            "average_updates": 0 if self.average is None else self.average.updates,
            "dropout_rng": self.dropout_rng.bit_generator.state,
        }

    def restore(self, arrays: Mapping[str, NDArray[Any]], counters: Mapping[str, Any]) -> None:
        """Restore what `arrays` and `counters` returned; KeyError or ValueError where they do not fit."""
        for kind, vector in self.vectors().items():
            values = np.empty(len(vector), self.model.parameters.values.dtype)
            for name, view in self.model.parameters.views(values).items():
                if view.shape != arrays[f"{kind}.{name}"].shape:
                    raise ValueError(f"{kind}.{name} is {arrays[f'{kind}.{name}'].shape}, expected {view.shape}")
                view[...] = arrays[f"{kind}.{name}"]
            vector.copy_(torch.from_numpy(values))
        _ = self.values
        self.optimizer.steps = counters["optimizer_steps"]
        self.optimizer.learning_rate = counters["learning_rate"]
        if self.average is not None:
            self.average.updates = counters["average_updates"]
        self.dropout_rng.bit_generator.state = counters["dropout_rng"]

    def shared_out(self, work: Callable[[list[Item]], list[Found]], items: Sequence[Item]) -> list[Found]:
        """Do this process's share of the work, and give what all of them found."""
        return self.processes.gather([work(list(items[self.processes.rank :: self.processes.count]))], len(items))

    def agreed(self, wish: bool) -> bool:
        """Return whether any process has this wish."""
        return self.processes.any(wish)

    def facts(self) -> dict[str, Any]:
        """Describe what computes."""
        device = torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else str(self.device)
        return {
            "name": f"torch {torch.__version__}",
            "device": device,
            "precision": self.settings.precision,
            "processes": self.processes.count,
        }

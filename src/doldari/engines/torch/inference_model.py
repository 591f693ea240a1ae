"""Inference on PyTorch: NumPy in, NumPy out, states stay on the device."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from doldari.arrays import Floats, Ids
from doldari.engines.torch.batch import Question, to_device, to_the_left
from doldari.engines.torch.models import torch_model
from doldari.engines.torch.parameters import FlatTensors
from doldari.engines.torch.processes import Processes, choose_device
from doldari.engines.torch.seq2seq import DecoderState, TorchSeq2seq
from doldari.layers import Parameter
from doldari.models import Seq2seq
from doldari.models.ids import check_ids
from doldari.models.inference_model import Rows


class TorchInferenceModel:
    """Predicts as `doldari.models.Seq2seq` does; `weights` are those of that model, from which files are saved."""

    def __init__(self, model: Seq2seq, torch_model: TorchSeq2seq) -> None:
        self.model, self.torch_model, self.device = model, torch_model, torch_model.device
        self.batch_factor = 1 if self.device.type == "cpu" else 64  # a GPU has a thousand cores to keep busy

    @property
    def pad_id(self) -> int | None:
        """The id of padding, None if padding is a symbol like any other."""
        return self.model.pad_id

    def weights(self) -> dict[str, Parameter]:
        """Name every parameter, as NumPy arrays."""
        return self.model.weights()

    def to_numpy(self, tensor: Tensor) -> Floats:
        """Bring numbers to the CPU, in the weights' format: NumPy has no bfloat16."""
        return tensor.to(self.torch_model.encoder["embed.W"].dtype).cpu().numpy()

    def question(self, xs: ArrayLike) -> Question:
        """Put what is read of questions xs (N, S) to the left."""
        ids = check_ids("xs", xs, self.model.vocab_size)
        return to_the_left(ids, self.model.read(ids))

    @torch.inference_mode()
    def encode(self, xs: ArrayLike) -> DecoderState:
        """Read questions xs (N, S) -> the state before the first step."""
        question = self.question(xs)
        lengths = None if question.lengths is None else to_device(question.lengths, self.device)
        with self.torch_model.in_precision():
            return self.torch_model.encode(to_device(question.ids, self.device), lengths)

    @torch.inference_mode()
    def step(self, ids: Ids, state: DecoderState) -> tuple[Floats, DecoderState]:
        """Read one more id each, ids (N,) -> scores (N, V) of what follows, next state."""
        with self.torch_model.in_precision():
            scores, state = self.torch_model.decode(to_device(ids, self.device)[:, None], state)
        return self.to_numpy(scores[:, 0]), state

    @torch.inference_mode()
    def select(self, state: DecoderState, rows: Rows) -> DecoderState:
        """Take rows of a state."""
        return state.select(rows)

    @torch.inference_mode()
    def join(self, state: DecoderState, other: DecoderState) -> DecoderState:
        """Put the rows of two states of the same questions together."""
        return state.join(other)

    @torch.inference_mode()
    def generate(self, xs: ArrayLike, start_id: int, sample_size: int, never: Sequence[int] = ()) -> Ids:
        """Answer questions xs (N, S) greedily -> ids (N, sample_size), as `Seq2seq.generate`."""
        state, N = self.encode(xs), len(np.asarray(xs))
        ids = torch.full((N,), start_id, device=self.device)
        ended = torch.zeros(N, dtype=torch.bool, device=self.device)
        fill = 0 if self.pad_id is None else self.pad_id
        answers = torch.full((N, sample_size), fill, device=self.device)
        for t in range(sample_size):
            with self.torch_model.in_precision():
                scores, state = self.torch_model.decode(ids[:, None], state)
            scores[:, 0, list(never)] = -torch.inf
            ids = scores[:, 0].argmax(dim=1)
            if self.pad_id is not None:
                ended |= ids == self.pad_id
                ids = torch.where(ended, self.pad_id, ids)
            answers[:, t] = ids
            if t % 4 == 3 and bool(ended.all()):  # asking makes a GPU wait
                break
        return answers.cpu().numpy().astype(np.int32)

    @torch.inference_mode()
    def attention(self, xs: ArrayLike, read: ArrayLike) -> Floats:
        """Attention weights (N, T, S), as `Seq2seq.attention`."""
        if not self.torch_model.attends:
            raise TypeError(f"{type(self.model.decoder).__name__} has no attention")
        ids = check_ids("read", read, self.model.target_vocab_size)
        question = self.question(xs)
        with self.torch_model.in_precision():
            weights = self.to_numpy(self.torch_model.attention(to_device(ids, self.device), self.encode(xs)))
        if question.order is not None:  # back to where the symbols stood
            moved = weights.copy()
            np.put_along_axis(weights, np.broadcast_to(question.order[:, None], weights.shape), moved, axis=2)
        return weights


def model_on_device(model: Seq2seq, device: str) -> TorchInferenceModel:
    """Move a model to a device for inference."""
    place = choose_device(device, Processes())
    return TorchInferenceModel(model, torch_model(model, FlatTensors(model.parameters, place).named, place))

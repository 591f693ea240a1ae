"""Which class of this folder computes which model."""

import torch
from torch import Tensor

from doldari.engines.torch.seq2seq import TorchSeq2seq
from doldari.engines.torch.transducer import TorchTransducer
from doldari.engines.torch.transformer import TorchTransformer
from doldari.models import Seq2seq, TransducerSeq2seq, Transformer


def torch_model(model: Seq2seq, named: dict[str, Tensor], device: torch.device, bf16: bool = False) -> TorchSeq2seq:
    """Make what computes a model on a device."""
    if isinstance(model, Transformer):
        return TorchTransformer(model, named, device, bf16)
    if isinstance(model, TransducerSeq2seq):
        return TorchTransducer(model, named, device, bf16)
    return TorchSeq2seq(model, named, device, bf16)

"""doldari: sequence-to-sequence models to read, to trust, and to train on your own pairs in seconds.

>>> import doldari
>>> model = doldari.load("runs/addition")
>>> model("535+61")
'596'
>>> model = doldari.train([("walk", "walked"), ("talk", "talked"), ...])

The letters of shapes, everywhere: N batch, S source length, T target length, D embedding size, H hidden size,
V vocabulary size.  Arrays are batch-first: ids (N, S) int32, hidden states (N, S, H) float32.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from doldari.errors import (
    ConfigError,
    DataError,
    DataWarning,
    DoldariError,
    GradientError,
    HubError,
    MissingPackageError,
    ModelFileError,
    ProcessLostError,
    RunExistsError,
    RunLostError,
    TrainingError,
    UnknownSymbolError,
)

if TYPE_CHECKING:
    from doldari.api import train
    from doldari.engines.optimizers import SGD, Adam, AdamW
    from doldari.gradients import check_gradients, check_layer
    from doldari.inference.metrics import eval_seq2seq
    from doldari.inference.predictor import LongSourceWarning, Predictor, load
    from doldari.kernels import set_num_threads
    from doldari.models import (
        AttentionSeq2seq,
        DotAttentionSeq2seq,
        PeekySeq2seq,
        PointerSeq2seq,
        PointerTransformer,
        Seq2seq,
        TransducerSeq2seq,
        Transformer,
    )
    from doldari.training.observer import Observer, Stop
    from doldari.training.trainer import Trainer

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "AttentionSeq2seq",
    "ConfigError",
    "DataError",
    "DataWarning",
    "DoldariError",
    "DotAttentionSeq2seq",
    "GradientError",
    "HubError",
    "LongSourceWarning",
    "MissingPackageError",
    "ModelFileError",
    "Observer",
    "PeekySeq2seq",
    "PointerSeq2seq",
    "PointerTransformer",
    "Predictor",
    "ProcessLostError",
    "RunExistsError",
    "RunLostError",
    "Seq2seq",
    "Stop",
    "Trainer",
    "TrainingError",
    "TransducerSeq2seq",
    "Transformer",
    "UnknownSymbolError",
    "check_gradients",
    "check_layer",
    "eval_seq2seq",
    "load",
    "set_num_threads",
    "train",
]
__version__ = "0.2.0"

# Imported on first use, so that `doldari --help` need not wait for NumPy.
_HOMES = {
    "SGD": "engines.optimizers",
    "Adam": "engines.optimizers",
    "AttentionSeq2seq": "models",
    "DotAttentionSeq2seq": "models",
    "AdamW": "engines.optimizers",
    "LongSourceWarning": "inference.predictor",
    "Observer": "training.observer",
    "Stop": "training.observer",
    "PeekySeq2seq": "models",
    "PointerSeq2seq": "models",
    "PointerTransformer": "models",
    "TransducerSeq2seq": "models",
    "Predictor": "inference.predictor",
    "Seq2seq": "models",
    "Transformer": "models",
    "Trainer": "training.trainer",
    "check_gradients": "gradients",
    "check_layer": "gradients",
    "eval_seq2seq": "inference.metrics",
    "load": "inference.predictor",
    "set_num_threads": "kernels",
    "train": "api",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'doldari' has no attribute {name!r}")
    return getattr(import_module(f"doldari.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*__all__, *(name for name in globals() if name.startswith("__") and name.endswith("__"))})

"""The engines that compute training and search steps: `numpy`, the default, and `torch`.

Training, search, checkpoints and model files use an engine only through `Learner` (learner.py).
Both engines use the same names and shapes of weights, so a run of one can be resumed with the other.
"""

from importlib.util import find_spec
from typing import get_args

import numpy as np

from doldari.config import Engine, TrainingConfig
from doldari.engines.averaging import MovingAverage
from doldari.engines.learner import Learner
from doldari.engines.numpy import NumpyLearner
from doldari.engines.optimizers import Adam, AdamW
from doldari.errors import ConfigError, MissingPackageError, brief
from doldari.models import Seq2seq
from doldari.models.ensemble import Ensemble
from doldari.models.inference_model import InferenceModel
from doldari.settings import check_device
from doldari.torchrun import world_size


def make_learner(settings: TrainingConfig, model: Seq2seq, dropout_rng: np.random.Generator) -> Learner:
    """Make the learner for the settings; ConfigError where this machine cannot run it."""
    if settings.engine == "torch":
        require_torch()
        from doldari.engines.torch.learner import TorchLearner
        from doldari.engines.torch.processes import this_process

        return TorchLearner(model, settings, dropout_rng, this_process())
    if world_size() > 1:
        raise ConfigError("{engine}: trains in one process, not under torchrun; choose torch", engine="numpy")
    rate, decay = settings.learning_rate, settings.weight_decay
    return NumpyLearner(
        model,
        AdamW(rate, weight_decay=decay) if decay else Adam(rate),
        dropout_rng=dropout_rng,
        average=MovingAverage(model.parameters.values, settings.ema) if settings.ema else None,
    )


def model_on(model: InferenceModel, engine: str, device: str) -> InferenceModel:
    """Move a model to an engine and device; ConfigError where this machine lacks the device."""
    if engine not in get_args(Engine):
        raise ConfigError(f"{{engine}}: must be one of {', '.join(get_args(Engine))}", engine=brief(engine))
    check_device(engine, device)
    if engine == "numpy":
        return model
    require_torch()
    from doldari.engines.torch.inference_model import model_on_device

    members = model.members if isinstance(model, Ensemble) else [model]
    placed = [model_on_device(member, device) for member in members if isinstance(member, Seq2seq)]
    return Ensemble(placed) if len(placed) > 1 else placed[0]


def require_torch() -> None:
    """Raise MissingPackageError if PyTorch is not installed."""
    if find_spec("torch") is None:
        raise MissingPackageError("engine=torch: needs PyTorch; install it with: pip install 'doldari[torch]'")

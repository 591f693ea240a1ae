"""Ensembles: the same model trained from several seeds, its members joined into one."""

from collections.abc import Iterator, Sequence

from doldari.config import Config, seconds
from doldari.inference.predictor import Predictor
from doldari.models.ensemble import Ensemble
from doldari.training.run import Run


def member_configs(config: Config) -> Iterator[Config]:
    """Yield the settings of each member: the next seed, and an equal share of the budget."""
    K = config.model.ensemble
    for number in range(K):
        member = config.replace(ensemble=1, seed=config.training.seed + number)
        if config.training.budget is not None and K > 1:
            member = member.replace(budget=f"{max(seconds(config.training.budget) / K, 0.01):.2f}s")
        yield member


def join(runs: Sequence[Run]) -> Predictor:
    """Make one model of the trained members."""
    text_model = runs[0].predictor.text_model
    if len(runs) == 1:
        return runs[0].predictor
    config = runs[0].config.replace(ensemble=len(runs)).model
    return Predictor(text_model._replace(model=Ensemble([run.trainer.model for run in runs]), config=config))

"""Trainings that differ in a few settings, to be compared: what varies, and a run for each, kept and resumed.

A `Variant` is a recipe, or none, and settings; `variants` makes all combinations of what varies.  `finished_run`
trains one with one seed in a directory of its own, goes on with it if it was stopped, and leaves what is finished.
"""

import dataclasses
import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from doldari.config import ModelConfig, TrainingConfig
from doldari.errors import ConfigError
from doldari.recipes import load_recipe
from doldari.settings import value_of, with_todays_names
from doldari.training.directory import NoClaim, RunDirectory
from doldari.training.plan import Plan, Request, checked_settings, chosen_settings, differences, new_plan, planned
from doldari.training.record import read_record
from doldari.training.train import Trained

KINDS = (ModelConfig, TrainingConfig)
FIELDS = {item.name: item for kind in KINDS for item in dataclasses.fields(kind)}
TrainPlanned = Callable[[Plan, RunDirectory], Trained]


class Variant(NamedTuple):
    """What one of the compared trainings has of its own."""

    recipe: str | None
    settings: dict[str, Any]

    @property
    def name(self) -> str:
        """Name it by what varies: `decoder=peeky dropout=0.1`."""
        own = {"recipe": self.recipe} if self.recipe else {}
        return " ".join(f"{name}={shown(value)}" for name, value in (own | self.settings).items())

    def place(self, seed: int) -> str:
        """Name the directory of its run with a seed."""
        return f"{self.name.replace(' ', ',').replace('/', '-') or 'run'},seed={seed}"


def variants(vary: Sequence[str]) -> list[Variant]:
    """Combine what varies: of `decoder=attention,peeky` and `recipe=g2p,general` four; of nothing one.

    ConfigError for a name that is no setting, or a value that it cannot have.
    """
    choices: dict[str, list[Any]] = {}
    for one in vary:
        name, equals, values = one.partition("=")
        name = next(iter(with_todays_names({name.removeprefix("--").replace("-", "_"): None}, *KINDS)))
        if not equals or not values or (name != "recipe" and name not in FIELDS) or name in (*choices, "mix"):
            known = (
                "a setting and its values, such as decoder=attention,peeky or recipe=g2p,general, each setting once"
            )
            raise ConfigError(f"{{vary}}: must be {known}", vary=one)
        if name == "seed":
            raise ConfigError("{vary}: seeds are the same for all; give their number ({seeds})", vary=one, seeds=3)
        choices[name] = [typed_value(name, text) for text in values.split(",")]
    made = []
    for chosen in itertools.product(*choices.values()):
        settings = dict(zip(choices, chosen, strict=True))
        made.append(Variant(settings.pop("recipe", None), settings))
    return made


def typed_value(name: str, text: str) -> Any:
    """Read the value of a setting, or the name of a recipe; whether it is one that it may have is checked later."""
    if name == "recipe":
        load_recipe(text)
        return text
    try:
        return value_of(FIELDS[name], text)
    except ValueError as error:
        raise ConfigError(f"{{vary}}: {error}", vary=f"{name}={text}") from error


def shown(value: Any) -> str:
    """Write a value as one types it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def finished_run(request: Request, train: TrainPlanned) -> Trained | None:
    """Train what is asked for in `request.out`, or go on with it; None where it is finished already.

    ConfigError where another training is there: with other settings, or on other data.
    """
    path = Path(str(request.out))
    record = None if request.overwrite else read_record(RunDirectory(NoClaim(path)))
    if record is not None and request.data is not None:
        plan = new_plan(request, request.data, chosen_settings(request, request.data))
        for what, now, before in differences(plan.config, record.get("settings", {})):
            raise ConfigError(
                f"{path}: was trained with {what} {before}, not {now}; choose another {{out}}, or use {{overwrite}}",
                out=None,
                overwrite=None,
            )
        plan.data.check_unchanged(record["data"])
        if record.get("status") == "finished":
            return None
        data = request.data if record["reading"].get("data") is None else None
        held_out = request.validation if data is not None else None
        request = Request(command=request.command, resume=path, data=data, validation=held_out)
    with planned(request) as (plan, directory):
        return train(plan, directory)


def request_of(request: Request, variant: Variant) -> Request:
    """Put a variant's recipe and settings into what all have; ConfigError for what is there twice, or wrong."""
    given = with_todays_names(request.settings, *KINDS) | ({"recipe": request.recipe} if request.recipe else {})
    for name in [*variant.settings, *(["recipe"] if variant.recipe else [])]:
        if name in given:
            raise ConfigError(f"{{{name}}}: varies already ({{vary}})", **{name: given[name], "vary": name})
    recipe, settings = variant.recipe or request.recipe, request.settings | variant.settings
    if recipe is None:
        checked_settings(settings)
    else:
        load_recipe(recipe).replace(**settings)
    return dataclasses.replace(request, recipe=recipe, settings=settings)

"""Ensembles whose members differ in their settings: `--ensemble 5 --mix decoder=attention,pointer`.

`mix` lists settings and the values that they take in turn, all combinations of them one after another:
with decoder=attention,pointer and right-to-left=no,yes the members are

    1  attention         2  attention, right to left         3  pointer         4  pointer, right to left

and the fifth is as the first again, with another seed.  A recipe's mix holds where it is trained as an ensemble.
"""

import dataclasses
import itertools
from collections.abc import Container
from typing import TYPE_CHECKING, Any

from doldari.errors import ConfigError
from doldari.settings import OF_MODEL, OF_TRANSFORMERS, about, value_of

if TYPE_CHECKING:
    from doldari.config import Config, ModelConfig

# Of a training, what may differ between members beside the model: how it learns, not its data, length or computer.
OF_TRAINING = (
    *("batch_size", "bucketing", "learning_rate", "schedule", "warmup", "weight_decay", "max_grad_norm"),
    *("dropout", "label_smoothing", "ema"),
)
EXAMPLE = "such as decoder=attention,pointer or right-to-left=no,yes"


def members(config: "Config") -> "list[Config]":
    """Return the settings of every member, those of the first seed all; ConfigError for a mix that cannot be."""
    every, count = combinations(config), config.model.ensemble
    if count < len(every):
        raise ConfigError(
            f"{{mix}}: its {len(every)} combinations need at least {{ensemble}}",
            mix=" ".join(config.training.mix),
            ensemble=len(every),
        )
    different = [changed(config, chosen) for chosen in every]
    return [different[number % len(different)] for number in range(count)]


def kinds(config: "Config") -> "list[ModelConfig]":
    """Return the model settings of each kind of members, `ensemble` being how many of them there are."""
    models = [member.model for member in members(config)]
    return [dataclasses.replace(one, ensemble=models.count(one)) for one in dict.fromkeys(models)]


def differing(config: "Config", member: int) -> str:
    """Say what a member, numbered from 1, has by the mix: right-to-left=no; nothing without one."""
    every = combinations(config)
    chosen = every[(member - 1) % len(every)]
    values = {name: ("no", "yes")[value] if isinstance(value, bool) else value for name, value in chosen.items()}
    return ", ".join(f"{name.replace('_', '-')}={value}" for name, value in values.items())


def combinations(config: "Config") -> list[dict[str, Any]]:
    """Combine the values of a mix; without one there is one combination, of nothing."""
    fields = {
        item.name: item
        for item in (*dataclasses.fields(config.model), *dataclasses.fields(config.training))
        if item.name in OF_TRAINING or (item.name in vars(config.model) and item.name != "ensemble")
    }
    names = {other: name for name, item in fields.items() for other in (name, *about(item).other_names)}
    values: dict[str, list[Any]] = {}
    for one in config.training.mix:
        _, equals, listed = one.partition("=")
        name = names.get(setting_of(one))
        if not equals or not listed or name is None or name in values:
            what = f"must be a setting in which members may differ and its values, {EXAMPLE}; each setting once"
            raise ConfigError(f"{{mix}}: {what}", mix=one)
        try:
            values[name] = [value_of(fields[name], text) for text in listed.split(",")]
        except ValueError as error:
            raise ConfigError(f"{{mix}}: {error}", mix=one) from error
    return [dict(zip(values, chosen, strict=True)) for chosen in itertools.product(*values.values())]


def setting_of(one: str) -> str:
    """Name the setting of one part of a mix, as it is typed or as in a file."""
    return one.partition("=")[0].removeprefix("--").replace("-", "_")


def without(mix: tuple[str, ...], given: Container[str]) -> tuple[str, ...]:
    """Leave out of a mix the settings that are given: they are the same for all members."""
    return tuple(one for one in mix if setting_of(one) not in given)


def changed(config: "Config", chosen: dict[str, Any]) -> "Config":
    """Return the settings of one member; what only another type of model has falls back to its default."""
    model = {name: value for name, value in chosen.items() if name not in OF_TRAINING}
    kind = model.get("model", config.model.model)
    if kind != config.model.model:
        defaults = {item.name: item.default for item in dataclasses.fields(config.model)}
        model = {name: defaults[name] for one, names in OF_MODEL.items() if one != kind for name in names} | model
        if kind == "transformer" and config.model.decoder not in OF_TRANSFORMERS:
            model = {"decoder": defaults["decoder"]} | model
    training = {name: value for name, value in chosen.items() if name in OF_TRAINING}
    return dataclasses.replace(
        config,
        model=dataclasses.replace(config.model, ensemble=1, **model),
        training=dataclasses.replace(config.training, mix=(), **training),
    )

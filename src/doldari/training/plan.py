"""What a training starts from, as every door gives it: new settings and data, or those of a run that was stopped."""

from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

from doldari.config import Config
from doldari.data.formats import Reading
from doldari.errors import ConfigError
from doldari.recipes import RECIPES, load_recipe
from doldari.training.data import Texts, TrainingData, file_names, read_again, read_training_data
from doldari.training.directory import CONFIG_FILE, RECORD_FILE, RunDirectory
from doldari.training.finetune import Base, base_of_record, load_base, settings_besides, with_model_of
from doldari.training.record import read_record

# Settings that a resumed run may be given anew: how long it goes on, and what computes it.
LONGER = ("epochs", "budget", "patience", "checkpoint_every", "engine", "device", "precision", "accumulate")


class Plan(NamedTuple):
    """Settings, data, the model to start from if any, and the command that asked."""

    config: Config
    data: TrainingData
    command: list[str]
    base: Base | None = None


def new_plan(
    data: Texts,
    validation: Texts | None = None,
    *,
    settings: dict[str, Any],
    recipe: str | None = None,
    config_file: Path | None = None,
    start_from: str | PathLike[str] | None = None,
    reading: Reading | None = None,
    command: list[str],
) -> Plan:
    """Choose settings and read data: those of a recipe or a file, or that suit the data, changed by `settings`.

    With start_from, the model's own settings are those of that model.
    """
    if start_from is None:
        base, config = None, choose_settings(data, recipe, config_file, settings)
    else:
        base = load_base(Path(start_from))
        config = with_model_of(base, choose_settings(data, recipe, config_file, settings_besides(base, settings)))
    return Plan(config, read_training_data(data, validation, reading), command, base)


def choose_settings(data: Texts, recipe: str | None, path: Path | None, settings: dict[str, Any]) -> Config:
    """Take the settings of a recipe or a file, or those that suit the data, and change what is given."""
    if recipe is not None and path is not None:
        raise ConfigError(f"recipe={recipe} and config={path}: give one of them")
    if path is not None:
        base = Config.from_toml(path)
    else:
        base = load_recipe(recipe or next((name for name in file_names(data) or () if name in RECIPES), "general"))
    return base.replace(**settings)


def resumed_plan(
    directory: RunDirectory,
    data: Texts | None = None,
    validation: Texts | None = None,
    *,
    settings: dict[str, Any],
    command: list[str],
) -> Plan:
    """Take settings and data of a run that was stopped; `settings` may make it longer, nothing else.

    data and validation are only needed where they were in no file.  DataError where they have changed since.
    """
    record = read_record(directory)
    if record is None or not directory.exists(CONFIG_FILE):
        missing = CONFIG_FILE if record is not None else RECORD_FILE
        raise ConfigError(f"{directory.shown}: holds no run to resume: no {missing} there, or not a whole one")
    for name in settings:
        if name not in LONGER:
            raise ConfigError(f"{name}: cannot be changed when a run is resumed; only {', '.join(LONGER)} can")
    config = Config.from_toml(directory.path / CONFIG_FILE).replace(**settings)
    read = read_again(record["reading"], data, validation)
    read.check_unchanged(record["data"])
    return Plan(config, read, command, base_of_record(record["from"]))

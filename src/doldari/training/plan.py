"""The start of every training: a `Request` becomes a `Plan` and a claimed directory.

It is a new run, from settings and data, or a stopped run that is resumed with its own.
"""

import dataclasses
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

from doldari.config import Config, ModelConfig, TrainingConfig
from doldari.data.formats import Reading
from doldari.errors import ConfigError
from doldari.recipes import RECIPES, load_recipe
from doldari.run_files import CONFIG_FILE, RECORD_FILE
from doldari.settings import from_table, with_todays_names
from doldari.training.data import Texts, TrainingData, file_names, read_again, read_training_data
from doldari.training.directory import RunDirectory, claim
from doldari.training.finetune import Base, base_of_record, load_base, settings_besides, with_model_of
from doldari.training.read_shards import read_stream
from doldari.training.record import FORMAT, read_record

# Settings that can be changed when a run is resumed: its length, and what computes it.
LONGER = ("epochs", "budget", "patience", "checkpoint_every", "engine", "device", "precision", "accumulate")


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request to train; None is a value not given.  Without `out` nothing is saved."""

    command: list[str]
    data: Texts | None = None
    validation: Texts | None = None
    reading: Reading = field(default_factory=Reading)
    settings: dict[str, Any] = field(default_factory=dict)
    recipe: str | None = None
    config: Path | None = None
    start_from: str | PathLike[str] | None = None
    out: str | PathLike[str] | None = None
    overwrite: bool = False
    resume: str | PathLike[str] | None = None


class Plan(NamedTuple):
    """Settings, data, the command, the model to start from if any, and whether a run is resumed."""

    config: Config
    data: TrainingData
    command: list[str]
    base: Base | None = None
    resume: bool = False


@contextmanager
def planned(request: Request) -> Iterator[tuple[Plan, RunDirectory]]:
    """Choose settings, claim the directory and read data; the directory is locked during the `with` block."""
    if request.resume is not None:
        refuse_besides_resume(request)
        with claim(Path(request.resume), resume=True) as directory:
            yield resumed_plan(request, directory), directory
    elif request.data is None:
        raise ConfigError("data: give pairs, a file of pairs, or a built-in task; or a run to resume")
    elif request.out is None:
        chosen = chosen_settings(request, request.data)
        with tempfile.TemporaryDirectory() as scratch, claim(Path(scratch) / "run") as directory:
            yield new_plan(request, request.data, *chosen), directory
    elif not str(request.out):
        raise ConfigError("out: must be the name of a directory, and is empty")
    else:
        chosen = chosen_settings(request, request.data)
        with claim(Path(request.out), overwrite=request.overwrite) as directory:
            yield new_plan(request, request.data, *chosen), directory


def chosen_settings(request: Request, data: Texts) -> tuple[Config, Base | None]:
    """Choose the settings; with a model to start from, the model settings are those of that model."""
    settings = with_todays_names(request.settings, ModelConfig, TrainingConfig)
    if request.start_from is None:
        return choose_settings(data, request.recipe, request.config, settings), None
    base = load_base(Path(request.start_from))
    besides = settings_besides(base, settings)
    return with_model_of(base, choose_settings(data, request.recipe, request.config, besides)), base


def new_plan(request: Request, data: Texts, config: Config, base: Base | None) -> Plan:
    """Read the data for settings that have been chosen."""
    read = reader(config)(data, request.validation, request.reading)
    return Plan(config, read, request.command, base)


def reader(config: Config) -> Callable[[Texts, Texts | None, Reading], TrainingData]:
    """Choose what reads the data: all at once, or as a stream of shards."""
    return partial(read_stream, config=config) if config.training.stream else read_training_data


def choose_settings(data: Texts, recipe: str | None, path: Path | None, settings: dict[str, Any]) -> Config:
    """Return the settings of a recipe or a file, or those that suit the data, with the given ones changed."""
    if recipe is not None and path is not None:
        raise ConfigError("{recipe}, {config}: give one of the two", recipe=recipe, config=path)
    if path is not None:
        base = Config.from_toml(path)
    else:
        named = "transformer" if settings.get("model") == "transformer" else None
        of_task = next((name for name in file_names(data) or () if name in RECIPES), "general")
        base = load_recipe(recipe or named or of_task)
    return base.replace(**settings)


def refuse_besides_resume(request: Request) -> None:
    """Raise ConfigError for settings that a resumed run already has."""
    given = {
        "out": request.out,
        "overwrite": request.overwrite or None,
        "recipe": request.recipe,
        "config": request.config,
        "start_from": request.start_from,
    }
    for name, value in (given | vars(request.reading)).items():
        if value is not None:
            raise ConfigError(
                f"{{{name}}}: cannot be combined with {{resume}}; the run has its own", **{name: None, "resume": None}
            )
    for name in with_todays_names(request.settings, ModelConfig, TrainingConfig):
        if name not in LONGER:
            longer = ", ".join(f"{{{one}}}" for one in LONGER)
            raise ConfigError(
                f"{{{name}}}: cannot be changed when a run is resumed; only {longer} can",
                **dict.fromkeys((name, *LONGER)),
            )


def resumed_plan(request: Request, directory: RunDirectory) -> Plan:
    """Plan a resumed run from its own settings and data; the request can only make it longer.

    The request's data are needed only if they were not in a file, or have moved.  DataError where they have
    changed since.
    """
    record = checked_record(directory)
    config = Config.from_toml(directory.path / CONFIG_FILE)
    for what, now, before in differences(config, record["settings"]):
        if what not in LONGER:
            raise ConfigError(
                f"{directory.shown / CONFIG_FILE}: {what} is {now}, but was {before} when the run began; "
                "restore that, or start a new run"
            )
    read = read_again(record["reading"], request.data, request.validation, reader(config))
    read.check_unchanged(record["data"])
    base = base_of_record(record["from"])
    return Plan(config.replace(**request.settings), read, request.command, base, resume=True)


def checked_record(directory: RunDirectory) -> dict[str, Any]:
    """Read the record of a run to resume; ConfigError where there is none, or one of another version."""
    record = read_record(directory)
    if record is None or not directory.exists(CONFIG_FILE):
        missing = RECORD_FILE if record is None else CONFIG_FILE
        inside = sorted(path.parent.name for path in directory.shown.glob(f"*/{RECORD_FILE}"))
        hint = f"; the runs in it: {', '.join(inside)}" if inside else ""
        raise ConfigError(f"{directory.shown}: no run to resume: {missing} is missing or damaged{hint}")
    data = record.get("data")
    whole = (
        record.get("format") == FORMAT
        and isinstance(data, list)
        and len(data) == 2
        and all(isinstance(part, dict) and isinstance(part.get("sha256"), str) for part in data)
        and all(isinstance(record.get(name), dict) for name in ("reading", "settings"))
    )
    if not whole:
        raise ConfigError(
            f"{directory.shown / RECORD_FILE}: not what this version of doldari writes; start a new run"
        )
    return record


def differences(config: Config, before: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Yield the settings that are not those of a record: name, value now, value then."""
    for now, kind, table in (
        (config.model, ModelConfig, before.get("model")),
        (config.training, TrainingConfig, before.get("training")),
    ):
        then = from_table(kind, table or {})
        for item in dataclasses.fields(kind):
            values = getattr(now, item.name), getattr(then, item.name)
            if values[0] != values[1]:
                yield item.name, *values

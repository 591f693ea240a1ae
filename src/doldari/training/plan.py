"""The start of every training: a `Request` becomes a `Plan` and a claimed directory.

It is a new run, from settings and data, or a stopped run that is resumed with its own.
"""

import dataclasses
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

from doldari.config import Config, ModelConfig, TrainingConfig
from doldari.data import TASKS
from doldari.data.formats import Reading
from doldari.data.pairs import Pairs, SplitBy
from doldari.data.traits import traits
from doldari.errors import ConfigError
from doldari.recipes import RECIPES, load_recipe
from doldari.recipes.choice import Choice, choose
from doldari.run_files import CONFIG_FILE, RECORD_FILE
from doldari.settings import from_table, with_todays_names
from doldari.training.data import Texts, TrainingData, file_names, read_again, read_training_data, split_of
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
    split_by: SplitBy | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    recipe: str | None = None
    config: Path | None = None
    start_from: str | PathLike[str] | None = None
    out: str | PathLike[str] | None = None
    overwrite: bool = False
    resume: str | PathLike[str] | None = None


class Plan(NamedTuple):
    """Settings, data, the command, the model to start from if any, and whether a run is resumed.

    recipe is the one that the settings are from; None where they are from a file, a model or a run.
    """

    config: Config
    data: TrainingData
    command: list[str]
    base: Base | None = None
    resume: bool = False
    recipe: Choice | None = None


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
            yield new_plan(request, request.data, chosen), directory
    elif not str(request.out):
        raise ConfigError("out: must be the name of a directory, and is empty")
    else:
        chosen = chosen_settings(request, request.data)
        with claim(Path(request.out), overwrite=request.overwrite) as directory:
            yield new_plan(request, request.data, chosen), directory


class Chosen(NamedTuple):
    """Settings, the model to start from and the recipe; by_data: what was given, where the data choose the recipe."""

    config: Config
    base: Base | None = None
    recipe: Choice | None = None
    by_data: dict[str, Any] | None = None


def chosen_settings(request: Request, data: Texts) -> Chosen:
    """Choose the settings; with a model to start from, the model settings are those of that model."""
    settings = with_todays_names(request.settings, ModelConfig, TrainingConfig)
    of_task = any(name in TASKS for name in file_names(data) or ())
    if request.start_from is not None:
        base = load_base(Path(request.start_from))
        besides = settings_besides(base, settings)
        return Chosen(with_model_of(base, choose_settings(data, request.recipe, request.config, besides)), base)
    if request.config is not None:
        return Chosen(choose_settings(data, request.recipe, request.config, settings))
    if request.recipe or is_transformer(settings) or of_task or settings.get("stream"):
        recipe = Choice(recipe_of(data, request.recipe, settings))
        return Chosen(choose_settings(data, request.recipe, None, settings), recipe=recipe)
    return Chosen(checked_settings(settings), by_data=settings)


def checked_settings(settings: dict[str, Any]) -> Config:
    """Refuse, before data are read, settings that go with no recipe that may be chosen for them."""
    for recipe in ("inflection", "g2p", "translation"):
        with suppress(ConfigError):
            return load_recipe(recipe).replace(**settings)
    return load_recipe("general").replace(**settings)


def new_plan(request: Request, data: Texts, chosen: Chosen) -> Plan:
    """Read the data for settings that have been chosen, or choose the recipe by them."""
    config, recipe = chosen.config, chosen.recipe
    read = reader(config, request.split_by)(data, request.validation, request.reading)
    if chosen.by_data is not None and isinstance(read.training, Pairs):
        recipe, config = chosen_for(read.training, chosen.by_data)
    return Plan(config, read, request.command, chosen.base, recipe=recipe)


def chosen_for(pairs: Pairs, settings: dict[str, Any]) -> tuple[Choice, Config]:
    """Choose the recipe that suits the pairs; or, where the settings given do not go with it, the defaults."""
    choice = choose(traits(pairs))
    try:
        return choice, load_recipe(choice.recipe).replace(**settings)
    except ConfigError:
        why = f"{choice.recipe}, which would suit the data, does not go with the options given"
        return Choice("general", why), load_recipe("general").replace(**settings)


def recipe_of(data: Texts, given: str | None, settings: dict[str, Any]) -> str:
    """Name the recipe that was given, or a transformer's if one is asked for, or a built-in task's, or general."""
    of_model = "transformer" if is_transformer(settings) else None
    return given or of_model or next((name for name in file_names(data) or () if name in RECIPES), "general")


def is_transformer(settings: dict[str, Any]) -> bool:
    """Say whether a transformer is asked for, which has a recipe of its own."""
    return settings.get("model") == "transformer"


def reader(config: Config, split_by: SplitBy | None) -> Callable[[Texts, Texts | None, Reading], TrainingData]:
    """Choose what reads the data: all at once, or as a stream of shards."""
    if not config.training.stream:
        return partial(read_training_data, split_by=split_by)
    if split_by is not None:
        raise ConfigError("{split_by}: cannot be combined with {stream}", split_by=split_by, stream=True)
    return partial(read_stream, config=config)


def choose_settings(data: Texts, recipe: str | None, path: Path | None, settings: dict[str, Any]) -> Config:
    """Return the settings of a recipe or a file, or of a built-in task, with the given ones changed."""
    if recipe is not None and path is not None:
        raise ConfigError("{recipe}, {config}: give one of the two", recipe=recipe, config=path)
    base = load_recipe(recipe_of(data, recipe, settings)) if path is None else Config.from_toml(path)
    return base.replace(**settings)


def refuse_besides_resume(request: Request) -> None:
    """Raise ConfigError for settings that a resumed run already has."""
    given = {
        "out": request.out,
        "overwrite": request.overwrite or None,
        "recipe": request.recipe,
        "config": request.config,
        "start_from": request.start_from,
        "split_by": request.split_by,
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
    # A kill may have struck between the record, which is written first, and the settings' own file.
    has_file = directory.exists(CONFIG_FILE)
    config = Config.from_toml(directory.path / CONFIG_FILE) if has_file else recorded_config(record["settings"])
    for what, now, before in differences(config, record["settings"]):
        if what not in LONGER:
            raise ConfigError(
                f"{directory.shown / CONFIG_FILE}: {what} is {now}, but was {before} when the run began; "
                "restore that, or start a new run"
            )
    read = read_again(
        record["reading"], request.data, request.validation, reader(config, split_of(record["reading"]))
    )
    read.check_unchanged(record["data"])
    base = base_of_record(record["from"])
    return Plan(config.replace(**request.settings), read, request.command, base, resume=True)


def checked_record(directory: RunDirectory) -> dict[str, Any]:
    """Read the record of a run to resume; ConfigError where there is none, or one of another version."""
    record = read_record(directory)
    if record is None:
        inside = sorted(path.parent.name for path in directory.shown.glob(f"*/{RECORD_FILE}"))
        hint = f"; the runs in it: {', '.join(inside)}" if inside else ""
        raise ConfigError(f"{directory.shown}: no run to resume: {RECORD_FILE} is missing or damaged{hint}")
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


def recorded_config(settings: dict[str, Any]) -> Config:
    """Read the settings of a record."""
    tables = settings.get("model") or {}, settings.get("training") or {}
    return Config(model=from_table(ModelConfig, tables[0]), training=from_table(TrainingConfig, tables[1]))


def differences(config: Config, before: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Yield the settings that are not those of a record: name, value now, value then."""
    then = recorded_config(before)
    for ours, theirs in ((config.model, then.model), (config.training, then.training)):
        for item in dataclasses.fields(ours):
            values = getattr(ours, item.name), getattr(theirs, item.name)
            if values[0] != values[1]:
                yield item.name, *values

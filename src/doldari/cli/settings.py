"""The settings of `config` as options of the command line, and options as users type them."""

import dataclasses
import inspect
import sys
from collections.abc import Callable
from types import UnionType
from typing import Any, Literal, get_args, get_origin

import typer

from doldari.config import ModelConfig, TrainingConfig
from doldari.settings import about

FIELDS = {item.name: item for kind in (ModelConfig, TrainingConfig) for item in dataclasses.fields(kind)}


def option_of(name: str) -> str:
    """Write a setting's name as an option: `--hidden-size`."""
    return "--" + name.replace("_", "-")


# Options of before, which still work but are in no help.
FORMER = {"--beam", *(option_of(name) for item in FIELDS.values() for name in about(item).former)}
# The options as typed for an argument's name.
TYPED = {
    "beam": ["--beam-size", "--beam"],
    "beam_size": ["--beam-size", "--beam"],
    "columns": ["--source-column", "--target-column", "--features-column"],
    "out": ["--out", "-o"],
    "output": ["--output", "-o"],
    "start_from": ["--from"],
} | {name: [option_of(one) for one in (name, *about(item).other_names)] for name, item in FIELDS.items()}


def with_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Replace the `**settings` of a command by an option for every setting; None means not given."""
    signature = inspect.signature(command)
    own = [parameter for parameter in signature.parameters.values() if parameter.kind is not parameter.VAR_KEYWORD]
    options = [option(item) for item in FIELDS.values()]
    command.__signature__ = signature.replace(parameters=own + options)  # type: ignore[attr-defined]
    return command


def option(item: dataclasses.Field[Any]) -> inspect.Parameter:
    """Make the option of one setting, in its group; hidden if it is not basic."""
    told, kind = about(item), item.type
    names = TYPED[item.name]
    if get_origin(kind) is tuple:
        kind = list[str]
    if kind is bool:
        names = [f"{name}/--no-{name[2:]}" for name in names]
    info = typer.Option(
        None,
        *names,
        help=told.help,
        metavar=None if kind is bool else metavar(item.name, kind),
        show_default=shown(item.default),
        rich_help_panel=told.group,
        hidden=not told.basic,
    )
    annotation: Any = kind
    return inspect.Parameter(item.name, inspect.Parameter.KEYWORD_ONLY, default=info, annotation=annotation | None)


def metavar(name: str, kind: Any) -> str:
    """Return the metavar of an option: its choices, N for an integer, X for a float, DEVICE, or TIME."""
    if isinstance(kind, UnionType):
        kind = get_args(kind)[0]
    if get_origin(kind) is Literal:
        return "|".join(get_args(kind))
    if get_origin(kind) is list:
        return "SETTING=VALUE,VALUE"
    return {int: "N", float: "X"}.get(kind, "DEVICE" if name == "device" else "TIME")


def shown(default: Any) -> str | bool:
    """Write a default for the help; False for none."""
    if default is None or default == ():
        return False
    if isinstance(default, bool):
        return "yes" if default else "no"
    return f"{default:g}" if isinstance(default, float) else str(default)


def as_option(name: str, value: object) -> str:
    """Write a setting and its value as an option, by the name that was typed, if any: `--epochs 0`, `--no-tie`."""
    names = TYPED.get(name, [option_of(name)])
    typed = next((one for one in names if any(word.split("=")[0] == one for word in sys.argv)), names[0])
    if value is True or value is None:
        return typed
    if isinstance(value, float):
        value = f"{value:g}"
    return f"--no-{typed[2:]}" if value is False else f"{typed} {value}"

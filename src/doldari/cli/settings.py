"""The settings of `config` as options of the command line: one each, from its type, default and help text."""

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any

import typer

from doldari.config import ModelConfig, TrainingConfig

PANELS = {"Training": TrainingConfig, "Model": ModelConfig}


def with_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command, in place of its `**settings`, an option for every setting; None is one that was not given."""
    signature = inspect.signature(command)
    own = [parameter for parameter in signature.parameters.values() if parameter.kind is not parameter.VAR_KEYWORD]
    options = [option(item, panel) for panel, config in PANELS.items() for item in dataclasses.fields(config)]
    command.__signature__ = signature.replace(parameters=own + options)  # type: ignore[attr-defined]
    return command


def option(item: dataclasses.Field[Any], panel: str) -> inspect.Parameter:
    """Make the option of one setting, shown among those of its panel."""
    info = typer.Option(None, help=item.metadata["help"], show_default=shown(item.default), rich_help_panel=panel)
    kind: Any = item.type
    return inspect.Parameter(item.name, inspect.Parameter.KEYWORD_ONLY, default=info, annotation=kind | None)


def shown(default: Any) -> str | bool:
    """Write a default for the help; False for none."""
    if default is None:
        return False
    if isinstance(default, bool):
        return "yes" if default else "no"
    return f"{default:g}" if isinstance(default, float) else str(default)

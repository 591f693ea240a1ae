"""How settings are declared, checked, and read from TOML; the settings themselves are in config.py."""

import dataclasses
import difflib
import math
import re
import tomllib
from pathlib import Path
from types import NoneType
from typing import Any, Literal, NamedTuple, get_args, get_origin

from doldari.errors import ConfigError, brief

KIND_NAMES = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}
MOST_BYTES = 20_000  # of a file of settings, which takes 1,000; tomllib needs a second for the worst of so many


Group = Literal["Data", "Model", "Training", "Regularisation", "Output"]


class About(NamedTuple):
    """What is said of a setting where it is declared.

    Numbers lie in [at_least, below); without at_least whole ones are at least 1, others greater than 0.  A basic
    setting is one that a newcomer is shown.  short is a second name; former ones are still accepted, but not shown.
    """

    help: str
    group: Group
    basic: bool = False
    at_least: float | None = None
    below: float = math.inf
    short: str | None = None
    former: tuple[str, ...] = ()

    @property
    def other_names(self) -> tuple[str, ...]:
        """All names that stand for the setting beside its own."""
        return self.former if self.short is None else (self.short, *self.former)


def setting(default: Any, help: str, group: Group, **more: Any) -> Any:
    """Declare a setting; `more` is what else `About` has."""
    return dataclasses.field(default=default, metadata={"about": About(help, group, **more)})


def about(item: "dataclasses.Field[Any]") -> About:
    """Give what is said of a setting."""
    told: About = item.metadata["about"]
    return told


def with_todays_names(given: dict[str, Any], *kinds: type[Any]) -> dict[str, Any]:
    """Put in the place of short and former names those that the settings have; ConfigError where both are given."""
    names = {
        other: item.name for kind in kinds for item in dataclasses.fields(kind) for other in about(item).other_names
    }
    renamed: dict[str, Any] = {}
    for name, value in given.items():
        today = names.get(name, name)
        if today in renamed or (today != name and today in given):
            raise ConfigError(f"{{{today}}}: given twice, also as {name}", **{today: None})
        renamed[today] = value
    return renamed


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file; ConfigError where that fails, or where it is too large to be one of settings."""
    try:
        with open(path, "rb") as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise ConfigError(f"{path}: more than {MOST_BYTES:,} bytes: no file of settings")
        text = content.decode("utf-8-sig")
        return tomllib.loads(text.replace("\r\n", "\n").replace("\r", "\n"))
    except OSError as error:
        reason = error.strerror
    except UnicodeDecodeError:
        reason = "not UTF-8"
    except RecursionError:
        reason = "nested too deeply"
    except ValueError as error:  # of TOML, or of a number with too many digits
        reason = str(error)
    raise ConfigError(f"{path}: cannot be read as TOML: {written(reason, 200)}")


def from_table(kind: type[Any], table: dict[str, Any]) -> Any:
    """Make a dataclass of settings, of the given kind, of a table of names and values; unknown names are refused."""
    if not isinstance(table, dict):
        raise ConfigError(f"{brief(table)}: must be a table of settings")
    table = with_todays_names(table, kind)
    require_known(table, tuple(item.name for item in dataclasses.fields(kind)), "setting")
    return kind(**table)


def require_known(given: dict[str, Any], known: tuple[str, ...], what: str) -> None:
    """Refuse a name that is not known, with the nearest that is."""
    for name in given:
        if name not in known:
            nearest = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {nearest[0]}?" if nearest else f"known: {', '.join(known)}"
            raise ConfigError(f"{written(name)}: no such {what}; {hint}")


def check(config: Any) -> None:
    """Refuse a value of a dataclass of settings that has the wrong type or is out of range."""
    for item in dataclasses.fields(config):
        name, value = item.name, getattr(config, item.name)
        kind: Any = item.type
        if get_origin(kind) is Literal:
            if type(value) is not str or value not in get_args(kind):
                raise refused(name, written(value), f"must be one of {', '.join(get_args(kind))}")
            continue
        if NoneType in get_args(kind):
            if value is None:
                continue
            kind = get_args(kind)[0]
        if kind is float and type(value) is int and abs(value) < 2**53:
            value = float(value)
            object.__setattr__(config, name, value)
        if type(value) is not kind:
            raise refused(name, brief(value), f"must be {KIND_NAMES[kind]}")
        if kind in (int, float):
            check_range(name, value, about(item).at_least, about(item).below)


def check_applies(config: Any, models: dict[str, tuple[str, ...]]) -> None:
    """Refuse a setting that only other models than `config.model` have; models names those of each."""
    defaults = {item.name: item.default for item in dataclasses.fields(config)}
    for model, names in models.items():
        for name in names if model != config.model else ():
            value = getattr(config, name)
            if value != defaults[name]:
                raise ConfigError(f"{{{name}}}: needs {{model}}", **{name: value, "model": model})


def check_range(name: str, value: float, at_least: float | None, below: float) -> None:
    """Refuse a number out of its range, which is as in `setting`."""
    if isinstance(value, int):
        lowest, highest = 1 if at_least is None else int(at_least), min(below, 2**31)
        if not lowest <= value < highest:
            raise refused(name, brief(value), f"must be at least {lowest}, and below {highest:,}")
    else:
        low_enough = "finite" if below == math.inf else f"below {below:g}"
        high_enough = "greater than 0" if at_least is None else f"at least {at_least:g}"
        if not (value > 0 if at_least is None else value >= at_least) or not value < below:
            raise refused(name, value, f"must be {low_enough} and {high_enough}")


def seconds(time: str, name: str = "budget") -> float:
    """Read a time, as 90s, 5m, 1.5h or 1h30m: in seconds.  `name` is the setting that an error is about."""
    number = r"(\d+(?:\.\d+)?)"
    match = re.fullmatch(f"(?:{number}h)?(?:{number}m)?(?:{number}s)?", time)
    total = (
        sum(float(part or 0) * unit for part, unit in zip(match.groups(), (3600, 60, 1), strict=True)) if match else 0
    )
    if not 0 < total < math.inf:
        raise refused(name, written(time, 500), "must be a time such as 90s, 5m or 1h30m")
    return total


def steps_or_seconds(every: str) -> tuple[float, float]:
    """Read how often a checkpoint is written: in steps, or in seconds; the other is infinite."""
    if re.fullmatch("[1-9][0-9]{0,9}", every):
        return int(every), math.inf
    try:
        return math.inf, seconds(every, "checkpoint_every")
    except ConfigError as error:
        raise ConfigError(f"{error.message}, or a number of steps such as 500", **error.settings) from error


def check_device(engine: str, device: object) -> None:
    """Refuse what is no name of a device, or of none that the engine has."""
    if not isinstance(device, str) or not re.fullmatch(r"auto|cpu|mps|cuda(:\d{1,4})?", device):
        raise refused("device", written(device), "must be auto, cpu, cuda, cuda:N or mps")
    if engine == "numpy" and device not in ("auto", "cpu"):
        raise ConfigError("{device}: needs {engine}", device=device, engine="torch")


def refused(name: str, value: object, reason: str) -> ConfigError:
    """Say why the value of a setting is refused."""
    return ConfigError(f"{{{name}}}: {reason}", **{name: value})


def written(value: object, most: int = 60) -> str:
    """Write a value for an error message; a text as it is, if that is one line and not long."""
    return value if isinstance(value, str) and value.isprintable() and len(value) <= most else brief(value)

"""Declaring settings, checking them, and reading them from TOML; the settings themselves are in config.py."""

import dataclasses
import difflib
import math
import re
import tomllib
from numbers import Integral, Real
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, NamedTuple, get_args, get_origin

from doldari.errors import ConfigError, brief

TRUTH = {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}
KIND_NAMES = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}
MOST_BYTES = 20_000  # limit for a settings file, which takes 1,000; tomllib needs up to a second for this many
# Settings of a model that only one type of model has.
OF_MODEL = {"recurrent": ("attention", "cell", "bidirectional"), "transformer": ("heads",)}
OF_TRANSFORMERS = "attention", "pointer"  # the decoders that they can have


Group = Literal["Data", "Model", "Training", "Regularisation", "Output"]


class About(NamedTuple):
    """The declaration of a setting.

    Numbers lie in [at_least, below); without at_least, integers are at least 1 and floats greater than 0.  --help
    shows basic settings, --help-all the others too.  short is a second name; former names still work but are hidden.
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
        """All other names of the setting."""
        return self.former if self.short is None else (self.short, *self.former)


def setting(default: Any, help: str, group: Group, **more: Any) -> Any:
    """Declare a setting; `more` are the other fields of `About`."""
    return dataclasses.field(default=default, metadata={"about": About(help, group, **more)})


def about(item: "dataclasses.Field[Any]") -> About:
    """Return the declaration of a setting."""
    told: About = item.metadata["about"]
    return told


def with_todays_names(given: dict[str, Any], *kinds: type[Any]) -> dict[str, Any]:
    """Replace short and former names by the current ones; ConfigError where both are given."""
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
    """Read a TOML file; ConfigError where that fails, or where it is too large for a settings file."""
    try:
        with open(path, "rb") as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise ConfigError(f"{path}: more than {MOST_BYTES:,} bytes: not a settings file")
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
    """Make a settings dataclass of the given kind from a table; unknown names are refused."""
    if not isinstance(table, dict):
        raise ConfigError(f"{brief(table)}: must be a table of settings")
    table = with_todays_names(table, kind)
    require_known(table, tuple(item.name for item in dataclasses.fields(kind)), "setting")
    return kind(**table)


def require_known(given: dict[str, Any], known: tuple[str, ...], what: str) -> None:
    """Raise ConfigError for an unknown name, and suggest the nearest known one."""
    for name in given:
        if name not in known:
            nearest = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {nearest[0]}?" if nearest else f"known: {', '.join(known)}"
            raise ConfigError(f"{written(name)}: no such {what}; {hint}")


def check(config: Any) -> None:
    """Raise ConfigError for a setting of the wrong type or out of range."""
    for item in dataclasses.fields(config):
        name, value = item.name, getattr(config, item.name)
        kind: Any = item.type
        if get_origin(kind) is Literal:
            if type(value) is not str or value not in get_args(kind):
                raise refused(name, written(value), f"must be one of {', '.join(get_args(kind))}")
            continue
        if get_origin(kind) is tuple:
            check_texts(config, name, value)
            continue
        if NoneType in get_args(kind):
            if value is None:
                continue
            kind = get_args(kind)[0]
        number = plain_number(value, kind)
        if type(number) is not type(value):
            value = number
            object.__setattr__(config, name, value)
        if type(value) is not kind:
            raise refused(name, brief(value), f"must be {KIND_NAMES[kind]}")
        if kind in (int, float):
            check_range(name, value, about(item).at_least, about(item).below)


def value_of(item: "dataclasses.Field[Any]", text: str) -> Any:
    """Read the value of a setting as one types it; ValueError, which says what it must be, for another type."""
    kind: Any = item.type
    kind = get_args(kind)[0] if isinstance(kind, UnionType) else kind
    try:
        if kind is bool:
            return TRUTH[text.lower()]
        return kind(text) if kind in (int, float) else text
    except (KeyError, ValueError) as error:
        what = {bool: "yes or no", int: "a whole number", float: "a number"}[kind]
        raise ValueError(f"must be {what}") from error


def check_texts(config: Any, name: str, value: Any) -> None:
    """Make a setting of several texts a tuple; a single text is one of them.  ConfigError for anything else."""
    texts = (value,) if isinstance(value, str) else value
    if not isinstance(texts, list | tuple) or not all(isinstance(text, str) for text in texts):
        raise refused(name, brief(value), "must be a list of texts")
    object.__setattr__(config, name, tuple(texts))


def plain_number(value: Any, kind: type[Any]) -> Any:
    """Turn another kind of number, such as NumPy's, into the int or float that a setting has; others stay."""
    if isinstance(value, bool):
        return value
    if kind is int and isinstance(value, Integral):
        return int(value)
    if kind is float and type(value) is not float and isinstance(value, Real):
        return float(value) if not isinstance(value, Integral) or abs(int(value)) < 2**53 else value
    return value


def check_model(config: Any) -> None:
    """Refuse settings that only other types of model than `config.model` have, and heads that do not fit."""
    defaults = {item.name: item.default for item in dataclasses.fields(config)}
    refuse_of_others({name: value for name, value in vars(config).items() if value != defaults[name]}, config.model)
    if config.model == "transformer" and config.decoder not in OF_TRANSFORMERS:
        raise ConfigError("{decoder}: needs {model}", decoder=config.decoder, model="recurrent")
    if config.model == "transformer" and config.embedding_size % (2 * config.heads) != 0:
        sizes = {"embedding_size": config.embedding_size, "heads": config.heads}
        raise ConfigError("{embedding_size}: must be a multiple of twice {heads}", **sizes)


def refuse_of_others(given: dict[str, Any], chosen: str) -> None:
    """Refuse a setting that was given and that only other types of model than the chosen one have."""
    for model, names in OF_MODEL.items():
        for name in names if model != chosen else ():
            if name in given:
                raise ConfigError(f"{{{name}}}: needs {{model}}", **{name: given[name], "model": model})


def check_range(name: str, value: float, at_least: float | None, below: float) -> None:
    """Raise ConfigError for a number out of its range (see `About`)."""
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
    """Raise ConfigError for an invalid device name, or one that the engine does not support."""
    if not isinstance(device, str) or not re.fullmatch(r"auto|cpu|mps|cuda(:\d{1,4})?", device):
        raise refused("device", written(device), "must be auto, cpu, cuda, cuda:N or mps")
    if engine == "numpy" and device not in ("auto", "cpu"):
        raise ConfigError("{device}: needs {engine}", device=device, engine="torch")


def check_hallucination(config: Any) -> None:
    """Refuse artificial pairs with a stream, which is never in memory, and where symbols are not letters."""
    names: dict[str, Any] = {"hallucinate": config.training.hallucinate}
    if config.training.stream:
        raise ConfigError("{hallucinate}: cannot be combined with {stream}", stream=True, **names)
    for side in ("source_symbols", "target_symbols"):
        kind = getattr(config.model, side)
        if kind not in ("characters", "graphemes"):
            what = f"cannot be combined with {{{side}}}; it replaces letters, and needs characters or graphemes"
            raise ConfigError(f"{{hallucinate}}: {what}", **names, **{side: kind})


def refused(name: str, value: object, reason: str) -> ConfigError:
    """Make the error for an invalid value of a setting."""
    return ConfigError(f"{{{name}}}: {reason}", **{name: value})


def written(value: object, most: int = 60) -> str:
    """Write a value for an error message; a short text of one line stays as it is."""
    return value if isinstance(value, str) and value.isprintable() and len(value) <= most else brief(value)

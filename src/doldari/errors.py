"""Errors that are not bugs of doldari; each message says what is wrong, where, and what to do.

    DoldariError
    ├── ConfigError          a setting out of range, unknown, or of the wrong type
    ├── DataError            a file that cannot be read as pairs, or too little of it
    │   └── UnknownSymbolError   a text with a symbol that the model never saw
    ├── ModelFileError       a file that is not a complete doldari model
    ├── RunExistsError       an output directory that already holds a run
    ├── RunLostError         an output directory that was removed while a run was written to it
    ├── TrainingError        training that cannot continue
    ├── ProcessLostError     one of several processes that train together ended
    ├── GradientError        a gradient that is not that of its function
    ├── HubError             a model that cannot be fetched from a hub, or published there
    └── MissingPackageError  an optional package that is not installed

The command line prints the message and exits with status 1; from Python they are ordinary exceptions.
"""

import reprlib
import sys
from collections.abc import Callable
from types import FrameType


class DoldariError(Exception):
    """Base class of the errors below."""


class ConfigError(DoldariError):
    """A setting is out of range, unknown, or of the wrong type.

    `{epochs}` in a message stands for the setting given as epochs=0 beside it: written `epochs=0`, or as whoever
    shows the message writes settings, `--epochs 0` on the command line.  Of None only the name is written.
    """

    def __init__(self, message: str, **settings: object) -> None:
        self.message, self.settings = message, settings
        super().__init__(self.written(lambda name, value: name if value is None else f"{name}={value}"))

    def written(self, write: Callable[[str, object], str]) -> str:
        """Write the message, its settings by a function of name and value."""
        if not self.settings:
            return self.message
        return self.message.format(**{name: write(name, value) for name, value in self.settings.items()})


class DataError(DoldariError):
    """A file cannot be read as pairs, or there is too little in it."""


class UnknownSymbolError(DataError):
    """A text holds a symbol that the model never saw in training."""


class ModelFileError(DoldariError):
    """A file is not a complete doldari model."""


class RunExistsError(DoldariError):
    """An output directory already holds a run."""


class RunLostError(DoldariError):
    """An output directory was removed, or given to another, while a run was written to it."""


class TrainingError(DoldariError):
    """Training cannot continue: its loss is NaN or infinite."""


class ProcessLostError(DoldariError):
    """One of several processes that train together ended before the others."""


class GradientError(DoldariError):
    """A gradient is not that of its function, as central differences tell."""


class HubError(DoldariError):
    """A model cannot be fetched from the Hugging Face Hub, or published there."""


class MissingPackageError(DoldariError):
    """An optional package that is needed is not installed."""


class DataWarning(UserWarning):
    """Data that are probably not what was meant, or that cannot be learnt."""


def brief(value: object) -> str:
    """Write a value for an error message: in one line, and not at length."""
    try:
        text = " ".join(reprlib.repr(value).split())
    except ValueError:  # a number with too many digits
        return f"a number of type {type(value).__name__}, with too many digits"
    return text if len(text) <= 60 else f"{text[:40]}...{text[-17:]}"


def plural(count: int, what: str) -> str:
    """Write a number of things: 1 source, 2 sources."""
    return f"{count:,} {what}{'s' * (count != 1)}"


def and_more(count: int, what: str) -> str:
    """Write how many more there are: ` (and 1 more line)`, ` (and 5 more lines)`; nothing for 0."""
    return f" (and {plural(count, f'more {what}')})" if count else ""


def quoted(text: str, most: int = 80) -> str:
    """Write a text as a message shows it: in quotes, control characters escaped, cut to so many characters."""
    return repr(text) if len(text) <= most else f"{text[:most]!r} ... ({len(text):,} characters)"


def level_of_caller() -> int:
    """Find the `stacklevel` by which a warning of the caller points at the line outside doldari that led to it."""
    frame: FrameType | None = sys._getframe()
    level = 0
    while frame is not None and frame.f_globals.get("__name__", "").startswith("doldari."):
        frame, level = frame.f_back, level + 1
    return level

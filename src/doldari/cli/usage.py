"""Suggestions for mistyped commands, options and models: each error ends with a command to copy."""

import difflib
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args, get_type_hints

from doldari.cli.settings import FORMER
from doldari.config import ModelConfig
from doldari.data import TASKS
from doldari.data.opening import printable_name
from doldari.errors import ModelFileError
from doldari.hub import is_address
from doldari.run_files import MODEL_FILE

RUNS = Path("runs")
DECODERS = get_args(get_type_hints(ModelConfig)["decoder"])
# What other programs call a command.
ALSO_CALLED = {
    "evaluate": ("eval", "test", "validate", "accuracy"),
    "predict": ("answer", "ask", "decode", "generate-answers", "infer", "inference", "run", "translate"),
    "train": ("continue", "finetune", "fine-tune", "fit", "learn", "resume"),
    "attend": ("align", "attention", "visualize"),
    "show": ("card", "info", "list", "ls", "summary"),
    "compare": ("plot",),
    "export": ("convert", "html", "onnx", "publish"),
    "join": ("average", "ensemble", "merge"),
    "stats": ("analyze", "count", "inspect"),
    "generate": ("data", "sample"),
    "push": ("publish", "share", "upload"),
}
# What other programs call an option.
OPTIONS_ALSO_CALLED = {
    "decoder": ("copy", "peeky", "pointer", "transducer"),
    "device": ("cuda", "gpu"),
    "hallucinate": ("artificial", "augment", "augmentation"),
    "out": ("save", "save-dir"),
    "steps": ("iterations", "updates"),
    "validation": ("dev", "val", "valid"),
}


def usage(error: Any) -> str:
    """Return a one-line message for a usage error, with the help to read; empty if the help was just shown."""
    if type(error).__name__.startswith("NoArgs"):
        print(error.format_message().rstrip())  # the help, unless it was just printed
        return ""
    parameter = getattr(error, "param", None)
    if parameter is not None and parameter.param_type_name == "option":
        typed = next((name for name in parameter.opts if name in map(name_of, sys.argv)), parameter.opts[0])
        error.param_hint = f"'{typed}'"
    message = " ".join(error.format_message().split()).replace("Value error, ", "")
    if message.startswith("Missing argument") and parameter is not None and parameter.help:
        what = parameter.help.partition(". ")[0].rstrip(".")
        message = f"{message.rstrip('.')}, {what}: {shlex.join(['doldari', *sys.argv[1:]])} {parameter.metavar}"
    if parameter is not None and "--model" in parameter.opts:
        decoder = next((one for one in DECODERS if f"'{one}' is not one of" in message), None)
        if decoder is not None:
            return f"{message.rstrip('.')}; did you mean --decoder {decoder}?"
    if getattr(error, "option_name", None) is not None and hasattr(error, "possibilities"):
        message = no_such_option(error)
    if not message or not error.ctx:
        return message
    see = " See" if message.endswith("?") else "; see"
    return f"{message.rstrip('.')}{see}: {error.ctx.command_path} --help"


def name_of(word: str) -> str:
    """Return the option of an argument such as --epochs=3."""
    return word.partition("=")[0]


def no_such_option(error: Any) -> str:
    """Suggest the option that was meant, or `--` before a text that begins with a dash."""
    message, name = f"No such option: {error.option_name}", error.option_name
    if name == "-v":
        return f"{message}; did you mean -V (--version)?"
    options = [option for one in error.ctx.command.params for option in one.opts if option.startswith("--")]
    words = [option.removeprefix("--") for option in options if option not in FORMER]
    bare = name.removeprefix("--")  # dashes would make all options alike
    meant = [word for word, others in OPTIONS_ALSO_CALLED.items() if word in words and bare in others]
    nearest = meant or difflib.get_close_matches(bare, words, 1)
    if nearest and name.startswith("--"):
        return f"{message}; did you mean --{nearest[0]}?"
    if any(one.name in ("text", "texts") for one in error.ctx.command.params):
        at = next((at for at, word in enumerate(sys.argv) if at > 2 and word.startswith(name)), None)
        if at is not None:
            command = shlex.join(["doldari", *sys.argv[1:at], "--", *sys.argv[at:]])
            return f"{message}; a text that begins with - goes after --: {command}"
    return message


def no_such_command(name: str, commands: Sequence[str]) -> str:
    """Suggest the command that was meant."""
    if name.lower() in ("help", "version"):
        return f"No such command '{name}'. Did you mean 'doldari --{name.lower()}'?"
    meant = next((command for command, others in ALSO_CALLED.items() if name.lower() in others), None)
    if meant is None:
        nearest = difflib.get_close_matches(name, commands, 1)
        meant = nearest[0] if nearest else None
    if meant is None and (name in TASKS or Path(name).is_file()):
        meant = f"train {shlex.quote(name)}"
    hint = f"Did you mean '{meant}'?" if meant else f"Commands: {', '.join(commands)}"
    return f"No such command '{printable_name(name)}'. {hint}"


def check_model(parameters: dict[str, Any]) -> None:
    """Raise ModelFileError if a command's MODEL is not a model, and suggest the one that was meant."""
    model = parameters.get("model")
    if not isinstance(model, Path) or is_model(model):  # the setting of that name is a type of model
        return
    ones = [str(one) for one in (parameters.get("text"), parameters.get("file"), parameters.get("name")) if one]
    others = [*(parameters.get("data") or ()), *(parameters.get("texts") or ()), *ones]
    other = next((word for word in others if is_model(Path(word))), None)
    if other is not None and not model.is_dir():
        raise ModelFileError(f"{printable_name(model)}: not a model; the model comes first: {swapped(model, other)}")
    if model.exists():
        return  # loading it gives a better message
    message = f"{printable_name(model)}: no such model"
    check_spelling(model, message)
    known = models()
    if str(model) in TASKS:
        raise ModelFileError(f"{message}; train it first: doldari train {model}")
    if "texts" in parameters and not parameters["texts"] and not model.suffix:
        example = known[0] if known else RUNS / "addition"
        first = "" if known else "train one (doldari train addition), and "
        command = instead(model, example, model)
        raise ModelFileError(f"{message}; {first}give the model before the text: {command}")
    there = f"in {RUNS} there are: {', '.join(path.name for path in known[:10])}" if known else ""
    raise ModelFileError(f"{message}; {there or 'train one, for example with: doldari train addition'}")


def check_spelling(model: Path, message: str) -> None:
    """Raise ModelFileError with the message if a path that is not there is nearly that of a model in `runs`."""
    known = models()
    nearest = difflib.get_close_matches(str(model), [name for path in known for name in (str(path), path.name)], 1)
    meant = next((path for path in known if nearest and nearest[0] in (str(path), path.name)), None)
    meant = RUNS / model if is_model(RUNS / model) else meant
    if meant is not None:
        raise ModelFileError(f"{message}; did you mean {meant}? Try: {instead(model, meant)}")


def is_model(path: Path) -> bool:
    """Return whether a path is a run directory with a model, a model file, or an address such as hf://owner/name."""
    if is_address(path):
        return True
    try:
        return (path / MODEL_FILE).is_file() or (path.suffix == Path(MODEL_FILE).suffix and path.is_file())
    except (OSError, ValueError):  # not a valid path
        return False


def models() -> list[Path]:
    """List the models in `runs`, the newest first."""
    try:
        found = [path for path in RUNS.iterdir() if is_model(path)]
        return sorted(found, key=lambda path: (path / MODEL_FILE).stat().st_mtime, reverse=True)
    except OSError:
        return []


def instead(model: Path, *others: Path) -> str:
    """Return the command with the typed model replaced by other words."""
    words = [str(word) for typed in sys.argv[1:] for word in (others if typed == str(model) else (typed,))]
    return shlex.join(["doldari", *words])


def swapped(model: Path, data: str) -> str:
    """Return the command with the model and another argument swapped."""
    other = {str(model): data, data: str(model)}
    return shlex.join(["doldari", *(other.get(word, word) for word in sys.argv[1:])])

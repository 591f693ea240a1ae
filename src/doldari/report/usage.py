"""How a model is asked: a command with an example from its pairs, and the symbols it knows."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from doldari.data.vocabulary import Vocabulary
    from doldari.report.record import RunFiles

SAMPLED = 20  # symbols that are shown
LOOKED_AT = 1 << 16  # bytes of a file in which an example is looked for


def predict_command(path: str, source: str | None) -> str:
    """Write the command that asks a model a source, or of None any text."""
    ask = shlex.join(["doldari", "predict", f"./{path}" if path.startswith("-") else path])
    if source is None:
        return f"{ask} TEXT"
    return f"{ask} {'-- ' * source.startswith('-')}{quote(source)}"


def resume_command(path: Path) -> str:
    """Write the command that goes on with a training."""
    return shlex.join(["doldari", "train", "--resume", str(path)])


def quote(text: str) -> str:
    """Write a text for a shell; one with a tab as Bash and Zsh write it."""
    if "\t" not in text:
        return shlex.quote(text)
    return "$'" + text.replace("\\", r"\\").replace("'", r"\'").replace("\t", r"\t") + "'"


def example_source(run: "RunFiles") -> str | None:
    """Find a source that the model of a run knows, in its validation pairs or else those it was trained on."""
    return next(iter(example_sources(run, 1)), None)


def example_sources(run: "RunFiles", most: int) -> list[str]:
    """Find different sources that the model of a run knows, in its validation pairs or else those of its training."""
    found: dict[str, None] = {}
    for use in ("validation", "training") if run.text_model is not None else ():
        data = run.data(use)
        path, name = data.text("path"), data.text("name")
        for line in task_sources(name) if path is None else lines(Path(path)):
            source = known_source(line, run.text_model.source) if run.text_model is not None else None
            if source is not None:
                found[source] = None
            if len(found) == most:
                return list(found)
    return list(found)


def task_sources(name: str | None) -> list[str]:
    """Make some sources of a built-in task."""
    from doldari.data import TASKS, task_pairs
    from doldari.errors import DoldariError

    try:
        return [pair.source for pair in task_pairs(name, count=10)] if name in TASKS else []
    except DoldariError:  # it needs a package that is not there
        return []


def lines(path: Path) -> list[str]:
    """Read the first whole lines of a file, if it is still there."""
    from doldari.data.opening import Source
    from doldari.errors import DoldariError

    try:
        with Source(path) as source:
            first = next(source.blocks(), b"")
    except DoldariError:
        return []
    return first[:LOOKED_AT].decode("utf-8-sig", "replace").split("\n")[:-1]


def known_source(line: str, vocabulary: "Vocabulary") -> str | None:
    """Take the source of a line, its first column, and its features, if the model knows all its symbols."""
    columns = line.removesuffix("\r").split("\t")
    source = columns[0]
    if not source or not source.isprintable():
        return None
    if not vocabulary.features:
        candidates = [source]
    else:
        candidates = [f"{source}\t{column}" for column in columns[:0:-1] if column.isprintable()]
    return next((text for text in candidates if knows(vocabulary, text)), None)


def knows(vocabulary: "Vocabulary", text: str) -> bool:
    """Tell whether a source can be encoded."""
    from doldari.errors import DoldariError

    try:
        return bool(vocabulary.encode(text))
    except DoldariError:
        return False


def some_symbols(symbols: tuple[str, ...]) -> str:
    """List the first symbols, with blanks and invisible ones as names."""
    shown = [
        symbol if symbol.isprintable() and symbol.strip() else repr(symbol)[1:-1] for symbol in symbols[:SAMPLED]
    ]
    shown = ["␣" if symbol == " " else symbol for symbol in shown]
    more = f" ... ({len(symbols):,})" if len(symbols) > SAMPLED else ""
    return " ".join(shown) + more

"""How to use a model: a command with an example from its pairs, and the symbols it knows."""

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from doldari.data.vocabulary import Vocabulary
    from doldari.report.record import RunFiles

NOT_UTF8 = re.compile("[\udc80-\udcff]")  # bytes of a file name, as Python represents them
SAMPLED = 20  # symbols shown
LOOKED_AT = 1 << 16  # bytes of a file searched for an example


def predict_command(path: str, source: str | None) -> str:
    """Return the command that predicts from a source; None stands for any text."""
    ask = f"doldari predict {quote(f'./{path}' if path.startswith('-') else path)}"
    if source is None:
        return f"{ask} TEXT"
    return f"{ask} {'-- ' * source.startswith('-')}{quote(source)}"


def resume_command(path: Path) -> str:
    """Return the command that resumes a training."""
    return f"doldari train --resume {quote(str(path))}"


def quote(text: str) -> str:
    """Quote a text for a shell; one with a tab, or with bytes that are not UTF-8, as Bash and Zsh write it."""
    if "\t" not in text and not NOT_UTF8.search(text):
        return shlex.quote(text)
    escaped = text.replace("\\", r"\\").replace("'", r"\'").replace("\t", r"\t")
    return "$'" + NOT_UTF8.sub(lambda byte: f"\\x{ord(byte[0]) - 0xDC00:02x}", escaped) + "'"


def example_source(run: "RunFiles") -> str | None:
    """Find a source with known symbols in the validation pairs of a run, or else in its training pairs."""
    return next(iter(example_sources(run, 1)), None)


def example_sources(run: "RunFiles", most: int) -> list[str]:
    """Find different sources with known symbols in the validation pairs of a run, or else in its training pairs."""
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
    """Generate some sources of a built-in task."""
    from doldari.data import TASKS, task_pairs
    from doldari.errors import DoldariError

    try:
        return [pair.source for pair in task_pairs(name, count=10)] if name in TASKS else []
    except DoldariError:  # a package is missing
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
    """Return the source (first column) and the features of a line, if the model knows all its symbols."""
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
    """Return whether a source can be encoded."""
    from doldari.errors import DoldariError

    try:
        return bool(vocabulary.encode(text))
    except DoldariError:
        return False


def some_symbols(symbols: tuple[str, ...]) -> str:
    """List the first symbols; blank and invisible ones by name."""
    shown = [
        symbol if symbol.isprintable() and symbol.strip() else repr(symbol)[1:-1] for symbol in symbols[:SAMPLED]
    ]
    shown = ["␣" if symbol == " " else symbol for symbol in shown]
    more = f" ... ({len(symbols):,})" if len(symbols) > SAMPLED else ""
    return " ".join(shown) + more

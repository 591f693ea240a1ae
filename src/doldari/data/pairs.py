"""Pairs of texts from files: columns with a tab between them, or the chapter's `question_answer` lines."""

import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from doldari.data.symbols import normalize
from doldari.errors import ConfigError, DataError


class Pair(NamedTuple):
    """A source text, its features behind a tab if it has any, and its target text."""

    source: str
    target: str


class Columns(NamedTuple):
    """Which columns of a file are what, counted from 1; features is 0 where there are none."""

    source: int = 1
    target: int = 2
    features: int = 0


def choose_columns(source: int | None, target: int | None, features: int | None) -> Columns | None:
    """Take the columns that were given; None where none was."""
    if source is target is features is None:
        return None
    columns = Columns(source or 1, target or 2, features or 0)
    if len(set(columns)) < len(columns):
        chosen = ", ".join(f"{name}={column}" for name, column in columns._asdict().items())
        raise ConfigError(f"{chosen}: must be different columns")
    return columns


def read_pairs(path: Path, columns: Columns | None = None) -> list[Pair]:
    """Read all pairs of a UTF-8 file; blank lines are passed over.

    With `columns` a line may have others besides; without, it has two.  Then a file without any tab is read as the
    chapter's: the answer follows the first `_`, and blanks around question and answer are padding.  Lines that hold
    no pair are refused, the first named by its number.
    """
    lines = list(read_lines(path))
    chapter = columns is None and not any("\t" in text for _, text in lines) and any("_" in text for _, text in lines)
    pairs, bad = [], []
    for number, text in lines:
        cells = [part.strip(" ") for part in text.split("_", 1)] if chapter else text.split("\t")
        reason = fault(cells, columns, chapter)
        if reason:
            bad.append((number, reason))
        else:
            pairs.append(pair_of(cells, columns or Columns()))
    if bad:
        number, reason = bad[0]
        more = f" (and {len(bad) - 1:,} more such lines)" if len(bad) > 1 else ""
        hint = "; every line is: source, tab, target" if columns is None else ""
        raise DataError(f"{path}:{number}: {reason}{more}{hint}")
    if not pairs:
        raise DataError(f"{path}: no pairs in it: the file is empty")
    return pairs


def pair_of(cells: Sequence[str], columns: Columns) -> Pair:
    """Take a pair from a line's cells."""
    source, target = cells[columns.source - 1], cells[columns.target - 1]
    return Pair(f"{source}\t{cells[columns.features - 1]}" if columns.features else source, target)


def fault(cells: Sequence[str], columns: Columns | None, chapter: bool) -> str:
    """Say why a line's cells are not a pair; nothing if they are."""
    if columns is None:
        if len(cells) == 1:
            return "no tab, and no _ as in the chapter's file" if chapter else "no tab"
        if len(cells) > 2:
            return f"{len(cells)} columns, expected 2; say which are what: --source-column 1 --target-column 2 ..."
    for name, column in (columns or Columns())._asdict().items():
        if column > len(cells):
            return f"no column {column} for the {name}, only {len(cells)}"
        if column and not cells[column - 1].strip(" ;" if name == "features" else None):
            return f"the {name} {'are' if name == 'features' else 'is'} empty"
    return ""


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the number, from 1, and the text of each line of a UTF-8 file that is not blank."""
    try:
        content = path.read_bytes()
    except IsADirectoryError as error:
        raise DataError(f"{path}: is a directory; give a file of pairs") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    for number, line in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        try:
            text = line.decode("utf-8").removesuffix("\r")
        except UnicodeDecodeError as error:
            byte = line[error.start]
            raise DataError(
                f"{path}:{number}: not UTF-8 (byte 0x{byte:02x} at {error.start + 1}); save it as UTF-8"
            ) from error
        if text.strip(" "):
            yield number, text


def split_pairs(pairs: Sequence[Pair], seed: int = 1984) -> tuple[list[Pair], list[Pair]]:
    """Shuffle and split into pairs to train on and, a tenth of the different sources with all of their pairs, others
    to validate with.  Canonically equal sources are the same.
    """
    shuffled = list(pairs)
    random.Random(seed).shuffle(shuffled)
    sources_of_pairs = [normalize(pair.source, "NFC") for pair in shuffled]
    sources = list(dict.fromkeys(sources_of_pairs))
    if len(sources) < 2:
        raise DataError("one source only: two are needed, one to train on and one to validate with")
    held_out = set(sources[-max(1, len(sources) // 10) :])
    return (
        [pair for pair, source in zip(shuffled, sources_of_pairs, strict=True) if source not in held_out],
        [pair for pair, source in zip(shuffled, sources_of_pairs, strict=True) if source in held_out],
    )


def chapter_lines(pairs: Sequence[Pair]) -> Iterator[str]:
    """Write pairs as in the chapter's file, `16+75  _91  `: padded with blanks to the longest."""
    source_width = max(len(pair.source) for pair in pairs)
    target_width = max(len(pair.target) for pair in pairs)
    for source, target in pairs:
        yield f"{source:<{source_width}}_{target:<{target_width}}"

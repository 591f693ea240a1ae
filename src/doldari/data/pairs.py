"""Pairs of texts from files: two columns with a tab between them, or the chapter's `question_answer` lines."""

import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from doldari.errors import DataError


class Pair(NamedTuple):
    """A source text and its target text."""

    source: str
    target: str


def read_pairs(path: Path) -> list[Pair]:
    """Read all pairs of a UTF-8 file; blank lines are passed over.

    A file without any tab is read as the chapter's: the answer follows the first `_`, and blanks around question
    and answer are padding.  Lines that hold no pair are refused, the first named by its number.
    """
    lines = list(read_lines(path))
    separator = "\t" if any("\t" in text for _, text in lines) or not any("_" in text for _, text in lines) else "_"
    pairs, bad = [], []
    for number, text in lines:
        columns = text.split(separator) if separator == "\t" else [part.strip(" ") for part in text.split("_", 1)]
        if len(columns) == 2 and all(column.strip() for column in columns):
            pairs.append(Pair(*columns))
        else:
            bad.append((number, fault(columns, separator)))
    if bad:
        number, reason = bad[0]
        more = f" (and {len(bad) - 1:,} more such lines)" if len(bad) > 1 else ""
        raise DataError(f"{path}:{number}: {reason}{more}; every line is: source, tab, target")
    if not pairs:
        raise DataError(f"{path}: no pairs in it: the file is empty")
    return pairs


def fault(columns: Sequence[str], separator: str) -> str:
    """Say why a line's columns are not a pair."""
    if len(columns) == 1:
        return "no tab" if separator == "\t" else "no tab, and no _ as in the chapter's file"
    if len(columns) > 2:
        return f"{len(columns)} columns, expected 2"
    return "the source is empty" if not columns[0].strip() else "the target is empty"


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
    to validate with.
    """
    shuffled = list(pairs)
    random.Random(seed).shuffle(shuffled)
    sources = list(dict.fromkeys(pair.source for pair in shuffled))
    if len(sources) < 2:
        raise DataError("one source only: two are needed, one to train on and one to validate with")
    held_out = set(sources[-max(1, len(sources) // 10) :])
    return (
        [pair for pair in shuffled if pair.source not in held_out],
        [pair for pair in shuffled if pair.source in held_out],
    )


def chapter_lines(pairs: Sequence[Pair]) -> Iterator[str]:
    """Write pairs as in the chapter's file, `16+75  _91  `: padded with blanks to the longest."""
    source_width = max(len(pair.source) for pair in pairs)
    target_width = max(len(pair.target) for pair in pairs)
    for source, target in pairs:
        yield f"{source:<{source_width}}_{target:<{target_width}}"

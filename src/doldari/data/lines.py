"""From bytes to numbered lines of text; nothing but the line that is being read is kept.

A line ends with `\\n` or `\\r\\n`; or with `\\r`, where a file's beginning has no `\\n` at all.  A byte order mark at
the start of any line, as it comes about where files are joined, is passed over.
"""

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from doldari.data.opening import Source
from doldari.errors import DataError

LONGEST = 1 << 26  # bytes of a line; what is longer is no text that a model could read


class LongLine(bytes):
    """The beginning of a line that is too long; the rest has been passed over."""


def cut_lines(blocks: Iterable[bytes], end: bytes, longest: int) -> Iterator[list[bytes]]:
    """Cut blocks into lines without their ends: yield as many at a time as are whole, in time linear in the bytes.

    Of a line of more than `longest` bytes there comes a `LongLine`.
    """
    parts: list[bytes] = []  # of the line that has begun
    size = 0
    for block in blocks:
        first, *others = block.split(end)
        parts.append(first[: max(0, longest - size)])
        size += len(first)
        if others:
            yield [joined(parts, size), *others[:-1]]
            parts, size = [others[-1]], len(others[-1])
    if size:
        yield [joined(parts, size)]


def joined(parts: list[bytes], size: int) -> bytes:
    """Put the parts of a line of that size together; some of it was left out if they are shorter."""
    line = b"".join(parts)
    return line if len(line) == size else LongLine(line)


def line_end(first: bytes) -> bytes:
    """Tell by the first block of a file what ends its lines."""
    return b"\r" if b"\r" in first[:-1] and b"\n" not in first else b"\n"


def numbered_lines(source: Source) -> Iterator[tuple[int, str]]:
    """Yield the number, from 1, and the text of each line; DataError, with the number, where it is not UTF-8."""
    blocks = source.blocks()
    first = next(blocks, b"")
    number = 0
    for lines in cut_lines(chain([first], blocks), line_end(first), LONGEST):
        for line in lines:
            number += 1
            try:
                text = line.decode("utf-8")
            except UnicodeDecodeError as error:
                byte = f"byte 0x{line[error.start]:02x} at {error.start + 1}"
                message = f"{source.name}:{number}: not UTF-8 ({byte}); save it as UTF-8"
                if not isinstance(line, LongLine):
                    raise DataError(message) from error
            if isinstance(line, LongLine):
                raise DataError(f"{source.name}:{number}: the line is longer than {LONGEST >> 20} MiB")
            yield number, text.removesuffix("\r").removeprefix("\ufeff")


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the number, from 1, and the text of each line of a file that is not blank."""
    with Source(path) as source:
        for number, text in numbered_lines(source):
            if text.strip(" "):
                yield number, text

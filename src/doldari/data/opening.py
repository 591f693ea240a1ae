"""The bytes of a data source, read once from beginning to end: a file, a pipe, or `-` for standard input.

What is compressed is decompressed, whatever its name says: gzip, bzip2, xz and zstd are told by their first bytes,
and so is UTF-16, which becomes UTF-8.  Nothing is opened twice or sought in, so that `<(cut -f1,2 x.tsv)` works.
"""

import bz2
import codecs
import gzip
import hashlib
import io
import lzma
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, NamedTuple, Self, cast

from doldari.errors import DataError, DoldariError, MissingPackageError

BLOCK = 1 << 18  # bytes that are read at a time
MAGIC = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\0": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
WIDE = {  # byte order marks; those of UTF-32 first, for one begins with UTF-16's
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


class Origin(NamedTuple):
    """What was read: its printable name, and the number and SHA-256 of its bytes as stored.

    path is whole, and None of what cannot be read again, such as a pipe.  bytes is None of what is no file: of a
    built-in task, or pairs from Python; sha256 is then of their texts.
    """

    name: str
    path: str | None
    bytes: int | None
    sha256: str


def printable_name(path: str | os.PathLike[str]) -> str:
    """Write a file's name as text that any file or terminal takes: bytes that are not UTF-8 as \\xff."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


class Source:
    """A data source in use: `with Source(path) as source`, then `source.blocks()` once, then `source.origin()`.

    DataError where it cannot be read, and from `blocks` where what is in it is damaged.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.stdin = os.fspath(path) == "-"
        self.path = Path(path)
        self.name = "standard input" if self.stdin else printable_name(path)

    def __enter__(self) -> Self:
        try:
            if self.stdin:
                if sys.stdin is None:
                    raise DataError("standard input is closed")
                self.file = cast(BinaryIO, sys.stdin.buffer)
            else:
                self.file = self.path.open("rb")
        except IsADirectoryError as error:
            raise DataError(f"{self.name}: is a directory; give a file of pairs") from error
        except (OSError, ValueError) as error:  # ValueError: a name with a NUL in it
            raise DataError(f"{self.name}: cannot be read: {getattr(error, 'strerror', error)}") from error
        self.raw = Counted(self.file)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if not self.stdin:
            self.file.close()

    def blocks(self) -> Iterator[bytes]:
        """Yield the content, decompressed and in UTF-8 if it was in UTF-16 or UTF-32."""
        raw = io.BufferedReader(self.raw, BLOCK)
        head = raw.peek(8)
        packed = next((name for magic, name in MAGIC.items() if head.startswith(magic)), None)
        try:
            yield from self.decoded(unpacked(raw, packed) if packed else raw)
        except DoldariError:
            raise
        except Exception as error:  # each kind of compression has errors of its own, zstd's without a base
            if packed is not None:
                raise DataError(f"{self.name}: {packed} data, but damaged or cut short ({error})") from error
            if isinstance(error, OSError):
                raise DataError(f"{self.name}: cannot be read: {error.strerror or error}") from error
            raise
        while raw.read(BLOCK):  # what stands behind the compressed data, for its number of bytes and its hash
            pass

    def decoded(self, file: BinaryIO | io.BufferedIOBase) -> Iterator[bytes]:
        """Yield the bytes of a file; what begins with the byte order mark of UTF-16 or UTF-32 as UTF-8."""
        block = file.read(BLOCK)
        encoding = next((name for mark, name in WIDE.items() if block.startswith(mark)), None)
        if encoding is None and b"\0" in block[:2]:
            raise DataError(f"{self.name}: not UTF-8; it looks like UTF-16 without its mark: save it as UTF-8")
        decoder = codecs.getincrementaldecoder(encoding)() if encoding else None
        try:
            while block:
                yield block if decoder is None else decoder.decode(block).encode("utf-8")
                block = file.read(BLOCK)
            if decoder is not None:
                yield decoder.decode(b"", final=True).encode("utf-8")
        except UnicodeError as error:
            raise DataError(f"{self.name}: begins as {encoding}, but is not: {error}; save it as UTF-8") from error

    def skim(self) -> None:
        """Read what is left, for its number of bytes and its hash."""
        while self.raw.read(BLOCK):
            pass

    def origin(self) -> Origin:
        """Describe what has been read."""
        path = None if self.stdin or not self.path.is_file() else str(self.path.absolute())
        return Origin(self.name, path, self.raw.count, self.raw.sha256.hexdigest())


class Counted(io.RawIOBase):
    """Another file's bytes, counted and hashed as they are read."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.count, self.sha256 = cast(Any, file), 0, hashlib.sha256()

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer, unless the file ends before."""
        count: int = self.file.readinto(buffer)
        self.sha256.update(memoryview(buffer)[:count])
        self.count += count
        return count


def unpacked(raw: Any, packed: str) -> io.BufferedIOBase:
    """Decompress a file while it is read; MissingPackageError where zstd's package is needed and not there."""
    if packed == "gzip":
        return gzip.GzipFile(fileobj=raw, mode="rb")
    if packed == "bzip2":
        return bz2.BZ2File(raw)
    if packed == "xz":
        return lzma.LZMAFile(raw)
    try:
        if sys.version_info >= (3, 14):
            from compression import zstd
        else:
            from backports import zstd
    except ImportError as error:
        raise MissingPackageError("zstd files need backports.zstd: pip install 'doldari[zstd]'") from error
    return cast(io.BufferedIOBase, zstd.ZstdFile(raw))

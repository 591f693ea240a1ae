"""Atomic writing of files."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

UMASK = os.umask(0)
os.umask(UMASK)
_unfinished: set[str] = set()  # temporary files not yet renamed


def write_whole(path: Path, content: bytes) -> None:
    """Write a file atomically."""
    with writing_whole(path) as file:
        file.write(content)


@contextmanager
def writing_whole(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary file and rename it into place at the end: readers and crashes see the old or the new file.

    What a link points to is replaced, not the link; a pipe or a device, such as /dev/stdout, is written to as it is.
    """
    if path.exists() and not path.is_file():
        with path.open("wb") as file:  # a directory is refused here
            yield file
        return
    place = Path(os.path.realpath(path))
    beside = None
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        descriptor, beside = tempfile.mkstemp(prefix=f".{place.name}.", dir=place.parent)
        _unfinished.add(beside)
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(beside, 0o666 & ~UMASK)  # mkstemp makes private files
        os.replace(beside, place)
        sync_directory(place.parent)
    except BaseException as error:
        if beside is not None:
            Path(beside).unlink(missing_ok=True)
        if isinstance(error, OSError):  # the user knows the final name, not the temporary one
            error.filename, error.filename2 = str(path), None
        raise
    finally:
        if beside is not None:
            _unfinished.discard(beside)


def sync_directory(path: Path) -> None:
    """Wait until the names in a directory are on the disk, where the system knows such a thing."""
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def discard_unfinished() -> None:
    """Remove temporary files, before the process ends at once."""
    for beside in list(_unfinished):
        with suppress(OSError):
            os.unlink(beside)

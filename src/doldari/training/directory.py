"""A run's directory: held by one training at a time, and never without the model that was in it.

A training holds a lock on `.doldari.lock`, which the operating system releases when the process ends,
however it ends.  How a run replaces an older one in its directory is in replacing.py.
"""

import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from doldari.errors import ConfigError, RunExistsError, RunLostError
from doldari.files import write_whole
from doldari.run_files import LOCK_FILE
from doldari.torchrun import rank
from doldari.training import replacing

MEMBERS = ("member-*",)
PATIENCE = 0.3  # seconds: who only looks whether a lock is held has it for a moment


class Claim:
    """The right to write into a directory; `parts` are patterns of directories in it that belong to the run."""

    def __init__(self, root: Path, parts: tuple[str, ...]) -> None:
        self.root, self.parts = root, parts
        self.lock_file = os.stat(root / LOCK_FILE)
        self.beside_older = False

    @property
    def base(self) -> Path:
        """Where to write now: the directory, or one in it while an older run is kept."""
        return self.root / replacing.NEW if self.beside_older else self.root

    def check(self) -> None:
        """Refuse to write where the directory is no longer the one that was claimed."""
        try:
            same = os.path.samestat(os.stat(self.root / LOCK_FILE), self.lock_file)
        except OSError:
            same = False
        if not same:
            raise RunLostError(f"{self.root}: was removed or replaced during training; the run is lost")

    def replace_older(self) -> None:
        """Take the place of the older run, if there still is one."""
        if self.beside_older:
            self.beside_older = False
            replacing.replace_older(self.root, self.parts)


class NoClaim(Claim):
    """What a process has that trains with the one that holds the directory: it may read there."""

    def __init__(self, root: Path) -> None:
        self.root, self.beside_older = root, False

    def replace_older(self) -> None:
        """Leave that to the process that holds the directory."""


class RunDirectory:
    """Where one run writes its files: a claimed directory, or a part of it."""

    def __init__(self, claim: Claim, name: str = "") -> None:
        self.claim, self.name = claim, name

    @property
    def path(self) -> Path:
        """The directory as it is now; it moves when the run takes an older one's place."""
        return self.claim.base / self.name

    @property
    def shown(self) -> Path:
        """The directory as users know it."""
        return self.claim.root / self.name

    def part(self, name: str) -> "RunDirectory":
        """Give the directory of one of several runs in this one."""
        return RunDirectory(self.claim, name)

    def write(self, name: str, content: bytes) -> None:
        """Write a file atomically."""
        if isinstance(self.claim, NoClaim):
            return
        self.claim.check()
        write_whole(self.path / name, content)

    def append(self, name: str, content: bytes) -> None:
        """Add to a file, and wait until it is on the disk."""
        if isinstance(self.claim, NoClaim):
            return
        self.claim.check()
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / name).open("ab") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())

    def exists(self, name: str) -> bool:
        """Return whether a file is there."""
        return (self.path / name).exists()


@contextmanager
def claim(
    directory: Path, *, overwrite: bool = False, resume: bool = False, parts: tuple[str, ...] = MEMBERS
) -> Iterator[RunDirectory]:
    """Hold a directory for a run, for as long as the `with` block runs; what was made for nothing is removed again.

    Of several processes that train together the first holds it, and the others write nothing.
    RunExistsError where another training holds it, and, unless it is to be resumed or overwritten, where it holds a
    run.
    """
    if resume and not directory.is_dir():
        what = f"is a file; give the run's directory, as {directory.parent}" if directory.exists() else "no such run"
        raise ConfigError(f"{directory}: {what}")
    if rank() > 0:
        yield RunDirectory(NoClaim(directory))
        return
    made = [path for path in (directory, *directory.parents) if not path.exists()]
    lock = locked(directory)
    try:
        refuse_held_beside(directory, parts)
        replacing.tidy(directory, parts)
        held = replacing.held_run(directory, parts)
        if held and not overwrite and not resume:
            raise RunExistsError(
                f"{directory}: already holds a run ({held.name}); choose another --out, use --overwrite, or resume: "
                f"doldari train --resume {shlex.quote(str(directory))}"
            )
        claimed = Claim(directory, parts)
        claimed.beside_older = held is not None and overwrite
        yield RunDirectory(claimed)
    finally:
        replacing.discard(directory)
        (directory / LOCK_FILE).unlink(missing_ok=True)
        lock.release()
        with suppress(OSError):
            for path in made:
                path.rmdir()


def locked(directory: Path) -> FileLock:
    """Make a directory, if need be, and lock it; RunExistsError where that cannot be."""
    there = directory.is_dir()
    lock = FileLock(directory / LOCK_FILE)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=PATIENCE)
    except Timeout as error:
        raise RunExistsError(f"{directory}: in use by another training; wait, or choose another --out") from error
    except (OSError, NotImplementedError) as error:
        reason = error.strerror if isinstance(error, OSError) else "its file system has no locks"
        what = "cannot be written" if there else "cannot be used as the run directory"
        raise RunExistsError(f"{directory}: {what}: {reason}") from error
    return lock


def refuse_held_beside(directory: Path, parts: tuple[str, ...]) -> None:
    """Refuse a directory inside another training's, or with another training's inside it."""
    for place in (directory.absolute().parent, *list(replacing.places(directory, parts))[1:]):
        if (place / LOCK_FILE).exists():
            other = FileLock(place / LOCK_FILE)
            try:
                other.acquire(timeout=PATIENCE)
            except Timeout as error:
                raise RunExistsError(f"{directory}: another training is writing in {place}") from error
            except OSError:
                continue
            other.release()

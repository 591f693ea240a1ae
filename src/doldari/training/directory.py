"""A run's directory: held by one training at a time, and never without the model that was in it.

Whoever trains there holds a lock on `.lock`, which the operating system lets go when the process ends, however it
ends.  A run that replaces an older one grows in `.new` beside it until its first epoch is done; then it takes the
older one's place, file by file, as the list in `.new/replace` says.  What a crash leaves undone the next claim does.
"""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from doldari.errors import ConfigError, RunExistsError, RunLostError
from doldari.files import write_whole
from doldari.inference.predictor import MODEL_FILE
from doldari.torchrun import rank

CONFIG_FILE = "config.toml"
HISTORY_FILE = "history.jsonl"
PICTURE_FILE = "accuracy.png"
RECORD_FILE = "run.json"
CHECKPOINT_FILE = "checkpoint.safetensors"
FILES = (CONFIG_FILE, HISTORY_FILE, PICTURE_FILE, RECORD_FILE, CHECKPOINT_FILE, MODEL_FILE)
KEPT = (MODEL_FILE, CHECKPOINT_FILE, HISTORY_FILE, PICTURE_FILE)  # what makes a directory hold a run
MEMBERS = ("member-*",)
LOCK_FILE, NEW, REPLACE_FILE = ".lock", ".new", "replace"


class Claim:
    """The right to write into a directory; `parts` are patterns of directories in it that belong to the run."""

    def __init__(self, root: Path, parts: tuple[str, ...]) -> None:
        self.root, self.parts = root, parts
        self.lock_file = os.stat(root / LOCK_FILE)
        self.beside_older = False

    @property
    def base(self) -> Path:
        """Where to write now: the directory, or `.new` in it while an older run is kept."""
        return self.root / NEW if self.beside_older else self.root

    def check(self) -> None:
        """Refuse to write where the directory is no longer the one that was claimed."""
        try:
            same = os.path.samestat(os.stat(self.root / LOCK_FILE), self.lock_file)
        except OSError:
            same = False
        if not same:
            raise RunLostError(f"{self.root}: was removed or replaced while a training wrote there; the run is lost")

    def held(self) -> list[Path]:
        """List what belongs to a run that is in the directory."""
        places = [self.root, *(path for part in self.parts for path in sorted(self.root.glob(part)))]
        return [place / name for place in places for name in FILES if (place / name).exists()]

    def holds_run(self) -> Path | None:
        """Find what makes it a directory that holds a run: a model or what came of training, or foreign settings."""
        for path in self.held():
            if path.name == HISTORY_FILE and path.stat().st_size == 0:
                continue  # no epoch yet
            ours = path.with_name(RECORD_FILE).exists()
            if path.name in KEPT or (path.name == CONFIG_FILE and not ours):
                return path
        return None

    def replace_older(self) -> None:
        """Take the place of the older run, if there still is one."""
        if self.beside_older:
            names = sorted(path.name for path in self.base.iterdir())
            write_whole(self.base / REPLACE_FILE, json.dumps(names).encode())
            self.beside_older = False
            self.finish_replacing()

    def finish_replacing(self) -> None:
        """Remove what is left of the older run, and move the files of `.new` that are not yet there."""
        new = self.root / NEW
        names = json.loads((new / REPLACE_FILE).read_bytes())
        for path in self.held():
            inside = path.relative_to(self.root).parts[0]
            if inside not in names:
                path.unlink(missing_ok=True)
        for name in names:
            if (new / name).is_dir():
                shutil.rmtree(self.root / name, ignore_errors=True)
            if (new / name).exists():
                os.replace(new / name, self.root / name)
        for part in self.parts:
            for path in self.root.glob(part):
                with suppress(OSError):  # it holds what is not ours
                    path.rmdir()
        shutil.rmtree(new)

    def tidy(self) -> None:
        """Clear up after processes that ended at the worst moment."""
        if (self.root / NEW / REPLACE_FILE).exists():
            self.finish_replacing()
        shutil.rmtree(self.root / NEW, ignore_errors=True)
        for place in (self.root, *(path for part in self.parts for path in self.root.glob(part))):
            for name in FILES:
                for beside in place.glob(f".{name}.*"):
                    beside.unlink(missing_ok=True)


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
        """Write a file, whole or not at all."""
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
        """Tell whether a file is there."""
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
        raise ConfigError(f"{directory}: no such run")
    if rank() > 0:
        yield RunDirectory(NoClaim(directory))
        return
    made = [path for path in (directory, *directory.parents) if not path.exists()]
    lock = FileLock(directory / LOCK_FILE)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout as error:
        raise RunExistsError(
            f"{directory}: another training is writing there; wait, or give another --out"
        ) from error
    except (OSError, NotImplementedError) as error:
        reason = error.strerror if isinstance(error, OSError) else "its file system has no locks"
        raise RunExistsError(f"{directory}: cannot be made a directory for the run: {reason}") from error
    try:
        claimed = Claim(directory, parts)
        claimed.tidy()
        held = claimed.holds_run()
        if held and not overwrite and not resume:
            raise RunExistsError(
                f"{directory}: holds a run already ({held.name}); give another --out, --overwrite, or --resume "
                f"{directory} in place of DATA to go on with it"
            )
        claimed.beside_older = held is not None and overwrite
        yield RunDirectory(claimed)
    finally:
        if not (directory / NEW / REPLACE_FILE).exists():  # else the next claim finishes what failed here
            shutil.rmtree(directory / NEW, ignore_errors=True)
        (directory / LOCK_FILE).unlink(missing_ok=True)
        lock.release()
        with suppress(OSError):
            for path in made:
                path.rmdir()

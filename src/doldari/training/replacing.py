"""Replacing an older run: the new one is written beside it and, after its first epoch, replaces it file by file.

Beside it is `.doldari-new` in the same directory.  A list there, `replace`, says that it is whole and which files are
to be moved; what a crash leaves undone the next claim of the directory does.  Files that are not doldari's stay.
"""

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from doldari.files import write_whole
from doldari.run_files import (
    CARD_FILE,
    CARD_MARK,
    CHECKPOINT_FILE,
    CONFIG_FILE,
    HISTORY_FILE,
    MODEL_FILE,
    PICTURE_FILE,
    RECORD_FILE,
    REPORT_FILE,
    REPORT_MARK,
)

FILES = (CONFIG_FILE, HISTORY_FILE, PICTURE_FILE, RECORD_FILE, CHECKPOINT_FILE, MODEL_FILE)
KEPT = (MODEL_FILE, CHECKPOINT_FILE, HISTORY_FILE, PICTURE_FILE)  # what makes a directory hold a run
MADE_LATER = {CARD_FILE: CARD_MARK, REPORT_FILE: REPORT_MARK}  # from a run; other files of these names are not ours
NEW, REPLACE_FILE = ".doldari-new", "replace"


def places(root: Path, parts: Sequence[str]) -> Iterator[Path]:
    """Yield a directory and, of those in it, the ones that belong to its run: `parts` are patterns of their names."""
    yield root
    for part in parts:
        yield from (path for path in sorted(root.glob(part)) if path.is_dir())


def files_of_run(root: Path, parts: Sequence[str]) -> list[Path]:
    """List what belongs to the run that is in a directory, its model card and report included."""
    found = [place / name for place in places(root, parts) for name in FILES if (place / name).exists()]
    return found + [place / name for place in places(root, parts) for name in MADE_LATER if is_ours(place / name)]


def is_ours(path: Path) -> bool:
    """Return whether a file is a model card or report that doldari wrote."""
    try:
        return MADE_LATER[path.name].encode() in path.read_bytes()
    except OSError:
        return False


def held_run(root: Path, parts: Sequence[str]) -> Path | None:
    """Find what makes a directory one that holds a run: a model, or what came of training, or settings of others."""
    for path in files_of_run(root, parts):
        if path.name == HISTORY_FILE and path.stat().st_size == 0:
            continue  # no epoch yet
        ours = path.with_name(RECORD_FILE).exists()
        if path.name in KEPT or (path.name == CONFIG_FILE and not ours):
            return path
    return None


def replace_older(root: Path, parts: Sequence[str]) -> None:
    """Replace the older run's files by those of `.doldari-new`."""
    new = root / NEW
    names = sorted(str(path.relative_to(new)) for path in new.rglob("*") if path.is_file())
    write_whole(new / REPLACE_FILE, json.dumps(names).encode())
    finish_replacing(root, parts)


def finish_replacing(root: Path, parts: Sequence[str]) -> None:
    """Remove what is left of the older run, and move the new files that are not yet moved."""
    new = root / NEW
    names = json.loads((new / REPLACE_FILE).read_bytes())
    for path in files_of_run(root, parts):
        if str(path.relative_to(root)) not in names:
            path.unlink(missing_ok=True)
    for name in names:
        if (new / name).exists():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            os.replace(new / name, root / name)
    for path in list(places(root, parts))[1:]:
        with suppress(OSError):  # it is not empty
            path.rmdir()
    shutil.rmtree(new)


def tidy(root: Path, parts: Sequence[str]) -> None:
    """Clear up after processes that ended at the worst moment."""
    if (root / NEW / REPLACE_FILE).exists():
        finish_replacing(root, parts)
    discard(root)
    for place in places(root, parts):
        for name in FILES:
            for beside in place.glob(f".{name}.*"):
                beside.unlink(missing_ok=True)


def discard(root: Path) -> None:
    """Remove a run that has not taken the older one's place, unless that failed halfway."""
    if not (root / NEW / REPLACE_FILE).exists():
        shutil.rmtree(root / NEW, ignore_errors=True)

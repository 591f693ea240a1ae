"""The data of a training: pairs to train on and to validate with, what they were made of, how to read them again."""

import hashlib
from collections.abc import Iterable, Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import Any, NamedTuple

from doldari.data import TASKS, load_pairs
from doldari.data.leaks import find_leaks
from doldari.data.formats import Columns
from doldari.data.pairs import Pair, split_pairs
from doldari.errors import ConfigError, DataError

Texts = str | PathLike[str] | Iterable[tuple[str, ...]]  # a built-in task or a file, or the pairs themselves


class Origin(NamedTuple):
    """Where pairs came from: what it is called, and of a file its path and size; sha256 is of the content."""

    name: str
    path: str | None
    bytes: int | None
    sha256: str


class TrainingData(NamedTuple):
    """Pairs to train on and to validate with, where each came from, and what `read_training_data` read them by."""

    training: Sequence[Pair]
    validation: Sequence[Pair]
    origins: tuple[Origin, Origin]
    reading: dict[str, Any]
    repeated: int = 0  # pairs to validate with that are trained on too

    def described(self) -> list[dict[str, Any]]:
        """Say for a run's record what the data are."""
        split = "a tenth of the sources is held out" if self.origins[0] == self.origins[1] else None
        both = zip(("training", "validation"), self.origins, (self.training, self.validation), strict=True)
        return [{"use": use} | origin._asdict() | counts(pairs) | {"split": split} for use, origin, pairs in both]

    def check_unchanged(self, before: Sequence[dict[str, Any]]) -> None:
        """Refuse, as DataError, data that are not those of the record of a run that is to go on."""
        for origin, pairs, old in zip(self.origins, (self.training, self.validation), before, strict=True):
            if origin.sha256 != old["sha256"]:
                changed = [
                    f"{what} {was:,}, now {is_now:,}"
                    for what, was, is_now in (
                        ("bytes", old["bytes"], origin.bytes),
                        ("pairs", old["pairs"], len(pairs)),
                    )
                    if was is not None and is_now is not None and was != is_now
                ]
                what = "; ".join(changed) or "as long as before, with other content"
                raise DataError(
                    f"{origin.name}: is not what the run was trained on ({what}; SHA-256 {old['sha256'][:12]}..., "
                    f"now {origin.sha256[:12]}...); restore it, or start a new run"
                )


def read_training_data(
    data: Texts,
    validation: Texts | None = None,
    columns: Columns | None = None,
    count: int | None = None,
    digits: int | None = None,
) -> TrainingData:
    """Read pairs, and those to validate with; without any, hold out a tenth of the sources, with all of their pairs.

    Both may be a file, a built-in task's name, or pairs of texts.  DataError and ConfigError as in `load_pairs`.
    """
    pairs, origin = read_texts(data, columns, count, digits)
    reading = {
        "data": place_of(data),
        "validation": None if validation is None else place_of(validation),
        "split": validation is None,
        "columns": columns,
        "count": count,
        "digits": digits,
    }
    if validation is None:
        try:
            training, held_out = split_pairs(pairs)
        except DataError as error:
            raise DataError(f"{origin.name}: {error}") from error
        return TrainingData(training, held_out, (origin, origin), reading)
    held_out, held_out_origin = read_texts(validation, columns)
    repeated = len(find_leaks(pairs, held_out).pairs)
    return TrainingData(pairs, held_out, (origin, held_out_origin), reading, repeated)


def read_again(reading: dict[str, Any], data: Texts | None, validation: Texts | None) -> TrainingData:
    """Read what a run was trained on, from where it was; or, of pairs and pipes, as they are given again."""
    texts = reading["data"] if data is None else data
    held_out = reading["validation"] if validation is None else validation
    if texts is None or (held_out is None and not reading["split"]):
        raise ConfigError("the run was trained on pairs that are in no file; give the same pairs again")
    columns = None if reading["columns"] is None else Columns(*reading["columns"])
    return read_training_data(texts, held_out, columns, reading["count"], reading["digits"])


def read_texts(
    texts: Texts, columns: Columns | None, count: int | None = None, digits: int | None = None
) -> tuple[list[Pair], Origin]:
    """Read pairs from where they are."""
    if not isinstance(texts, str | PathLike):
        pairs = text_pairs(texts)
        return pairs, Origin("pairs", None, None, pairs_sha256(pairs))
    name = fspath(texts)
    pairs = load_pairs(name, columns, count, digits)
    if name in TASKS:
        return pairs, Origin(name, None, None, pairs_sha256(pairs))
    content = Path(name).read_bytes()
    return pairs, Origin(name, str(Path(name).absolute()), len(content), hashlib.sha256(content).hexdigest())


def place_of(texts: Texts) -> str | None:
    """Say where texts can be read again: a task's name, or a file's whole path; None of pairs that are in no file."""
    if not isinstance(texts, str | PathLike):
        return None
    return str(texts) if str(texts) in TASKS else str(Path(texts).absolute())


def text_pairs(pairs: Iterable[tuple[str, ...]]) -> list[Pair]:
    """Take pairs of texts, source and target, or triples with the source's features behind them."""
    taken: list[Pair] = []
    length = 2
    for number, pair in enumerate(pairs):
        if number == 0 and not isinstance(pair, str) and len(pair) == 3:
            length = 3
        if isinstance(pair, str) or len(pair) != length or not all(isinstance(text, str) for text in pair):
            texts = "two texts, source and target" if length == 2 else "three texts, source, target and features"
            raise DataError(f"pairs[{number}]={pair!r}: must be {texts}")
        source, target, *features = pair
        if any("\ud800" <= char <= "\udfff" for char in "".join(pair)):
            raise DataError(f"pairs[{number}]={pair!r}: has half a surrogate pair, which is no text")
        taken.append(Pair("\t".join([source, *features]), target))
    return taken


def pairs_sha256(pairs: Iterable[Pair]) -> str:
    """Compute the checksum of pairs that are in no file: of their lines, source TAB target, in UTF-8."""
    digest = hashlib.sha256()
    for source, target in pairs:
        digest.update(f"{source}\t{target}\n".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def counts(pairs: Sequence[Pair]) -> dict[str, int]:
    """Count pairs, their different sources, and the characters of the longest source and target."""
    return {
        "pairs": len(pairs),
        "sources": len({pair.source for pair in pairs}),
        "longest_source": max((len(pair.source.partition("\t")[0]) for pair in pairs), default=0),
        "longest_target": max((len(pair.target) for pair in pairs), default=0),
    }

"""The data of a training: pairs to train on and to validate with, what they were made of, how to read them again."""

import dataclasses
import hashlib
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from os import PathLike, fspath
from pathlib import Path
from typing import Any, NamedTuple, get_args

import numpy as np

from doldari.data import TASKS, load_pairs
from doldari.data.formats import Columns, Reading, field_names
from doldari.data.leaks import find_leaks
from doldari.data.opening import Origin
from doldari.data.pairs import PYTHON, Pairs, SplitBy, split_pairs, text_hashes
from doldari.data.rows import listed
from doldari.data.shards import Shards
from doldari.data.statistics import column_warnings
from doldari.errors import ConfigError, DataError, DataWarning, brief, level_of_caller, quoted

File = str | PathLike[str]
# A built-in task, a file, or two parallel ones; or the pairs themselves, or rows by name (by_place).
Texts = File | Sequence[File] | Iterable[tuple[str, ...]] | Iterable[Mapping[str, Any]]


class TrainingData(NamedTuple):
    """Pairs to train on and to validate with, and what `read_training_data` read them by."""

    training: Pairs | Shards
    validation: Pairs
    reading: dict[str, Any]
    repeated: int = 0  # pairs to validate with that are trained on too

    @property
    def origins(self) -> tuple[Origin, Origin]:
        """Where both came from; two parallel files are one."""
        return origin_of(self.training), origin_of(self.validation)

    def described(self) -> list[dict[str, Any]]:
        """Say for a run's record what the data are."""
        part = "a tenth" if isinstance(self.training, Pairs) else "a sample"
        split = (
            f"{part} of the {self.reading.get('split_by', 'source')}s is held out" if self.reading["split"] else None
        )
        both = zip(("training", "validation"), self.origins, (self.training, self.validation), strict=True)
        return [{"use": use} | origin._asdict() | counts(pairs) | {"split": split} for use, origin, pairs in both]

    def check_unchanged(self, before: Sequence[dict[str, Any]]) -> None:
        """Raise DataError if the data are not those in the record of a run that is resumed."""
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
                what = "; ".join(changed) or "same size, different content"
                raise DataError(
                    f"{origin.name}: has changed since the run started ({what}; SHA-256 {old['sha256'][:12]}..., "
                    f"now {origin.sha256[:12]}...); restore it, or start a new run"
                )


def read_training_data(
    data: Texts,
    validation: Texts | None = None,
    reading: Reading | None = None,
    split_by: SplitBy | None = None,
) -> TrainingData:
    """Read pairs, and those to validate with; without any, hold out a tenth of the sources, with all of their pairs.

    By lemma it is a tenth of the sources without their features, so that no held-out word is trained on in another
    form: the honest figure for words that are new (Goldman et al. 2022).  Both data
    may be a file, two parallel ones, a built-in task's name, or pairs of texts.  DataError and ConfigError as in
    `load_pairs`; a DataWarning where columns look swapped, or a first line like a header.
    """
    if "-" in (file_names(data) or ()) and validation is not None and "-" in (file_names(validation) or ()):
        raise DataError("-: standard input cannot be both training and validation pairs")
    reading = reading or Reading()
    pairs = read_texts(data, reading)
    record = {
        "data": place_of(data),
        "validation": None if validation is None else place_of(validation),
        "split": validation is None,
        "split_by": split_by or "source",
    } | dataclasses.asdict(reading)
    check_split(split_by, validation, pairs)
    if validation is None:
        try:
            training, held_out = split_pairs(pairs, by=split_by or "source")
        except DataError as error:
            raise DataError(f"{origin_of(pairs).name}: {error}") from error
        return TrainingData(training, held_out, record)
    held_out = read_texts(validation, dataclasses.replace(reading, count=None, digits=None))
    return TrainingData(pairs, held_out, record, len(find_leaks(pairs, held_out).pairs))


def read_again(
    reading: dict[str, Any],
    data: Texts | None,
    validation: Texts | None,
    read: Callable[[Texts, Texts | None, Reading], TrainingData] | None = None,
) -> TrainingData:
    """Read what a run was trained on, from where it was; or, of pairs and pipes, as they are given again."""
    if validation is not None and reading["split"]:
        raise ConfigError("validation: the run held out a tenth of its own sources; leave it out")
    texts = reading["data"] if data is None else data
    held_out = reading["validation"] if validation is None else validation
    for place in file_names(texts or ()) or ():
        if data is None and place not in TASKS and not Path(place).exists():
            raise DataError(f"{place}: not found; give its new place as DATA")
    if texts is None or (held_out is None and not reading["split"]):
        raise ConfigError("the run was trained on pairs that were not in a file; give the same pairs again")
    columns = None if reading["columns"] is None else Columns(*reading["columns"])
    as_then = Reading(columns, reading.get("format"), reading["count"], reading["digits"])
    read = read or partial(read_training_data, split_by=split_of(reading))
    return read(texts, held_out, as_then)


def split_of(reading: dict[str, Any]) -> SplitBy | None:
    """Tell what a run's own validation pairs were held out by, if that is not the usual."""
    return "lemma" if reading.get("split_by") == "lemma" and reading["split"] else None


def check_split(split_by: SplitBy | None, validation: Texts | None, pairs: Pairs) -> None:
    """Refuse, as ConfigError, a kind of split where nothing is split, or where no source has features."""
    if split_by is None:
        return
    if split_by not in get_args(SplitBy):
        raise ConfigError(f"{{split_by}}: must be one of {', '.join(get_args(SplitBy))}", split_by=split_by)
    if validation is not None:
        raise ConfigError(
            "{split_by}, {validation}: cannot be combined; these pairs are split already",
            split_by=split_by,
            validation=None,
        )
    if split_by == "lemma" and not pairs.has_features:
        raise ConfigError(
            "{split_by}: the lemma is the source without its features, and these pairs have none; give "
            "{features_column}",
            split_by=split_by,
            features_column="COLUMN",
        )


def read_texts(texts: Texts, reading: Reading) -> Pairs:
    """Read pairs from where they are, and warn of what is odd about their columns."""
    names = file_names(texts)
    if names is None:
        return text_pairs(texts, reading.columns)  # type: ignore[arg-type]
    pairs = load_pairs(names, reading)
    for warning in column_warnings(pairs):
        warnings.warn(warning, DataWarning, stacklevel=level_of_caller())
    return pairs


def file_names(texts: Texts) -> list[str] | None:
    """Name the file, the two files, or the built-in task; None of pairs from Python."""
    if isinstance(texts, str | PathLike):
        return [fspath(texts)]
    if isinstance(texts, Sequence) and texts and all(isinstance(name, str | PathLike) for name in texts):
        return [fspath(name) for name in texts]
    return None


def place_of(texts: Texts) -> str | list[str] | None:
    """Return where texts can be read again: a task's name or files' whole paths; None of pipes and Python's pairs."""
    names = file_names(texts)
    if names is None or any(name not in TASKS and not Path(name).is_file() for name in names):
        return None
    places = [name if name in TASKS else str(Path(name).absolute()) for name in names]
    return places[0] if len(places) == 1 else places


def text_pairs(pairs: Iterable[Any], columns: Columns | None = None) -> Pairs:
    """Take pairs of texts, source and target, or triples with the source's features behind them; or rows by name."""
    return Pairs.of(checked_pairs(by_place(pairs, columns)), PYTHON)


def by_place(rows: Iterable[Any], columns: Columns | None) -> Iterator[Any]:
    """Turn rows that are dictionaries, as those of Hugging Face's `datasets`, into pairs; others stay as they are.

    Their fields are source and target, or those of the columns; they may be inside a field `translation`.
    """
    names = field_names(columns or Columns())
    for number, row in enumerate(rows):
        if not isinstance(row, Mapping):
            yield row
            continue
        fields = row["translation"] if isinstance(row.get("translation"), Mapping) else row
        for name in names:
            if not isinstance(fields.get(name), str):
                there = "is not a text" if name in fields else f"is not there, only {listed(map(str, fields))}"
                raise DataError(f"pairs[{number}]: the field {quoted(name)} {there}; choose with source_column=...")
        yield tuple(fields[name] for name in names)


def checked_pairs(pairs: Iterable[tuple[str, ...]]) -> Iterator[tuple[str, str]]:
    """Yield pairs of texts; DataError for what is none, and where a source is empty but for white space."""
    length = 2
    for number, pair in enumerate(pairs):
        if number == 0 and not isinstance(pair, str) and len(pair) == 3:
            length = 3
        if isinstance(pair, str) or len(pair) != length or not all(isinstance(text, str) for text in pair):
            texts = "two texts, source and target" if length == 2 else "three texts, source, target and features"
            raise DataError(f"pairs[{number}]={brief(pair)}: must be {texts}")
        source, target, *features = pair
        if any("\ud800" <= char <= "\udfff" for char in "".join(pair)):
            raise DataError(f"pairs[{number}]={brief(pair)}: has half a surrogate pair, which is no text")
        if not source.partition("\t")[0].strip():
            raise DataError(f"pairs[{number}]: the source is empty")
        yield "\t".join([source, *features]), target


def origin_of(pairs: Pairs | Shards) -> Origin:
    """Return where pairs came from; of two parallel files both names, all bytes, and the SHA-256 of both SHA-256s."""
    first, *others = pairs.origins
    for other in others:
        both = hashlib.sha256((first.sha256 + other.sha256).encode()).hexdigest()
        first = Origin(f"{first.name} and {other.name}", first.path, (first.bytes or 0) + (other.bytes or 0), both)
    return first


def counts(pairs: Pairs | Shards) -> dict[str, int | None]:
    """Count pairs, their different sources (None of shards), and the characters of the longest source and target."""
    if isinstance(pairs, Shards):
        source, target = pairs.longest
        return {"pairs": len(pairs), "sources": None, "longest_source": source, "longest_target": target}
    longest = [0, 0]

    def sources() -> Iterator[str]:
        for source, target in pairs:
            text = source.partition("\t")[0] if pairs.has_features else source
            longest[:] = max(longest[0], len(text)), max(longest[1], len(target))
            yield source

    different = len(np.unique(text_hashes(sources())))
    return {"pairs": len(pairs), "sources": different, "longest_source": longest[0], "longest_target": longest[1]}

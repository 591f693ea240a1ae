"""Files of pairs: TSV, CSV, JSON lines, two parallel files, and the chapter's `question_answer` lines.

Each format yields rows, of which the columns say what is what.  The format is that of the option or of the file's
name; a file without a tab whose lines are equally long, with `_` at one and the same place, is the chapter's.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from doldari.data.lines import numbered_lines
from doldari.data.opening import Source
from doldari.data.pairs import Pair, Pairs, PairsBuilder
from doldari.data.rows import Rows, chapter_rows, csv_rows, jsonl_rows, listed, looks_like, tab_rows
from doldari.errors import ConfigError, DataError, and_more, quoted

Format = Literal["tsv", "csv", "jsonl", "chapter"]
BY_NAME: dict[str, Format] = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
PACKED = (".gz", ".bz2", ".xz", ".zst")


Places = tuple[int, int, int]  # of source, target and features among a row's cells, from 1; 0 of none


class Columns(NamedTuple):
    """The columns: numbers from 1, or names in the first row; features is 0 if there are none."""

    source: int | str = 1
    target: int | str = 2
    features: int | str = 0


@dataclass(frozen=True)
class Reading:
    """How pairs are read: columns and format of a file; of a built-in task how many, with numbers of how many digits.

    None is what suits the file or the task.
    """

    columns: Columns | None = None
    format: Format | None = None
    count: int | None = None
    digits: int | None = None


def choose_columns(
    source: int | str | None = None, target: int | str | None = None, features: int | str | None = None
) -> Columns | None:
    """Take the columns that were given; None where none was."""
    if source is None and target is None and features is None:
        return None
    columns = Columns(source or 1, target or 2, features or 0)
    if len(set(columns)) < len(columns):
        chosen = {f"{name}_column": column for name, column in columns._asdict().items() if column}
        raise ConfigError(", ".join(f"{{{name}}}" for name in chosen) + ": must be different columns", **chosen)
    return columns


def format_of(path: Path) -> Format | None:
    """Return the format of a file by its name, `.gz` and its like aside; None if the name says nothing."""
    name = path.name.lower()
    for ending in PACKED:
        name = name.removesuffix(ending)
    return BY_NAME.get(Path(name).suffix)


class Faults:
    """Lines without a valid pair: their count, and the first with its number and what is wrong."""

    def __init__(self) -> None:
        self.count, self.first, self.name = 0, "", ""

    def add(self, number: int, reason: str, name: str = "") -> None:
        """Count another one; name is its file, if it is not the first."""
        self.count += 1
        if self.count == 1:
            self.first, self.name = f"{number}: {reason}", name


def read_pairs(path: Path, columns: Columns | None = None, format: Format | None = None) -> Pairs:
    """Read all pairs of a file; blank lines are skipped.

    With `columns` a line may have others besides; without, it has two, or of JSON lines the fields source and target.
    DataError, with the number of the first, for lines without a valid pair.
    """
    if format is not None and format not in get_args(Format):
        raise ConfigError(f"{{format}}: must be one of {', '.join(get_args(Format))}", format=format)
    chosen = format or format_of(path)
    with Source(path) as source:
        lines = numbered_lines(source)
        if chosen == "csv":
            return collect(csv_rows(lines), columns, source, "comma")
        if chosen == "jsonl":
            names = field_names(columns or Columns())
            return collect(jsonl_rows(lines, names), Columns(1, 2, 3 if len(names) > 2 else 0), source, "")
        if chosen == "chapter":
            return collect(chapter_rows(lines), Columns(), source, "")
        return collect(tab_rows(lines, may_be_chapter=columns is None and chosen is None), columns, source, "tab")


def field_names(columns: Columns) -> list[str]:
    """Name the fields of JSON lines that are columns; 1, 2 and 3 stand for source, target and features."""
    named = {1: "source", 2: "target", 3: "features"}
    for column in columns:
        if isinstance(column, int) and column > len(named):
            raise ConfigError(
                f"column {column}: columns of JSON lines have names; give {{source_column}} ...", source_column="NAME"
            )
    return [named[column] if isinstance(column, int) else column for column in columns if column]


def read_parallel(sources: Path, targets: Path) -> Pairs:
    """Read two files with a source and its target on the same line; lines blank in both are skipped.

    A tab is text.  DataError if one has more lines.
    """
    builder = PairsBuilder()
    with Source(sources) as first, Source(targets) as second:
        counts = [0, 0]
        bad = Faults()
        for one, other in zip_longest(numbered_lines(first), numbered_lines(second)):
            counts = [counts[0] if one is None else one[0], counts[1] if other is None else other[0]]
            if one is None or other is None:
                continue
            (number, source), (_, target) = one, other
            if not source.strip() and not target.strip():
                continue
            if not source.strip() or not target.strip():
                blank, name = ("target", second.name) if source.strip() else ("source", first.name)
                bad.add(number, f"the {blank} is empty", name)
                continue
            builder.add(source, target, number)
        if counts[0] != counts[1]:
            raise DataError(
                f"{first.name} has {counts[0]:,} lines and {second.name} {counts[1]:,}: "
                "line by line the one is a source and the other its target"
            )
        return finished(builder, bad, (first, second), False, "")


def collect(rows: Rows, columns: Columns | None, source: Source, separator: str) -> Pairs:
    """Collect the pairs of rows; the first row is a header if columns are given by name."""
    builder, bad = PairsBuilder(), Faults()
    places = column_numbers(columns or Columns(), rows, source.name)
    for number, row in rows:
        pair = row if isinstance(row, str) else pair_of(row, places, columns is None, separator)
        if isinstance(pair, str):
            bad.add(number, pair)
            continue
        try:
            builder.add(*pair, number)
        except UnicodeEncodeError:
            bad.add(number, "half a character in it (a lone surrogate)")
    hint = f"; expected on each line: source, {separator}, target" if columns is None else ""
    return finished(builder, bad, (source,), bool(places[2]), hint)


def finished(builder: PairsBuilder, bad: Faults, sources: Sequence[Source], has_features: bool, hint: str) -> Pairs:
    """Return the pairs; DataError for invalid lines, and for files without pairs."""
    name = sources[0].name
    if bad.count:
        raise DataError(f"{bad.name or name}:{bad.first}{and_more(bad.count - 1, 'line')}{hint}")
    if not builder:
        raise DataError(f"{name}: no pairs in it: the file is empty")
    return builder.pairs(tuple(source.origin() for source in sources), has_features)


def column_numbers(columns: Columns, rows: Rows, name: str) -> Places:
    """Return the columns' numbers; names are looked up in the first row, which is consumed.

    ConfigError for a name that is not there.
    """
    names: list[str] = []
    number = 0
    if any(isinstance(column, str) for column in columns):
        number, header = next(rows, (0, ""))
        names = [] if isinstance(header, str) else [name.strip() for name in header]
    numbers = []
    for what, column in columns._asdict().items():
        if isinstance(column, str) and column not in names:
            there = listed(names)
            what = f"no column {quoted(column)} for the {what}"
            raise ConfigError(f"{name}:{number}: {what}; the first row has {there}")
        numbers.append(names.index(column) + 1 if isinstance(column, str) else column)
    return numbers[0], numbers[1], numbers[2]


def pair_of(cells: Sequence[str], places: Places, exact: bool, separator: str) -> Pair | str:
    """Return the pair in a row's cells, or what is wrong; `exact` allows no further cells."""
    if exact and len(cells) != 2:
        what = f"{len(cells)} columns, expected 2; choose the columns: --source-column 1 --target-column 2 ..."
        return what if len(cells) > 2 else f"no {separator}{looks_like(cells[0])}"
    source_at, target_at, features_at = places
    for name, column in (("source", source_at), ("target", target_at), ("features", features_at)):
        if column > len(cells):
            return f"no column {column} for the {name}; there are {len(cells)}"
    source, target = cells[source_at - 1], cells[target_at - 1]
    if not source.strip():
        return "the source is empty"
    if not target.strip():
        return "the target is empty"
    if "\n" in source or "\n" in target:
        where = "source" if "\n" in source else "target"
        return f"a line break in the {where}; a text is one line"
    if not features_at:
        return Pair(source, target)
    features = cells[features_at - 1]
    if not features.strip(" ;\t"):
        return "the features are empty"
    if any(symbol in features for symbol in "\t\n") or "\t" in source:
        return "a tab in the source or its features, which a tab separates, or a line break"
    return Pair(f"{source}\t{features}", target)


def chapter_lines(make: Callable[[], Iterable[Pair]]) -> Iterator[str]:
    """Write pairs as in the chapter's file, `16+75  _91  `: padded with blanks to the longest.

    The pairs are made twice, once to measure and once to write, so that they need not be held in memory.
    """
    source_width = target_width = 0
    for source, target in make():
        source_width, target_width = max(source_width, len(source)), max(target_width, len(target))
    for source, target in make():
        yield f"{source:<{source_width}}_{target:<{target_width}}"

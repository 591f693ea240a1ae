"""Files of pairs: TSV, CSV, JSON lines, Parquet, Arrow, two parallel files, the chapter's `question_answer` lines.

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
from doldari.data.tables import table_rows
from doldari.errors import ConfigError, DataError, and_more, quoted

Format = Literal["tsv", "csv", "jsonl", "chapter", "parquet", "arrow"]
BY_NAME: dict[str, Format] = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
BY_NAME |= {".parquet": "parquet", ".arrow": "arrow"}
NAMED = ("jsonl", "parquet", "arrow")  # formats whose columns have names, and no first row that says them
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

    def refuse(self, name: str, good: int, hint: str = "") -> None:
        """Refuse a file that has such lines, or no `good` ones either; the hint says what is expected."""
        if self.count:
            raise DataError(f"{self.name or name}:{self.first}{and_more(self.count - 1, 'line')}{hint}")
        if not good:
            raise DataError(f"{name}: no pairs in it: the file is empty")


def read_pairs(path: Path, columns: Columns | None = None, format: Format | None = None) -> Pairs:
    """Read all pairs of a file; blank lines are skipped.

    With `columns` a line may have others besides; without, it has two, or of JSON lines the fields source and target.
    DataError, with the number of the first, for lines without a valid pair.
    """
    builder = PairsBuilder()
    with Source(path) as source:
        for number, pair in iter_pairs(source, columns, format):
            builder.add(*pair, number)
        return builder.pairs((source.origin(),), has_features(path, columns, format))


def iter_pairs(source: Source, columns: Columns | None, format: Format | None) -> Iterator[tuple[int, Pair]]:
    """Yield the pairs of a source and the numbers of their lines; DataError as in `read_pairs`, at the end."""
    if format is not None and format not in get_args(Format):
        raise ConfigError(f"{{format}}: must be one of {', '.join(get_args(Format))}", format=format)
    chosen = format or format_of(source.path)
    names = field_names(columns or Columns()) if chosen in NAMED else []
    separator, taken = "", columns
    if chosen in ("parquet", "arrow"):
        rows = table_rows(source, chosen, names)
    else:
        lines = numbered_lines(source)
        if chosen == "csv":
            rows, separator = csv_rows(lines), "comma"
        elif chosen == "jsonl":
            rows = jsonl_rows(lines, names)
        elif chosen == "chapter":
            rows, taken = chapter_rows(lines), Columns()
        else:
            rows, separator = tab_rows(lines, may_be_chapter=columns is None and chosen is None), "tab"
    if names:
        taken = Columns(1, 2, 3 if len(names) > 2 else 0)
    yield from good_pairs(rows, taken, source.name, separator)


def has_features(path: Path, columns: Columns | None, format: Format | None) -> bool:
    """Say whether the pairs of a file have features."""
    return columns is not None and bool(columns.features) and (format or format_of(path)) != "chapter"


def field_names(columns: Columns) -> list[str]:
    """Name the fields of JSON lines, or of a table, that are columns; 1, 2, 3: source, target, features."""
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
        bad.refuse(first.name, len(builder))
        return builder.pairs((first.origin(), second.origin()), False)


def good_pairs(rows: Rows, columns: Columns | None, name: str, separator: str) -> Iterator[tuple[int, Pair]]:
    """Take the pairs of rows; the first row names the columns if these are asked for by name."""
    bad, count = Faults(), 0
    places = column_numbers(columns or Columns(), rows, name)
    for number, row in rows:
        pair = row if isinstance(row, str) else pair_of(row, places, columns is None, separator)
        if isinstance(pair, str):
            bad.add(number, pair)
        else:
            count += 1
            yield number, pair
    bad.refuse(name, count, f"; expected on each line: source, {separator}, target" if columns is None else "")


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
    if exact and len(cells) < 2:
        return f"no {separator}{looks_like(cells[0])}"
    if exact and len(cells) > 2:
        return f"{len(cells)} columns, expected 2; {columns_to_choose(cells)}"
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


def columns_to_choose(cells: Sequence[str]) -> str:
    """Say with which options a row of more than two cells may be read."""
    if len(cells) == 3 and ";" in cells[2]:  # a word, its form, and features: V;PST
        return f"if {quoted(cells[2])} are features: --features-column 3"
    if len(cells) == 3 and ";" in cells[1]:
        return f"if {quoted(cells[1])} are features: --target-column 3 --features-column 2"
    return "choose the columns: --source-column 1 --target-column 2, or by their names if the first row has them"


def chapter_lines(make: Callable[[], Iterable[Pair]]) -> Iterator[str]:
    """Write pairs as in the chapter's file, `16+75  _91  `: padded with blanks to the longest.

    The pairs are made twice, once to measure and once to write, so that they need not be held in memory.
    """
    source_width = target_width = 0
    for source, target in make():
        source_width, target_width = max(source_width, len(source)), max(target_width, len(target))
    for source, target in make():
        yield f"{source:<{source_width}}_{target:<{target_width}}"

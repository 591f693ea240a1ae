"""Files of pairs: TSV, CSV, JSON lines, two parallel files, and the chapter's `question_answer` lines.

Each format yields rows, of which the columns say what is what.  The format is that of the option or of the file's
name; a file without a tab whose lines are equally long, with `_` at one and the same place, is the chapter's.
"""

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

from doldari.data.lines import LONGEST, numbered_lines
from doldari.data.opening import Source
from doldari.data.pairs import Pair, Pairs, PairsBuilder
from doldari.errors import ConfigError, DataError

Format = Literal["tsv", "csv", "jsonl", "chapter"]
BY_NAME: dict[str, Format] = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
PACKED = (".gz", ".bz2", ".xz", ".zst")

Numbered = Iterator[tuple[int, str]]
# A line's number and its cells; or, in place of these, why it holds none.
Rows = Iterator[tuple[int, Sequence[str] | str]]


class Columns(NamedTuple):
    """Which columns are what: numbers, from 1, or names, which then stand in the first row; features is 0 of none."""

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
        chosen = ", ".join(f"{name}={column}" for name, column in columns._asdict().items())
        raise ConfigError(f"{chosen}: must be different columns")
    return columns


def format_of(path: Path) -> Format | None:
    """Tell the format of a file by its name, `.gz` and its like aside; None if the name says nothing."""
    name = path.name.lower()
    for ending in PACKED:
        name = name.removesuffix(ending)
    return BY_NAME.get(Path(name).suffix)


def read_pairs(path: Path, columns: Columns | None = None, format: Format | None = None) -> Pairs:
    """Read all pairs of a file; blank lines are passed over.

    With `columns` a line may have others besides; without, it has two, or of JSON lines the fields source and target.
    Lines that hold no pair are refused, the first named by its number.
    """
    if format is not None and format not in get_args(Format):
        raise ConfigError(f"format={format}: must be one of {', '.join(get_args(Format))}")
    chosen = format or format_of(path)
    with Source(path) as source:
        lines = numbered_lines(source)
        if chosen == "csv":
            return collect(csv_rows(lines), columns, source, "comma")
        if chosen == "jsonl":
            names = columns or Columns("source", "target")
            return collect(jsonl_rows(lines, names), Columns(1, 2, 3 if names.features else 0), source, "")
        if chosen == "chapter":
            return collect(chapter_rows(lines), Columns(), source, "")
        return collect(tab_rows(lines, may_be_chapter=columns is None and chosen is None), columns, source, "tab")


def read_parallel(sources: Path, targets: Path) -> Pairs:
    """Read two files that have a source and its target on the same line; what is blank in both is passed over.

    A tab is text.  DataError if one has more lines.
    """
    builder = PairsBuilder()
    with Source(sources) as first, Source(targets) as second:
        counts = [0, 0]
        bad: list[tuple[int, str]] = []
        for one, other in zip_longest(numbered_lines(first), numbered_lines(second)):
            counts = [counts[0] if one is None else one[0], counts[1] if other is None else other[0]]
            if one is None or other is None:
                continue
            (number, source), (_, target) = one, other
            if not source.strip() and not target.strip():
                continue
            if not source.strip() or not target.strip():
                bad.append((number, f"the {'target' if source.strip() else 'source'} is empty"))
                continue
            builder.add(source, target, number)
        if counts[0] != counts[1]:
            raise DataError(
                f"{first.name} has {counts[0]:,} lines and {second.name} {counts[1]:,}: "
                "line by line the one is a source and the other its target"
            )
        return finished(builder, bad, (first, second), False, "")


def collect(rows: Rows, columns: Columns | None, source: Source, separator: str) -> Pairs:
    """Take the pairs of rows; the first row names the columns if these are asked for by name."""
    builder = PairsBuilder()
    bad: list[tuple[int, str]] = []
    places = columns or Columns()
    if any(isinstance(column, str) for column in places):
        number, header = next(rows, (0, ()))
        places = named_columns(f"{source.name}:{number}", places, header)
    for number, row in rows:
        pair = row if isinstance(row, str) else pair_of(row, places, columns is None, separator)
        if isinstance(pair, str):
            bad.append((number, pair))
            continue
        try:
            builder.add(*pair, number)
        except UnicodeEncodeError:
            bad.append((number, "half a character in it (a lone surrogate)"))
    hint = f"; every line is: source, {separator}, target" if columns is None else ""
    return finished(builder, bad, (source,), bool(places.features), hint)


def finished(
    builder: PairsBuilder, bad: list[tuple[int, str]], sources: Sequence[Source], has_features: bool, hint: str
) -> Pairs:
    """Make the pairs; or refuse lines that hold none, and files without any."""
    name = sources[0].name
    if bad:
        number, reason = bad[0]
        more = f" (and {len(bad) - 1:,} more such lines)" if len(bad) > 1 else ""
        raise DataError(f"{name}:{number}: {reason}{more}{hint}")
    if not builder:
        raise DataError(f"{name}: no pairs in it: the file is empty")
    return builder.pairs(tuple(source.origin() for source in sources), has_features)


def named_columns(place: str, columns: Columns, header: Sequence[str] | str) -> Columns:
    """Find columns that are asked for by name in the first row; ConfigError where there is none of that name."""
    names = [] if isinstance(header, str) else [name.strip() for name in header]
    numbers = []
    for what, column in columns._asdict().items():
        if isinstance(column, str) and column not in names:
            raise ConfigError(f"{place}: no column {column!r} for the {what}; the first row has: {', '.join(names)}")
        numbers.append(names.index(column) + 1 if isinstance(column, str) else column)
    return Columns(*numbers)


def pair_of(cells: Sequence[str], columns: Columns, exact: bool, separator: str) -> Pair | str:
    """Take a pair from a row's cells, of which there are no others if `exact`; or say why there is none."""
    if exact and len(cells) == 1:
        return f"no {separator}{looks_like(cells[0])}"
    if exact and len(cells) > 2:
        return f"{len(cells)} columns, expected 2; say which are what: --source-column 1 --target-column 2 ..."
    taken = []
    for name, column in columns._asdict().items():
        if column > len(cells):
            return f"no column {column} for the {name}, only {len(cells)}"
        cell = cells[column - 1] if column else ""
        if column and not cell.strip(" ;\t" if name == "features" else None):
            return f"the {name} {'are' if name == 'features' else 'is'} empty"
        if "\n" in cell:
            return f"a line break in the {name}; a text is one line"
        taken.append(cell)
    source, target, features = taken
    if not columns.features:
        return Pair(source, target)
    if "\t" in source or "\t" in features:
        return "a tab in the source or its features, between which a tab stands"
    return Pair(f"{source}\t{features}", target)


def tab_rows(lines: Numbered, may_be_chapter: bool) -> Rows:
    """Yield the cells of lines, with tabs between them; or, if the first has none but a `_`, as `exact_rows`."""
    for number, text in lines:
        if not text.strip(" "):
            continue
        if may_be_chapter and "\t" not in text and "_" in text and not text.startswith("{"):
            yield from exact_rows(number, text, lines)
            return
        may_be_chapter = False
        yield number, text.split("\t")


def exact_rows(number: int, text: str, lines: Numbered) -> Rows:
    """Yield question and answer of the chapter's lines: several, of one width, with `_` at one place; else refuse."""
    length, place = len(text), text.index("_")
    other = "it has one line"
    for later, line in chain([(number, text)], lines):
        if not line.strip(" "):
            continue
        if len(line) != length or line.find("_") != place:
            other = f"line {later} is not as long, or has its _ elsewhere"
            break
        if later > number:
            other = ""
        yield later, [line[:place].strip(" "), line[place + 1 :].strip(" ")]
    if other:
        hint = "--format chapter reads it as such"
        yield number, f"no tab{looks_like(text)}, and not the chapter's file: {other} ({hint})"


def chapter_rows(lines: Numbered) -> Rows:
    """Yield what stands before and behind the first `_` of lines; blanks around question and answer are padding."""
    for number, text in lines:
        if text.strip(" "):
            question, underscore, answer = text.partition("_")
            yield number, [question.strip(" "), answer.strip(" ")] if underscore else "no _ as in the chapter's file"


def csv_rows(lines: Numbered) -> Rows:
    """Yield the cells of comma-separated values, quoted as in RFC 4180; a row is numbered by its first line."""
    csv.field_size_limit(LONGEST)
    reader = csv.reader((f"{text}\n" for _, text in lines), strict=True)
    while True:
        number = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield number, f"not CSV: {error}"
            return
        if any(cell.strip(" ") for cell in cells):
            yield number, cells


def jsonl_rows(lines: Numbered, columns: Columns) -> Rows:
    """Yield, of an object a line, the fields that the columns name."""
    names = [column for column in columns if column]
    if not all(isinstance(name, str) for name in names):
        raise ConfigError(f"{names[0]}: JSON lines have names for columns: --source-column source ...")
    for number, text in lines:
        if not text.strip():
            continue
        try:
            fields: Any = json.loads(text)
        except (ValueError, RecursionError) as error:
            yield number, f"not JSON: {error}"
            continue
        if not isinstance(fields, dict):
            yield number, 'not a JSON object, such as {"source": "...", "target": "..."}'
            continue
        wrong = next((name for name in names if not isinstance(fields.get(name), str)), None)
        if wrong is not None:
            there = "is not a text" if wrong in fields else f"is not there, only {', '.join(map(repr, fields))}"
            yield number, f"the field {wrong!r} {there}"
        else:
            yield number, [fields[name] for name in names]


def looks_like(text: str) -> str:
    """Say what a line without the separator looks like, if it does."""
    if text.lstrip().startswith("{") and text.rstrip().endswith("}"):
        return " (JSON lines? --format jsonl)"
    if "\t" in text:
        return " (tabs? --format tsv)"
    return " (CSV? --format csv)" if "," in text else ""


def chapter_lines(pairs: Sequence[Pair]) -> Iterator[str]:
    """Write pairs as in the chapter's file, `16+75  _91  `: padded with blanks to the longest."""
    source_width = max(len(pair.source) for pair in pairs)
    target_width = max(len(pair.target) for pair in pairs)
    for source, target in pairs:
        yield f"{source:<{source_width}}_{target:<{target_width}}"

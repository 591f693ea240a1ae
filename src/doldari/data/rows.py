"""The rows of files of pairs, a function a format: a line's number and its cells, or why it has none."""

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

from doldari.data.lines import LONGEST
from doldari.errors import quoted

Numbered = Iterator[tuple[int, str]]
# A line's number, and its cells or, for an invalid line, the reason.
Rows = Iterator[tuple[int, Sequence[str] | str]]


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
    """Yield question and answer of the chapter's lines: several, of one width, with `_` at one place; else refuse.

    Where every line has a comma too, commas are likelier to stand between columns.
    """
    length, place = len(text), text.index("_")
    other, commas = "it has one line", True
    for later, line in chain([(number, text)], lines):
        if not line.strip(" "):
            continue
        if len(line) != length or line.find("_") != place:
            other, commas = f"line {later} is not as long, or has its _ elsewhere", False
            break
        if later > number:
            other = ""
        commas = commas and "," in line
        yield later, [line[:place].strip(" "), line[place + 1 :].strip(" ")]
    other = other or "every line has a comma" * commas
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


def jsonl_rows(lines: Numbered, names: Sequence[str]) -> Rows:
    """Yield, of an object a line, the fields of these names."""
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
            there = "is not a text" if wrong in fields else f"is not there, only {listed(fields)}"
            yield number, f"the field {quoted(wrong)} {there}"
        elif any("\ud800" <= char <= "\udfff" for name in names for char in fields[name]):
            yield number, "half a character in it (a lone surrogate)"
        else:
            yield number, [fields[name] for name in names]


def listed(names: Iterable[str]) -> str:
    """List names of columns, if there are not too many."""
    shown = [quoted(name, 20) for name in names]
    return ", ".join(shown[:8]) + (f" ... ({len(shown):,})" if len(shown) > 8 else "")


def looks_like(text: str) -> str:
    """Describe what a line without the separator looks like, if it does."""
    if text.lstrip().startswith("{") and text.rstrip().endswith("}"):
        return " (JSON lines? --format jsonl)"
    if "\t" in text:
        return " (tabs? --format tsv)"
    if ";" in text and "," not in text:  # as spreadsheets write where the comma is the decimal mark
        return " (semicolons? save the file with commas or tabs)"
    return " (CSV? --format csv)" if "," in text else ""

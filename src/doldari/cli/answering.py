"""Answering lines: as many come out as went in, in their order, whatever is in them."""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from doldari.cli.arguments import UNKNOWN_HINT
from doldari.cli.console import complain, counting, stderr, stdout
from doldari.errors import DataError, UnknownSymbolError, quoted

if TYPE_CHECKING:
    from doldari.data.vocabulary import Unknown
    from doldari.inference.predictor import Answer, Predictor

NO_FEATURES = "the model has no features; give sources only, as by cut -f1"
LONGEST_LINE = 1 << 22  # bytes of a line that is read as a source


class Asked(NamedTuple):
    """How sources are read: what becomes of unknown symbols, and the beam, which says how long they may be."""

    unknown: "Unknown"
    beam: int = 1


def lines_of(path: Path | None) -> Iterator[list[bytes]]:
    """Yield the lines of a file, or of standard input, as many at a time as there are: who writes one is answered."""
    from doldari.data.lines import cut_lines
    from doldari.data.opening import Source

    if path is not None:
        with Source(path) as source:
            yield from cut_lines(source.blocks(), b"\n", LONGEST_LINE)
        return
    if sys.stdin is None:
        raise DataError("standard input is closed; give texts as arguments")
    stdin: Any = sys.stdin.buffer
    yield from cut_lines(iter(lambda: stdin.read1(1 << 16), b""), b"\n", LONGEST_LINE)


def print_answers(
    predictor: "Predictor",
    chunks: Iterable[list[bytes]],
    ask: "Callable[[list[str], int], list[list[Answer]]]",
    asked: Asked,
    scores: bool,
    tsv: bool,
) -> bool:
    """Print the answers to lines, in order; False if there was a line that could not be answered.

    ask answers texts, of which it is told how many lines came before.  A blank line is answered with an empty one.
    """
    is_blank = predictor.text_model.source.is_blank
    number, failed = 0, False
    with counting(stderr, stdout) as count:
        for chunk in chunks:
            sources = [readable(predictor, line, at, asked) for at, line in enumerate(chunk, start=number + 1)]
            answerable = [at for at, source in enumerate(sources) if source is not None and not is_blank(source)]
            found = answers(ask, {at: sources[at] or "" for at in answerable}, number)
            failed = failed or None in sources or len(found) < len(answerable)
            for at, (line, source) in enumerate(zip(chunk, sources, strict=True)):
                shown = line.decode("utf-8", "backslashreplace").removesuffix("\r") if source is None else source
                for answer in found.get(at, [None]):
                    print_answer(shown, answer, scores, tsv)
            print(end="", flush=True)
            number += len(chunk)
            count(number)
    return not failed


def answers(
    ask: "Callable[[list[str], int], list[list[Answer]]]", sources: dict[int, str], before: int
) -> "Mapping[int, Sequence[Answer | None]]":
    """Ask sources, given where in a chunk they stand; one for which there is too little memory has no answer.

    They are asked together, and if that takes too much memory each alone.
    """
    try:
        return dict(zip(sources, ask(list(sources.values()), before), strict=True))
    except MemoryError:
        found = {}
        for index, (at, source) in enumerate(sources.items()):
            try:
                (found[at],) = ask([source], before + index)
            except MemoryError:
                complain(f"text {before + at + 1}: {quoted(source)}: not enough memory for it")
        return found


def print_answer(source: str, answer: "Answer | None", scores: bool, tsv: bool) -> None:
    """Print an answer's line, with the columns that are asked for; of None they are empty."""
    text, score = ("", "") if answer is None else (answer.text, f"{answer.score:.4f}")
    print("\t".join([source] * tsv + [text] + [score] * scores))


def readable(predictor: "Predictor", line: bytes, number: int, asked: Asked) -> str | None:
    """Decode a line that is blank or that the model can answer; complain of another, and return None."""
    from doldari.data.lines import LongLine
    from doldari.inference.arguments import check_length

    source = predictor.text_model.source
    try:
        if isinstance(line, LongLine):
            raise DataError(f"the line is longer than {LONGEST_LINE >> 20} MiB")
        text = line.decode("utf-8").removesuffix("\r").removeprefix("\ufeff")
        if source.is_blank(text):
            return text
        if "\t" in text and not source.features and "\t" not in source.ids:
            raise DataError(f"{quoted(text)}: a tab in it, and {NO_FEATURES}")
        ids = predictor.encode(text, asked.unknown)
        check_length(len(ids), predictor.text_model.longest_source, asked.beam)
    except (UnicodeDecodeError, DataError) as error:
        reason = "not UTF-8" if isinstance(error, UnicodeDecodeError) else error
        hint = UNKNOWN_HINT if isinstance(error, UnknownSymbolError) and asked.unknown == "error" else ""
        if isinstance(error, UnknownSymbolError) and b"\r" in line.removesuffix(b"\r"):
            hint = "; lines end with a line feed, not with a carriage return"
        complain(f"text {number}: {reason}{hint}")
        return None
    return text

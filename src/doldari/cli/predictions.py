"""Answering lines: as many come out as went in, in their order, whatever is in them."""

import io
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

from doldari.cli.arguments import unknown_hint
from doldari.cli.console import answers_in_utf8, complain, counting, stderr, stdout, warn
from doldari.errors import ConfigError, DataError, UnknownSymbolError, quoted

if TYPE_CHECKING:
    from doldari.inference.predictor import Answer, AnswerOptions, Predictor

NO_FEATURES = "the model has no features; give sources only (cut -f1)"
LONGEST_LINE = 1 << 22  # bytes of a line that is read as a source


class Columns(NamedTuple):
    """What a line has beside the answer: the source before it; behind it its log-probability, or with `details` also
    its probability and its flags.
    """

    source: bool = False
    score: bool = False
    details: bool = False

    @property
    def header(self) -> str:
        """The columns' names."""
        score = ["log_probability"] * (self.score or self.details)
        return "\t".join([*["source"] * self.source, "answer", *score, *["probability", "flags"] * self.details])

    def line(self, source: str, answer: "Answer | None") -> str:
        """Lay out an answer; of None the columns are empty."""
        text, score, details = "", "", ["", ""]
        if answer is not None:
            text, score = answer.text, f"{answer.score:.4f}"
            details = [f"{answer.probability:.4g}", ",".join(answer.flags)]
        scores = [score] * (self.score or self.details)
        return "\t".join([*[source] * self.source, text, *scores, *details * self.details])


def lines_of(path: Path | None) -> Iterator[list[bytes]]:
    """Yield the lines of a file, or of standard input, as many at a time as there are: who writes one is answered."""
    from doldari.data.lines import cut_lines, line_end
    from doldari.data.opening import Source

    if path is not None:
        with Source(path) as source:
            blocks = source.blocks()
            first = next(blocks, b"")
            yield from cut_lines(chain([first], blocks), line_end(first), LONGEST_LINE)
        return
    if sys.stdin is None:
        raise DataError("standard input is closed; give texts as arguments")
    stdin: Any = sys.stdin.buffer
    yield from cut_lines(iter(lambda: stdin.read1(1 << 16), b""), b"\n", LONGEST_LINE)


@contextmanager
def output_file(path: Path | None) -> Iterator[TextIO | None]:
    """Open the file that answers go to, in UTF-8, which is there whole or not at all; None for standard output.

    A pipe, a device or a link, such as /dev/stdout, is written to as it is, and never replaced.
    """
    from doldari.files import writing_whole

    if path is None:
        answers_in_utf8()
        yield None
    else:
        if path.is_dir():
            raise ConfigError(f"{path}: is a directory; give the name of a file for the answers")
        with writing_whole(path) as binary:
            text = io.TextIOWrapper(binary, encoding="utf-8", newline="\n")
            yield text
            text.flush()
            text.detach()


class Printed:
    """How many answers were printed, and how many of them have each flag; failed: some line has no answer."""

    def __init__(self) -> None:
        self.answers, self.flags, self.failed = 0, Counter[str](), False

    def add(self, found: "Sequence[Answer | None]") -> None:
        """Count the answers to a line."""
        for answer in found:
            self.failed |= answer is None
            self.answers += answer is not None
            self.flags.update(() if answer is None else answer.flags)

    def warn(self) -> None:
        """Say in a line for each flag how many answers have it."""
        from doldari.inference.answers import FLAGS

        for flag, meaning in FLAGS.items():
            if self.flags[flag]:
                more = "; --max-length N allows longer ones" if flag == "limit" else ""
                warn(f"{self.flags[flag]:,} of {self.answers:,} answers {meaning}{more}")


def print_answers(
    predictor: "Predictor",
    chunks: Iterable[list[bytes]],
    ask: "Callable[[list[str], int], list[list[Answer]]]",
    asked: "AnswerOptions",
    columns: Columns,
    file: TextIO | None = None,
) -> Printed:
    """Print the answers to lines, in order, into a file or on standard output.

    ask answers texts, of which it is told how many lines came before.  A blank line is answered with an empty one.
    """
    is_blank = predictor.text_model.source.is_blank
    number, printed = 0, Printed()
    with counting(stderr, stdout if file is None else None) as count:
        for chunk in chunks:
            sources = [readable(predictor, line, at, asked) for at, line in enumerate(chunk, start=number + 1)]
            answerable = [at for at, source in enumerate(sources) if source is not None and not is_blank(source)]
            found = answers(ask, {at: sources[at] or "" for at in answerable}, number)
            for at, (line, source) in enumerate(zip(chunk, sources, strict=True)):
                shown = line.decode("utf-8", "backslashreplace").removesuffix("\r") if source is None else source
                some = found.get(at, [None])
                if source is None or not is_blank(source):
                    printed.add(some)
                for answer in some:
                    print(columns.line(shown, answer), file=file)
            print(end="", flush=True, file=file)
            number += len(chunk)
            count(number)
    return printed


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
                complain(f"text {before + at + 1}: {quoted(source)}: not enough memory")
        return found


def readable(predictor: "Predictor", line: bytes, number: int, asked: "AnswerOptions") -> str | None:
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
            raise DataError(f"{quoted(text)}: contains a tab, but {NO_FEATURES}")
        ids = predictor.encode(text, asked.unknown)
        check_length(len(ids), predictor.text_model.longest_source, asked.beam)
    except (UnicodeDecodeError, DataError) as error:
        reason = "not UTF-8" if isinstance(error, UnicodeDecodeError) else error
        hint = ""
        if isinstance(error, UnknownSymbolError) and asked.unknown == "error":
            hint = unknown_hint(predictor, text)
        if isinstance(error, UnknownSymbolError) and b"\r" in line.removesuffix(b"\r"):
            hint = "; lines must end with a line feed, not with a carriage return"
        complain(f"text {number}: {reason}{hint}")
        return None
    return text

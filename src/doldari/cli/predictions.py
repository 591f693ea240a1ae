"""Printing predictions: for each input line one output line (or n_best), in the same order."""

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
    """The columns beside the prediction: the source before it; after it the score (log-probability) and, with
    `details`, the probability and the flags.
    """

    source: bool = False
    score: bool = False
    details: bool = False

    @property
    def header(self) -> str:
        """The names of the columns."""
        score = ["score"] * (self.score or self.details)
        return "\t".join([*["source"] * self.source, "prediction", *score, *["probability", "flags"] * self.details])

    def line(self, source: str, answer: "Answer | None") -> str:
        """Format a prediction; for None the columns are empty."""
        text, score, details = "", "", ["", ""]
        if answer is not None:
            text, score = answer.text, f"{answer.score:.4f}"
            details = [f"{answer.probability:.4g}", ",".join(answer.flags)]
        scores = [score] * (self.score or self.details)
        return "\t".join([*[source] * self.source, text, *scores, *details * self.details])


def lines_of(path: Path | None) -> Iterator[list[bytes]]:
    """Yield the lines of a file or of standard input, as many at a time as are there, so that dialogue works."""
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
    """Open the output file, in UTF-8; it appears once it is complete.  None for standard output.

    A pipe, a device or a link, such as /dev/stdout, is written to directly, never replaced.
    """
    from doldari.files import writing_whole

    if path is None:
        answers_in_utf8()
        yield None
    else:
        if path.is_dir():
            raise ConfigError(f"{path}: is a directory; give the name of a file for the predictions")
        with writing_whole(path) as binary:
            text = io.TextIOWrapper(binary, encoding="utf-8", newline="\n")
            yield text
            text.flush()
            text.detach()


class Printed:
    """Counts of printed predictions and of their flags; failed: at least one input had an error."""

    def __init__(self) -> None:
        self.answers, self.flags, self.failed = 0, Counter[str](), False

    def add(self, found: "Sequence[Answer | None]") -> None:
        """Count the predictions for one input."""
        for answer in found:
            self.failed |= answer is None
            self.answers += answer is not None
            self.flags.update(() if answer is None else answer.flags)

    def warn(self) -> None:
        """Print a line for each flag with the number of predictions that have it, even with --quiet."""
        from doldari.inference.answers import FLAGS

        for flag, meaning in FLAGS.items():
            if self.flags[flag]:
                more = "; --max-length N allows longer ones" if flag == "limit" else ""
                warn(f"{self.flags[flag]:,} of {self.answers:,} predictions {meaning}{more}", always=True)


def print_answers(
    predictor: "Predictor",
    chunks: Iterable[list[bytes]],
    ask: "Callable[[list[str], int], list[list[Answer]]]",
    options: "AnswerOptions",
    columns: Columns,
    file: TextIO | None = None,
    unit: str = "line",
) -> Printed:
    """Print the predictions for lines, in order, into a file or on standard output.

    ask predicts from texts, given the number of lines before them.  A blank line gives an empty one.  unit is what
    error messages call an input: line or text.
    """
    is_blank = predictor.text_model.source.is_blank
    number, printed = 0, Printed()
    with counting(stderr, stdout if file is None else None) as count:
        for chunk in chunks:
            sources = [
                readable(predictor, line, f"{unit} {at}", options) for at, line in enumerate(chunk, start=number + 1)
            ]
            answerable = [at for at, source in enumerate(sources) if source is not None and not is_blank(source)]
            found = answers(ask, {at: sources[at] or "" for at in answerable}, number, unit)
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
    ask: "Callable[[list[str], int], list[list[Answer]]]", sources: dict[int, str], before: int, unit: str
) -> "Mapping[int, Sequence[Answer | None]]":
    """Predict from sources, given by their places in a chunk: all at once, or one by one if memory runs out.

    A source for which memory does not suffice even alone is left out, with an error message.
    """
    try:
        return dict(zip(sources, ask(list(sources.values()), before), strict=True))
    except MemoryError:
        found = {}
        for index, (at, source) in enumerate(sources.items()):
            try:
                (found[at],) = ask([source], before + index)
            except MemoryError:
                complain(f"{unit} {before + at + 1}: {quoted(source)}: not enough memory")
        return found


def readable(predictor: "Predictor", line: bytes, place: str, options: "AnswerOptions") -> str | None:
    """Decode a line; for one that the model cannot process, print an error and return None."""
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
        ids = predictor.encode(text, options.unknown)
        check_length(len(ids), predictor.text_model.longest_source, options.beam)
    except (UnicodeDecodeError, DataError) as error:
        reason = "not UTF-8" if isinstance(error, UnicodeDecodeError) else error
        hint = ""
        if isinstance(error, UnknownSymbolError) and options.unknown == "error":
            hint = unknown_hint(predictor, text)
        if isinstance(error, UnknownSymbolError) and b"\r" in line.removesuffix(b"\r"):
            hint = "; lines must end with a line feed, not with a carriage return"
        complain(f"{place}: {reason}{hint}")
        return None
    return text

"""doldari generate: the pairs of a built-in task."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from doldari.cli.arguments import CountOption, DigitsOption
from doldari.cli.console import answers_in_utf8, counting, stderr, stdout

if TYPE_CHECKING:
    from doldari.data.pairs import Pair


def generate(
    task: Annotated[
        Literal["addition", "copy", "dates", "reverse", "chapter"],
        typer.Argument(metavar="TASK", help="addition, copy, dates, reverse, or chapter (the book's addition)."),
    ],
    count: CountOption = None,
    digits: DigitsOption = None,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Random seed.")] = 0,
    format: Annotated[
        Literal["tsv", "chapter"] | None,
        typer.Option(
            metavar="tsv|chapter",
            help="tsv: source TAB target; chapter: fixed width, such as 16+75_91.",
            show_default="tsv; chapter for the task chapter",
        ),
    ] = None,
) -> None:
    """Print the pairs of a built-in task, one per line.

    For example: doldari generate chapter > addition.txt

    Memory use does not grow with --count, except for the task chapter, whose pairs are all different.
    """
    from doldari.data import task_pairs
    from doldari.data.formats import chapter_lines

    answers_in_utf8()
    make: Callable[[], Iterable[Pair]] = partial(task_pairs, task, count, digits, seed)
    if task == "chapter":
        every = list(make())  # they are all different, so they are in memory anyway
        make = partial(iter, every)
    in_chapters_format = format == "chapter" or (format is None and task == "chapter")
    lines = chapter_lines(make) if in_chapters_format else ("\t".join(pair) for pair in make())
    with counting(stderr, stdout, "written") as show:
        for number, line in enumerate(lines, start=1):
            print(line)
            if number % 1000 == 0:
                show(number)

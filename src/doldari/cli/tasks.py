"""doldari generate: the pairs of a built-in task."""

from typing import Annotated, Literal

import typer

from doldari.cli.arguments import CountOption, DigitsOption
from doldari.cli.console import answers_in_utf8


def generate(
    task: Annotated[Literal["addition", "copy", "dates", "reverse"], typer.Argument(help="The task.")],
    count: CountOption = None,
    digits: DigitsOption = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the random numbers.")] = 0,
    format: Annotated[Literal["tsv", "chapter"], typer.Option(help="chapter: 16+75  _91  ")] = "tsv",
) -> None:
    """Print the pairs of a built-in task, one a line."""
    from doldari.data import task_pairs
    from doldari.data.formats import chapter_lines

    answers_in_utf8()
    pairs = task_pairs(task, count, digits, seed)
    for line in chapter_lines(pairs) if format == "chapter" else ("\t".join(pair) for pair in pairs):
        print(line)

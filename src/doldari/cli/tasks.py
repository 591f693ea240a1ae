"""doldari generate: the pairs of a built-in task."""

from typing import Annotated, Literal

import typer

from doldari.errors import ConfigError


def generate(
    task: Annotated[Literal["addition", "copy", "dates", "reverse"], typer.Argument(help="The task.")],
    count: Annotated[int, typer.Option(help="How many different pairs.")] = 50_000,
    digits: Annotated[int | None, typer.Option(help="The most a number has; of addition.", show_default="3")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the random numbers.")] = 0,
    format: Annotated[Literal["tsv", "chapter"], typer.Option(help="chapter: 16+75  _91  ")] = "tsv",
) -> None:
    """Print the pairs of a built-in task, one a line."""
    from doldari.data import TASKS
    from doldari.data.addition import addition_pairs
    from doldari.data.pairs import chapter_lines

    if digits is None:
        pairs = TASKS[task](count=count, seed=seed)
    elif task == "addition":
        pairs = addition_pairs(count, digits, seed)
    else:
        raise ConfigError(f"digits={digits}: {task} has none")
    for line in chapter_lines(pairs) if format == "chapter" else ("\t".join(pair) for pair in pairs):
        print(line)

"""doldari stats: statistics of the data, before training."""

import unicodedata
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group
from rich.table import Table
from rich.text import Text

from doldari.cli.arguments import (
    DataArgument,
    FeaturesColumnOption,
    FormatOption,
    SourceColumnOption,
    TargetColumnOption,
    reading_of,
)
from doldari.cli.console import stdout, warn, working
from doldari.cli.reading import read_shown
from doldari.percent import percent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from doldari.data.pairs import Pairs
    from doldari.data.statistics import Side, Statistics

SHOWN = 60  # symbols of an alphabet


def stats(
    data: DataArgument,
    validation: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE",
            help="Other pairs to compare with DATA; give it twice for two parallel files.",
            rich_help_panel="Data",
        ),
    ] = None,
    source_column: SourceColumnOption = None,
    target_column: TargetColumnOption = None,
    features_column: FeaturesColumnOption = None,
    format: FormatOption = None,
) -> None:
    """Print statistics of text pairs and point out likely errors.

    Lengths are in characters (code points) and in words (separated by white space).  Duplicates, leaks, leading or
    trailing blanks and swapped columns are reported.
    """
    from doldari.data import TASKS
    from doldari.data.leaks import find_leaks, known_lemmas
    from doldari.data.statistics import column_warnings, statistics
    from doldari.data.traits import traits
    from doldari.recipes.choice import choose

    reading = reading_of(source_column, target_column, features_column, format)
    pairs = read_shown(data, reading)
    with working("counting"):
        counted = statistics(pairs)
    stdout.print(report(pairs, counted))
    if data[0] not in TASKS:
        stdout.print(f"train would choose {choose(traits(pairs))}")
    for warning in column_warnings(pairs):
        warn(warning)
    if validation is not None:
        others = read_shown(validation, reading)
        with working("counting"):
            other = statistics(others)
        stdout.print("", report(others, other), sep="\n")
        with working("comparing"):
            leaks = find_leaks(pairs, others)
        with_other = f"{len(leaks.sources):,} sources with another target"
        stdout.print(f"also in {name_of(pairs)}: {len(leaks.pairs):,} pairs; and {with_other}")
        if others.has_features:
            known = len(known_lemmas(pairs, others))
            stdout.print(f"with a source (lemma) that {name_of(pairs)} has with other features: {known:,} pairs")
        for side in ("source", "target"):
            new = sorted(getattr(other, side).symbols.keys() - getattr(counted, side).symbols.keys())
            stdout.print(f"{side} symbols not in {name_of(pairs)}: {alphabet(new) or 'none'}")
        for warning in column_warnings(others):
            warn(warning)


def name_of(pairs: "Pairs") -> str:
    """Name the files that pairs are from."""
    return " and ".join(origin.name for origin in pairs.origins)


def report(pairs: "Pairs", counted: "Statistics") -> Group:
    """Lay out the statistics of pairs."""
    sides = counted.source, counted.target
    table = Table(box=None, pad_edge=False, show_edge=False, header_style="")
    table.add_column("")
    for name in ("sources", "targets"):
        table.add_column(name, justify="right")
    table.add_row("different", *(f"{side.different:,}" for side in sides))
    table.add_row("with several counterparts", *(several(side) for side in sides))
    table.add_row("characters", *(spread(side.lengths) for side in sides))
    table.add_row("words", *(spread(side.words) for side in sides))
    table.add_row("different symbols", *(f"{len(side.symbols):,}" for side in sides))
    table.add_row("leading or trailing blanks", *(first_at(pairs, *side.blank_ends) for side in sides))
    table.add_row("not NFC-normalized", *(f"{side.decomposed:,}" for side in sides))
    duplicates = f", {counted.duplicates:,} of them duplicates" if counted.duplicates else ""
    lines = [f"{name} symbols: {frequent(side)}" for name, side in zip(("source", "target"), sides, strict=True)]
    lines += [line for side in sides for line in odd_symbols(pairs, side)]
    return Group(Text(f"{name_of(pairs)}: {counted.pairs:,} pairs{duplicates}"), table, Text("\n".join(lines)))


def several(side: "Side") -> str:
    """Return how many texts have several counterparts, and their share."""
    return f"{side.several:,} ({percent(side.several / side.different, 1)})"


def spread(lengths: tuple[int, float, int]) -> str:
    """Write minimum, maximum and mean."""
    least, mean, most = lengths
    return f"{least:,} to {most:,}, mean {mean:.1f}"


def first_at(pairs: "Pairs", count: int, index: int) -> str:
    """Write a count, and the line of the first."""
    return f"{count:,}, first in line {pairs.line(index):,}" if count else "0"


def frequent(side: "Side") -> str:
    """List symbols, most frequent first, and how many occur only once."""
    symbols = [symbol for symbol, _ in side.symbols.most_common()]
    once = sum(count == 1 for count in side.symbols.values())
    return alphabet(symbols) + (f"; {once:,} occur only once" if once else "")


def alphabet(symbols: list[str]) -> str:
    """List symbols, each in visible form."""
    shown = " ".join(visible(symbol) for symbol in symbols[:SHOWN])
    return shown + (f" ... ({len(symbols):,})" if len(symbols) > SHOWN else "")


def visible(symbol: str) -> str:
    """Write a symbol visibly: a space as ␣, a combining mark on a circle, an invisible one by its code point."""
    if symbol == " ":
        return "␣"
    if not symbol.isprintable():
        return f"U+{ord(symbol):04X}"
    return f"◌{symbol}" if unicodedata.category(symbol).startswith("M") else symbol


def odd_symbols(pairs: "Pairs", side: "Side") -> "Iterator[str]":
    """List unusual symbols with their first place."""
    for symbol, index in sorted(side.odd.items()):
        name = unicodedata.name(symbol, "no name")
        yield f"unusual: U+{ord(symbol):04X} ({name}), {side.symbols[symbol]:,} times, first at {pairs.place(index)}"

"""Whether pairs can be trained on: what is refused or left out, and what is said before the first epoch.

A warning is a line that whoever starts a training is to show; none of them ends it.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from doldari.config import Config
from doldari.data.pairs import Pair, Pairs, have_features, selected
from doldari.data.ragged import Ragged
from doldari.data.symbols import cut, normalize
from doldari.data.vocabulary import Vocabulary
from doldari.errors import DataError

# Symbols of a text that is trained on unasked.  Attention takes memory as the product of both lengths: 100 MB here.
LONGEST = 5_000
EXPANSION = 18  # code points that a code point becomes at most in any normalisation form
SHOWN = 10  # line numbers that are listed
FEW = 20  # pairs, among which chance may look like anything


def refuse_blank_sources(pairs: Sequence[Pair], use: str) -> None:
    """Raise DataError for the first source that has, beside its features, nothing but white space."""
    features = have_features(pairs)
    for index, pair in enumerate(pairs):
        if not (pair.source.partition("\t")[0] if features else pair.source).strip():
            raise DataError(f"{place(pairs, index)}: the source is empty; there is nothing to {use}")


def within_length(pairs: Sequence[Pair], config: Config, most: int | None) -> tuple[Sequence[Pair], str]:
    """Leave out the pairs of which source or target has more than `most` symbols; and say so, unless there is none.

    Symbols are those of each side's kind; of subwords, which are not known yet, characters.  Without `most`, pairs
    of more than LONGEST are refused with DataError.
    """
    limit = LONGEST if most is None else most
    long = [index for index in maybe_long(pairs, limit) if longest_side(pairs[index], config, pairs) > limit]
    if not long:
        return pairs, ""
    places = f"{place(pairs, long[0])}" + "".join(f", {number(pairs, index)}" for index in long[1:SHOWN])
    places += f" and {len(long) - SHOWN:,} more" if len(long) > SHOWN else ""
    if most is None:
        symbols = max(longest_side(pairs[index], config, pairs) for index in long)
        raise DataError(
            f"{places}: up to {symbols:,} symbols in a source or target, and more than {LONGEST:,} take much memory; "
            f"leave such pairs out (--max-length {LONGEST}), or train on them (--max-length {symbols})"
        )
    rows = np.delete(np.arange(len(pairs)), long)
    what = "pair is" if len(long) == 1 else "pairs are"
    return selected(pairs, rows), f"{len(long):,} {what} left out, of more than {most:,} symbols: {places}"


def maybe_long(pairs: Sequence[Pair], limit: int) -> Iterator[int]:
    """Yield the indices of pairs of which a side may have more symbols: a look at the bytes spares most of them."""
    if isinstance(pairs, Pairs):
        yield from np.flatnonzero(pairs.longest_bytes() * EXPANSION > limit).tolist()
        return
    for index, pair in enumerate(pairs):
        if max(map(len, pair)) * EXPANSION > limit:
            yield index


def longest_side(pair: Pair, config: Config, pairs: Sequence[Pair]) -> int:
    """Count the symbols of a pair's source, without features, and target: the more."""
    model = config.model
    source = pair.source.partition("\t")[0] if have_features(pairs) else pair.source
    counts = []
    for text, kind, form in (
        (source, model.source_symbols, model.source_normalization),
        (pair.target, model.target_symbols, model.target_normalization),
    ):
        counts.append(len(cut(normalize(text, form), "characters" if kind == "subwords" else kind)))
    return max(counts)


def place(pairs: Sequence[Pair], index: int) -> str:
    """Say where a pair stood, or its number where it came from no file."""
    return pairs.place(index) if isinstance(pairs, Pairs) else f"pairs[{index}]"


def number(pairs: Sequence[Pair], index: int) -> int:
    """Tell the number of a pair's line."""
    return pairs.line(index) if isinstance(pairs, Pairs) else index


def hopeless_symbols(source: Vocabulary, target: Vocabulary, x: Ragged, t: Ragged) -> Iterator[str]:
    """Warn of a side of which nearly every text is one symbol of its own: nothing can be learnt of others."""
    for name, vocabulary, lengths in (("source", source, x.lengths), ("target", target, t.lengths - 1)):
        single = float((lengths - bool(vocabulary.features) <= 1).mean())
        if len(x) >= FEW and single > 0.9 and 2 * len(vocabulary.symbols) > len(x):
            yield (
                f"{len(vocabulary.symbols):,} {name} symbols for {len(x):,} pairs: nearly every {name} is one symbol "
                f"that no other has, and cannot be learnt; try --{name}-symbols characters"
            )


def unspelled_warning(spelled: int, validation: int) -> Iterator[str]:
    """Warn where most pairs to validate with have symbols that are in no pair to train on."""
    if validation >= FEW and 2 * spelled < validation:
        unspelled = validation - spelled
        yield (
            f"{unspelled:,} of the {validation:,} pairs to validate with have symbols never seen in training; "
            "they can hardly be answered right: are they written alike?  (doldari stats shows the alphabets)"
        )


def never_right_warning(accuracies: Sequence[float]) -> Iterator[str]:
    """Warn, at the end of a training of several epochs, that not one answer was right after any of them."""
    if len(accuracies) > 1 and not any(accuracies):
        yield (
            f"accuracy 0 in all {len(accuracies):,} epochs: no source was answered right; look at the pairs "
            "(doldari stats), or train longer (--epochs, --budget)"
        )

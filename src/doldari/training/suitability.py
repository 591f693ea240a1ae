"""Checks before training: long pairs are dropped or refused, and settings that cannot work are warned about.

All warnings are DataWarnings, which the interface prints; none ends the training.
"""

import warnings

import numpy as np

from doldari.config import Config
from doldari.data.pairs import Pair, Pairs
from doldari.data.shards import Shards
from doldari.data.statistics import blank_ends_warning
from doldari.data.symbols import cut, normalize
from doldari.errors import DataError, DataWarning, level_of_caller
from doldari.training.data import TrainingData
from doldari.training.run import Run

# Maximum symbols of a text without --max-length.  Attention takes memory as the product of both lengths: 100 MB here.
LONGEST = 5_000
EXPANSION = 18  # code points that one becomes at most in any normalisation form
SHOWN = 10  # line numbers that are listed
EPOCHS = 5  # the fewest that a training has by default
FEW = 20  # pairs, among which chance may look like anything


def suitable(data: TrainingData, config: Config) -> TrainingData:
    """Leave out pairs that are longer than the settings say; warn of them, and of targets with blanks at an end.

    Of shards this is done while they are read, and the pairs to validate with stand for those to train on.
    """
    training, validation = data.training, within_length(data.validation, config)
    if isinstance(training, Pairs):
        training = within_length(training, config)
    blanks = blank_ends_warning(training if isinstance(training, Pairs) else validation, config.model.target_symbols)
    if blanks:
        say(blanks)
    return data._replace(training=training, validation=validation)


def within_length(pairs: Pairs, config: Config) -> Pairs:
    """Drop the pairs whose source or target has more than max_length symbols, with a warning.

    Symbols are those of each side's kind; of subwords, which are not known yet, characters.  Without max_length,
    pairs of more than LONGEST are refused with DataError.
    """
    most = config.training.max_length
    limit = LONGEST if most is None else most
    # A look at the bytes spares counting the symbols of nearly all.
    candidates = np.flatnonzero(pairs.longest_bytes() * EXPANSION > limit).tolist()
    lengths = {index: longest_side(pairs[index], pairs.has_features, config) for index in candidates}
    long = sorted((index for index in candidates if lengths[index] > limit), key=pairs.line)
    if not long:
        return pairs
    places = ", ".join([pairs.place(long[0]), *(str(pairs.line(index)) for index in long[1:SHOWN])])
    places += f" and {len(long) - SHOWN:,} more" if len(long) > SHOWN else ""
    if most is None:
        symbols = max(lengths.values())
        raise DataError(
            f"{places}: up to {symbols:,} symbols in a source or target; more than {LONGEST:,} need much memory; "
            f"skip such pairs (--max-length {LONGEST}), or train on them (--max-length {symbols})"
        )
    say(f"{counted(len(long))} skipped, longer than {most:,} symbols: {places}")
    return pairs[np.delete(np.arange(len(pairs)), long)]


def fits_length(pair: Pair, *, config: Config, has_features: bool) -> bool:
    """Tell whether source and target have at most max_length symbols, or LONGEST without it."""
    limit = config.training.max_length or LONGEST
    if max(map(len, pair)) * EXPANSION <= limit:
        return True
    return longest_side(pair, has_features, config) <= limit


def say_skipped(shards: Shards, most: int | None) -> None:
    """Warn of the pairs of shards that are too long; DataError where max_length does not ask for that."""
    if shards.skipped == 0:
        return
    more = f" and {shards.skipped - len(shards.skipped_at):,} more" * (shards.skipped > len(shards.skipped_at))
    places = ", ".join(shards.skipped_at) + more
    if most is None:
        what = f"more than {LONGEST:,} symbols in a source or target need much memory"
        raise DataError(f"{places}: {what}; skip such pairs (--max-length {LONGEST}), or allow longer ones")
    say(f"{counted(shards.skipped)} skipped, longer than {most:,} symbols: {places}")


def counted(pairs: int) -> str:
    """Count pairs as the subject of a sentence."""
    return "1 pair is" if pairs == 1 else f"{pairs:,} pairs are"


def longest_side(pair: Pair, has_features: bool, config: Config) -> int:
    """Count the symbols of a pair's source, without features, and of its target: the more."""
    model = config.model
    source = pair.source.partition("\t")[0] if has_features else pair.source
    counts = []
    for text, kind, form in (
        (source, model.source_symbols, model.source_normalization),
        (pair.target, model.target_symbols, model.target_normalization),
    ):
        counts.append(len(cut(normalize(text, form), "characters" if kind == "subwords" else kind)))
    return max(counts)


def warn_of_hopeless(run: Run) -> None:
    """Say before the first epoch what cannot be learnt: symbols of one text each, validation of other symbols."""
    model, N = run.predictor.text_model, run.pairs
    for side, vocabulary, lengths in (
        ("source", model.source, run.x.lengths - bool(model.source.features)),
        ("target", model.target, run.t.lengths - 1),  # without the start symbol
    ):
        symbols = len(vocabulary.symbols)
        if N >= FEW and (lengths <= 1).mean() > 0.9 and 2 * symbols > N:
            what = f"nearly every {side} is a single symbol of its own, which cannot be learned"
            say(f"{symbols:,} {side} symbols for {N:,} pairs: {what}; try --{side}-symbols characters")
    validation = len(run.validation)
    unspelled = validation - len(run.spelled)
    if validation >= FEW and 2 * unspelled > validation:
        say(
            f"{unspelled:,} of the {validation:,} validation pairs have symbols not seen in training; "
            "are they written in the same way? (doldari stats shows the symbols)"
        )


def warn_of_nothing_right(run: Run) -> None:
    """Say at the end of a training of EPOCHS or more that not one answer was right after any of them."""
    enough = len(run.history) >= EPOCHS and len(run.validation) >= FEW
    if enough and not any(epoch.accuracy for epoch in run.history):
        say(
            f"accuracy 0 in all {len(run.history):,} epochs: no prediction was correct; check the pairs "
            "(doldari stats), or train longer (--epochs, --budget)"
        )


def say(message: str) -> None:
    """Warn of data."""
    warnings.warn(message, DataWarning, stacklevel=level_of_caller())

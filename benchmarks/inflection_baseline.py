"""The non-neural baseline of the shared tasks on inflection: copy the lemma, and change its ending and its beginning.

Every training pair is aligned, and cut into prefix, stem and suffix where both words have begun, and where one ends.
For each set of features all changes of endings are counted: the suffix with every part of the stem before it.  A form
is made by the change of the longest ending that the lemma has, the most frequent of those of one length, and then by
the most frequent change of prefixes.  In a language with more prefixes than suffixes words are turned around, before
and after.

Cotterell et al. 2017, "CoNLL-SIGMORPHON 2017 Shared Task: Universal Morphological Reinflection in 52 Languages", 4.1.

python -m benchmarks.inflection_baseline TRAIN DEV     share of right forms; files of lemma, form, features
"""

import argparse
from collections import Counter, defaultdict
from collections.abc import Sequence

from doldari.data import load_pairs
from doldari.data.formats import Columns, Reading
from doldari.data.pairs import Pair
from doldari.errors import DoldariError

Cut = tuple[tuple[str, str], tuple[str, str], tuple[str, str]]  # of lemma and form: prefix, stem, suffix
GAP = "\0"


class Baseline:
    """Changes of suffixes and prefixes by features, counted in training pairs: lemma TAB features, form."""

    def __init__(self, training: Sequence[Pair]) -> None:
        words = [(*pair.source.partition("\t")[::2], pair.target) for pair in training]
        cuts = [cut(lemma, form) for lemma, _, form in words]
        # Not of forms of several words, whose auxiliaries and negations are no prefixes.
        single = [parts for parts, (lemma, _, form) in zip(cuts, words, strict=True) if not {*" -"} & {*lemma, *form}]
        before, _, behind = (sum(len("".join(parts[place])) for parts in single) for place in range(3))
        self.turned = before > behind
        if self.turned:
            cuts = [cut(lemma[::-1], form[::-1]) for lemma, _, form in words]
        self.suffixes: dict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
        self.prefixes: dict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
        for (_, features, _), (prefix, stem, suffix) in zip(words, cuts, strict=True):
            lemma, form = stem[0] + suffix[0], stem[1] + suffix[1]
            for at in range(min(len(lemma), len(form)) + 1):
                self.suffixes[features][lemma[at:], form[at:]] += 1
            self.prefixes[features][prefix] += 1

    def __call__(self, lemma: str, features: str) -> str:
        """Make the form of a lemma; of features never seen it is the lemma."""
        word = lemma[::-1] if self.turned else lemma
        fitting = [change for change in self.suffixes.get(features, ()) if word.endswith(change[0])]
        if fitting:
            old, new = max(fitting, key=lambda change: (len(change[0]), self.suffixes[features][change]))
            word = word[: len(word) - len(old)] + new
        starting = [change for change in self.prefixes.get(features, ()) if word.startswith(change[0])]
        if starting:
            old, new = max(starting, key=lambda change: self.prefixes[features][change])
            word = new + word[len(old) :]
        return word[::-1] if self.turned else word


def cut(lemma: str, form: str) -> Cut:
    """Cut a lemma and its form, aligned symbol by symbol: what one of them has before the other begins is its prefix,
    and what one has after the other ends its suffix, as ge- and -t in `frag` and `gefragt`.
    """
    one, other = align(lemma, form)
    start = max(len(text) - len(text.lstrip(GAP)) for text in (one, other))
    end = max(len(text) - len(text.rstrip(GAP)) for text in (one, other))
    stop = len(one) - end
    if stop < start:
        start = stop = 0
    parts = [(text[:start], text[start:stop], text[stop:]) for text in (one, other)]
    prefix, stem, suffix = (
        (mine.replace(GAP, ""), theirs.replace(GAP, "")) for mine, theirs in zip(*parts, strict=True)
    )
    return prefix, stem, suffix


def align(one: str, other: str) -> tuple[str, str]:
    """Align two words with the least cost, 10 for a symbol that one of them lacks and 11 for another; gaps are NUL.

    Of equal ones it is that in which gaps come latest, and the first word's before the other's.
    """
    rows, columns = len(one), len(other)
    costs = [[10 * (rows - row + columns - column) for column in range(columns + 1)] for row in range(rows + 1)]
    for row in reversed(range(rows)):  # of what is left of both
        for column in reversed(range(columns)):
            replaced = costs[row + 1][column + 1] + 11 * (one[row] != other[column])
            costs[row][column] = min(replaced, costs[row][column + 1] + 10, costs[row + 1][column] + 10)
    row, column, ours, theirs = 0, 0, "", ""
    while row < rows or column < columns:
        both = row < rows and column < columns
        if both and costs[row][column] == costs[row + 1][column + 1] + 11 * (one[row] != other[column]):
            ours, theirs, row, column = ours + one[row], theirs + other[column], row + 1, column + 1
        elif column < columns and costs[row][column] == costs[row][column + 1] + 10:
            ours, theirs, column = ours + GAP, theirs + other[column], column + 1
        else:
            ours, theirs, row = ours + one[row], theirs + GAP, row + 1
    return ours, theirs


def errors_of_baseline(training: Sequence[Pair], held_out: Sequence[Pair]) -> float:
    """Tell which share of the held-out forms the baseline gets wrong."""
    baseline = Baseline(training)
    wrong = sum(baseline(*pair.source.partition("\t")[::2]) != pair.target for pair in held_out)
    return wrong / len(held_out)


def main() -> None:
    """Print the accuracy."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.inflection_baseline", description=__doc__)
    parser.add_argument("training", metavar="TRAIN", help="file of lemma, form, features")
    parser.add_argument("held_out", metavar="DEV", help="file of lemma, form, features")
    arguments = parser.parse_args()
    reading = Reading(Columns(1, 2, 3))
    try:
        training, held_out = (load_pairs(name, reading) for name in (arguments.training, arguments.held_out))
    except DoldariError as error:
        parser.exit(1, f"error: {error}\n")
    print(f"{1 - errors_of_baseline(training, held_out):.2%} of {len(held_out):,} forms are right")


if __name__ == "__main__":
    main()

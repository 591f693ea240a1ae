import warnings

import pytest

from doldari import DataError
from doldari.config import Config
from doldari.data.formats import read_pairs
from doldari.data.pairs import Pair, Pairs
from doldari.errors import DataWarning
from doldari.training.history import Epoch
from doldari.training.run import Run
from doldari.training.suitability import warn_of_hopeless, warn_of_nothing_right, within_length

CONFIG = Config().replace(hidden_size=4)


def said(check, *arguments):
    """What it warns of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = check(*arguments)
    assert all(warning.category is DataWarning for warning in caught)
    return result, [str(warning.message) for warning in caught]


def test_long_pairs_are_left_out_by_line(tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text("a\tb\n\n" + "x" * 11 + "\tb\na\t" + "é" * 10 + "\n" + "a\t" + "é" * 11 + "\n")
    pairs = read_pairs(path)
    kept, (message,) = said(within_length, pairs, CONFIG.replace(max_length=10))
    assert kept == [Pair("a", "b"), Pair("a", "é" * 10)]
    assert message == f"2 pairs are left out, of more than 10 symbols: {path}:3, 5"
    assert said(within_length, pairs, CONFIG.replace(max_length=11)) == (pairs, [])
    assert said(within_length, pairs, CONFIG) == (pairs, [])
    many = Pairs.of([("a" * 20, "b")] * 15, "list")
    _, (message,) = said(within_length, many, CONFIG.replace(max_length=10))
    assert message == "15 pairs are left out, of more than 10 symbols: list, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 5 more"


def test_symbols_are_counted_as_they_are_cut():
    pairs = Pairs.of([("각" * 5, "long words here"), ("a", "b")])

    def kept(**settings):
        return len(said(within_length, pairs, CONFIG.replace(**settings))[0])

    assert kept(max_length=14) == 1
    assert kept(max_length=14, target_symbols="subwords") == 1
    assert kept(max_length=5, target_symbols="whitespace") == 2
    assert kept(max_length=15, source_normalization="NFD") == 2
    assert kept(max_length=14, source_normalization="NFD", target_symbols="whitespace") == 1
    with_features = Pairs.of([("a\tV;PST;VERY;LONG", "b")])
    assert said(within_length, with_features, CONFIG.replace(max_length=1)) == (with_features, [])


def test_very_long_pairs_are_refused_unless_asked_for():
    pairs = Pairs.of([("a", "b"), ("x" * 20_001, "y")])
    message = r"pairs\[1\]: up to 20,001 symbols .* \(--max-length 5000\), or train on them \(--max-length 20001\)"
    with pytest.raises(DataError, match=message):
        within_length(pairs, CONFIG)
    assert within_length(pairs, CONFIG.replace(max_length=20_001)) == pairs
    assert said(within_length, pairs, CONFIG.replace(max_length=5_000))[0] == pairs[:1]


def test_symbols_that_cannot_be_learnt_are_named():
    """Phones without blanks between them, cut at white space: every target is a symbol of its own."""
    pairs = [Pair(f"w{number}", f"pʰɑ{number}") for number in range(360)]
    labels = [Pair(f"w{number}", "ab"[number % 2]) for number in range(360)]

    def hopeless(pairs, **settings):
        return said(warn_of_hopeless, Run.prepare(CONFIG.replace(**settings), pairs, pairs))[1]

    assert hopeless(pairs) == hopeless(labels, target_symbols="whitespace") == []
    (warning,) = hopeless(pairs, target_symbols="whitespace")
    assert warning.startswith("360 target symbols for 360 pairs: nearly every target is a single symbol of its own")
    assert "--target-symbols characters" in warning
    (warning,) = hopeless(pairs, source_symbols="words")
    assert "--source-symbols characters" in warning


def test_validation_of_other_symbols_is_named():
    training = [Pair("ab", "x")]
    half = [Pair("a", "x"), Pair("q", "x")] * 10
    assert said(warn_of_hopeless, Run.prepare(CONFIG, training, half))[1] == []
    (warning,) = said(warn_of_hopeless, Run.prepare(CONFIG, training, [*half, Pair("q", "x")]))[1]
    assert warning.startswith("11 of the 21 validation pairs have symbols not seen in training")


def test_a_training_without_a_right_answer_is_named():
    run = Run.prepare(CONFIG, [Pair("a", "x")], [Pair("a", "x")] * 20)
    for accuracies, named in (([0.0] * 4, False), ([0.0] * 5 + [0.1], False), ([0.0] * 5, True)):
        run.history = [Epoch(1, 1.0, accuracy, 1.0, 0.1, 1.0) for accuracy in accuracies]
        assert bool(said(warn_of_nothing_right, run)[1]) == named

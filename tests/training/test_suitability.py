import pytest

from doldari import DataError
from doldari.config import Config
from doldari.data.formats import read_pairs
from doldari.data.pairs import Pair, Pairs
from doldari.training.encoding import build_vocabularies, encode_pairs
from doldari.training.suitability import (
    hopeless_symbols,
    never_right_warning,
    refuse_blank_sources,
    unspelled_warning,
    within_length,
)

CONFIG = Config()


def test_long_pairs_are_left_out_by_line(tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text("a\tb\n\n" + "x" * 11 + "\tb\na\t" + "é" * 10 + "\n" + "a\t" + "é" * 11 + "\n")
    pairs = read_pairs(path)
    kept, said = within_length(pairs, CONFIG, 10)
    assert kept == [Pair("a", "b"), Pair("a", "é" * 10)]
    assert said == f"2 pairs are left out, of more than 10 symbols: {path}:3, 5"
    assert within_length(pairs, CONFIG, 11) == (pairs, "")
    assert within_length(pairs, CONFIG, None) == (pairs, "")
    many = Pairs.of([("a" * 20, "b")] * 15, "list")
    assert within_length(many, CONFIG, 10)[1].endswith(
        "of more than 10 symbols: list, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 5 more"
    )


def test_symbols_are_counted_as_they_are_cut():
    pairs = [Pair("각" * 5, "long words here"), Pair("a\tV;PST;VERY;LONG", "b")]
    assert within_length(pairs, CONFIG.replace(target_symbols="whitespace"), 5)[0] == pairs
    assert within_length(pairs, CONFIG.replace(source_normalization="NFD"), 15)[0] == pairs
    assert within_length(pairs, CONFIG.replace(source_normalization="NFD"), 14)[0] == pairs[1:]
    assert within_length(pairs, CONFIG.replace(target_symbols="subwords"), 14)[0] == pairs[1:]


def test_very_long_pairs_are_refused_unless_asked_for():
    pairs = [Pair("a", "b"), Pair("x" * 20_001, "y")]
    message = r"pairs\[1\]: up to 20,001 symbols .* \(--max-length 5000\), or train on them \(--max-length 20001\)"
    with pytest.raises(DataError, match=message):
        within_length(pairs, CONFIG, None)
    assert within_length(pairs, CONFIG, 20_001) == (pairs, "")
    assert within_length(pairs, CONFIG, 5_000)[0] == pairs[:1]


def test_blank_sources_are_refused():
    refuse_blank_sources([Pair("a\tV", "b")], "train on")
    for pairs in ([Pair("a", "b"), Pair(" \u3000", "b")], [Pair("a\tV", "b"), Pair(" \tV", "b")]):
        with pytest.raises(DataError, match=r"pairs\[1\]: the source is empty; there is nothing to train on"):
            refuse_blank_sources(pairs, "train on")
        with pytest.raises(DataError, match="list: the source is empty"):
            refuse_blank_sources(Pairs.of(pairs, "list"), "train on")


def test_symbols_that_cannot_be_learnt_are_named():
    """Phones without blanks between them, cut at white space: every target is a symbol of its own."""
    pairs = [Pair(f"w{number}", f"pʰɑ{number}") for number in range(360)]

    def said(pairs, **settings):
        config = CONFIG.replace(**settings)
        source, target = build_vocabularies(config, pairs)
        return list(hopeless_symbols(source, target, *encode_pairs(pairs, source, target, True)))

    assert said(pairs) == []
    (warning,) = said(pairs, target_symbols="whitespace")
    assert warning.startswith("360 target symbols for 360 pairs: nearly every target is one symbol that no other has")
    assert "--target-symbols characters" in warning
    (warning,) = said(pairs, source_symbols="words")
    assert "--source-symbols characters" in warning
    labels = [Pair(f"w{number}", "ab"[number % 2]) for number in range(360)]
    assert said(labels, target_symbols="whitespace") == []


def test_warnings_of_validation():
    assert list(unspelled_warning(10, 20)) == []
    (warning,) = unspelled_warning(9, 20)
    assert warning.startswith("11 of the 20 pairs to validate with have symbols never seen in training")
    assert list(never_right_warning([0.0, 0.1])) == list(never_right_warning([0.0])) == []
    (warning,) = never_right_warning([0.0] * 3)
    assert warning.startswith("accuracy 0 in all 3 epochs")

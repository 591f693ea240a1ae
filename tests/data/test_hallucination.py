"""Artificial pairs: the stem differs, in source and target alike; all else is as in the pair they are made of."""

import unicodedata
from collections import Counter

import numpy as np
import pytest

from doldari import ConfigError
from doldari.data.hallucination import REPLACED, hallucinate, stem
from doldari.data.pairs import Pairs
from doldari.data.traits import traits

FORMS = [
    ("walk\tV;PST", "walked"),
    ("katsella\tV;PRS;1", "katselen"),
    ("go\tV;PST", "went"),
    ("gehen\tV.PTCP;PST", "gegangen"),
    ("zwölf-und-drei\tNUM", "zwölf-und-dreie"),
]


def made(pairs, count=300, seed=0, kind="characters"):
    """The artificial pairs, each with the pair that it is made of."""
    pairs = pairs if isinstance(pairs, Pairs) else Pairs.of(pairs)
    more = hallucinate(pairs, count, np.random.default_rng(seed), kind)
    assert more[: len(pairs)] == pairs
    assert len(more) == len(pairs) + count
    assert (more.has_features, more.origins) == (pairs.has_features, pairs.origins)
    real = {pairs.line(index): pair for index, pair in enumerate(pairs)}
    return [(more[index], real[more.line(index)]) for index in range(len(pairs), len(more))]


@pytest.mark.parametrize(
    "source, target, expected",
    [
        ("walk", "walked", "walk"),
        ("katsella", "katselen", "atse"),  # of 6 in a row the first and the last stay
        ("tavara", "tavara", "avar"),
        ("talka", "talkb", "talk"),
        ("abcxdef", "abcydef", "abcdef"),
        ("a1b2", "a1b2", "ab"),  # no digit is a letter
        ("go", "went", ""),
        ("ab", "ab", ""),
        ("1234", "1234", ""),
        ("gehen", "gegangen", ""),
    ],
)
def test_the_stem(source, target, expected):
    found = stem(source, target)
    assert "".join(source[place] for place, _ in found) == expected
    assert "".join(target[place] for _, place in found) == expected


def test_stems_differ_and_all_else_stays():
    letters = {
        letter for source, target in FORMS for letter in source.partition("\t")[0] + target if letter.isalpha()
    }
    changes, possible, seen = 0, 0, Counter()
    for artificial, real in made(FORMS, 2000):
        source, _, features = artificial.source.partition("\t")
        lemma, _, real_features = real.source.partition("\t")
        assert features == real_features
        assert (len(source), len(artificial.target)) == (len(lemma), len(real.target))
        places = stem(lemma, real.target)
        assert places  # pairs without a stem are not used
        assert all(source[place] == artificial.target[other] for place, other in places)
        for text, known, here in (
            (source, lemma, [place for place, _ in places]),
            (artificial.target, real.target, [place for _, place in places]),
        ):
            assert all(text[i] == known[i] for i in range(len(known)) if i not in here)
        drawn = Counter(source[place] for place, _ in places if source[place] != lemma[place])
        seen += drawn
        changes, possible = changes + drawn.total(), possible + len(places)
    assert seen.keys() == letters
    assert abs(changes / possible - REPLACED * (1 - 1 / len(letters))) < 0.02
    assert max(seen.values()) < 1.3 * min(seen.values())


def test_the_seed_decides():
    assert made(FORMS) == made(FORMS)
    assert made(FORMS, seed=1) != made(FORMS)
    pairs = Pairs.of(FORMS)
    assert hallucinate(pairs, 0, np.random.default_rng()) is pairs


def test_a_selection_keeps_its_lines():
    pairs = Pairs.of(FORMS)[np.array([1, 0])]
    assert {real.source for _, real in made(pairs)} == {"walk\tV;PST", "katsella\tV;PRS;1"}


def test_a_tab_is_text_where_sources_have_no_features():
    pairs = Pairs.of([("abc", "abcd")])
    assert not pairs.has_features
    assert {len(artificial.source) for artificial, _ in made(pairs)} == {3}
    assert {real.source for _, real in made([("walk", "walked"), ("go", "went")])} == {"walk"}


@pytest.mark.parametrize("pairs", [[("go\tV;PST", "went")], [("1234", "1234")], [("가다", "가요")]])
def test_pairs_without_any_stem_are_refused(pairs):
    with pytest.raises(ConfigError, match="no artificial pairs can be made of pairs: no pair has 3 letters in a row"):
        hallucinate(Pairs.of(pairs), 5, np.random.default_rng(0))
    assert traits(Pairs.of(pairs)).stems == 0


@pytest.mark.parametrize("kind", ["characters", "graphemes"])
@pytest.mark.parametrize(
    "source, target",
    [
        ("zażółcić", "zażółciłem"),
        ("ḱḿṕẃ", "ḱḿṕẃs"),
        ("사랑하다", "사랑하였다"),
        ("हिन्दीभाषा", "हिन्दीभाषाएँ"),
        ("👩‍👩‍👧abc", "👩‍👩‍👧abcd"),
    ],
)
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_marks_stay_at_their_letters(kind, source, target, form):
    pairs = [(unicodedata.normalize(form, source), unicodedata.normalize(form, target)), ("abcde", "abcdef")]
    for artificial, real in made(pairs, 50, kind=kind):
        if kind == "characters":
            assert len(artificial.source) == len(real.source)
        marks = [
            [unicodedata.combining(c) for c in pair.source if unicodedata.combining(c)] for pair in (artificial, real)
        ]
        assert kind == "graphemes" or marks[0] == marks[1]


def test_graphemes_are_replaced_whole():
    letters = {"e\u0301", "x", "n\u0303", "y", "z"}
    pairs = [("xe\u0301n\u0303y", "xe\u0301n\u0303yz")]
    for artificial, _ in made(pairs, 50, kind="graphemes"):
        rest = artificial.source
        for letter in sorted(letters, key=len, reverse=True):
            rest = rest.replace(letter, "")
        assert rest == ""

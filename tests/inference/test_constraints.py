"""A constraint is never broken: regular expressions against Python's own, lists against themselves."""

import itertools
import re

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from doldari import ConfigError
from doldari.config import ModelConfig
from doldari.data.vocabulary import PADDING, SPECIALS, Vocabulary
from doldari.inference.constraints import matching, one_of
from doldari.inference.predictor import Predictor
from doldari.models.ensemble import Ensemble
from doldari.models.model_file import TextModel, build_model

LETTERS = Vocabulary.build(["ab-12"], "characters")


def texts(automaton, vocabulary, longest):
    """Write all texts of up to `longest` symbols that an automaton allows."""
    found = []

    def follow(state, ids):
        may = automaton.allowed(np.array([state]), np.array([longest - len(ids)]))[0]
        if may[PADDING]:
            found.append(vocabulary.decode(ids))
        for id in np.flatnonzero(may):
            if id != PADDING:
                follow(automaton.next(np.array([state]), np.array([id]))[0], [*ids, int(id)])

    follow(0, [])
    return found


@pytest.mark.parametrize(
    "pattern", ["a*", "(a|b)+", "[ab]{2}-[12]", "a?b?1?", "", "(ab)*", "a{2,3}|-", r"\d+", "[^a]b", "ab-12"]
)
def test_a_pattern_allows_what_python_matches(pattern):
    longest = 5
    automaton = matching(pattern, LETTERS, longest)
    spelled = ["".join(c) for n in range(longest + 1) for c in itertools.product("-12ab", repeat=n)]
    assert sorted(texts(automaton, LETTERS, longest)) == sorted(t for t in spelled if re.fullmatch(pattern, t))


def test_what_cannot_be_finished_is_not_begun():
    """With three symbols to go, ab- would need three more after it."""
    assert texts(matching("a|ab-12", LETTERS, 3), LETTERS, 3) == ["a"]
    assert set(texts(matching("a|ab-12", LETTERS, 5), LETTERS, 5)) == {"a", "ab-12"}


def test_symbols_between_white_space():
    vocabulary = Vocabulary.build(["k a̠ː ɡ e̞"], "whitespace")
    automaton = matching("k( a̠ː)*( ɡ)?", vocabulary, 3)
    assert set(texts(automaton, vocabulary, 3)) == {"k", "k a̠ː", "k ɡ", "k a̠ː a̠ː", "k a̠ː ɡ"}
    assert set(texts(one_of(["k ɡ", "e̞"], vocabulary), vocabulary, 3)) == {"k ɡ", "e̞"}


def test_a_list_allows_itself():
    listed = ["a", "ab", "ab-12", "21"]
    assert sorted(texts(one_of(listed, LETTERS), LETTERS, 5)) == sorted(listed)
    with pytest.warns(
        UserWarning, match=r"of the 4 allowed outputs 'xyz' \(and 1 more output\) .* symbol 'x' was in no"
    ):
        assert sorted(texts(one_of(["xyz", "a", "", "bx"], LETTERS), LETTERS, 5)) == ["", "a"]


@given(st.lists(st.text("ab-12", max_size=6), min_size=1, max_size=40))
def test_any_list_allows_itself(listed):
    automaton = one_of(listed, LETTERS)
    assert automaton.longest == max(map(len, listed))
    assert sorted(texts(automaton, LETTERS, 6)) == sorted(set(listed))


def test_a_long_list_is_small():
    """20,000 states of 5,000 symbols each would be a tenth of a gigabyte if a state had all of them."""
    vocabulary = Vocabulary.build(["".join(map(chr, range(0xAC00, 0xAC00 + 5000)))], "characters")
    listed = [a + b for a in vocabulary.symbols[:200] for b in vocabulary.symbols[:100]]
    automaton = one_of(listed, vocabulary)
    assert (automaton.Q, len(automaton.edges)) == (1 + 200 + 20_000, 200 + 20_000 + 1)


def test_jamo_are_listed_as_syllables():
    vocabulary = Vocabulary.build(["각난"], "characters", normalization="NFD")
    assert sorted(texts(one_of(["낙", "간"], vocabulary), vocabulary, 3)) == ["간", "낙"]


@pytest.mark.parametrize(
    "pattern, message",
    [
        ("a(", "not a regular expression: missing \\)"),
        ("a(?=b)", r"'\(\?=' cannot be used"),
        ("(a|b)(?<!b)", r"'\(\?<!' cannot be used"),
        ("(?#b)a", r"'\(\?#' cannot be used"),
        ("(?>a)b", r"'\(\?>' cannot be used"),
        ("a*+a", r"'\*\+' cannot be used"),
        ("a{2}+", r"'}\+' cannot be used"),
        ("a{1,1001}", "repeats something more than 1,000 times"),
        ("^a$", "not needed"),
        ("xyz", "allows nothing"),
        ("a{9}", "allows nothing .* 5 symbols"),
    ],
)
def test_patterns_that_are_refused(pattern, message):
    with pytest.raises(ConfigError, match=message):
        matching(pattern, LETTERS, 5)


@pytest.mark.parametrize("kind", ["whitespace", "words", "subwords"])
@pytest.mark.parametrize(
    "pattern", ["ab( ab)*", r"(ab|b)*\W", r"\(.*\)", "a?b, ?b", r"(\w| )+", ".*", "", " .*|.* |b+"]
)
def test_a_pattern_allows_what_python_matches_of_words(kind, pattern):
    """The symbols are written with blanks between them, or bring their own, of which none is left at either end."""
    text = "ab b, (ab) b"
    vocabulary = {
        "words": Vocabulary.build([text], "words"),
        "whitespace": Vocabulary.build([text], "whitespace"),
        "subwords": Vocabulary("subwords", ("▁", "▁ab", "▁b", ",", "▁(", ")", "b")),
    }[kind]
    longest = 4
    ids = range(SPECIALS, len(vocabulary))
    spelled = [vocabulary.decode(c) for n in range(longest + 1) for c in itertools.product(ids, repeat=n)]
    found = texts(matching(pattern, vocabulary, longest), vocabulary, longest)
    assert sorted(found) == sorted(text for text in spelled if re.fullmatch(pattern, text))


@pytest.mark.parametrize("normalization, texts", [("NFD", ["각 난"]), ("NFD", ["é"]), ("NFC", ["x\u030c"])])
def test_a_pattern_is_refused_where_symbols_change_side_by_side(normalization, texts):
    """.{3} would allow three jamo, which are written as one syllable."""
    vocabulary = Vocabulary.build(texts, "characters", normalization=normalization)
    with pytest.raises(ConfigError, match="cannot follow a pattern; give a list"):
        matching(".{3}", vocabulary, 5)


def test_a_pattern_goes_with_ascii_in_any_normalisation():
    vocabulary = Vocabulary.build(["ab"], "characters", normalization="NFD")
    assert texts(matching("ab?", vocabulary, 2), vocabulary, 2) == ["a", "ab"]


@pytest.mark.parametrize("listed", [[], ["xyz"]])
def test_lists_that_are_refused(listed):
    with pytest.raises(ConfigError, match="the list allows nothing"):
        one_of(listed, LETTERS)


def test_a_list_may_have_longer_answers_than_any_in_training():
    predictor = make_predictor(3, "attention", 4, ensemble=False)
    listed = ["ab-12ab-12", "21ab21ab21"]
    assert all(answer in listed for answer in predictor.predict(["a", "12"], beam=2, allowed=listed))
    assert all(answer.text in listed for answer in predictor.sample(["a", "12"], allowed=listed))


def make_predictor(seed, decoder, longest, ensemble):
    config = ModelConfig(hidden_size=6, embedding_size=3, decoder=decoder)
    rng = np.random.default_rng(seed)
    members = [build_model(config, LETTERS, LETTERS, rng=rng) for _ in range(2)]
    for member in members:
        member.parameters.values[...] = rng.standard_normal(member.parameters.values.size)
    model = Ensemble(members) if ensemble else members[0]
    return Predictor(TextModel(model, config, LETTERS, LETTERS, 4, longest))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 10_000),
    pattern=st.sampled_from(["[ab]{2}-[12]", "a*1?", "(12|21)+", "b.*", "a|ab-12"]),
    decoder=st.sampled_from(["plain", "attention", "pointer", "transducer"]),
    ensemble=st.booleans(),
    beam=st.integers(1, 6),
    longest=st.integers(4, 7),
)
def test_a_constraint_is_never_broken(seed, pattern, decoder, ensemble, beam, longest):
    predictor = make_predictor(seed, decoder, longest, ensemble)
    sources = ["a", "12", "b-1"]
    for answers in predictor.predict(sources, beam=beam, n_best=beam, allowed=pattern):
        assert answers
        assert all(re.fullmatch(pattern, answer.text) for answer in answers)
    assert all(re.fullmatch(pattern, answer.text) for answer in predictor.sample(sources, allowed=pattern))
    made = predictor.allowing(pattern)
    assert predictor.predict(sources, beam=beam, allowed=made) == predictor.predict(
        sources, beam=beam, allowed=pattern
    )
    listed = ["ab", "ab-1", "2"]
    for answers in predictor.predict(sources, beam=4, n_best=4, allowed=listed):
        assert {answer.text for answer in answers} <= {*listed}
        assert len(answers) == 3

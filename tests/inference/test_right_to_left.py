"""A model that writes targets from right to left answers, scores and obeys constraints in the order of the text."""

import dataclasses
import itertools
import re
from itertools import chain

import numpy as np
import pytest
from predictors import SOURCES, make_predictor

import doldari
from doldari import ConfigError, Predictor
from doldari.config import Config, ModelConfig
from doldari.data.pairs import Pair
from doldari.data.vocabulary import PADDING, START, UNKNOWN, Vocabulary
from doldari.inference import automaton
from doldari.inference.constraints import matching, one_of
from doldari.inference.explanation import explain
from doldari.models.model_file import load_model, save_model, summary
from doldari.training.encoding import build_vocabularies, encode_pairs

LETTERS = dataclasses.replace(Vocabulary.build(["ab-12"], "characters"), right_to_left=True)


def texts(automaton, vocabulary, longest):
    """Write all texts of up to `longest` symbols that an automaton allows."""
    found, going = [], [(0, [])]
    while going:
        state, ids = going.pop()
        may = automaton.allowed(np.array([state]), np.array([longest - len(ids)]))[0]
        found += [vocabulary.decode(ids)] * bool(may[PADDING])
        for id in np.flatnonzero(may[PADDING + 1 :]) + PADDING + 1:
            going.append((automaton.next(np.array([state]), np.array([id]))[0], [*ids, int(id)]))
    return found


def backwards(text):
    return text[::-1]


@pytest.fixture(params=["plain", "peeky", "attention", "pointer", "transformer"])
def both(request):
    """The same weights twice: once the ids of a target are in the order of the text, once reversed."""
    kind = request.param
    transformer = {"model": "transformer", "embedding_size": 8}
    ahead = make_predictor(**transformer if kind == "transformer" else {"decoder": kind})
    text_model = ahead.text_model
    parameters = text_model.model.parameters
    parameters.values *= 0.3 if kind == "transformer" else 1.0
    parameters["decoder.affine.b"].value[PADDING] -= 2.0  # so that answers are not empty
    copies = text_model.config.copies  # then the source is read in the direction of writing, and here turned again
    turned = text_model._replace(
        config=dataclasses.replace(text_model.config, right_to_left=True, reverse=copies),
        target=dataclasses.replace(text_model.target, right_to_left=True),
    )
    return ahead, Predictor(turned)


def test_answers_and_scores_are_those_of_the_reversed_text(both):
    ahead, turned = both
    assert turned.predict(SOURCES) == list(map(backwards, ahead.predict(SOURCES)))
    ours, theirs = (one.predict(SOURCES, beam_size=3, n_best=3) for one in (turned, ahead))
    for mine, other in zip(chain(*ours), chain(*theirs), strict=True):
        assert (mine.text, mine.score, mine.flags) == (other.text[::-1], other.score, other.flags)
    assert [one.text for one in turned.sample(SOURCES, seed=3)] == [
        one.text[::-1] for one in ahead.sample(SOURCES, seed=3)
    ]
    pairs = [(source, "xyzzy") for source in SOURCES]
    assert turned.score([(source, backwards(target)) for source, target in pairs]) == ahead.score(pairs)


def test_attention_stands_in_the_order_of_the_text(both):
    ahead, turned = both
    if not ahead.text_model.config.attends:
        pytest.skip("a decoder without attention")
    asked = max(SOURCES, key=lambda source: len(ahead(source)))
    ours, theirs = turned.attention(asked), ahead.attention(asked)
    assert len(theirs.text) > 1
    assert (ours.text, ours.source) == (theirs.text[::-1], theirs.source)
    assert ours.answer == [*theirs.answer[-2::-1], theirs.answer[-1]]
    np.testing.assert_array_equal(ours.weights[:-1], theirs.weights[-2::-1])
    np.testing.assert_array_equal(ours.weights[-1], theirs.weights[-1])


def test_an_explanation_has_the_steps_as_they_are_written(both):
    ahead, turned = both
    ours, theirs = explain(turned.text_model, "abba", beam=2), explain(ahead.text_model, "abba", beam=2)
    assert ours["steps"] == theirs["steps"]
    assert ours["answer"]["text"] == theirs["answer"]["text"][::-1]


def test_constraints_hold_for_the_text(both):
    _, turned = both
    assert all(re.fullmatch("xy?z*", text) for text in turned.predict(SOURCES, matching="xy?z*", beam_size=3))
    allowed = ["xyz", "yyx", "zx"]
    assert {*turned.predict(SOURCES, one_of=allowed)} <= {*allowed}


@pytest.mark.parametrize(
    "pattern", ["a*", "(a|b)+", "[ab]{2}-[12]", "a?b?1?", "", "(ab)*", "a{2,3}|-", r"\d+", "[^a]b", "ab-12", ".*a..?"]
)
def test_a_pattern_allows_what_python_matches(pattern):
    longest = 5
    spelled = ["".join(c) for n in range(longest + 1) for c in itertools.product("-12ab", repeat=n)]
    found = texts(matching(pattern, LETTERS, longest), LETTERS, longest)
    assert sorted(found) == sorted(text for text in spelled if re.fullmatch(pattern, text))


def test_words_and_their_blanks():
    words = dataclasses.replace(Vocabulary.build(["k a̠ː ɡ e̞"], "whitespace"), right_to_left=True)
    assert set(texts(matching("k( a̠ː)*( ɡ)?", words, 3), words, 3)) == {"k", "k a̠ː", "k ɡ", "k a̠ː a̠ː", "k a̠ː ɡ"}
    assert set(texts(one_of(["k ɡ", "e̞"], words), words, 3)) == {"k ɡ", "e̞"}


def test_a_pattern_of_too_many_states_is_refused(monkeypatch):
    """From right to left, `[ab]{8}a.*` has to remember the last eight symbols."""
    monkeypatch.setattr(automaton, "MOST_STATES", 100)
    matching("[ab]*a[ab]{8}", LETTERS, 12)
    with pytest.raises(ConfigError, match="cannot be followed by a model that writes right to left: too many states"):
        matching("[ab]{8}a[ab]*", LETTERS, 12)


def test_ids():
    assert LETTERS.encode("ab1") == dataclasses.replace(LETTERS, right_to_left=False).encode("1ba")
    assert LETTERS.decode([*LETTERS.encode("ab1"), PADDING, PADDING]) == "ab1"
    a = LETTERS.ids["a"]
    assert LETTERS.decode([UNKNOWN, a, UNKNOWN], ["x", "y"]) == "xay"  # copied in the order of the text


@pytest.mark.parametrize("shared", [False, True])
def test_training_reads_targets_reversed_and_sources_not(shared):
    model = ModelConfig(right_to_left=True, shared_vocabulary=shared)
    source, target = build_vocabularies(Config(model=model), [Pair("abc", "abd")])
    x, t = encode_pairs([Pair("abc", "abd")], source, target, reverse=False)
    assert x[0].tolist() == [source.ids[letter] for letter in "abc"]
    assert t[0].tolist() == [START, *(target.ids[letter] for letter in "dba")]


@pytest.mark.parametrize("engine", ["numpy", "torch"])
def test_it_learns_and_answers_in_order(tmp_path, engine):
    if engine == "torch":
        pytest.importorskip("torch")
    pairs = [("".join(letters), "".join(letters)) for letters in itertools.product("abcd", repeat=3)] * 5
    settings = {"hidden_size": 32, "embedding_size": 16, "batch_size": 8, "dropout": 0.0, "label_smoothing": 0.0}
    epochs = 8 if engine == "numpy" else 1
    out = tmp_path / "run"
    model = doldari.train(
        pairs, right_to_left=True, lr=0.01, epochs=epochs, engine=engine, out=out, progress=False, **settings
    )
    texts = sorted({source for source, _ in pairs})
    if engine == "numpy":
        assert sum(answer == text for answer, text in zip(model.predict(texts), texts, strict=True)) >= 50
    again = doldari.load(out, engine=engine)
    assert again.text_model.target.right_to_left
    assert not again.text_model.source.right_to_left
    assert again.predict(texts) == model.predict(texts)


def test_the_file_says_so(tmp_path):
    turned = make_predictor(right_to_left=True).text_model
    turned = turned._replace(target=dataclasses.replace(turned.target, right_to_left=True))
    save_model(tmp_path / "m.safetensors", turned)
    again = load_model(tmp_path / "m.safetensors")
    assert again.config.right_to_left
    assert again.target == turned.target
    assert "writes right to left" in summary(again)
    assert Predictor(again).predict(SOURCES) == Predictor(turned).predict(SOURCES)

"""Wrong arguments from Python: each error names the argument, what it was and what it must be."""

import copy
from pathlib import Path

import numpy as np
import pytest

import doldari
from doldari import ConfigError, DataError, ModelFileError, UnknownSymbolError, load

MODELS = Path(__file__).parents[1] / "models" / "from_0_1_0"


@pytest.fixture(scope="module")
def model():
    return load(MODELS / "attention-general.safetensors")


@pytest.mark.parametrize(
    "call, kind, message",
    [
        (lambda model: load(5), TypeError, "path=5: must be a path"),
        (lambda model: load(None), TypeError, "path=None: must be a path"),
        (lambda model: load(b"runs"), TypeError, r"path=b'runs': must be a path"),
        (lambda model: load("a\0b"), ModelFileError, r"'a\\x00b': no such model"),
        (lambda model: load(""), ModelFileError, "no model file in this directory"),
        (lambda model: load("x" * 5_000), ModelFileError, r"'x+\.\.\.x+': cannot be read: File name too long"),
        (lambda model: load("/dev/null"), ModelFileError, "/dev/null: cannot be read"),
        (lambda model: model.save(5), TypeError, "path=5: must be a path"),
        (lambda model: model(5), TypeError, "text=5: must be a text"),
        (lambda model: model(["a"]), TypeError, r"text=\['a'\]: must be a text"),
        (
            lambda model: model.predict("abc"),
            TypeError,
            r"texts='abc': must be a list of texts; for a single text, call",
        ),
        (lambda model: model.predict(b"abc"), TypeError, "texts=b'abc': must be a list of texts"),
        (lambda model: model.predict(5), TypeError, "texts=5: must be a list of texts"),
        (lambda model: model.predict(None), TypeError, "texts=None: must be a list of texts"),
        (lambda model: model.predict([1]), TypeError, r"texts\[0\]=1: must be a text"),
        (lambda model: model.predict(["ba", None]), TypeError, r"texts\[1\]=None: must be a text"),
        (lambda model: model.predict(np.zeros(2)), TypeError, r"texts\[0\]=.*0.0.*: must be a text"),
        (
            lambda model: model.predict(["a"], beam=1.5),
            ConfigError,
            "beam_size=1.5: must be a whole number, at least 1",
        ),
        (
            lambda model: model.predict(["a"], beam="2"),
            ConfigError,
            "beam_size='2': must be a whole number, at least 1",
        ),
        (lambda model: model.predict(["a"], beam=True), ConfigError, "beam_size=True: must be a whole number"),
        (lambda model: model.predict(["a"], beam_size=None), ConfigError, "beam_size=None: must be a whole number"),
        (lambda model: model.predict(["a"], beam=0), ConfigError, "beam_size=0: must be a whole number, at least 1"),
        (lambda model: model.predict(["a"], beam=10**5000), ConfigError, "at most 1,000,000"),
        (
            lambda model: model.predict(["a"], beam=2, n_best=3),
            ConfigError,
            "n_best=3: must be at most the beam size, beam_size=2",
        ),
        (lambda model: model.predict(["a"], beam=2, n_best=1.0), ConfigError, "n_best=1.0: must be a whole number"),
        (lambda model: model.predict(["a"], n_best=0), ConfigError, "n_best=0: must be a whole number, at least 1"),
        (
            lambda model: model.predict(["a"], unknown="no"),
            ConfigError,
            "unknown='no': must be one of error, unknown",
        ),
        (lambda model: model.predict(["a"], unknown=[]), ConfigError, r"unknown=\[\]: must be one of error, unknown"),
        (lambda model: model.predict(["a"], allowed=5), TypeError, "allowed=5: must be a list of texts"),
        (lambda model: model.predict(["a"], allowed=[5]), TypeError, r"allowed\[0\]=5: must be a text"),
        (lambda model: model.predict(["a"], allowed=[]), ConfigError, "the list allows nothing: it is empty"),
        (
            lambda model: model.predict(["a"], allowed=other(model)),
            ConfigError,
            "made for a model of 13 target symbols",
        ),
        (lambda model: model.sample("abc"), TypeError, "texts='abc': must be a list of texts"),
        (
            lambda model: model.sample(["a"], temperature="x"),
            ConfigError,
            "temperature='x': must be a number greater",
        ),
        (lambda model: model.sample(["a"], temperature=0), ConfigError, "temperature=0: must be a number greater"),
        (lambda model: model.sample(["a"], top_k=1.5), ConfigError, r"top_k=1.5: must be a whole number, at least 1"),
        (lambda model: model.sample(["a"], seed=-1), ConfigError, "seed=-1: must be a whole number, at least 0"),
        (lambda model: model.sample(["a"], seed="1"), ConfigError, "seed='1': must be a whole number, at least 0"),
        (
            lambda model: model.sample(["a"], first=None),
            ConfigError,
            "first=None: must be a whole number, at least 0",
        ),
        (lambda model: model.score("ab"), TypeError, "pairs='ab': must be a list of .source, target. pairs"),
        (lambda model: model.score(5), TypeError, "pairs=5: must be a list of .source, target. pairs"),
        (lambda model: model.score([("a",)]), DataError, r"pairs\[0\]=\('a',\): must be two texts"),
        (lambda model: model.score([("a", "b"), "ab"]), DataError, r"pairs\[1\]='ab': must be two texts"),
        (lambda model: model.score([("a", 1)]), DataError, r"pairs\[0\]=\('a', 1\): must be two texts"),
        (lambda model: model.score([5]), DataError, r"pairs\[0\]=5: must be two texts"),
        (lambda model: model.score([("a", "b")], unknown=1), ConfigError, "unknown=1: must be one of"),
        (lambda model: model.attention(5), TypeError, "text=5: must be a text"),
        (lambda model: model.attention("a", beam=0.5), ConfigError, "beam_size=0.5: must be a whole number"),
        (lambda model: model.encode(5), TypeError, "text=5: must be a text"),
        (lambda model: model.knows(5), TypeError, "text=5: must be a text"),
        (lambda model: model("\ud800"), UnknownSymbolError, r"U\+D800"),
    ],
)
def test_wrong_arguments(model, call, kind, message):
    with pytest.raises(kind, match=message) as caught:
        call(model)
    assert "\n" not in str(caught.value)
    if not isinstance(caught.value, ModelFileError):
        assert len(str(caught.value)) < 200


def other(model):
    """Make an automaton for a model of fewer target symbols."""
    allowed = copy.copy(model.allowing(["ba"]))
    allowed.V = 13
    return allowed


def test_what_is_taken_though(model):
    asked = ["bana", "deko"]
    answers = model.predict(asked)
    assert answers == ["anabt", "okedt"]
    for texts in (tuple(asked), iter(asked), dict.fromkeys(asked), np.array(asked)):
        assert model.predict(texts) == answers
    assert model.predict([]) == model.sample([]) == model.score([]) == []
    assert model.predict(asked, beam=np.int64(2)) == model.predict(iter(asked), beam=2)
    assert model.predict(asked, beam_size=2) == model.predict(asked, beam=2)
    assert model.predict(asked, beam=2, n_best=1) == model.predict(iter(asked), beam=2, n_best=1)
    assert model.sample(iter(asked), temperature=np.float32(1), seed=np.uint8(3)) == model.sample(asked, seed=3)
    assert model.score(iter(zip(asked, answers, strict=True))) == model.score(list(zip(asked, answers, strict=True)))
    assert model.predict(asked, allowed=iter(["anabt"])) == ["anabt"] * 2


def test_half_a_surrogate_pair_is_an_unknown_symbol():
    for kind in ("subwords", "whitespace", "plain"):
        model = load(MODELS / f"{kind}.safetensors")
        with pytest.raises(UnknownSymbolError, match=r"U\+D800"):
            model("the bana \ud800 and" if kind != "plain" else "bana\ud800")
        assert isinstance(model.predict(["and \ud800" if kind != "plain" else "a\ud800"], unknown="unknown")[0], str)


@pytest.mark.parametrize(
    "kind, line",
    [
        ("plain", "plain LSTM, reads backwards, 1 layer, D 4, H 6, 18 -> 18 symbols, 843 weights"),
        ("attention-dot", "dot attention LSTM, reads backwards, 1 layer, D 4, H 6, 18 -> 18 symbols, 921 weights"),
        (
            "bidirectional-gru-two-layers",
            "attention GRU, bidirectional, 2 layers, D 4, H 4, 18 -> 18 symbols, 709 weights",
        ),
        ("features", "attention LSTM, bidirectional, 1 layer, D 4, H 6, 18 -> 18 symbols, 3 features, 897 "),
        ("ensemble", "plain LSTM, 1 layer, D 4, H 4, 18 -> 18 symbols, ensemble of 2, "),
    ],
)
def test_a_predictor_shows_what_it_is(kind, line):
    shown = repr(load(MODELS / f"{kind}.safetensors"))
    assert shown.startswith(f"Predictor({line}")
    assert shown.endswith(" weights)")


def test_public_names_only():
    shown = {name for name in dir(doldari) if not (name.startswith("__") and name.endswith("__"))}
    assert shown == set(doldari.__all__)
    assert {"__doc__", "__file__", "__version__", "__name__"} <= set(dir(doldari))

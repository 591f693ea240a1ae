"""What a pointer-generator can copy: symbols of the source by their text, also those that no target had."""

import numpy as np
import pytest

import doldari
from doldari.config import Config, ModelConfig
from doldari.data.pairs import Pair
from doldari.data.vocabulary import UNKNOWN
from doldari.errors import ConfigError
from doldari.models.joining import join
from doldari.models.model_file import build_model
from doldari.training.encoding import build_vocabularies

PAIRS = [Pair("wax\tV;PST", "waxed"), Pair("box\tV;PRS", "boxes")]


def vocabularies(pairs=PAIRS, **settings):
    return build_vocabularies(Config(model=ModelConfig(decoder="pointer", **settings)), pairs)


def test_targets_have_the_symbols_of_sources():
    source, target = vocabularies([Pair("ab\tV", "b"), Pair("b\tN", "c")])
    assert target.symbols == ("a", "b", "c")
    assert target.features == ()
    plain = build_vocabularies(Config(), [Pair("ab\tV", "b"), Pair("b\tN", "c")])
    assert plain[1].symbols == ("b", "c")
    assert [target.ids_of(source)[id] for id in source.encode("ab\tV")] == [UNKNOWN, *target.encode("ab")]


@pytest.mark.parametrize(
    "settings", [{"target_symbols": "whitespace"}, {"source_normalization": "NFD"}, {"source_symbols": "words"}]
)
def test_sides_of_other_symbols_keep_their_own(settings):
    source, target = vocabularies([Pair("ab", "a"), Pair("b", "c")], **settings)
    assert target.symbols == ("a", "c")
    assert set(target.ids_of(source)) >= {0, 1, UNKNOWN}


def test_a_model_that_only_copies_copies():
    """With a gate that never writes, each symbol's probability is the attention to it, and never that of others."""
    source, target = vocabularies()
    model = build_model(ModelConfig(decoder="pointer", hidden_size=6), source, target)
    model.parameters["decoder.gate.b"].value[:] = -50.0
    scores, _ = model.step(np.array([1], np.int32), model.encode([source.encode("box\tV;PST")]))
    probabilities = np.exp(scores[0])
    assert probabilities.sum() == pytest.approx(1.0, rel=1e-5)
    assert set(np.flatnonzero(probabilities > 1e-6)) == {*target.encode("box")}


def copied_letters(count=300):
    """Make pairs that repeat their source behind a mark: what a pointer learns in seconds."""
    rng = np.random.default_rng(0)
    words = ["".join(rng.choice(list("abcdefghijklmnopqrstuvwxyz"), rng.integers(3, 8))) for _ in range(count)]
    return [(word, f"{word}!") for word in dict.fromkeys(words)]


SMALL = {"hidden_size": 48, "embedding_size": 16, "batch_size": 16, "epochs": 24, "dropout": 0.0}


def test_copying_is_learnt_at_once(tmp_path):
    """A few epochs of 250 words: attention without a pointer gets none of fifty others right."""
    pairs = copied_letters()
    settings = {"hidden_size": 48, "embedding_size": 16, "batch_size": 16, "epochs": 24, "dropout": 0.0}
    model = doldari.train(
        pairs[50:], validation=pairs[:50], decoder="pointer", progress=False, out=tmp_path / "run", **settings
    )
    sources, targets = zip(*pairs[:50], strict=True)
    answers = model.predict(sources)
    assert np.mean([answer == target for answer, target in zip(answers, targets, strict=True)]) > 0.5
    loaded = doldari.load(tmp_path / "run")
    assert loaded.predict(sources) == answers
    assert loaded.attention(sources[0]).weights.shape == (len(answers[0]) + 1, len(sources[0]))
    together = join([loaded.text_model, model.text_model])
    assert doldari.Predictor(together).predict(sources, beam=3) == model.predict(sources, beam=3)


def test_dot_attention_is_refused():
    with pytest.raises(ConfigError, match="attention=dot: needs decoder=attention"):
        ModelConfig(decoder="pointer", attention="dot")

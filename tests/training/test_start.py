"""Fine-tuning: a training that starts from a trained model, with new rows for new symbols."""

import json

import numpy as np
import pytest

import doldari
from doldari import ConfigError, load
from doldari.config import Config
from doldari.data.pairs import Pair
from doldari.training.run import Run
from doldari.training.start import start_of

SMALL = {"hidden_size": 8, "wordvec_size": 4, "epochs": 1, "batch_size": 4, "progress": False}
OLD = [("ab" * n, "xy" * n) for n in range(1, 6)] + [("b" * n, "y" * n) for n in range(1, 6)]
NEW = [("ac" * n, "xz" * n) for n in range(1, 6)] + [("dd" + "c" * n, "z" * n) for n in range(1, 6)]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"decoder": "plain", "bidirectional": False, "tie": True, "wordvec_size": 8},
        {"decoder": "peeky", "cell": "gru", "layers": 2},
        {"tie": True},
        {"shared_vocabulary": True},
    ],
)
def test_old_symbols_keep_their_scores(tmp_path, settings):
    """With bigger vocabularies, before the first step, every old pair has the scores that it had."""
    old = doldari.train(OLD, **SMALL | settings).text_model
    config = Config(model=old.config)
    start = start_of(config, [Pair(*pair) for pair in NEW], old)
    assert start.source.symbols[: len(old.source.symbols)] == old.source.symbols
    run = Run.prepare(config, [Pair(*pair) for pair in NEW], [Pair(*OLD[0])], start=start)
    new = run.predictor.text_model
    added = (4, 4) if config.model.shared_vocabulary else (2, 1)
    if config.model.shared_vocabulary:
        assert len(new.source) == len(old.source) + 3  # c, d and z
    else:
        assert run.new_symbols == added
    ids = [3 + old.target.symbols.index(symbol) for symbol in "xy"]
    assert [new.target.ids[symbol] for symbol in "xy"] == ids
    x = np.array([old.source.encode("abab")], np.int32)
    assert new.source.encode("abab") == x[0].tolist()
    expected, _ = old.model.step(np.array([1], np.int32), old.model.encode(x))
    scores, _ = new.model.step(np.array([1], np.int32), new.model.encode(x))
    np.testing.assert_allclose(scores[:, : expected.shape[1]], expected, rtol=1e-5, atol=1e-6)


def test_features_keep_their_rows():
    old = doldari.train([("ab", "x", "V"), ("b", "xx", "N"), ("ab", "xx", "N")], **SMALL).text_model
    pairs = [Pair("abc\tV;PST", "x"), Pair("b\tN", "x")]
    run = Run.prepare(Config(model=old.config), pairs, pairs, start=start_of(Config(model=old.config), pairs, old))
    new = run.predictor.text_model
    assert (new.source.symbols, new.source.features) == (("a", "b", "c"), ("N", "V", "PST"))
    rows, before = (model.model.parameters["encoder.embed.W"].value for model in (new, old))
    for feature in ("N", "V"):
        np.testing.assert_array_equal(rows[new.source.feature_ids[feature]], before[old.source.feature_ids[feature]])


def test_lengths_are_those_of_both(tmp_path):
    doldari.train(OLD, out=tmp_path / "old", **SMALL)
    model = doldari.train([("ac", "z" * 12), ("c", "z")] * 2, start_from=tmp_path / "old", **{"epochs": 1}).text_model
    assert (model.longest_source, model.longest_target, model.longer) == (10, 12, 10)


def test_a_fine_tuned_run_says_so_and_resumes(tmp_path):
    doldari.train(OLD, out=tmp_path / "old", **SMALL)
    new = doldari.train(NEW, out=tmp_path / "new", start_from=tmp_path / "old", epochs=2, progress=False)
    assert new.text_model.config.hidden_size == 8
    record = json.loads((tmp_path / "new/run.json").read_text())
    assert record["from"]["path"] == str(tmp_path / "old")
    assert len(record["from"]["sha256"]) == 64
    (tmp_path / "old/model.safetensors").unlink()
    (tmp_path / "old/config.toml").unlink()
    again = doldari.train(NEW, resume=tmp_path / "new", epochs=3, progress=False)
    assert again.text_model[4:] == load(tmp_path / "new").text_model[4:] == new.text_model[4:]
    (tmp_path / "new/checkpoint.safetensors").unlink()
    with pytest.raises(ConfigError, match=r"old: the model to start from is missing or has changed; restore it"):
        doldari.train(NEW, resume=tmp_path / "new")
    with pytest.raises(ConfigError, match=r"hidden_size=9: the model to start from has 8; leave it out"):
        doldari.train(NEW, start_from=tmp_path / "new", hidden_size=9)


def test_an_ensemble_is_no_start(tmp_path):
    doldari.train(OLD, out=tmp_path, ensemble=2, **SMALL)
    with pytest.raises(ConfigError, match=r"an ensemble of 2 models; start from one of them, such as .*/member-1"):
        doldari.train(NEW, start_from=tmp_path)
    assert doldari.train(NEW, start_from=tmp_path / "member-1", ensemble=2, epochs=1, progress=False).predict(["ac"])


def test_a_pointer_goes_on_with_new_symbols_and_features():
    pairs = [("ab", "abx", "V"), ("b", "bx", "N"), ("ba", "bay", "N")]
    old = doldari.train(pairs, **SMALL | {"decoder": "pointer"}).text_model
    new = [Pair("abc\tV;PST", "abcx"), Pair("b\tN", "bx")]
    config = Config(model=old.config)
    run = Run.prepare(config, new, new, start=start_of(config, new, old))
    model = run.predictor.text_model
    assert model.target.symbols == (*old.target.symbols, "c")
    x, y = ([model.source.encode("ab\tN")], [old.source.encode("ab\tN")])
    expected, _ = old.model.step(np.array([1], np.int32), old.model.encode(y))
    scores, _ = model.model.step(np.array([1], np.int32), model.model.encode(x))
    copies = [model.target.ids[symbol] for symbol in "ab"]
    assert np.isfinite(scores).all()
    assert scores[:, copies].argmax() == expected[:, [old.target.ids[symbol] for symbol in "ab"]].argmax()
    bare = doldari.train([("ab", "abx"), ("b", "bx"), ("ba", "bay")], **SMALL | {"decoder": "pointer"}).text_model
    with pytest.raises(doldari.ConfigError, match="the model to start from knows none"):
        start_of(Config(model=bare.config), new, bare)

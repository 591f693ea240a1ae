"""An ONNX model answers in onnxruntime as the model does: batches of any lengths, padding anywhere, step by step."""

import json
import sys

import numpy as np
import pytest
from exported import ARCHITECTURES, SOME, TRANSDUCERS, make_model

from doldari.data.batches import pad
from doldari.data.vocabulary import START, UNKNOWN
from doldari.errors import ConfigError, MissingPackageError
from doldari.export.checking import random_sources
from doldari.export.weights import exported_weights, with_weights
from doldari.inference.predictor import Predictor

pytest.importorskip("onnx", reason="needs onnx: pip install '.[test]'")
pytest.importorskip("onnxruntime", reason="needs onnxruntime: pip install '.[test]'")

from doldari.export.onnx import model as onnx_models
from doldari.export.onnx.model import onnx_model
from doldari.export.onnx.runtime import ask, session

OTHERS = [
    "plain GRU, two layers, bidirectional",
    "peeky, two layers, reversed",
    "attention",
    "ensemble, peeky, reversed",
    *TRANSDUCERS,
]


def opened(model, int8=False):
    return session(onnx_model(model.text_model, exported_weights(model.text_model, int8), "a model"))


def encoded(model, texts):
    return pad([model.text_model.source.encode(text) for text in texts], 0).astype(np.int64)


@pytest.mark.parametrize("name, int8", [*((name, False) for name in ARCHITECTURES), *((name, True) for name in SOME)])
def test_a_ragged_batch_gives_the_models_answers(name, int8):
    model = make_model(**ARCHITECTURES[name])
    weights = exported_weights(model.text_model, int8)
    exact = Predictor(with_weights(model.text_model, weights))
    texts = random_sources(model, 200)
    expected = exact.predict(texts, unknown="unknown", scores=True)
    given = ask(onnx_model(model.text_model, weights, "a model"), model.text_model, texts)
    assert [one.text for one in given] == [answer.text for answer in expected]
    assert [one.score for one in given] == pytest.approx([answer.score for answer in expected], abs=1e-4)


@pytest.mark.parametrize("name", OTHERS)
def test_padding_anywhere_changes_nothing(name):
    model = make_model(**ARCHITECTURES[name])
    run = opened(model).run
    texts = random_sources(model, 20, seed=2)
    source, rng = encoded(model, texts), np.random.default_rng(1)
    wide, places = np.zeros((20, source.shape[1] + 4), np.int64), []
    for row, ids in zip(wide, source, strict=True):
        ids = ids[ids > 0]
        places.append(np.sort(rng.choice(len(row), len(ids), replace=False)))
        row[places[-1]] = ids
    names = ["answer", "score", *(["attention"] if model.text_model.config.attends else [])]
    expected, given = run(names, {"source": source}), run(names, {"source": wide})
    assert (given[0] == expected[0]).all()
    np.testing.assert_allclose(given[1], expected[1], atol=1e-5)
    for n, where in enumerate(places if len(names) > 2 else []):
        np.testing.assert_allclose(given[2][n][:, where], expected[2][n][:, : len(where)], atol=1e-6)
        assert (np.delete(given[2][n], where, axis=1) == 0).all()


@pytest.mark.parametrize(
    "settings", [{"reverse": True, "ensemble": 2}, *(ARCHITECTURES[name] for name in TRANSDUCERS)]
)
def test_it_says_where_it_looked(settings):
    model = make_model(**settings)
    texts = random_sources(model, 5, seed=3)
    answers, looked = opened(model).run(["answer", "attention"], {"source": encoded(model, texts)})
    for text, ids, weights in zip(texts, answers, looked, strict=True):
        expected = model.attention(text)
        assert expected.text == model.text_model.target.decode(ids.tolist())
        T, S = expected.weights.shape
        count, written = int((ids > 0).sum()), weights[:T].copy()
        if model.text_model.config.right_to_left:  # in the order in which it writes, but for the end
            written[:count] = written[:count][::-1]
        np.testing.assert_allclose(written[:, :S], expected.weights, atol=1e-5)
        assert (written[:, S:] == 0).all()


@pytest.mark.parametrize("name", OTHERS)
def test_step_by_step_is_the_same_as_all_at_once(name):
    model = make_model(**ARCHITECTURES[name])
    onnx = opened(model)
    source = encoded(model, random_sources(model, 7))
    written = onnx.run(["answer"], {"source": source})[0]
    remembers = ["memory"] if "memory" in [output.name for output in onnx.get_outputs()] else []
    names = ["answer", "log_probabilities", "state", *remembers]
    given = {"source": source, "steps": np.array(1)}
    asked = model.text_model.searched
    state = asked.encode(source[:, ::-1] if model.text_model.config.reads_backwards else source)
    read = np.full(len(source), START, np.int32)
    for t in range(written.shape[1]):
        ids, logs, *past = onnx.run(names, given)
        scores, state = asked.step(read, state)
        exact = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
        np.testing.assert_allclose(logs, exact, atol=1e-4)
        limits = np.array([model.text_model.limit(length) for length in (source > 0).sum(axis=1)])
        going = (written[:, :t] != 0).all(axis=1) & (t < limits)  # there answers were cut
        assert (ids[going, 0] == written[going, t]).all()
        order = np.roll(np.arange(len(source)), 1)  # as a beam search takes rows of a state
        read, source, written = ids[order, 0].astype(np.int32), source[order], written[order]
        state = asked.select(state, order)
        given |= {"source": source, "read": ids[order, 0], "past_state": past[0][order]}
        if remembers:
            given["past_memory"] = past[1][order]


def test_blank_sources_are_answered_with_nothing():
    model = make_model()
    source = encoded(model, ["ab", "abc"])
    source = np.insert(source, 1, 0, axis=0)
    answers, scores = opened(model).run(["answer", "score"], {"source": source})
    assert (answers[1] == 0).all() and scores[1] == 0
    assert [model.text_model.target.decode(row) for row in answers[::2].tolist()] == model.predict(["ab", "abc"])


def test_features_alone_are_answered_with_nothing():
    model = make_model(**ARCHITECTURES["transducer, features, right to left"])
    source = encoded(model, ["ab\tV", "abc\tN;PST"])
    first = len(model.text_model.source) - len(model.text_model.source.features)
    source = np.insert(source, 1, np.where(source[0] >= first, source[0], 0), axis=0)
    assert source[1].any()
    answers, scores = opened(model).run(["answer", "score"], {"source": source})
    assert (answers[1] == 0).all() and scores[1] == 0 and np.isfinite(scores).all()
    decoded = [model.text_model.target.decode(row) for row in answers[::2].tolist()]
    assert decoded == model.predict(["ab\tV", "abc\tN;PST"])


@pytest.mark.parametrize("settings", [{"bidirectional": True}, *(ARCHITECTURES[name] for name in TRANSDUCERS)])
def test_a_symbol_never_seen_is_read_and_copied_as_unknown(settings):
    model = make_model(**settings)
    for name, parameter in model.text_model.model.weights().items():
        if name.endswith("moves.b"):
            parameter.value[0] = 6  # so that it copies
    source = encoded(model, random_sources(model, 12, seed=1))
    source[:, 1:] = np.where(source[:, 1:] > UNKNOWN, UNKNOWN, source[:, 1:])
    answers = opened(model).run(["answer"], {"source": source})[0]
    asked, copied = model.text_model.searched, model.text_model.copies_unknown
    limits = np.array([model.text_model.limit(length) for length in (source > 0).sum(axis=1)])
    state = asked.encode(source[:, ::-1] if model.text_model.config.reads_backwards else source)
    ids, ended = np.full(12, START, np.int32), np.zeros(12, np.bool_)
    for t, given in enumerate(answers.T):
        scores, state = asked.step(ids, state)
        scores[:, [START] if copied else [START, UNKNOWN]] = -np.inf
        ids = np.where(ended | (t >= limits), 0, scores.argmax(axis=1)).astype(np.int32)
        assert (given == ids).all()
        ended |= ids == 0
    assert ended.all()
    assert (answers == UNKNOWN).any() == copied


def test_the_metadata_hold_vocabulary_and_settings():
    model = make_model(features=["V"], temperature=2.0)
    about = json.loads(opened(model).get_modelmeta().custom_metadata_map["doldari"])
    assert about["source"] == list(model.text_model.source.symbols)
    assert about["target"] == list(model.text_model.target.symbols)
    assert (about["source_features"], about["temperature"], about["title"]) == (["V"], 2.0, "a model")
    assert about["model"]["cell"] == "lstm"


def test_int8_takes_a_quarter_of_the_space():
    model = make_model(hidden_size=64, embedding_size=32).text_model
    sizes = [len(onnx_model(model, exported_weights(model, int8), "x")) for int8 in (False, True)]
    assert sizes[1] < 0.35 * sizes[0]


def test_what_no_onnx_file_can_hold_is_refused(monkeypatch):
    model = make_model().text_model
    monkeypatch.setattr(onnx_models, "MOST_BYTES", 1000)
    with pytest.raises(ConfigError, match="an ONNX file has at most 2 GB; use --int8"):
        onnx_model(model, exported_weights(model, False), "x")


def test_without_onnx_it_is_said_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    monkeypatch.delitem(sys.modules, "doldari.export.onnx.graph")
    with pytest.raises(MissingPackageError, match=r"needs onnx: pip install 'doldari\[onnx\]'"):
        import doldari.export.onnx.graph  # noqa: F401

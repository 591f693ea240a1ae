"""What led to a prediction: steps, attention, states, gates, the tree of the beam, each against what it should be."""

import numpy as np
import pytest
from predictors import SOURCES, make_predictor

from doldari.data.vocabulary import PADDING, START
from doldari.inference.explanation import explain
from doldari.layers.softmax_loss import log_softmax

KINDS = [
    {},
    {"reverse": True},
    {"decoder": "peeky", "cell": "gru"},
    {"decoder": "plain", "layers": 2, "bidirectional": False},
    {"decoder": "pointer"},
    {"decoder": "transducer"},
    {"model": "transformer", "heads": 2, "embedding_size": 8},
]


@pytest.mark.parametrize("settings", KINDS, ids=str)
def test_steps_have_the_models_distributions(settings):
    predictor = make_predictor(**settings)
    model = predictor.text_model.model
    for text in SOURCES:
        found = explain(predictor.text_model, text, top=99)
        ids = predictor.encode(text)
        state = model.encode([ids[::-1] if settings.get("reverse") else ids])
        read = START
        for step in found["steps"]:
            scores, state = model.step(np.array([read], np.int32), state)
            probabilities = np.exp(log_softmax(scores.astype(np.float64)))[0]
            assert step["input"]["id"] == read
            assert [one["id"] for one in step["top"]] == np.argsort(-probabilities, kind="stable").tolist()
            for one in step["top"]:
                assert one["probability"] == pytest.approx(probabilities[one["id"]], rel=1e-4)
            read = step["output"]["id"]
        assert read == PADDING and found["source"] == list(text)


@pytest.mark.parametrize("settings", KINDS, ids=str)
def test_attention_is_that_of_attend(settings):
    predictor = make_predictor(**settings)
    found = explain(predictor.text_model, "abba")
    rows = [step["attention"] for step in found["steps"]]
    if predictor.text_model.config.attends:
        assert np.allclose(rows, predictor.attention("abba").weights, atol=1e-4)
        assert [step["output"]["symbol"] for step in found["steps"]] == predictor.attention("abba").answer
    else:
        assert rows == [None] * len(rows)


@pytest.mark.parametrize("settings", [one for one in KINDS if "model" not in one], ids=str)
def test_states_are_the_layers_own_and_gates_are_shares(settings):
    predictor = make_predictor(**settings)
    model = predictor.text_model.model
    found = explain(predictor.text_model, "abba")
    xs = np.array([predictor.encode("abba")[:: -1 if settings.get("reverse") else 1]], np.int32)
    encoded, _ = model.encoder.forward(xs)
    assert np.allclose(found["encoder"]["states"], encoded.hs[0], atol=1e-3)
    moved = np.diff(encoded.hs[0], axis=0, prepend=np.zeros((1, 6)))
    assert np.allclose(found["encoder"]["change"], np.linalg.norm(moved, axis=1), atol=1e-3)
    read = np.array([[step["input"]["id"] for step in found["steps"]]], np.int32)
    state = model.encode(xs)
    for t in range(read.shape[1]):
        _, state = model.step(read[:, t], state)
        assert np.allclose(found["decoder"]["states"][t], state.layers[-1].h[0], atol=1e-3)
    for side in ("encoder", "decoder"):
        for gates in found[side]["gates"]:
            for gate in "rz" if settings.get("cell") == "gru" else "fio":
                assert len(gates[gate]) == len(found[side]["order"])
                assert all(0 <= value <= 1 for value in gates[gate])


def test_an_ensemble_has_no_states_of_its_own():
    found = explain(make_predictor(ensemble=True).text_model, "abba")
    assert found["encoder"] is None and found["decoder"] is None


@pytest.mark.parametrize("settings", KINDS[:3], ids=str)
@pytest.mark.parametrize("beam", [1, 3, 5])
def test_the_tree_ends_in_the_n_best_answers(settings, beam):
    predictor = make_predictor(**settings)
    for text in SOURCES:
        found = explain(predictor.text_model, text, beam=beam)
        nodes = found["tree"]
        ends = sorted((node for node in nodes if node["rank"]), key=lambda node: node["rank"])
        scores = [answer["log_probability"] for answer in found["n_best"]]
        assert ends[0]["log_probability"] == pytest.approx(scores[0], abs=1e-5) or beam > 1
        assert all(node["parent"] < place for place, node in enumerate(nodes))
        for node in nodes:
            before = 0.0 if node["parent"] < 0 else nodes[node["parent"]]["log_probability"]
            assert np.exp(node["log_probability"] - before) == pytest.approx(node["probability"], rel=1e-3)

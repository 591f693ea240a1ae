"""What 0.1.0 wrote, models and a run's directory, answers as it did there; from_0_1_0/make.py made it."""

import json
from pathlib import Path

import numpy as np
import pytest

from doldari import load
from doldari.config import Config

HERE = Path(__file__).parent / "from_0_1_0"
EXPECTED = json.loads((HERE / "expected.json").read_text("utf-8"))


def same(answers, expected):
    assert [text for text, _ in answers] == [text for text, _ in expected]
    np.testing.assert_allclose(
        [score for _, score in answers], [score for _, score in expected], rtol=1e-5, atol=1e-5
    )


@pytest.mark.filterwarnings("ignore::doldari.LongSourceWarning")
@pytest.mark.parametrize("name", EXPECTED)
def test_answers_and_scores(name):
    model, expected = load(HERE / (name if name == "run" else f"{name}.safetensors")), EXPECTED[name]
    for number, text in enumerate(expected["asked"]):
        options = {"unknown": "unknown", "max_length": usual_length(model, text)}  # 0.1.0 had no other limit
        assert model.predict([text], **options) == [expected["greedy"][number]]
        (answers,) = model.predict([text], beam=3, n_best=2, **options)
        same(answers, expected["beam"][number])
        same(model.sample([text], seed=3, first=number, **options), [expected["drawn"][number]])
    scores = model.score([(source, target) for source, target in expected["pairs"]])
    np.testing.assert_allclose(scores, expected["scores"], rtol=1e-5, atol=1e-5)


@pytest.mark.filterwarnings("ignore::doldari.LongSourceWarning")
@pytest.mark.parametrize("name", EXPECTED)
def test_an_answer_that_ended_is_the_same_with_more_room(name):
    model, expected = load(HERE / (name if name == "run" else f"{name}.safetensors")), EXPECTED[name]
    for number, text in enumerate(expected["asked"]):
        (short,) = model.predict([text], unknown="unknown", max_length=usual_length(model, text), scores=True)
        (roomy,) = model.predict([text], unknown="unknown", scores=True)
        assert short.text == expected["greedy"][number]
        assert (roomy == short) == (short.flags == ())
        (answers,) = model.predict([text], unknown="unknown", beam=3, n_best=2)
        if short.flags == ():  # and not only the greedy one
            same(answers, expected["beam"][number])


def usual_length(model, text):
    return model.text_model.usual_length(len(model.text_model.source.encode(text, unknown=True)))


def test_every_kind_is_there():
    files = {path.stem for path in HERE.glob("*.safetensors")}
    assert files == EXPECTED.keys() - {"run"}
    assert all(path.stat().st_size < 10_000 for path in HERE.rglob("*") if path.is_file())


def test_settings_of_a_run():
    config = Config.from_toml(HERE / "run" / "config.toml")
    assert (config.model.hidden_size, config.training.epochs, config.training.learning_rate) == (4, 8, 0.05)
    assert config.model == load(HERE / "run").text_model.config

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
    asked = expected["asked"]
    assert model.predict(asked, unknown="unknown") == expected["greedy"]
    found = model.predict(asked, beam=3, n_best=2, unknown="unknown")
    for answers, those in zip(found, expected["beam"], strict=True):
        same(answers, those)
    same(model.sample(asked, seed=3, unknown="unknown"), expected["drawn"])
    scores = model.score([(source, target) for source, target in expected["pairs"]])
    np.testing.assert_allclose(scores, expected["scores"], rtol=1e-5, atol=1e-5)


def test_every_kind_is_there():
    files = {path.stem for path in HERE.glob("*.safetensors")}
    assert files == EXPECTED.keys() - {"run"}
    assert all(path.stat().st_size < 10_000 for path in HERE.rglob("*") if path.is_file())


def test_settings_of_a_run():
    config = Config.from_toml(HERE / "run" / "config.toml")
    assert (config.model.hidden_size, config.training.epochs, config.training.learning_rate) == (4, 8, 0.05)
    assert config.model == load(HERE / "run").text_model.config

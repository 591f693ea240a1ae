"""A transformer is trained, kept, joined and asked in text like every other model."""

import json

import numpy as np
import pytest
from predictors import SOURCES, make_predictor
from safetensors.numpy import load_file, save_file

import doldari
from doldari import ConfigError, ModelFileError
from doldari.config import Config, ModelConfig
from doldari.inference.explanation import explain
from doldari.models.joining import join
from doldari.models.model_file import summary
from doldari.recipes import load_recipe

KIND = {"model": "transformer", "heads": 2, "embedding_size": 8}
PAIRS = [(a + b, b + a, f"X;Y{len(a)}") for a in ("", "a", "ab", "ba") for b in ("c", "cd", "dc", "d")]


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"cell": "gru"}, "cell=gru: needs model=recurrent"),
        ({"decoder": "peeky"}, "decoder=peeky: needs model=recurrent"),
        ({"decoder": "transducer"}, "decoder=transducer: needs model=recurrent"),
        ({"attention": "dot"}, "attention=dot: needs model=recurrent"),
        ({"bidirectional": False}, "bidirectional=False: needs model=recurrent"),
        ({"model": "recurrent"}, "heads=2: needs model=transformer"),
        ({"embedding_size": 10}, "embedding_size=10: must be a multiple of twice heads=2"),
        ({"heads": 0}, "heads=0: must be at least 1, and below 1,000"),
        ({"model": "cnn"}, "model=cnn: must be one of recurrent, transformer"),
    ],
)
def test_settings_that_do_not_go_together(settings, message):
    with pytest.raises(ConfigError, match=f"^{message}$"):
        ModelConfig(**KIND | settings)


def test_options_are_named_as_typed(cli, pairs):
    done = cli("train pairs.tsv --model transformer --no-bidirectional")
    assert (done.code, done.err) == (1, "error: --no-bidirectional: needs --model recurrent\n")
    done = cli("train pairs.tsv --heads 2")
    assert done.err == "error: --heads 2: needs --model transformer\n"


def test_the_recipe_is_that_of_the_paper(tmp_path):
    config = load_recipe("transformer")
    model = config.model
    assert (model.model, model.heads, model.layers) == ("transformer", 4, 4)
    assert (model.embedding_size, model.hidden_size, config.training.batch_size) == (256, 1024, 400)
    (tmp_path / "config.toml").write_text(config.to_toml())
    assert Config.from_toml(tmp_path / "config.toml") == config


@pytest.mark.parametrize("ensemble", [False, True])
@pytest.mark.parametrize("decoder", ["attention", "pointer"])
def test_a_file_there_and_back(tmp_path, ensemble, decoder):
    kind = KIND | {"decoder": decoder}
    predictor = make_predictor(**kind)
    if ensemble:
        predictor = doldari.Predictor(join([make_predictor(**kind, tie=False).text_model, predictor.text_model]))
    predictor.save(tmp_path / "model.safetensors")
    loaded = doldari.load(tmp_path / "model.safetensors")
    assert loaded.predict(SOURCES) == predictor.predict(SOURCES)
    assert loaded.predict(SOURCES, beam=3, n_best=2) == predictor.predict(SOURCES, beam=3, n_best=2)
    name = "transformer" if decoder == "attention" else "pointer transformer"
    assert summary(loaded.text_model).startswith(f"{name}, 2 heads, 1 layer, D 8, H 6, 3 -> 3 symbols")


@pytest.mark.parametrize("tie", [False, True])
@pytest.mark.parametrize(
    "changes", [{"layers": 2}, {"hidden_size": 7}, {"embedding_size": 12}, {"model": "recurrent"}]
)
def test_files_whose_weights_do_not_fit_are_refused(tmp_path, changes, tie):
    path = tmp_path / "model.safetensors"
    make_predictor(**KIND, tie=tie).save(path)
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    description = json.loads(header["__metadata__"]["doldari"])
    del description["sha256"]
    description["model"] |= changes | ({"heads": 4} if "model" in changes else {})
    save_file(load_file(path), path, {"doldari": json.dumps(description)})
    with pytest.raises(ModelFileError, match=r"the weights do not fit|expected"):
        doldari.load(path)


@pytest.mark.parametrize("decoder", ["attention", "pointer"])
def test_it_is_asked_like_others(decoder):
    """Beam, constraints, scores, samples and pictures of attention."""
    predictor = make_predictor(**KIND, decoder=decoder)
    for answers, one in zip(predictor.predict(SOURCES, beam=4, n_best=3), SOURCES, strict=True):
        alone = predictor.predict([one], beam=4, n_best=3)[0]
        assert [answer.text for answer in answers] == [answer.text for answer in alone]
        scores = predictor.score([(one, answer.text) for answer in answers])
        np.testing.assert_allclose([answer.score for answer in answers], scores, rtol=1e-4, atol=1e-6)
    assert set(predictor.predict(SOURCES, one_of=["xy", "zz"])) <= {"xy", "zz"}
    assert all(set(text) <= {"x", "y"} for text in predictor.predict(SOURCES, matching="[xy]{2,3}"))
    assert len({answer.text for answer in predictor.sample(["ab"] * 20, temperature=20.0)}) > 3
    weights = predictor.attention("abba").weights
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, rtol=1e-5)
    assert weights.shape[1] == 4
    explanation = explain(predictor.text_model, "abba")
    assert explanation["text"] == "abba"
    assert explanation["encoder"] is explanation["decoder"] is None  # no states and gates to be drawn
    assert all(len(step["attention"]) == 4 for step in explanation["steps"])


def test_members_are_joined():
    one, other = (make_predictor(**KIND).text_model for _ in range(2))
    joined = join([one, other])
    assert doldari.Predictor(joined).predict(SOURCES) == doldari.Predictor(one).predict(SOURCES)
    recurrent = make_predictor(embedding_size=8).text_model
    first, second = join([one, recurrent, other]).kinds
    assert (first.model.members, second) == ([one.model, other.model], recurrent)


@pytest.mark.parametrize("decoder", ["attention", "pointer"])
def test_it_learns_with_features_and_goes_on_from_a_model(tmp_path, decoder):
    settings = KIND | {
        "decoder": decoder,
        "hidden_size": 32,
        "batch_size": 4,
        "learning_rate": 0.01,
        "dropout": 0.0,
        "tie": True,
    }
    base = doldari.train(PAIRS, validation=PAIRS, out=tmp_path / "base", epochs=60, recipe="general", **settings)
    assert base.text_model.source.features == ("X", "Y0", "Y1", "Y2")
    answers = base.predict([f"{source}\t{features}" for source, _, features in PAIRS])
    assert sum(answer == target for answer, (_, target, _) in zip(answers, PAIRS, strict=True)) >= 12
    more = [*PAIRS, ("e", "e", "X;Y0")]
    tuned = doldari.train(
        more, validation=more, start_from=tmp_path / "base", epochs=1, learning_rate=1e-9, batch_size=4
    )
    assert tuned.text_model.target.symbols[-1] == "e"
    name = "decoder.1.cross.Wkv"
    ours, theirs = (model.text_model.model.weights()[name].value for model in (tuned, base))
    np.testing.assert_allclose(ours, theirs, atol=1e-6)

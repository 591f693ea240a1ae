"""Ensembles whose members differ: what `mix` means, what it refuses, and that a training of them resumes."""

import json

import pytest

import doldari
from doldari import ConfigError
from doldari.config import Config
from doldari.data.string_tasks import reverse_pairs
from doldari.mixing import differing, kinds, members
from doldari.recipes import RECIPES, load_recipe
from doldari.report.record import read_run
from doldari.report.summary import as_object, summary
from doldari.report.table import table

SMALL = {"hidden_size": 8, "embedding_size": 4, "epochs": 1, "batch_size": 32}
MIX = ("decoder=attention,transducer", "right-to-left=no,yes")


def mixed(*mix, ensemble=4, **settings):
    return Config().replace(ensemble=ensemble, mix=mix, **settings)


def test_all_combinations_one_after_another():
    found = [(one.model.decoder, one.model.right_to_left) for one in members(mixed(*MIX, ensemble=5))]
    assert found == [
        ("attention", False),
        ("attention", True),
        ("transducer", False),
        ("transducer", True),
        ("attention", False),
    ]
    assert [one.ensemble for one in kinds(mixed(*MIX, ensemble=5))] == [2, 1, 1, 1]
    assert all((one.model.ensemble, one.training.mix) == (1, ()) for one in members(mixed(*MIX)))


def test_what_a_member_has_of_the_mix():
    config = mixed(*MIX, "lr=0.01,0.02", ensemble=8)
    said = "decoder=attention, right-to-left=yes, learning-rate=0.02"
    assert [differing(config, number) for number in (1, 4, 12)] == [
        "decoder=attention, right-to-left=no, learning-rate=0.01",
        said,
        said,
    ]
    assert differing(Config(), 1) == ""


def test_without_a_mix_members_are_alike():
    config = Config().replace(ensemble=3)
    assert members(config) == [Config()] * 3
    assert kinds(config) == [config.model]


def test_how_a_member_learns_makes_no_other_kind():
    config = mixed("dropout=0.1,0.3", "lr=0.01,0.02")
    assert [(one.training.dropout, one.training.learning_rate) for one in members(config)] == [
        (0.1, 0.01),
        (0.1, 0.02),
        (0.3, 0.01),
        (0.3, 0.02),
    ]
    assert kinds(config) == [config.model]


def test_another_type_of_model_leaves_what_it_has_not():
    config = mixed("model=recurrent,transformer", ensemble=2, decoder="pointer", cell="gru", hidden_size=32)
    recurrent, transformer = (one.model for one in members(config))
    assert (recurrent.decoder, recurrent.cell) == ("pointer", "gru")
    assert (transformer.model, transformer.cell, transformer.hidden_size) == ("transformer", "lstm", 32)
    assert transformer.decoder == "pointer"  # which transformers have, too
    _, transformer = members(mixed("model=recurrent,transformer", ensemble=2, decoder="transducer"))
    assert transformer.model.decoder == "attention"


def directions(config):
    return [member.model.right_to_left for member in members(config)]


def test_a_recipes_mix_holds_for_an_ensemble():
    recipe = load_recipe("inflection")
    assert directions(recipe.replace(ensemble=5)) == [True, False, True, False, True]
    alone = recipe.replace(dropout=0.1)
    assert (alone.training.mix, directions(alone)) == ((), [True])


def test_what_is_given_goes_before_a_recipes_mix():
    recipe = load_recipe("inflection")
    for direction in (True, False):
        assert directions(recipe.replace(ensemble=2, right_to_left=direction)) == [direction] * 2
    of_sizes = recipe.replace(ensemble=2, mix="hidden-size=100,200")
    assert (of_sizes.training.mix, directions(of_sizes)) == (("hidden-size=100,200",), [True, True])
    assert directions(recipe.replace(ensemble=2, mix=())) == [True, True]
    pointers = members(recipe.replace(ensemble=2, decoder="pointer"))
    assert [(one.model.decoder, one.model.reads_backwards) for one in pointers] == [
        ("pointer", True),
        ("pointer", False),
    ]


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_makes_an_ensemble(name):
    assert len(members(load_recipe(name).replace(ensemble=5))) == 5


def test_it_is_kept_in_the_settings_file(tmp_path):
    config = mixed(*MIX, ensemble=5)
    (tmp_path / "config.toml").write_text(config.to_toml())
    assert Config.from_toml(tmp_path / "config.toml") == config
    assert Config().replace(ensemble=2, mix="decoder=peeky,plain") == mixed("decoder=peeky,plain", ensemble=2)


@pytest.mark.parametrize(
    "mix, reason",
    [
        (["decoder=attention,pointer", "cell=lstm,gru", "layers=1,2"], "its 8 combinations need at least ensemble=8"),
        (["decoder"], "decoder: must be a setting in which members may differ and its values, such as"),
        (["decoder="], "must be a setting in which members may differ"),
        (["seed=1,2"], "seed=1,2: must be a setting in which"),
        (["ensemble=1,2"], "must be a setting in which"),
        (["epochs=1,2"], "must be a setting in which"),
        (["min-count=1,2"], "must be a setting in which"),
        (["colour=1,2"], "must be a setting in which"),
        (["cell=lstm", "cell=gru"], "cell=gru: must be .* each setting once"),
        (["layers=one,2"], "layers=one,2: must be a whole number"),
        (["right-to-left=perhaps"], "must be yes or no"),
        (["decoder=attention,magic"], "decoder=magic: must be one of plain, peeky"),
        (["tie=no,yes", "decoder=peeky"], "cannot be combined with"),
        (3, "must be a list of texts"),
    ],
)
def test_what_cannot_be_mixed(mix, reason):
    with pytest.raises(ConfigError, match=reason):
        Config().replace(ensemble=4, mix=mix)


def test_a_mixed_ensemble_is_trained_resumed_and_loaded(tmp_path):
    pairs, out = reverse_pairs(150), tmp_path / "run"
    whole = doldari.train(pairs, ensemble=4, mix=MIX, out=out, progress=False, **SMALL)
    kinds = [(kind.config.decoder, kind.config.right_to_left) for kind in whole.text_model.kinds]
    assert kinds == [("attention", False), ("attention", True), ("transducer", False), ("transducer", True)]
    texts = ["abc", "hello", "zz"]
    again = doldari.load(out)
    assert again.predict(texts, n_best=2) == whole.predict(texts, n_best=2)
    for number, kind in enumerate(again.text_model.kinds, start=1):
        member = doldari.load(out / f"member-{number}")
        assert doldari.Predictor(kind).predict(texts) == member.predict(texts)

    (out / "member-4" / "model.safetensors").unlink()
    (out / "member-4" / "checkpoint.safetensors").unlink()
    resumed = doldari.train(pairs, resume=out, progress=False)
    assert resumed.predict(texts, n_best=2) == whole.predict(texts, n_best=2)

    run = read_run(out)
    lines = [line for _, line in summary(run)]
    assert "an ensemble of 4: member-1, member-2, member-3, member-4" in lines
    assert "its 4 kinds of models vote by log-probability" in lines
    assert sum(line.startswith("1 x LSTM, decoder transducer") for line in lines) == 2
    assert [kind["right_to_left"] for kind in as_object(run)["kinds"]] == [False, True, False, True]
    assert "attention lstm 1x8 + attention lstm" in table([run])[1]
    assert [kind.ensemble for kind in read_run(out, with_model=False).model_configs] == [1, 1, 1, 1]
    assert json.loads((out / "run.json").read_text())["best"]["accuracy"] == pytest.approx(
        json.loads((out / "run.json").read_text())["best"]["scores"]["accuracy"]["value"]
    )


def test_different_kinds_vote_alike_on_both_engines(tmp_path):
    pytest.importorskip("torch")
    pairs, texts = reverse_pairs(60), ["abc", "hello", "zz"]
    doldari.train(pairs, ensemble=4, mix=MIX, out=tmp_path / "run", progress=False, **SMALL)
    ours, theirs = (doldari.load(tmp_path / "run", engine=engine) for engine in ("numpy", "torch"))
    for mine, other in zip(ours.predict(texts, n_best=3), theirs.predict(texts, n_best=3), strict=True):
        assert [one.text for one in mine] == [one.text for one in other]
        assert [one.score for one in mine] == pytest.approx([one.score for one in other], abs=1e-4)
    assert theirs.voting("majority").predict(texts) == ours.voting("majority").predict(texts)
    assert theirs.attention("abc").text == ours.attention("abc").text


def test_a_mixed_ensemble_is_trained_on_pytorch(tmp_path):
    pytest.importorskip("torch")
    pairs = reverse_pairs(60)
    trained = [
        doldari.train(pairs, ensemble=2, mix=MIX[1], engine=engine, out=tmp_path / engine, progress=False, **SMALL)
        for engine in ("numpy", "torch")
    ]
    ours, theirs = (model.score(pairs[:5]) for model in trained)
    assert ours == pytest.approx(theirs, abs=1e-3)


def test_fine_tuning_has_the_kind_of_its_base(tmp_path):
    pairs = reverse_pairs(60)
    one = doldari.train(pairs, out=tmp_path / "one", recipe="inflection", progress=False, **SMALL)
    settings = {"recipe": "inflection", "ensemble": 2, "epochs": 1, "progress": False}
    two = doldari.train(pairs, start_from=tmp_path / "one", out=tmp_path / "two", **settings)
    assert [kind.config.ensemble for kind in two.text_model.kinds] == [2]
    assert two.text_model.config.right_to_left and one.text_model.config.right_to_left
    doldari.train(pairs, ensemble=2, mix="decoder=attention,plain", out=tmp_path / "run", progress=False, **SMALL)
    with pytest.raises(ConfigError, match="an ensemble of 2 models; start from one of them"):
        doldari.train(pairs, start_from=tmp_path / "run", progress=False, epochs=1)
    with pytest.raises(ConfigError, match="mix=decoder=attention,plain: cannot be combined with start_from"):
        doldari.train(
            pairs, start_from=tmp_path / "run/member-1", ensemble=2, mix="decoder=attention,plain", progress=False
        )

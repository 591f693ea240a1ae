import dataclasses

import pytest

from doldari import ConfigError
from doldari.config import Config, ModelConfig, TrainingConfig, seconds


def test_there_and_back(tmp_path):
    config = Config().replace(decoder="plain", learning_rate=1, seed=7)
    path = tmp_path / "config.toml"
    path.write_text(config.to_toml())
    assert Config.from_toml(path) == config
    path.write_text("[training]\nepochs = 3\n")
    assert Config.from_toml(path) == Config().replace(epochs=3)


@pytest.mark.parametrize(
    "text, message",
    [
        ("[model]\nhiden_size = 3", "config.toml: hiden_size: no such setting; did you mean hidden_size?"),
        ("[modle]\n", "modle: no such table; did you mean model?"),
        ("model = 3", "3: must be a table"),
        ("[model]\nhidden_size = 0", "hidden_size=0: must be at least 1"),
        ("[model]\nhidden_size = 1.5", "hidden_size=1.5: must be a whole number"),
        ("[model]\nreverse = 1", "reverse=1: must be true or false"),
        ("[model]\ndecoder = 'pekky'", "decoder=pekky: must be one of plain, peeky"),
        ("[model]\nsource_normalization = 'nfx'", "source_normalization=nfx: must be one of none, NFC, NFD, NFKC"),
        ("[model]\ntarget_symbols = 'letters'", "must be one of characters, graphemes, whitespace, words, subwords"),
        ("[training]\nmin_count = 0", "min_count=0: must be at least 1"),
        ("[training]\nlearning_rate = 0", "learning_rate=0.0: must be finite and greater than 0"),
        ("[training]\nlearning_rate = nan", "must be finite"),
        ("[training]\nseed = -1", "seed=-1: must be at least 0"),
        ("[training]\nwarmup = 1", "warmup=1.0: must be below 1 and at least 0"),
        ("[training]\nema = -0.1", "ema=-0.1: must be below 1 and at least 0"),
        ("[training]\nweight_decay = -1", "weight_decay=-1.0: must be finite and at least 0"),
        ("[training]\npatience = -1", "patience=-1: must be at least 0"),
        ("[training]\nepochs = 0", "epochs=0: must be at least 1"),
        ("[training]\nepochs = 1.5", "epochs=1.5: must be a whole number"),
        ("[training]\nmetric = 3", "metric=3: must be one of accuracy, loss"),
        ("[training]\nepochs = 3\nbudget = '5m'", "epochs=3, budget=5m: give one of the two"),
        ("[training]\nbudget = 300", "budget=300: must be a text"),
        *(
            (f"[training]\nbudget = '{budget}'", f"budget={budget}: must be a time such as 90s, 5m or 1h30m")
            for budget in ("", "5", "m", "0s", "-5m", "5 m", "30m1h", "1e3s", "9" * 400 + "h")
        ),
        ("[training", "cannot be read as TOML"),
    ],
)
def test_bad_settings(tmp_path, text, message):
    path = tmp_path / "config.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message.replace("?", r"\?")):
        Config.from_toml(path)


def test_missing_file(tmp_path):
    with pytest.raises(ConfigError, match="No such file"):
        Config.from_toml(tmp_path / "none.toml")


def test_settings_that_contradict_each_other():
    with pytest.raises(ConfigError, match="shared_vocabulary=True: needs"):
        Config().replace(shared_vocabulary=True, target_symbols="whitespace")
    with pytest.raises(ConfigError, match="shared_vocabulary=True: needs source_ and target_normalization"):
        Config().replace(shared_vocabulary=True, target_normalization="NFD")
    with pytest.raises(ConfigError, match="hidden_sizes: no such setting; did you mean hidden_size"):
        Config().replace(hidden_sizes=3)
    for setting in ({"epochs": 2**31}, {"learning_rate": 10**400}):
        with pytest.raises(ConfigError, match="must be"):
            Config().replace(**setting)


def test_every_setting_is_explained():
    for table in (ModelConfig, TrainingConfig):
        for item in dataclasses.fields(table):
            assert item.metadata["help"].endswith("."), item.name


@pytest.mark.parametrize(
    "budget, expected", [("90s", 90), ("5m", 300), ("1h", 3600), ("1h30m", 5400), ("1.5h", 5400), ("1m0.5s", 60.5)]
)
def test_times(budget, expected):
    assert seconds(budget) == expected


def test_epochs_and_budget_replace_each_other(tmp_path):
    config = Config().replace(epochs=10)
    timed = config.replace(budget="5m")
    assert (timed.training.epochs, timed.training.budget) == (None, "5m")
    assert timed.replace(hidden_size=4).training.budget == "5m"
    assert timed.replace(epochs=10) == config
    with pytest.raises(ConfigError, match="epochs=3, budget=5m: give one of the two"):
        config.replace(epochs=3, budget="5m")
    path = tmp_path / "config.toml"
    for chosen in (timed, config.replace(warmup=0.3)):
        path.write_text(chosen.to_toml())
        assert Config.from_toml(path) == chosen

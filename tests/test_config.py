import dataclasses
from pathlib import Path

import numpy as np
import pytest

from doldari import ConfigError
from doldari.config import Config, ModelConfig, TrainingConfig
from doldari.settings import about, seconds


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
    with pytest.raises(ConfigError, match="shared_vocabulary=True: needs source_normalization and target_norm"):
        Config().replace(shared_vocabulary=True, target_normalization="NFD")
    with pytest.raises(ConfigError, match="hidden_sizes: no such setting; did you mean hidden_size"):
        Config().replace(hidden_sizes=3)
    for setting in ({"epochs": 2**31}, {"learning_rate": 10**400}):
        with pytest.raises(ConfigError, match="must be"):
            Config().replace(**setting)


def test_every_setting_is_explained():
    for table in (ModelConfig, TrainingConfig):
        for item in dataclasses.fields(table):
            assert about(item).help.endswith("."), item.name


@pytest.mark.parametrize(
    "budget, expected", [("90s", 90), ("5m", 300), ("1h", 3600), ("1h30m", 5400), ("1.5h", 5400), ("1m0.5s", 60.5)]
)
def test_times(budget, expected):
    assert seconds(budget) == expected


@pytest.mark.parametrize("decoder", ["plain", "peeky", "pointer"])
def test_a_decoder_without_a_choice_of_score_drops_the_score(decoder):
    config = Config().replace(attention="dot")
    other = config.replace(decoder=decoder)
    assert (other.model.decoder, other.model.attention) == (decoder, "general")
    assert config.replace(decoder="attention").model.attention == "dot"
    with pytest.raises(ConfigError, match="attention=dot: needs decoder=attention"):
        config.replace(decoder=decoder, attention="dot")


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


@pytest.mark.parametrize(
    "content, message",
    [
        (b"a = " + b"[" * 5_000, "cannot be read as TOML: nested too deeply"),
        (b"[model]\nlayers = " + b"[" * 5_000 + b"]" * 5_000, "cannot be read as TOML: nested too deeply"),
        (b"a = " + b"{a = " * 3_000, "cannot be read as TOML: nested too deeply"),
        (b"[model]\nlayers = " + b"[" * 100 + b"]" * 100, r"layers=\[\[\[.*: must be a whole number"),
        (b".".join([b"a"] * 5_000) + b" = 1", "a: no such table"),
        (b"[model]\n" + b".".join([b"layers"] * 2_000) + b" = 1", r"layers=.*: must be a whole number"),
        (b"[model]\nlayers = " + b"9" * 5_000, "cannot be read as TOML: Exceeds the limit"),
        (b"[model]\nlayers = " + b"9" * 4_000, r"layers=9+\.\.\.9+: must be at least 1, and below 1,000"),
        (b"[training]\nlearning_rate = " + b"9" * 400, r"learning_rate=9+\.\.\.9+: must be a number"),
        (b"[training]\nlearning_rate = 1e999", "learning_rate=inf: must be finite"),
        (b"[model]\nlayers = 1979-05-27", r"layers=datetime.date\(1979, 5, 27\): must be a whole number"),
        (b"[model]\ndecoder = 07:32:00", r"decoder=datetime.time\(7, 32\): must be one of plain"),
        (b"[training]\nbudget = 1979-05-27T07:32:00Z", "budget=datetime.*: must be a text"),
        (b"[model]\ndecoder = ['plain']", r"decoder=\['plain'\]: must be one of plain"),
        (b"[model]\ndecoder = '" + b"x" * 10_000 + b"'", r"decoder='x+\.\.\.x+': must be one of plain"),
        (b"[model]\n'\\u001b[31m' = 1", "no such setting"),
        (b"[model]\n'' = 1", "no such setting"),
        (b"[model]\n1 = 1", "1: no such setting"),
        (b"[[model]]\nlayers = 1", r"\[\{'layers': 1\}\]: must be a table"),
        (b"model = 1979-05-27", "must be a table"),
        (b"[model]\nlayers = 1\nlayers = 2", "cannot be read as TOML: Cannot overwrite a value"),
        (b"[model]\x00", "cannot be read as TOML"),
        (b"\x00" * 100, "cannot be read as TOML"),
        (b"\xff\xfe[\x00", "cannot be read as TOML: not UTF-8"),
        (b"# " + b"x" * 100_000, "more than 20,000 bytes: not a settings file"),
    ],
)
def test_files_that_are_no_settings(tmp_path, content, message):
    path = tmp_path / "config.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=message) as caught:
        Config.from_toml(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < len(str(path)) + 300


@pytest.mark.parametrize("start", [b"\xef\xbb\xbf", b"", b"# \xea\xb0\x80\r\n", b"\r"])
def test_line_ends_and_byte_order_marks(tmp_path, start):
    path = tmp_path / "config.toml"
    path.write_bytes(start + b"[training]\r\nepochs = 3\r")
    assert Config.from_toml(path) == Config().replace(epochs=3)


def test_places_that_hold_no_settings(tmp_path):
    with pytest.raises(ConfigError, match="Is a directory"):
        Config.from_toml(tmp_path)
    with pytest.raises(ConfigError, match="null byte"):
        Config.from_toml(tmp_path / "a\0b")
    if Path("/dev/zero").exists():
        with pytest.raises(ConfigError, match="not a settings file"):
            Config.from_toml(Path("/dev/zero"))
        assert Config.from_toml(Path("/dev/null")) == Config()


@pytest.mark.parametrize("setting", ["layers", "decoder", "learning_rate", "reverse", "seed"])
def test_values_of_any_type(setting):
    for value in (10**5_000, -(10**5_000), np.zeros(3), object(), [[]] * 1_000, "\ud800", {}, b"x", None):
        with pytest.raises(ConfigError, match=f"{setting}=.*: must be ") as caught:
            Config().replace(**{setting: value})
        assert len(str(caught.value)) < 200

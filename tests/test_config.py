import pytest

from doldari import ConfigError
from doldari.config import Config


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

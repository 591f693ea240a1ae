"""Every setting is an option, and an option that is not given changes nothing."""

import dataclasses
import inspect

import numpy as np
import pytest

from doldari.cli.training import train
from doldari.config import Config, ModelConfig, TrainingConfig
from doldari.errors import ConfigError
from doldari.report.usage import predict_command, quote
from doldari.settings import about


def test_every_setting_is_an_option():
    parameters = inspect.signature(train).parameters
    for table in (ModelConfig, TrainingConfig):
        for item in dataclasses.fields(table):
            option, told = parameters[item.name].default, about(item)
            assert (option.default, option.help, option.rich_help_panel) == (None, told.help, told.group)
            assert option.hidden is not told.basic
    assert "settings" not in parameters


def test_the_help_shows_the_defaults():
    parameters = inspect.signature(train).parameters
    shown = {
        name: parameters[name].default.show_default
        for name in ("budget", "seed", "learning_rate", "decoder", "reverse")
    }
    assert shown == {"budget": False, "seed": "0", "learning_rate": "0.003", "decoder": "attention", "reverse": "no"}
    assert Config().training.learning_rate == 0.003


def test_numbers_of_other_types_are_taken_as_plain_ones():
    config = TrainingConfig(epochs=np.int64(3), learning_rate=np.float32(0.5), dropout=np.int8(0))
    assert (config.epochs, config.learning_rate, config.dropout) == (3, 0.5, 0.0)
    assert (type(config.epochs), type(config.learning_rate), type(config.dropout)) == (int, float, float)
    for epochs in (True, 2.5, np.float64(2), np.bool_(True)):
        with pytest.raises(ConfigError, match=r"^epochs=.*: must be a whole number"):
            TrainingConfig(epochs=epochs)


def test_unknown_settings_list_the_known_ones_in_their_order():
    with pytest.raises(ConfigError, match="known: model, decoder, attention, cell, "):
        Config().replace(zzzzzzzz=1)


def test_names_that_are_not_utf8_can_be_typed():
    assert predict_command("runs/\udcff a", "it's") == """doldari predict $'runs/\\xff a' 'it'"'"'s'"""
    assert quote("a\tb") == r"$'a\tb'"
    assert quote("a b") == "'a b'"

"""Every setting is an option, and an option that is not given changes nothing."""

import dataclasses
import inspect

from doldari.cli.training import train
from doldari.config import Config, ModelConfig, TrainingConfig
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

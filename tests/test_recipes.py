"""Every recipe is whole, says what it is for, and is found by its name."""

import pytest

from doldari import ConfigError
from doldari.config import Config
from doldari.data import TASKS
from doldari.recipes import RECIPES, load_recipe


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_are_read_and_say_why(name):
    assert isinstance(load_recipe(name), Config)
    text = RECIPES[name].read_text("utf-8")
    assert text.startswith("# ")
    assert len(text.split("\n\n")[0]) > 60


def test_general_is_the_default():
    assert load_recipe("general") == Config()
    assert {"addition", "dates"} <= RECIPES.keys() & TASKS.keys()


def test_unknown_recipes_are_refused_with_the_known():
    with pytest.raises(ConfigError, match=r"recipe=datse: no such recipe \(known: addition, .*did you mean dates\?"):
        load_recipe("datse")

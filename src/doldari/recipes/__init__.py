"""Proven settings: a TOML file for each kind of task, whose first lines explain them.

What a recipe leaves out has the default of `doldari.config`, which is the recipe for everything else: "general".
"""

import difflib
from pathlib import Path

from doldari.config import Config
from doldari.errors import ConfigError

RECIPES = {path.stem: path for path in sorted(Path(__file__).parent.glob("*.toml"), key=lambda path: path.stem)}


def load_recipe(name: str) -> Config:
    """Read the settings of a recipe; ConfigError with the known names if there is no such recipe."""
    if name not in RECIPES:
        nearest = difflib.get_close_matches(name, RECIPES, 1)
        hint = f"; did you mean {nearest[0]}?" if nearest else ""
        raise ConfigError(f"{{recipe}}: no such recipe (known: {', '.join(RECIPES)}){hint}", recipe=name)
    return Config.from_toml(RECIPES[name])

"""Which recipe is likely to do best for pairs of which nobody said what they are, and why, in a line.

A recipe is only chosen for data of the kind and size that it was made for; everything else has the defaults.
"""

from typing import NamedTuple

from doldari.data.traits import Traits
from doldari.percent import percent
from doldari.recipes import load_recipe

FEW = 50  # pairs, which are too few to tell
LITTLE = 20_000  # pairs up to which recipes for little data are chosen
LOW_PHONES = 1_500  # pairs of words and phones below which a model is smaller and trained for more epochs
LOW = 500  # pairs with features below which artificial ones are added; without features letters may change anywhere


class Choice(NamedTuple):
    """The recipe of a training, and why it was chosen; None where it was asked for."""

    recipe: str
    why: str | None = None

    def __str__(self) -> str:
        """Say it in a line."""
        if self.recipe == "general":
            return f"recipe general, the defaults: {self.why}"
        return f"recipe {self.recipe}: {self.why} (--recipe general has the defaults)"


def choose(found: Traits) -> Choice:
    """Choose among the recipes for people's own pairs."""
    count = f"{found.pairs:,} pairs"
    if found.pairs < FEW:
        return Choice("general", f"{count} are too few to tell what they are")
    if found.source_words >= 3 and found.target_words >= 3 and not found.phones:
        lengths = f"{found.source_words:.0f} and {found.target_words:.0f} words on average"
        return Choice("translation", f"{count} of sentences, {lengths}")
    if found.pairs > LITTLE:
        return Choice("general", f"{count}, where g2p and inflection are for at most {LITTLE:,}")
    if found.phones and found.source_words < 2:
        why = f"{count}, words and symbols between spaces"
        return Choice("g2p", why) if found.pairs >= LOW_PHONES else Choice("g2p-low", why)
    repeated = f"targets repeat {percent(found.copied, 0)} of their source in order"
    if copies(found):
        features = " with features" if found.has_features else ""
        why = f"{count}{features}, {repeated}"
        if found.pairs < LOW and found.has_features and found.stems >= 0.5:
            added = load_recipe("inflection-low").training.hallucinate
            return Choice("inflection-low", f"{why}; fewer than {LOW:,}, so {added:,} artificial pairs are added")
        return Choice("inflection", why)
    return Choice("general", f"{count}, {repeated}, which is not enough to learn by copying")


def copies(found: Traits) -> bool:
    """Say whether targets are written in the sources' letters, and repeat far more of them than chance would."""
    enough = 0.5 if found.has_features else 0.7
    return found.shared > 0.8 and found.copied > enough and found.copied > found.by_chance + 0.2

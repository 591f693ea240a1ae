"""A model that has learned nothing after a third of its training says so, once."""

import dataclasses
import random
import warnings

import numpy as np
import pytest

import doldari
from doldari.config import Config
from doldari.data.pairs import Pair
from doldari.data.string_tasks import reverse_pairs
from doldari.training.run import Run
from doldari.training.stuck import unigram_loss

QUICK = {"hidden_size": 16, "embedding_size": 8, "batch_size": 8, "epochs": 9, "progress": False, "dropout": 0.0}


def warned(pairs, **settings):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        doldari.train(pairs, **QUICK | settings)
    return [str(one.message) for one in caught if "has learned nothing" in str(one.message)]


def test_a_rate_too_low_to_learn_anything_is_said_once():
    (warning,) = warned(reverse_pairs(300), learning_rate=1e-9, schedule="constant", decoder="peeky")
    assert warning.startswith("after 3 of 9 epochs the model has learned nothing: accuracy 0.0%, loss ")
    assert "where guessing symbols by their frequency has" in warning
    assert "try --decoder attention, smaller batches or more epochs" in warning


def test_targets_that_do_not_depend_on_the_source_are_said():
    """Targets can be spelled, a few words as frequent as each other, but none is more likely for any source."""
    rng = random.Random(0)
    pairs = [("".join(rng.choices("abcdef", k=6)), "z" + rng.choice("pqrstuvw") * 3) for _ in range(400)]
    (warning,) = warned(pairs, learning_rate=1e-2, recipe="general")
    assert "predictions hardly depend on the source (loss " in warning
    assert "a lower learning rate (--lr 0.003)" in warning


def test_what_is_learned_is_not_said():
    pairs = [("ab" * n + letter, letter) for n in range(1, 15) for letter in "cdefghijklmnopq"]
    assert warned(pairs, learning_rate=1e-2) == []
    assert warned(pairs, learning_rate=1e-2, label_smoothing=0.0, decoder="peeky") == []


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_loss_of_guessing_by_frequency(smoothing):
    config = Config().replace(hidden_size=4, label_smoothing=smoothing)
    pairs = [Pair("x", "aab"), Pair("y", "a")]
    run = Run.prepare(config, pairs, pairs)
    frequencies = np.array([2, 0, 0, 3, 1]) / 6  # end, start, unknown, a, b
    asked_for = (1 - smoothing) * frequencies + smoothing / 5
    expected = -sum(p * np.log(p) for p in asked_for if p)
    assert unigram_loss(run) == pytest.approx(expected)
    assert dataclasses.replace(run, looked_at=True).looked_at


@pytest.mark.parametrize("count, recipe", [(120, "inflection-low"), (520, "inflection")])
def test_forms_with_features_get_the_recipe_for_their_number(count, recipe):
    rng = random.Random(0)
    words = ["".join(rng.choices("abcdefgh", k=7)) for _ in range(count + 100)]
    pairs = [(f"{word}\tV;PST", f"{word}ed") for word in words]
    settings = {"learning_rate": 1e-9, "schedule": "constant", "recipe": "general", "epochs": 30}
    (warning,) = warned(pairs[100:], validation=pairs[:100], **settings)
    assert f"try --recipe {recipe}, " in warning

"""The recipe that is chosen for people's own pairs, and the line that says why."""

import json
import random
from pathlib import Path

import pytest

import doldari
from doldari.config import Config
from doldari.data.pairs import Pairs
from doldari.data.traits import traits
from doldari.recipes import load_recipe
from doldari.recipes.choice import choose

QUICK = {"epochs": 1, "hidden_size": 8, "embedding_size": 4}


def words(count, seed=0, letters="abcdefghijklmnop"):
    rng = random.Random(seed)
    return ["".join(rng.choices(letters, k=rng.randint(4, 9))) for _ in range(count)]


def sentences(count, seed):
    known, rng = words(300, seed), random.Random(seed)
    return [" ".join(rng.choices(known, k=rng.randint(4, 12))) for _ in range(count)]


FORMS = [(f"{word}\tV;PST", f"ge{word[:-1]}t") for word in words(200)]
PHONES = [(word, " ".join(f"{letter}ː" for letter in word)) for word in words(200)]
CHOSEN = {
    "features": (FORMS * 3, "inflection", "600 pairs with features, targets repeat 8"),
    "few features": (
        FORMS,
        "inflection-low",
        "200 pairs with features, targets repeat 84% of their source in order; fewer than 500, so 2,000 artificial",
    ),
    "short stems": (
        [(f"{word[:2]}\tV;PST", f"{word[:2]}a") for word in words(200)],
        "inflection",
        "200 pairs with features, targets repeat 100%",
    ),
    "no features": ([(s.partition("\t")[0], t) for s, t in FORMS], "inflection", "200 pairs, targets repeat 8"),
    "sorted": (sorted(FORMS * 3), "inflection", "600 pairs with features"),
    "phones": (PHONES * 8, "g2p", "1,600 pairs, words and symbols between spaces"),
    "few phones": (PHONES, "g2p-low", "200 pairs, words and symbols between spaces"),
    "transliterated": (
        [(w, w.translate({97 + n: 0x430 + n for n in range(26)})) for w in words(90)],
        "general",
        "90",
    ),
    "reversed": ([(word, word[::-1]) for word in words(200)], "general", "200 pairs, targets repeat "),
    "sentences": (
        list(zip(sentences(200, 1), sentences(200, 2), strict=True)),
        "translation",
        "200 pairs of sentences, 8 and 8 words on average",
    ),
    "tiny": (FORMS[:30], "general", "30 pairs are too few to tell what they are"),
    "many": (FORMS * 101, "general", "20,200 pairs, where g2p and inflection are for at most 20,000"),
    "sums": (
        [(f"{n}+{m}", str(n + m)) for n in range(30) for m in range(30)],
        "general",
        "900 pairs, targets repeat",
    ),
}


@pytest.mark.parametrize("name", CHOSEN)
def test_what_is_chosen_and_why(name):
    pairs, recipe, why = CHOSEN[name]
    choice = choose(traits(Pairs.of(pairs)))
    assert choice.recipe == recipe
    assert choice.why.startswith(why)
    assert load_recipe(choice.recipe)
    assert str(choice).count("\n") == 0


def test_a_training_takes_the_chosen_recipe_and_keeps_it(tmp_path, capsys):
    out = tmp_path / "run"
    doldari.train(PHONES, out=out, **QUICK)
    assert capsys.readouterr().err.splitlines()[0] == (
        "recipe g2p-low: 180 pairs, words and symbols between spaces (--recipe general has the defaults)"
    )
    assert Config.from_toml(out / "config.toml") == load_recipe("g2p-low").replace(**QUICK)
    recipe = json.loads((out / "run.json").read_text())["recipe"]
    assert recipe == {"name": "g2p-low", "why": "180 pairs, words and symbols between spaces"}
    doldari.train(PHONES, resume=out, epochs=2)
    assert "recipe" not in capsys.readouterr().err
    assert json.loads((out / "run.json").read_text())["recipe"] == recipe
    assert Config.from_toml(out / "config.toml") == load_recipe("g2p-low").replace(**QUICK | {"epochs": 2})


@pytest.mark.parametrize(
    "settings, expected",
    [
        ({"recipe": "general"}, Config()),
        ({"dropout": 0.1}, load_recipe("g2p-low").replace(dropout=0.1)),
        ({"target_symbols": "characters"}, load_recipe("g2p-low").replace(target_symbols="characters")),
        ({"shared_vocabulary": True}, Config().replace(shared_vocabulary=True)),  # the recipe's symbols differ
    ],
)
def test_what_is_given_wins(tmp_path, settings, expected):
    doldari.train(PHONES, out=tmp_path / "run", progress=False, **QUICK, **settings)
    assert Config.from_toml(tmp_path / "run/config.toml") == expected.replace(**QUICK)


def test_the_command_line_says_it_in_one_line(cli):
    quick = "--epochs 1 --hidden-size 8 --embedding-size 4"
    Path("words.tsv").write_text("".join(f"{source}\t{target}\n" for source, target in PHONES))
    line = "recipe g2p-low: 180 pairs, words and symbols between spaces (--recipe general has the defaults)\n"
    done = cli(f"train words.tsv {quick}")
    assert (done.recipe, done.err) == (line, "")
    assert f"train would choose {line.replace('180', '200')}" in cli("stats words.tsv").out
    shared = cli(f"train words.tsv {quick} --shared-vocabulary --out shared").recipe
    assert shared.startswith(
        "recipe general, the defaults: g2p-low, which would suit the data, does not go with the options"
    )
    for options in ("--recipe general", "--config runs/words/config.toml", "--from runs/words"):
        assert cli(f"train words.tsv {quick} {options} --out {options.split('/')[0][2:8]}").recipe == ""
    assert cli(f"train dates {quick} --count 60").recipe == ""
    assert json.loads(Path("runs/dates/run.json").read_text())["recipe"] == {"name": "dates", "why": None}


def test_fewer_than_500_forms_get_artificial_pairs(cli):
    Path("verbs.tsv").write_text("".join("\t".join([*s.split("\t"), t]) + "\n" for s, t in FORMS[:80]))
    command = "train verbs.tsv --features-column 2 --target-column 3 --epochs 1 --hidden-size 8 --embedding-size 4"
    done = cli(command)
    assert done.recipe.startswith("recipe inflection-low: 72 pairs with features, targets repeat")
    assert done.recipe.endswith(
        "; fewer than 500, so 2,000 artificial pairs are added (--recipe general has the defaults)\n"
    )
    assert "72 training pairs and 2,000 artificial ones, 8 validation pairs" in done.out
    assert (
        "train would choose recipe inflection-low: 80 pairs"
        in cli("stats verbs.tsv --features-column 2 --target-column 3").out
    )
    without = cli(f"{command} --hallucinate 0 --out without")
    assert without.recipe.startswith("recipe inflection-low:") and "72 training pairs, 8 validation" in without.out


def test_settings_that_suit_no_recipe_are_refused_before_the_data_are_read(tmp_path):
    with pytest.raises(doldari.ConfigError, match="hidden_size=0"):
        doldari.train(tmp_path / "not-there.tsv", hidden_size=0)

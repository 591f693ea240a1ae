"""Training with artificial pairs: `hallucinate` adds them to the pairs trained on, and only there."""

import json
import re

import numpy as np
import pytest

import doldari
from doldari import ConfigError
from doldari.config import Config
from doldari.recipes import load_recipe
from doldari.training.observer import Observer

STEMS = ("talk", "look", "jump", "play", "open", "help", "cook", "push", "kick", "want")
ENDINGS = {"V;PST": "ed", "V;V.PTCP;PRS": "ing", "V;3;SG;PRS": "s"}
VERBS = [(f"{stem}\t{features}", stem + ending) for stem in STEMS for features, ending in ENDINGS.items()]
TAB = "\t"
SMALL = {"recipe": "inflection", "hidden_size": 8, "embedding_size": 4, "epochs": 2, "hallucinate": 50}


class Counting(Observer):
    """Keeps what each run is trained on."""

    def __init__(self):
        self.runs = []

    def started(self, run):
        self.runs.append(run)


def trained(**settings):
    """Train, and return the runs."""
    counting = Counting()
    doldari.train(VERBS, observer=counting, **SMALL | settings)
    return counting.runs


def write_verbs(place):
    rows = (f"{source.replace(TAB, f'{TAB}{target}{TAB}')}\n" for source, target in VERBS)
    (place / "verbs.tsv").write_text("".join(rows))


def record_of(path):
    return json.loads((path / "run.json").read_text())


def test_they_are_trained_on_and_not_counted_as_data(tmp_path, cli):
    out = tmp_path / "run"
    (run,) = trained(out=out)
    assert len(run.x) == 27 + 50 and len(run.validation) == 3
    assert run.steps_an_epoch == 5
    record = record_of(out)
    assert [part["pairs"] for part in record["data"]] == [27, 3]
    assert record["settings"]["training"]["hallucinate"] == 50
    assert Config.from_toml(out / "config.toml").training.hallucinate == 50
    assert "training: pairs, 27 pairs; and 50 artificial pairs (hallucinate)\n" in cli(f"show {out}").out
    assert cli(f"show {out} --card").code == 0
    assert "- Training: `pairs`, 27 pairs, 27 sources, a tenth" in (out / "README.md").read_text()
    assert "; and 50 artificial pairs (hallucinate); SHA-256" in (out / "README.md").read_text()


def test_the_command_line_says_how_many(cli, tmp_path):
    write_verbs(tmp_path)
    quick = "--recipe inflection --hidden-size 8 --embedding-size 4 --epochs 1 --features-column 3"
    done = cli(f"train verbs.tsv {quick} --hallucinate 50 --out run")
    assert done.code == 0 and "27 training pairs and 50 artificial ones, 3 validation pairs;" in done.out
    done = cli("evaluate run verbs.tsv --training verbs.tsv")
    assert "also in verbs.tsv: 30 pairs" in done.out
    assert cli("report run").code == 0
    assert "27 pairs; and 50 artificial pairs" in (tmp_path / "run/report.html").read_text()
    assert cli("train --resume run --epochs 2").code == 0
    assert cli("train --resume run --hallucinate 3").err.startswith("error: --hallucinate: cannot be changed")


def test_seeds_members_and_engines():
    one, two = trained(ensemble=2)
    (again,) = trained()
    (other,) = trained(seed=1, right_to_left=False)  # as the second member, by the recipe
    np.testing.assert_array_equal(one.x.ids, again.x.ids)
    np.testing.assert_array_equal(one.t.ids, again.t.ids)
    np.testing.assert_array_equal(two.x.ids, other.x.ids)
    assert not np.array_equal(one.x.ids, two.x.ids)
    pytest.importorskip("torch")
    (torch,) = trained(engine="torch")
    np.testing.assert_array_equal(one.x.ids, torch.x.ids)


def test_members_of_few_artificial_pairs_have_the_same_symbols():
    """A letter that only targets have may be drawn for a source, or not."""
    ensemble = doldari.train(VERBS, **SMALL | {"hallucinate": 3, "ensemble": 3, "epochs": 1, "mix": ()})
    source, target = ensemble.text_model.source.symbols, ensemble.text_model.target.symbols
    assert source == target == tuple(sorted(set("".join([*STEMS, *ENDINGS.values()]))))
    assert ensemble.text_model.config.ensemble == 3
    (run,) = trained(hallucinate=0)
    assert "g" not in run.predictor.text_model.source.symbols


def test_the_default_number_of_epochs_is_that_of_all_pairs():
    class Stopping(Counting):
        def step(self, run, loss):
            raise KeyboardInterrupt

    stopping = Stopping()
    with pytest.raises(KeyboardInterrupt):
        doldari.train(VERBS, observer=stopping, **SMALL | {"epochs": None, "hallucinate": 16 * 60 - 27})
    assert stopping.runs[0].epochs == round(load_recipe("inflection").training.steps / 60)


def test_from_a_model(tmp_path):
    doldari.train(VERBS, out=tmp_path / "base", progress=False, **SMALL | {"hallucinate": 0})
    doldari.train(
        VERBS, out=tmp_path / "more", start_from=tmp_path / "base", progress=False, hallucinate=20, epochs=1
    )
    assert record_of(tmp_path / "more")["settings"]["training"]["hallucinate"] == 20


def test_compare_varies_it(cli, tmp_path):
    write_verbs(tmp_path)
    done = cli(
        "compare verbs.tsv --features-column 3 --vary hallucinate=0,50 --seeds 1 --recipe inflection --hidden-size 8 "
        "--embedding-size 4 --epochs 1 --out compared"
    )
    assert done.code == 0 and "hallucinate=50" in done.out


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"hallucinate": -1}, "hallucinate=-1: must be at least 0"),
        ({"hallucinate": 1.5}, "hallucinate=1.5: must be a whole number"),
        ({"stream": True, "hallucinate": 5}, "hallucinate=5: cannot be combined with stream=True"),
        (
            {"target_symbols": "whitespace", "hallucinate": 5},
            "hallucinate=5: cannot be combined with target_symbols=whitespace; it replaces letters, and needs "
            "characters or graphemes",
        ),
        ({"source_symbols": "subwords", "hallucinate": 5}, "hallucinate=5: cannot be combined with source_symbols="),
        ({"mix": ("hallucinate=0,50",), "ensemble": 2}, "mix=hallucinate=0,50: must be a setting in which members"),
    ],
)
def test_refusals(settings, message):
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}"):
        Config().replace(**settings)


def test_refusals_at_the_command_line(cli):
    assert "--hallucinate 5: cannot be combined with --stream" in cli("train x.tsv --hallucinate 5 --stream").err
    assert (
        "--hallucinate 5: cannot be combined with --target-symbols words;"
        in cli("train x.tsv --hallucinate 5 --target-symbols words --recipe general").err
    )


def test_no_stem_is_an_error_before_anything_is_written(tmp_path):
    pairs = [(source[:2], target[:2]) for source, target in VERBS]
    with pytest.raises(ConfigError, match=r"hallucinate=5: no artificial pairs can be made of pairs: no pair has"):
        doldari.train(pairs, out=tmp_path / "run", hallucinate=5, recipe="general", epochs=1)
    assert not (tmp_path / "run").exists()


def test_the_recipe_is_that_for_inflection_and_artificial_pairs():
    changes = {"hallucinate": 2000, "steps": 3000, "right_to_left": False}
    assert load_recipe("inflection-low") == load_recipe("inflection").replace(**changes)

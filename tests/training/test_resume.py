"""A training that was stopped and resumed, any number of times, ends with the bits of one that never was."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import doldari
from doldari import ConfigError, DataError, ModelFileError, load
from doldari.data.string_tasks import reverse_pairs
from doldari.run_files import CHECKPOINT_FILE
from doldari.training.checkpoint import read_checkpoint
from doldari.training.directory import RunDirectory
from doldari.training.history import read_history
from doldari.training.observer import Observer

PAIRS = reverse_pairs(120)
SMALL = {"hidden_size": 8, "wordvec_size": 4, "epochs": 4, "batch_size": 16, "dropout": 0.3}
STEPS = 7  # an epoch


class Interrupting(Observer):
    """Stops after so many steps of the process, as Ctrl-C would."""

    def __init__(self, steps):
        self.left = steps

    def step(self, run, loss):
        self.left -= 1
        if self.left == 0:
            import os
            import signal

            os.kill(os.getpid(), signal.SIGINT)


def weights(path):
    return {name: parameter.value for name, parameter in load(path).text_model.model.weights().items()}


def assert_same(path, other):
    ours, theirs = weights(path), weights(other)
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        np.testing.assert_array_equal(value, theirs[name], err_msg=name)


def timeless(history):
    return [(e.epoch, e.loss, e.accuracy, e.validation_loss, e.learning_rate, e.gradient_norm) for e in history]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"ema": 0.9, "schedule": "cosine", "bucketing": True},
        {"schedule": "plateau", "weight_decay": 0.1, "patience": 1, "cell": "gru", "epochs": 9},
        {"decoder": "peeky", "bidirectional": False, "layers": 2, "metric": "loss"},
    ],
)
@pytest.mark.parametrize("steps", [(1,), (STEPS,), (3, STEPS - 3, 1, 5), (STEPS + 1, STEPS - 1, 2)])
def test_a_stopped_run_ends_as_one_never_stopped(tmp_path, settings, steps):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    doldari.train(PAIRS, out=whole, progress=False, **SMALL | settings)
    doldari.train(PAIRS, out=broken, observer=Interrupting(steps[0]), **SMALL | settings)
    assert json.loads((broken / "run.json").read_text())["status"] == "stopped"
    for number in steps[1:]:
        doldari.train(PAIRS, resume=broken, observer=Interrupting(number))
    model = doldari.train(PAIRS, resume=broken, progress=False)
    record = json.loads((broken / "run.json").read_text())
    assert (record["status"], record["resumes"]) == ("finished", len(steps))
    assert_same(whole, broken)
    for name, parameter in model.text_model.model.weights().items():
        np.testing.assert_array_equal(parameter.value, weights(whole)[name])
    assert timeless(read_history(whole / "history.jsonl")) == timeless(read_history(broken / "history.jsonl"))
    best = [json.loads((path / "run.json").read_text())["best"] for path in (whole, broken)]
    assert best[0]["scores"] == best[1]["scores"]
    assert best[0]["epoch"] == best[1]["epoch"]


@pytest.mark.parametrize("settings", [{}, {"decoder": "transducer"}, {"ensemble": 2}])
@pytest.mark.parametrize("steps", [(3,), (STEPS + 1, 2)])
def test_artificial_pairs_are_the_same_again(tmp_path, settings, steps):
    pairs = [(source, source + "ed") for source, _ in PAIRS]
    settings = SMALL | {"hallucinate": 30, "epochs": 2} | settings
    doldari.train(pairs, out=tmp_path / "whole", progress=False, **settings)
    doldari.train(pairs, out=tmp_path / "broken", observer=Interrupting(steps[0]), **settings)
    for number in steps[1:]:
        doldari.train(pairs, resume=tmp_path / "broken", observer=Interrupting(number))
    doldari.train(pairs, resume=tmp_path / "broken", progress=False)
    assert_same(tmp_path / "whole", tmp_path / "broken")


@pytest.mark.parametrize("steps", [2, STEPS * 4 + 3])
def test_an_ensemble_resumes_at_the_member_where_it_was(tmp_path, steps):
    doldari.train(PAIRS, out=tmp_path / "whole", progress=False, ensemble=2, **SMALL)
    doldari.train(PAIRS, out=tmp_path / "broken", observer=Interrupting(steps), ensemble=2, **SMALL)
    assert (tmp_path / "broken/member-2").exists() == (steps > STEPS * 4)
    doldari.train(PAIRS, resume=tmp_path / "broken", progress=False)
    assert_same(tmp_path / "whole", tmp_path / "broken")
    whole, broken = (json.loads((tmp_path / name / "run.json").read_text()) for name in ("whole", "broken"))
    assert whole["best"] == broken["best"]
    assert (broken["status"], broken["members"], broken["weights"]) == ("finished", 2, whole["weights"])


def test_a_finished_run_may_be_given_more_epochs(tmp_path):
    doldari.train(PAIRS, out=tmp_path / "run", progress=False, schedule="constant", **SMALL | {"epochs": 2})
    with pytest.raises(ConfigError, match="hidden_size: cannot be changed when a run is resumed"):
        doldari.train(PAIRS, resume=tmp_path / "run", hidden_size=9)
    doldari.train(PAIRS, resume=tmp_path / "run", progress=False, epochs=4)
    doldari.train(PAIRS, out=tmp_path / "whole", progress=False, schedule="constant", **SMALL)
    assert_same(tmp_path / "whole", tmp_path / "run")
    assert "epochs = 4" in (tmp_path / "run/config.toml").read_text()


def test_a_budget_goes_on_with_the_time_left(tmp_path):
    settings = {name: value for name, value in SMALL.items() if name != "epochs"}
    doldari.train(PAIRS, out=tmp_path, observer=Interrupting(9), budget="2s", **settings)
    state = read_checkpoint(tmp_path / CHECKPOINT_FILE).state
    assert 0 < state["budget"]["spent"] < 2
    seen = []

    class Watching(Observer):
        def started(self, run):
            seen.append((run.budget.seconds, run.budget.spent()))

    doldari.train(PAIRS, resume=tmp_path, observer=Watching())
    assert seen[0][0] == 2
    assert state["budget"]["spent"] < seen[0][1] < state["budget"]["spent"] + 1


def test_data_that_changed_are_refused(tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text("".join(f"{source}\t{target}\n" for source, target in PAIRS))
    doldari.train(path, out=tmp_path / "run", observer=Interrupting(3), **SMALL)
    with path.open("a") as file:
        file.write("abc\tcba\n")
    with pytest.raises(DataError, match=r"pairs\.tsv: has changed since the run started \(bytes [\d,]+, now [\d,]+;"):
        doldari.train(resume=tmp_path / "run")
    path.write_text(path.read_text().removesuffix("abc\tcba\n"))
    doldari.train(resume=tmp_path / "run", progress=False)
    assert json.loads((tmp_path / "run/run.json").read_text())["status"] == "finished"
    with pytest.raises(DataError, match=r"pairs: has changed since the run started"):
        doldari.train(PAIRS[1:], resume=tmp_path / "run")


def test_pairs_that_were_in_no_file_are_given_again(tmp_path):
    doldari.train(PAIRS, validation=PAIRS[:9], out=tmp_path, observer=Interrupting(3), **SMALL)
    with pytest.raises(ConfigError, match="trained on pairs that were not in a file; give the same pairs again"):
        doldari.train(PAIRS, resume=tmp_path)
    doldari.train(PAIRS, validation=PAIRS[:9], resume=tmp_path, progress=False)


def test_what_cannot_be_resumed(tmp_path):
    with pytest.raises(ConfigError, match=r"nothing: no such run"):
        doldari.train(resume=tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match=r"empty: no run to resume: run\.json is missing or damaged"):
        doldari.train(resume=tmp_path / "empty")
    doldari.train(PAIRS, out=tmp_path / "run", observer=Interrupting(3), **SMALL)
    whole = (tmp_path / "run" / CHECKPOINT_FILE).read_bytes()
    for content in (whole[:-9], whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:], b""):
        (tmp_path / "run" / CHECKPOINT_FILE).write_bytes(content)
        with pytest.raises(ModelFileError, match=r"checkpoint\.safetensors: "):
            doldari.train(PAIRS, resume=tmp_path / "run")
    with pytest.raises(ConfigError, match="out: cannot be combined with resume"):
        doldari.train(PAIRS, resume=tmp_path / "run", out=tmp_path / "x")


@pytest.mark.parametrize("ensemble", [1, 2])
def test_a_kill_between_the_first_two_files(tmp_path, monkeypatch, ensemble):
    """Whatever is there belongs to a run: it can be resumed, and started anew."""
    settings = SMALL | {"ensemble": ensemble, "progress": False}
    data = tmp_path / "data.tsv"
    data.write_text("".join(f"{source}\t{target}\n" for source, target in PAIRS))
    whole = doldari.train(data, out=tmp_path / "whole", **settings)
    write, written = RunDirectory.write, []

    def write_one(directory, name, content):
        if written:
            raise KeyboardInterrupt
        written.append(name)
        write(directory, name, content)

    for run, how in (("a", {"resume": tmp_path / "a"}), ("b", {"out": tmp_path / "b"})):
        monkeypatch.setattr(RunDirectory, "write", write_one)
        written.clear()
        with pytest.raises(KeyboardInterrupt):
            doldari.train(data, out=tmp_path / run, **settings)
        monkeypatch.setattr(RunDirectory, "write", write)
        assert [path.name for path in (tmp_path / run).iterdir()] == ["run.json"]
        again = {"progress": False} if run == "a" else settings | {"data": data}
        assert doldari.train(**again, **how).predict(["abc"]) == whole.predict(["abc"])
        assert_same(tmp_path / run, tmp_path / "whole")


def test_kills_at_random_moments(tmp_path):
    """The script that kills 50 times, with a few kills."""
    script = Path(__file__).parents[2] / "scripts" / "kill_and_resume.py"
    done = subprocess.run(
        [sys.executable, script, "--kills", "3", "--seed", "1"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("unbroken") == 2


def test_a_split_by_lemma_is_the_same_when_the_run_goes_on(tmp_path):
    pairs = [(f"w{n % 20}", f"w{n % 20}{n}", f"V;{n // 20}") for n in range(60)]
    doldari.train(pairs, out=tmp_path, split_by="lemma", **SMALL | {"epochs": 1})
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["data"][1]["pairs"] == 6
    assert record["data"][1]["split"] == "a tenth of the lemmas is held out"
    doldari.train(pairs, resume=tmp_path, epochs=2, progress=False)
    assert json.loads((tmp_path / "run.json").read_text())["data"] == record["data"]

"""What a stranger did to runs: nothing is lost, and what cannot be gone on with is refused by name."""

import json
import os
import signal
import threading

import numpy as np
import pytest

import doldari
from doldari import ConfigError, DataError, Observer, RunExistsError, Stop, load
from doldari.data.string_tasks import reverse_pairs
from doldari.training.directory import claim

PAIRS = reverse_pairs(120)
SMALL = {"hidden_size": 8, "wordvec_size": 4, "batch_size": 16, "progress": False}


class At(Observer):
    """Calls a function at a step of the process, counted from 1."""

    def __init__(self, step, function):
        self.left, self.function = step, function

    def step(self, run, loss):
        self.left -= 1
        if self.left == 0:
            self.function()


def interrupt():
    os.kill(os.getpid(), signal.SIGINT)


def weights(path):
    return {name: parameter.value.copy() for name, parameter in load(path).text_model.model.weights().items()}


def assert_same(ours, theirs):
    for name, value in ours.items():
        np.testing.assert_array_equal(value, theirs[name])


def test_a_resumed_run_without_a_checkpoint_leaves_the_model_that_is_there(tmp_path):
    doldari.train(PAIRS, out=tmp_path, epochs=2, **SMALL)
    before = weights(tmp_path)
    (tmp_path / "checkpoint.safetensors").unlink()
    doldari.train(PAIRS, resume=tmp_path, observer=At(2, interrupt))
    assert_same(before, weights(tmp_path))


def test_a_model_that_is_ahead_of_the_checkpoint_is_written_again(tmp_path):
    doldari.train(PAIRS, out=tmp_path, epochs=3, observer=At(9, interrupt), **SMALL)
    kept, checkpoint = weights(tmp_path), (tmp_path / "checkpoint.safetensors").read_bytes()
    doldari.train(PAIRS, resume=tmp_path, progress=False)
    assert any((weights(tmp_path)[name] != value).any() for name, value in kept.items())
    (tmp_path / "checkpoint.safetensors").write_bytes(checkpoint)  # as if the last one had never been written
    doldari.train(PAIRS, resume=tmp_path, observer=At(1, interrupt))
    assert_same(kept, weights(tmp_path))
    assert len((tmp_path / "history.jsonl").read_text().splitlines()) == 1


def test_epochs_and_budgets_may_replace_one_another(tmp_path):
    doldari.train(PAIRS, out=tmp_path, epochs=2, **SMALL)
    doldari.train(PAIRS, resume=tmp_path, budget="1s", progress=False)
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["status"] == "finished"
    assert record["epochs"] > 2
    with pytest.raises(ConfigError, match=rf"epochs=1: the run has {record['epochs']} already"):
        doldari.train(PAIRS, resume=tmp_path, epochs=1)
    doldari.train(PAIRS, resume=tmp_path, epochs=record["epochs"] + 1, progress=False)
    history = [json.loads(line) for line in (tmp_path / "history.jsonl").read_text().splitlines()]
    assert [epoch["epoch"] for epoch in history] == list(range(1, record["epochs"] + 2))


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"validation": PAIRS[:5]}, "validation: the run held out a tenth of its own sources"),
        ({"recipe": "g2p"}, "recipe: cannot be combined with resume"),
        ({"source_column": 7}, "columns: cannot be combined with resume"),
        ({"count": 1}, "count: cannot be combined with resume"),
        ({"start_from": "gone"}, "start_from: cannot be combined with resume"),
        ({"overwrite": True}, "overwrite: cannot be combined with resume"),
        ({"dropout": 0.1}, "dropout: cannot be changed when a run is resumed"),
    ],
)
def test_what_a_run_has_already_is_refused(tmp_path, arguments, message):
    doldari.train(PAIRS, out=tmp_path, epochs=1, **SMALL)
    with pytest.raises(ConfigError, match=message):
        doldari.train(PAIRS, resume=tmp_path, epochs=2, **arguments)


@pytest.mark.parametrize(
    "old, new", [("hidden_size = 8", "hidden_size = 10"), ("seed = 0", "seed = 1"), ("ema = 0.0", "ema = 0.9")]
)
def test_edited_settings_are_refused(tmp_path, old, new):
    doldari.train(PAIRS, out=tmp_path, epochs=1, **SMALL)
    text = (tmp_path / "config.toml").read_text()
    assert old in text
    (tmp_path / "config.toml").write_text(text.replace(old, new))
    name = old.split()[0]
    with pytest.raises(ConfigError, match=rf"config\.toml: {name} is .*, but was .* when the run began"):
        doldari.train(PAIRS, resume=tmp_path, epochs=2)


@pytest.mark.parametrize(
    "content", ["{}", "[]", "null", '{"format": 2}', '{"format": 1, "data": [{}, null], "reading": {}}', "{", ""]
)
def test_records_of_another_shape_are_refused(tmp_path, content):
    doldari.train(PAIRS, out=tmp_path, epochs=1, **SMALL)
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(ConfigError, match=r"run\.json"):
        doldari.train(PAIRS, resume=tmp_path, epochs=2)


def test_a_file_that_moved_may_be_given_where_it_is(tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text("".join(f"{source}\t{target}\n" for source, target in PAIRS))
    doldari.train(path, out=tmp_path / "run", epochs=1, **SMALL)
    moved = path.rename(tmp_path / "moved.tsv")
    with pytest.raises(DataError, match=r"pairs\.tsv: not found; give its new place as DATA"):
        doldari.train(resume=tmp_path / "run", epochs=2)
    doldari.train(moved, resume=tmp_path / "run", epochs=2, progress=False)
    record = json.loads((tmp_path / "run/run.json").read_text())
    assert record["data"][0]["name"] == str(path)
    assert record["data"][0]["path"] == record["reading"]["data"] == str(moved)


def test_parts_of_a_run_are_held_with_it(tmp_path):
    doldari.train(PAIRS, out=tmp_path / "both", ensemble=2, epochs=1, **SMALL)
    with claim(tmp_path / "both", resume=True):
        for name in ("member-1", "member-3"):
            with pytest.raises(RunExistsError, match="another training is writing in"):
                doldari.train(PAIRS, out=tmp_path / "both" / name, epochs=1, **SMALL)
    with claim(tmp_path / "both" / "member-1", resume=True), pytest.raises(RunExistsError, match="is writing in"):
        doldari.train(PAIRS, out=tmp_path / "both", ensemble=2, overwrite=True, epochs=1, **SMALL)


def test_files_that_are_not_ours_stay(tmp_path):
    (tmp_path / ".new").mkdir()
    (tmp_path / ".new" / "thesis.txt").write_text("mine")
    (tmp_path / ".lock").write_text("mine")
    (tmp_path / "README.md").write_text("mine")
    doldari.train(PAIRS, out=tmp_path, ensemble=2, epochs=1, **SMALL)
    (tmp_path / "member-2" / "notes.txt").write_text("mine")
    doldari.train(PAIRS, out=tmp_path, overwrite=True, epochs=1, **SMALL)
    for name in (".new/thesis.txt", ".lock", "README.md", "member-2/notes.txt"):
        assert (tmp_path / name).read_text() == "mine"
    assert not (tmp_path / "member-1").exists()


def test_a_model_card_goes_with_its_run(tmp_path):
    from doldari.report.card import write_card
    from doldari.report.record import read_run

    doldari.train(PAIRS, out=tmp_path, epochs=1, **SMALL)
    write_card(read_run(tmp_path))
    doldari.train(PAIRS, out=tmp_path, overwrite=True, epochs=1, **SMALL)
    assert not (tmp_path / "README.md").exists()


def test_a_stop_from_another_thread(tmp_path):
    stop = Stop()

    def ask():
        stop.signal = signal.SIGTERM

    thread = threading.Thread(
        target=doldari.train,
        args=(PAIRS,),
        kwargs={"out": tmp_path, "epochs": 500, "observer": At(9, ask), "stop": stop} | SMALL,
    )
    thread.start()
    thread.join(timeout=60)
    record = json.loads((tmp_path / "run.json").read_text())
    assert (record["status"], record["steps"]) == ("stopped", 9)


def test_a_failed_run_says_why(tmp_path):
    with pytest.raises(doldari.TrainingError):
        doldari.train(PAIRS, out=tmp_path, epochs=2, learning_rate=1e38, schedule="constant", **SMALL)
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["status"] == "failed"
    assert record["error"].startswith("the loss became")


def test_an_observer_may_be_empty():
    class Listening(Observer, list):
        def step(self, run, loss):
            self.append(loss)

    told = Listening()
    doldari.train(PAIRS, observer=told, epochs=1, **SMALL)
    assert len(told) == 7

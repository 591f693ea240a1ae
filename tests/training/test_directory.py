"""A run's directory: claimed by one training, kept until there is something better, and nothing lost in between."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import doldari
from doldari import RunExistsError, RunLostError
from doldari.data.string_tasks import reverse_pairs
from doldari.training.directory import claim
from doldari.training.observer import Observer
from doldari.training.replacing import NEW, REPLACE_FILE

PAIRS = reverse_pairs(60)
SMALL = {"hidden_size": 8, "wordvec_size": 4, "epochs": 2, "batch_size": 16, "progress": False}
FILES = [
    "accuracy.png",
    "checkpoint.safetensors",
    "config.toml",
    "history.jsonl",
    "model.safetensors",
    "run.json",
]


def names(path):
    return sorted(child.name for child in path.iterdir())


class AtStep(Observer):
    """Calls a function at a step, counted from 1."""

    def __init__(self, step, function):
        self.left, self.function = step, function

    def step(self, run, loss):
        self.left -= 1
        if self.left == 0:
            self.function(run)


def heed_interrupts():
    """Let Ctrl-C interrupt a process that tests in the background start."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_two_trainings_never_share_a_directory(tmp_path):
    with claim(tmp_path / "a" / "run"):
        for options in ({}, {"overwrite": True}, {"resume": True}):
            with (
                pytest.raises(RunExistsError, match="in use by another training"),
                claim(tmp_path / "a" / "run", **options),
            ):
                pass
    assert names(tmp_path) == []


def test_of_trainings_started_at_once_one_runs(tmp_path):
    outcomes, start = [], threading.Barrier(6)

    def one():
        start.wait()
        try:
            doldari.train(PAIRS, out=tmp_path / "run", **SMALL)
            outcomes.append("trained")
        except RunExistsError as error:
            outcomes.append("already holds a run" if "holds" in str(error) else "writing there")

    threads = [threading.Thread(target=one) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count("trained") == 1
    assert names(tmp_path / "run") == FILES
    assert doldari.load(tmp_path / "run")("abcd") is not None


def test_a_dead_process_holds_nothing(tmp_path):
    command = [sys.executable, "-m", "doldari", "train", "copy", "--epochs", "50", "--hidden-size", "8"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE) as training:
        training.stdout.readline()
        training.kill()
    assert (tmp_path / "runs/copy/.doldari.lock").exists()
    beside = tmp_path / "runs/copy/.model.safetensors.abcd"
    beside.write_bytes(b"half")
    doldari.train(PAIRS, out=tmp_path / "runs/copy", **SMALL)
    assert names(tmp_path / "runs/copy") == FILES


@pytest.mark.parametrize("data", ["nothing.tsv", [("a", "b")], [("a", "b", "V"), ("c", "d", "")]])
def test_a_failed_start_leaves_nothing(tmp_path, data):
    with pytest.raises(doldari.DataError):
        doldari.train(data, out=tmp_path / "a" / "run", **SMALL)
    assert names(tmp_path) == []


def test_an_older_run_is_refused_and_kept_until_an_epoch_is_done(tmp_path):
    doldari.train(PAIRS, out=tmp_path, **SMALL)
    (tmp_path / "notes.txt").write_text("mine")
    older = {name: (tmp_path / name).read_bytes() for name in names(tmp_path)}
    with pytest.raises(
        RunExistsError, match=r"already holds a run \(history\.jsonl\); choose another --out, use --overwrite"
    ):
        doldari.train(PAIRS, out=tmp_path, **SMALL)

    def still_there(run):
        assert {name: (tmp_path / name).read_bytes() for name in older} == older
        seen.append(run.position.steps)

    seen = []
    with pytest.raises(doldari.DataError):
        doldari.train("nothing.tsv", out=tmp_path, overwrite=True, **SMALL)
    doldari.train(PAIRS, out=tmp_path, overwrite=True, seed=1, observer=AtStep(4, still_there), **SMALL)
    assert seen == [4]  # the last of the first epoch
    assert names(tmp_path) == sorted([*FILES, "notes.txt"])
    for name in ("config.toml", "history.jsonl", "model.safetensors", "run.json"):
        assert (tmp_path / name).read_bytes() != older[name]
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_an_overwriting_run_that_is_stopped_before_its_first_epoch_leaves_the_older(tmp_path):
    doldari.train(PAIRS, out=tmp_path, **SMALL)
    older = {name: (tmp_path / name).read_bytes() for name in names(tmp_path)}
    interrupt = AtStep(2, lambda run: os.kill(os.getpid(), signal.SIGINT))
    doldari.train(PAIRS, out=tmp_path, overwrite=True, seed=1, observer=interrupt, **SMALL)
    assert {name: (tmp_path / name).read_bytes() for name in names(tmp_path)} == older


@pytest.mark.parametrize("before, after", [(2, 1), (1, 2), (3, 2)])
def test_ensembles_and_single_runs_replace_one_another(tmp_path, before, after):
    doldari.train(PAIRS, out=tmp_path, ensemble=before, **SMALL)
    doldari.train(PAIRS, out=tmp_path, ensemble=after, overwrite=True, **SMALL)
    members = [f"member-{number}" for number in range(1, after + 1)] if after > 1 else []
    whole = [
        name
        for name in FILES
        if after == 1 or name not in ("accuracy.png", "checkpoint.safetensors", "history.jsonl")
    ]
    assert names(tmp_path) == sorted(whole + members)
    assert all(names(tmp_path / member) == FILES for member in members)
    assert doldari.load(tmp_path).predict(["abc"])


def test_a_replacement_that_a_crash_cut_short_is_finished(tmp_path):
    doldari.train(PAIRS, out=tmp_path / "new", **SMALL)
    doldari.train(PAIRS, out=tmp_path / "run", ensemble=2, **SMALL)
    model = (tmp_path / "new/model.safetensors").read_bytes()
    shutil.move(tmp_path / "new", tmp_path / "run" / NEW)
    (tmp_path / "run" / NEW / REPLACE_FILE).write_text(json.dumps(FILES))
    os.replace(tmp_path / "run" / NEW / "config.toml", tmp_path / "run/config.toml")  # as far as it came
    with pytest.raises(RunExistsError), claim(tmp_path / "run"):
        pass
    assert names(tmp_path / "run") == FILES
    assert (tmp_path / "run/model.safetensors").read_bytes() == model


def test_a_directory_that_is_removed_during_training(tmp_path):
    remove = AtStep(6, lambda run: shutil.rmtree(tmp_path / "run"))
    with pytest.raises(RunLostError, match=r"run: was removed or replaced during training"):
        doldari.train(PAIRS, out=tmp_path / "run", observer=remove, **SMALL)
    assert names(tmp_path) == []


def test_a_full_disk(tmp_path):
    """Of 64 KiB, then of more: one clear line, the older files whole, and resumed when there is room."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "none", disk], capture_output=True).returncode:
        pytest.skip("no file system of a chosen size can be mounted here")
    try:
        command = [sys.executable, "-m", "doldari", "train"]
        first = ["copy", "--count", "600", "--hidden-size", "16", "--epochs", "3", "--checkpoint-every", "5"]
        done = subprocess.run([*command, *first, "--out", disk / "run"], capture_output=True, text=True)
        assert done.returncode == 1
        assert done.stderr == f"error: {disk}/run/checkpoint.safetensors: No space left on device\n"
        subprocess.run(["mount", "-o", "remount,size=8m", disk], check=True)
        done = subprocess.run([*command, "--resume", disk / "run"], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
        subprocess.run([*command, *first, "--out", tmp_path / "whole"], check=True, capture_output=True)
        ours, theirs = (doldari.load(path).text_model.model.weights() for path in (disk / "run", tmp_path / "whole"))
        assert all((ours[name].value == theirs[name].value).all() for name in ours)
    finally:
        subprocess.run(["umount", disk], check=True)


def test_output_that_cannot_be_written_is_said_once_and_training_goes_on(tmp_path):
    command = "exec " + sys.executable + " -m doldari train copy --count 600 --hidden-size 8 --epochs 2 > /dev/full"
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (
        0,
        "warning: standard output: No space left on device; further output is lost; the training continues\n",
    )
    assert names(tmp_path / "runs/copy") == FILES


# Runs doldari, and writes a byte once its first statements are done, which no interrupt can precede.
ANNOUNCED = """
import os, runpy, sys

class Announcer:
    def find_spec(self, name, *_):
        if name == "doldari.cli":
            os.write(1, b".")

sys.meta_path.insert(0, Announcer())
runpy.run_module("doldari", run_name="__main__")
"""


def test_ctrl_c_at_any_moment_is_one_line(tmp_path):
    """While Python imports, while data are made, in the first steps; once, or several times in a row."""
    command = [sys.executable, "-c", ANNOUNCED, "train", "copy", "--epochs", "50", "--hidden-size", "8"]
    for number, delay in enumerate([0.0, 0.05, 0.2, 0.5, 1.1, 1.9]):
        with subprocess.Popen(
            command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=heed_interrupts
        ) as training:
            assert training.stdout.read(1) == b"."
            time.sleep(delay)
            for _ in range(1 + 2 * (number % 2)):
                training.send_signal(signal.SIGINT)
                time.sleep(0.01)
            error = training.stderr.read().decode()
        assert training.returncode == 130, error
        assert error.count("\n") == 1, error
        shutil.rmtree(tmp_path / "runs", ignore_errors=True)


def test_runs_below_a_file_are_refused(tmp_path):
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(
            RunExistsError, match=r"cannot be used as the run directory: (File exists|Not a directory)"
        ):
            doldari.train(PAIRS, out=path, **SMALL)
    assert Path(tmp_path / "file").read_bytes() == b""

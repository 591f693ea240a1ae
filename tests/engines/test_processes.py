"""Two processes train as one does; one that is killed ends the training, and a restart goes on with it."""

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import doldari
from doldari import ConfigError
from doldari.cli import app
from doldari.data.string_tasks import reverse_pairs
from doldari.training.history import read_history

pytest.importorskip("torch")

# Nine batches an epoch, the last of 20; and less than a batch for each process to validate with.
OPTIONS = "train addition --count 600 --epochs 3 --hidden-size 16 --batch-size 65 --engine torch --device cpu".split()  # noqa: SIM905
SOURCE = str(Path(doldari.__file__).parents[1])


def started(*arguments, processes=2, options=()):
    """Start a training of several processes."""
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", str(processes), *options]
    environment = os.environ | {"PYTHONPATH": SOURCE, "OMP_NUM_THREADS": "1", "DOLDARI_NUM_THREADS": "1"}
    return subprocess.Popen(
        [*command, "--master-addr", "127.0.0.2", "--master-port", free_port(), "-m", "doldari", *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def free_port():
    import socket

    with socket.socket() as server:
        server.bind(("127.0.0.2", 0))
        return str(server.getsockname()[1])


def ended(training):
    output, error = training.communicate(timeout=120)
    return training.returncode, output, error


def weights(path):
    return {name: one.value for name, one in doldari.load(path).text_model.model.weights().items()}


def assert_same(path, other, tolerance=0.0):
    ours, theirs = weights(path), weights(other)
    for name, value in ours.items():
        np.testing.assert_allclose(value, theirs[name], rtol=0, atol=tolerance, err_msg=name)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Train with two processes, undisturbed."""
    path = tmp_path_factory.mktemp("two") / "whole"
    status, output, error = ended(started(*OPTIONS, "--out", str(path)))
    assert status == 0, error
    assert output.count("epoch 3/3") == 1  # the first process alone prints
    return path


def test_two_processes_train_as_one(whole, tmp_path):
    subprocess.run(
        [sys.executable, "-m", "doldari", *OPTIONS, "--out", str(tmp_path / "one")],
        env=os.environ | {"PYTHONPATH": SOURCE, "OMP_NUM_THREADS": "1"},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    two, one = read_history(whole / "history.jsonl"), read_history(tmp_path / "one/history.jsonl")
    for ours, theirs in zip(two, one, strict=True):
        assert ours.loss == pytest.approx(theirs.loss, rel=1e-5)
        assert ours.gradient_norm == pytest.approx(theirs.gradient_norm, rel=1e-4)
        assert ours.validation_loss == pytest.approx(theirs.validation_loss, rel=1e-5)
        assert ours.accuracy == theirs.accuracy
    assert_same(whole, tmp_path / "one", 1e-4)
    assert json.loads((whole / "run.json").read_text())["engine"]["processes"] == 2
    assert sorted(path.name for path in whole.iterdir()) == sorted(path.name for path in (tmp_path / "one").iterdir())


def kill_one_process(training, run, number=signal.SIGKILL):
    """Wait for a checkpoint, then kill the process of rank 1."""
    deadline = time.monotonic() + 60
    while not (run / "checkpoint.safetensors").exists():
        assert time.monotonic() < deadline and training.poll() is None
        time.sleep(0.02)
    children = Path(f"/proc/{training.pid}/task/{training.pid}/children").read_text().split()
    for child in map(int, children):
        if b"RANK=1" in Path(f"/proc/{child}/environ").read_bytes().split(b"\0"):
            os.kill(child, number)
            return
    raise AssertionError("there is no process of rank 1")


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="finds the processes in /proc")
@pytest.mark.parametrize("restarts", [0, 2])
def test_a_killed_process(whole, tmp_path, restarts):
    run = tmp_path / "run"
    every = ["--checkpoint-every", "3", "--out", str(run)]
    training = started(*OPTIONS, *every, options=["--max-restarts", str(restarts)])
    kill_one_process(training, run)
    status, output, error = ended(training)
    assert "another process of this training ended or cannot be reached; the last checkpoint is whole" in error
    if restarts == 0:
        assert status != 0
        status, output, error = ended(started("train", "--resume", str(run)))
    assert status == 0, error
    assert "resumed at step" in output
    assert json.loads((run / "run.json").read_text())["resumes"] == 1
    assert_same(run, whole)


def test_a_polite_kill_stops_all(tmp_path):
    run = tmp_path / "run"
    training = started(*OPTIONS, "--epochs", "300", "--checkpoint-every", "3", "--out", str(run))
    kill_one_process(training, run, signal.SIGTERM)
    status, _, error = ended(training)
    assert status != 0
    assert "stopped at step" in error
    assert "Traceback" not in error.partition("ChildFailedError")[0].partition("torch/distributed")[0]
    assert json.loads((run / "run.json").read_text())["status"] == "stopped"


def test_two_processes_read_shards_of_their_own(tmp_path):
    """One has 40 pairs more than the other, and goes on alone at the end of each epoch."""
    pairs = reverse_pairs(150)
    for name, some in (("0", pairs[:80]), ("1", pairs[80:120]), ("2", pairs[120:])):
        (tmp_path / f"{name}.tsv").write_text("".join(f"{source}\t{target}\n" for source, target in some))
    (tmp_path / "dev.txt").write_text("".join(f"{source}\t{target}\n" for source, target in reverse_pairs(9)))
    options = "--stream --shuffle-buffer 20 --epochs 2 --hidden-size 8 --batch-size 16 --engine torch --device cpu"
    shards = [str(tmp_path / f"{name}.tsv") for name in (0, 1, 2)]
    run = str(tmp_path / "run")
    dev = ["--validation", str(tmp_path / "dev.txt")]
    status, output, error = ended(started("train", *shards, *dev, *options.split(), "--out", run))
    assert status == 0, error
    assert "150 training pairs" in output
    record = json.loads((tmp_path / "run/run.json").read_text())
    # 110 pairs, 8 at a time; windows of 16.
    assert (record["status"], record["steps"], record["engine"]["processes"]) == ("finished", 2 * 14, 2)


def test_what_several_processes_cannot_do(monkeypatch, tmp_path):
    from doldari.engines.torch.processes import Processes

    with pytest.raises(ConfigError, match="batch_size=7: fewer pairs than the 8 processes of torchrun"):
        Processes(8).check(7, None)
    with pytest.raises(
        ConfigError, match="budget=5m: needs a single process, not 8; give a number of epochs instead"
    ):
        Processes(8).check(64, "5m")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match="engine=numpy: trains in one process, not under torchrun; choose torch"):
        doldari.train([("a", "b"), ("b", "c")], out=tmp_path / "run", epochs=1)
    assert not (tmp_path / "run").exists()
    monkeypatch.setenv("TORCHELASTIC_MAX_RESTARTS", "1")
    result = CliRunner().invoke(app, ["train", "addition", "--overwrite", "--out", str(tmp_path / "run")])
    assert "overwrite: not with torchrun --max-restarts" in str(result.exception)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_every_row_is_some_process_s(count):
    from doldari.engines.torch.processes import Processes

    for N in (1, 2, 7):
        shares = [Processes(count, rank).share(N) for rank in range(count)]
        assert sorted(itertools.chain(*shares)) == list(range(N))

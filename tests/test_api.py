"""doldari.train: pairs in, a model out."""

import hashlib
import json
import signal
import sys
from types import SimpleNamespace

import pytest

import doldari
from doldari.data.string_tasks import reverse_pairs
from doldari.engines.numpy import NumpyLearner as Learner
from doldari.models.ensemble import Ensemble
from doldari.training import loop
from doldari.training.loop import train_run

SMALL = {"hidden_size": 16, "wordvec_size": 8, "epochs": 2, "batch_size": 16}


def test_a_model_from_pairs(capsys, tmp_path):
    pairs = [("ab" * n, "b" * n) for n in range(1, 4)] * 20 + [("c", "cc"), ("d", "dd")]
    settings = {"epochs": 30, "hidden_size": 32, "batch_size": 8, "dropout": 0.0}
    model = doldari.train(pairs, validation=[("c", "cc")], recipe="general", **settings)
    assert [model(source) for source in ("ab", "abab", "ababab")] == ["b", "bb", "bbb"]
    err = capsys.readouterr().err.splitlines()
    assert len(err) == 30
    assert err[0].startswith("epoch 1/30   loss ")
    model.save(tmp_path / "m.safetensors")
    assert doldari.load(tmp_path / "m.safetensors")("abab") == "bb"


def test_an_ensemble_from_pairs():
    model = doldari.train(reverse_pairs(200), ensemble=2, progress=False, **SMALL)
    assert isinstance(model.text_model.model, Ensemble)
    assert model.predict(["abcd"], beam=2)


def test_an_interruption_keeps_the_best_so_far(monkeypatch):
    def interrupted(run, files, observer, stop):
        stop.signal = signal.SIGINT
        return train_run(run, files, observer, stop)

    monkeypatch.setattr(loop, "train_run", interrupted)
    assert isinstance(doldari.train(reverse_pairs(50), progress=False, **SMALL), doldari.Predictor)


def test_a_loss_that_becomes_infinite_keeps_the_best_so_far(monkeypatch):
    step = Learner.step

    def diverging(learner, x, t, *rest):
        if learner.optimizer.steps == 3:  # an epoch has three
            raise doldari.TrainingError("the loss became inf")
        return step(learner, x, t, *rest)

    monkeypatch.setattr(Learner, "step", diverging)
    with pytest.warns(UserWarning, match=r"the loss became inf.*the model of epoch 1 is returned"):
        assert doldari.train(reverse_pairs(50), progress=False, **SMALL | {"epochs": 3})("abc")


def test_an_interrupted_member_without_an_epoch_is_left_out(monkeypatch):
    runs = []

    def interrupted(run, files, observer, stop):
        if runs:
            stop.signal = signal.SIGINT
        runs.append(run)
        return train_run(run, files, observer, stop)

    monkeypatch.setattr(loop, "train_run", interrupted)
    model = doldari.train(reverse_pairs(50), ensemble=2, progress=False, **SMALL)
    assert len(runs) == 2
    assert model.text_model.model is runs[0].learner.model


def test_a_notebook_shows_a_figure(monkeypatch):
    shown = []
    display = SimpleNamespace(display=lambda **_: SimpleNamespace(update=shown.append))
    monkeypatch.setitem(sys.modules, "ipykernel", SimpleNamespace())
    ipython = SimpleNamespace(display=display, get_ipython=lambda: None, version_info=(9, 0, 0))
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    doldari.train(reverse_pairs(50), **SMALL)
    assert [figure.axes[0].get_title(loc="left") for figure in shown] == ["epoch 1 of 2", "epoch 2 of 2"]


def test_what_is_refused():
    with pytest.raises(doldari.ConfigError, match="hidden_sizes: no such setting"):
        doldari.train([("a", "b"), ("c", "d")], hidden_sizes=3)
    with pytest.raises(doldari.DataError, match="two are needed"):
        doldari.train([])
    for bad in ("ab", ("a", "b", "c"), (1, 2)):
        with pytest.raises(doldari.DataError, match=r"pairs\[1\]=.*: must be two texts"):
            doldari.train([("a", "b"), bad])


def test_a_file_features_and_a_directory(tmp_path):
    """All that the command line can: a path, columns, a validation file, what is left in the run's directory."""
    triples = [("ab" * n, "b" * n, "V;PST" if n % 2 else "V") for n in range(1, 30)]
    path = tmp_path / "triples.tsv"
    path.write_text("".join(f"{features}\t{source}\t{target}\n" for source, target, features in triples))
    columns = {"source_column": 2, "target_column": 3, "features_column": 1}
    by_file = doldari.train(path, validation=path, out=tmp_path / "run", progress=False, **columns, **SMALL)
    by_triples = doldari.train(triples, validation=triples, progress=False, **SMALL)
    assert by_file.text_model.source.features == ("PST", "V")
    values = [model.text_model.model.parameters.values.tobytes() for model in (by_file, by_triples)]
    assert values[0] == values[1]
    record = json.loads((tmp_path / "run/run.json").read_text())
    data = record["data"][0]
    assert (data["name"], data["path"], data["bytes"]) == (str(path), str(path), path.stat().st_size)
    assert data["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (data["pairs"], data["sources"], data["longest_source"], data["longest_target"]) == (29, 29, 58, 29)
    assert record["status"] == "finished"
    assert record["kernels"] == doldari.kernels.name
    assert (tmp_path / "run/accuracy.png").exists()
    history = [json.loads(line) for line in (tmp_path / "run/history.jsonl").read_text().splitlines()]
    assert [epoch["epoch"] for epoch in history] == [1, 2]
    assert all(epoch["gradient_norm"] > 0 and epoch["pairs_per_second"] > 0 for epoch in history)


def test_an_observer_is_told_of_everything():
    told = []

    class Telling(doldari.Observer):
        def started(self, run):
            told.append("started")

        def step(self, run, loss):
            told.append("step")

        def epoch(self, run, evaluation):
            told.append(f"epoch {len(run.history)}")

        def finished(self, run):
            told.append("finished")

    doldari.train(reverse_pairs(20), observer=Telling(), **SMALL)
    assert told == ["started", "step", "step", "epoch 1", "step", "step", "epoch 2", "finished"]


@pytest.mark.parametrize(
    "settings, remedy",
    [
        ({"learning_rate": 1e5}, r"try a learning rate lower than 100000"),
        ({"learning_rate": 3e-3, "weight_decay": 1e4}, r"try a weight decay lower than 10000"),
        ({"learning_rate": 1e5, "weight_decay": 0.01}, r"try a learning rate lower than 100000"),
    ],
)
def test_a_loss_far_above_guessing_is_said_with_its_cause(settings, remedy):
    with pytest.warns(
        UserWarning, match=rf"the loss of epoch \d, .*, is far above that of random guessing, 3\.\d\d; {remedy}"
    ):
        doldari.train(reverse_pairs(50), progress=False, schedule="constant", **SMALL | settings | {"epochs": 1})


@pytest.mark.parametrize(
    "settings, remedy",
    [
        ({"learning_rate": 1e38}, "try a learning rate lower than 1e\\+38"),
        ({"weight_decay": 1e30}, "try a weight decay lower than 1e\\+30"),
    ],
)
def test_a_loss_that_is_no_number_is_said_with_its_cause(settings, remedy):
    with pytest.raises(doldari.TrainingError, match=rf"at step \d \(epoch 1\); {remedy}"):
        doldari.train(reverse_pairs(50), progress=False, schedule="constant", **SMALL | settings)

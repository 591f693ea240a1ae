"""Which epoch is the best, that its model is the one kept, and when training stops waiting for a better one."""

import math
import signal
from types import SimpleNamespace

import numpy as np
import pytest
from runs import train

from doldari import DataError, load
from doldari.config import Config
from doldari.data.addition import addition_pairs
from doldari.data.pairs import Pair, split_pairs
from doldari.inference.metrics import Evaluation
from doldari.training import loop
from doldari.training.history import Epoch, best_epoch, read_history
from doldari.training.observer import Stop
from doldari.training.run import Run
from doldari.training.validation import mean_loss

SMALL = Config().replace(hidden_size=8, batch_size=64)


def epochs(accuracies, losses):
    return [
        Epoch(number, 1.0, accuracy, loss, 1e-3, 1.0)
        for number, (accuracy, loss) in enumerate(zip(accuracies, losses, strict=True), start=1)
    ]


@pytest.mark.parametrize(
    "accuracies, losses, by_accuracy, by_loss",
    [
        ([0.1, 0.5, 0.3], [3.0, 2.0, 1.0], 2, 3),
        ([0.5, 0.5, 0.5], [3.0, 1.0, 2.0], 2, 2),
        ([0.5, 0.5, 0.5], [1.0, 1.0, 1.0], 1, 1),
        ([0.5, 0.5], [math.nan, 9.0], 2, 2),
        ([0.0], [math.nan], 1, 1),
    ],
)
def test_best_epoch(accuracies, losses, by_accuracy, by_loss):
    history = epochs(accuracies, losses)
    assert best_epoch(history, "accuracy").epoch == by_accuracy
    assert best_epoch(history, "loss").epoch == by_loss
    assert best_epoch([], "loss") is None


def evaluation_of(accuracy):
    """Make an evaluation whose accuracy was written down before."""
    scripted = type("Scripted", (Evaluation,), {"accuracy": accuracy})
    return scripted("characters", [Pair("a", "b")], [["b"]], ["c"], [1], [1])


@pytest.fixture
def scripted(monkeypatch, tmp_path):
    """Train with accuracies and validation losses written down before: the run, and its weights by epoch."""

    def run_script(accuracies, losses=None, **settings):
        config = SMALL.replace(**{"epochs": len(accuracies)} | settings)
        losses = [1.0] * len(accuracies) if losses is None else losses
        run = Run.prepare(config, *split_pairs(addition_pairs(100, 2)))
        monkeypatch.setattr(loop, "evaluate", lambda *_, **__: evaluation_of(accuracies[len(run.history)]))
        monkeypatch.setattr(loop, "mean_loss", lambda *_: losses[len(run.history)])
        weights = []

        def after_epoch(epoch, evaluation):
            weights.append(run.learner.model.parameters.values.copy())

        assert train(run, tmp_path, None, after_epoch)
        return run, weights

    return run_script


@pytest.mark.parametrize("metric, best", [("accuracy", 2), ("loss", 4)])
def test_the_best_epochs_model_is_kept(scripted, tmp_path, metric, best):
    run, weights = scripted([0.2, 0.6, 0.4, 0.5], [1.0, 0.9, 0.8, 0.7], metric=metric)
    assert run.best.epoch == best
    assert len(np.unique(weights, axis=0)) == 4
    for model in (run.predictor, load(tmp_path)):
        np.testing.assert_array_equal(model.text_model.model.parameters.values, weights[best - 1])
    assert [epoch.accuracy for epoch in read_history(tmp_path / "history.jsonl")] == [0.2, 0.6, 0.4, 0.5]


@pytest.mark.parametrize(
    "patience, accuracies, losses, stopped_after",
    [
        (0, [0.5, 0.4, 0.3, 0.2, 0.1], [1, 1, 1, 1, 1], 5),
        (1, [0.1, 0.2, 0.2, 0.9, 0.9], [1, 1, 1, 1, 1], 3),
        (2, [0.5, 0.4, 0.6, 0.5, 0.4, 0.9], [1, 1, 1, 1, 1, 1], 5),
        (2, [0.0, 0.0, 0.0, 0.0, 0.0, 0.0], [5, 4, 3, 4, 5, 1], 5),  # not right yet, but on the way
        (3, [0.5, 0.4, 0.4, 0.6], [1, 1, 1, 1], 4),
    ],
)
def test_early_stopping(scripted, patience, accuracies, losses, stopped_after):
    run, _ = scripted(accuracies, losses, patience=patience)
    assert len(run.history) == stopped_after
    assert run.out_of_patience == (stopped_after < len(accuracies) or (patience, stopped_after) == (2, 5))


def test_plateau_halves_the_learning_rate(scripted):
    run, _ = scripted([0.5, 0.4, 0.4, 0.4, 0.4, 0.4, 0.4, 0.4], schedule="plateau", learning_rate=0.008)
    assert [epoch.learning_rate for epoch in run.history] == [0.008] * 4 + [0.004] * 3 + [0.002]


def test_the_loss_of_held_out_pairs_does_not_depend_on_batches():
    run = Run.prepare(SMALL, *split_pairs(addition_pairs(1500, 2)))
    x, t = run.validation_arrays
    assert len(x) == len(run.validation) == 150
    whole = run.learner.model.forward(x.padded(0), t.padded(0, keep=1))
    for batch_size in (1, 70, 1000):
        assert mean_loss(run.learner, x, t, batch_size) == pytest.approx(whole, rel=1e-6)


def test_there_must_be_pairs_to_validate_with(tmp_path):
    training = [Pair("ab", "x"), Pair("ba", "y")]
    with pytest.raises(DataError, match="no pairs to validate with"):
        Run.prepare(SMALL, training, [])
    with pytest.raises(DataError, match="no pairs to train on"):
        Run.prepare(SMALL, [], training)
    foreign = Run.prepare(SMALL.replace(epochs=1), training, [Pair("가", "나")])
    assert foreign.spelled == []
    assert train(foreign, tmp_path)
    assert foreign.history[0].accuracy == 0.0


def test_a_signal_that_comes_while_processes_ask_each_other_is_for_the_next_step():
    """The others were told that nobody is to stop: one that stopped then would leave them waiting for it."""
    stop = Stop()

    class Interrupted:
        def agreed(self, wish):
            stop.signal = signal.SIGINT
            return wish

    run = SimpleNamespace(learner=Interrupted())
    assert not loop.is_stopped(run, stop)
    assert loop.is_stopped(run, stop)
    assert stop.signal == signal.SIGINT

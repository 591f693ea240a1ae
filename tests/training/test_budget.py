"""A budget of time, by a clock that goes forward when a step is taken or pairs are answered."""

import dataclasses

import numpy as np
import pytest
from runs import train

from doldari import ConfigError
from doldari.config import Config
from doldari.data.addition import addition_pairs
from doldari.data.pairs import split_pairs
from doldari.engines.numpy import NumpyLearner as Learner
from doldari.training import loop
from doldari.training import run as run_module
from doldari.training.run import Run

STEPS = 12  # an epoch
SETTINGS = Config().replace(hidden_size=4, batch_size=15)


@dataclasses.dataclass
class Clock:
    now: float = 100.0
    step: float = 1.0
    validation: float = 3.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock, step, evaluate = Clock(), Learner.step, run_module.evaluate

    def timed_step(learner, *batch):
        clock.now += clock.step
        return step(learner, *batch)

    def timed_evaluate(*arguments, **options):
        clock.now += clock.validation
        return evaluate(*arguments, **options)

    monkeypatch.setattr(Learner, "step", timed_step)
    for module in (loop, run_module):
        monkeypatch.setattr(module, "evaluate", timed_evaluate)
    return clock


def prepare(clock, **settings):
    run = Run.prepare(SETTINGS.replace(**settings), *split_pairs(addition_pairs(200, 2)), clock=clock)
    run.plan()
    return run


def train_by(clock, run, tmp_path, after_step=lambda: None):
    rates = []

    def note_rate(loss):
        rates.append(run.learner.optimizer.learning_rate)
        after_step()
        return False

    assert train(run, tmp_path, note_rate)
    return rates


@pytest.mark.filterwarnings("ignore:after .* the model has learned nothing")  # its learning rate is what is watched
def test_a_budget_is_planned_and_kept(clock, tmp_path):
    run = prepare(clock, budget="5m", learning_rate=1.0)
    assert run.steps_an_epoch == STEPS
    assert run.budget.epoch == STEPS + 3
    assert clock.now - 100 == 3 + 3  # one validation and three steps to learn that
    assert run.epochs == np.ceil((300 - 3 - 6) / 15) == 20
    rates = train_by(clock, run, tmp_path)
    assert 299 <= clock.now - 100 <= 301
    assert len(run.history) == run.epochs == 20
    assert max(rates) == pytest.approx(1.0, rel=1e-3)
    assert rates[-1] < 1e-3
    assert all(np.diff(rates[rates.index(max(rates)) :]) < 0)


@pytest.mark.filterwarnings("ignore:after .* the model has learned nothing")  # its learning rate is what is watched
@pytest.mark.parametrize("factor", [0.5, 4.0])
def test_a_budget_is_kept_when_the_machine_changes(clock, tmp_path, factor):
    run = prepare(clock, budget="5m", learning_rate=1.0)
    steps = []

    def change():
        steps.append(0)
        if len(steps) == 60:
            clock.step *= factor
            clock.validation *= factor

    rates = train_by(clock, run, tmp_path, change)
    assert 300 - 3 * factor <= clock.now - 100 <= 300 + 10 * factor
    assert rates[-1] < 1e-2
    assert (len(run.history) > 20) == (factor < 1)


def test_too_short_a_budget_is_refused(clock):
    with pytest.raises(
        ConfigError, match=r"budget=20s: too short, one epoch takes about 15\.0 s including validation;"
    ):
        prepare(clock, budget="20s")
    assert prepare(clock, budget="24s").epochs == 1


def test_measuring_changes_nothing(clock):
    planned, plain = prepare(clock, budget="5m"), prepare(clock, epochs=3)
    assert planned.position.steps == planned.learner.optimizer.steps == 0
    np.testing.assert_array_equal(planned.learner.values, plain.learner.values)
    assert planned.rng.bit_generator.state == plain.rng.bit_generator.state
    assert plain.budget is None
    assert plain.progress() == 0


def test_a_budget_goes_with_the_rest(clock, tmp_path):
    run = prepare(clock, budget="1m", ema=0.9, weight_decay=0.1, schedule="plateau", warmup=0.5, bucketing=True)
    rates = train_by(clock, run, tmp_path)
    assert rates[0] < rates[5] < max(rates) == rates[-1]
    assert 59 <= clock.now - 100 <= 61

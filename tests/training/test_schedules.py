"""The learning rates, each beside PyTorch's."""

import numpy as np
import pytest

from doldari.config import TrainingConfig
from doldari.training.schedules import PLATEAU, constant, cosine, halvings, make_schedule, one_cycle

STEPS = 200


def ours(schedule):
    return [schedule(step / STEPS) for step in range(STEPS)]


def theirs(make, scores=None):
    """Follow a PyTorch scheduler over all steps, from the peak 1."""
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler, rates = make(torch.optim.lr_scheduler, optimizer), []
    for step in range(STEPS):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step(*([] if scores is None else [scores[step]]))
    return rates


def test_one_cycle_equals_pytorchs():
    def make(schedulers, optimizer):  # its phases end at pct_start * total_steps - 1 and at total_steps - 1
        return schedulers.OneCycleLR(
            optimizer, 1.0, total_steps=STEPS + 1, pct_start=41 / 201, div_factor=25, final_div_factor=400
        )

    np.testing.assert_allclose(ours(one_cycle(1.0, warmup=0.2)), theirs(make), rtol=1e-9)


def test_cosine_equals_pytorchs():
    def make(schedulers, optimizer):
        rise = schedulers.LinearLR(optimizer, start_factor=1 / 25, total_iters=20)
        fall = schedulers.CosineAnnealingLR(optimizer, T_max=180, eta_min=1e-4)
        return schedulers.SequentialLR(optimizer, [rise, fall], milestones=[20])

    np.testing.assert_allclose(ours(cosine(1.0, warmup=0.1)), theirs(make), rtol=1e-9)


def test_constant_with_and_without_warmup():
    assert set(ours(constant(0.3))) == {0.3}
    rates = ours(constant(1.0, warmup=0.1))
    np.testing.assert_allclose(rates, theirs(lambda schedulers, sgd: schedulers.LinearLR(sgd, 1 / 25, 1.0, 20)))


@pytest.mark.parametrize("seed", range(5))
def test_plateau_equals_pytorchs(seed):
    scores = np.random.default_rng(seed).integers(0, 100, STEPS).cumsum() % 251

    def make(schedulers, optimizer):
        return schedulers.ReduceLROnPlateau(optimizer, "max", factor=0.5, patience=PLATEAU - 1, threshold=0, eps=0)

    settings = TrainingConfig(schedule="plateau", learning_rate=1.0)
    rates = [make_schedule(settings, [(score,) for score in scores[:n]])(0.5) for n in range(STEPS)]
    assert len(set(rates)) > 3
    assert rates == theirs(make, scores)


def test_plateau_counts_from_the_last_halving():
    assert [halvings([(score,) for score in scores]) for scores in ([], [1], [1, 0, 0], [1, 0, 0, 1], [1] * 7)] == [
        0,
        0,
        0,
        1,
        2,
    ]
    assert halvings([(1,), (0,), (0,), (2,), (2,), (2,)]) == 0


@pytest.mark.parametrize("schedule, start", [("one-cycle", 0.04), ("cosine", 0.04), ("plateau", 1), ("constant", 1)])
def test_warmup_is_that_of_the_schedule_unless_given(schedule, start):
    settings = TrainingConfig(schedule=schedule, learning_rate=1.0)
    assert make_schedule(settings, [])(0.0) == pytest.approx(start)
    rates = ours(make_schedule(TrainingConfig(schedule=schedule, learning_rate=1.0, warmup=0.5), []))
    assert np.argmax(rates) == STEPS // 2
    assert rates[0] == pytest.approx(0.04)
    assert ours(make_schedule(TrainingConfig(schedule=schedule, learning_rate=1.0, warmup=0), []))[0] == 1.0

"""The moving average of the weights, and that it is what is validated and kept."""

import numpy as np
import pytest
from runs import train

from doldari import load
from doldari.config import Config
from doldari.data.addition import addition_pairs
from doldari.data.pairs import split_pairs
from doldari.engines.averaging import MovingAverage
from doldari.training.run import Run


def test_average_equals_pytorchs():
    torch = pytest.importorskip("torch")
    from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

    layer, rng, decay = torch.nn.Linear(3, 1, bias=False, dtype=torch.float64), np.random.default_rng(0), 0.05
    theirs = AveragedModel(layer, multi_avg_fn=get_ema_multi_avg_fn(decay))
    theirs.update_parameters(layer)  # the first of theirs is a copy
    ours = MovingAverage(layer.weight.detach().numpy().ravel(), decay)
    for _ in range(10):
        values = rng.standard_normal(3)
        layer.weight.data[0] = torch.from_numpy(values)
        theirs.update_parameters(layer)
        ours.update(values)
        np.testing.assert_allclose(ours.average, theirs.module.weight.detach().numpy()[0], rtol=1e-12)


def test_the_start_is_forgotten_soon():
    """With decays 1/10, 2/11, 3/12 and then 0.25 for good."""
    average = MovingAverage(np.array([1.0]), 0.25)
    weights_of_the_start = []
    for _ in range(5):
        average.update(np.array([0.0]))
        weights_of_the_start.append(average.average.item())
    np.testing.assert_allclose(weights_of_the_start, np.cumprod([1 / 10, 2 / 11, 3 / 12, 0.25, 0.25]))


def test_it_stands_in_the_place_of_the_values_for_a_while():
    values = np.array([1.0, 2.0])
    average = MovingAverage(values, 0.9)
    values += 3.0
    with pytest.raises(RuntimeError), average.in_place_of(values):
        assert values.tolist() == [1.0, 2.0]
        raise RuntimeError
    assert values.tolist() == [4.0, 5.0]


def test_the_average_is_validated_and_kept_and_training_goes_on_without_it(tmp_path):
    config = Config().replace(hidden_size=16, epochs=2, batch_size=16, learning_rate=0.02)
    plain, averaged = (
        Run.prepare(config.replace(ema=ema), *split_pairs(addition_pairs(200, 2))) for ema in (0.0, 0.9)
    )
    by_hand, last = MovingAverage(averaged.learner.model.parameters.values, 0.9), []

    def after_step(loss):
        by_hand.update(averaged.learner.model.parameters.values)
        return False

    def after_epoch(epoch, evaluation):
        last.append(by_hand.average.copy())

    train(averaged, tmp_path / "averaged", after_step, after_epoch)
    train(plain, tmp_path / "plain")
    assert [epoch.loss for epoch in plain.history] == [epoch.loss for epoch in averaged.history]
    assert plain.history[0].validation_loss != averaged.history[0].validation_loss
    for model in (averaged.predictor, load(tmp_path / "averaged")):
        np.testing.assert_array_equal(
            model.text_model.model.parameters.values, last[averaged.best.epoch - 1], strict=True
        )

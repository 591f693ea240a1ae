"""Charts in pages: their numbers are where they should be."""

import math
import re

import pytest

from doldari.report.alignment import Share
from doldari.report.charts import curves_chart, epoch_ticks, logarithmic_ticks, steps, wilson


@pytest.mark.parametrize(
    "share, low, high",
    [(Share(0, 10), 0.0, 0.2775), (Share(10, 10), 0.7225, 1.0), (Share(81, 263), 0.2553, 0.3662)],
)
def test_wilsons_interval(share, low, high):
    """The third as in Newcombe (1998), table I."""
    assert wilson(share) == pytest.approx((low, high), abs=5e-5)


def circles(chart):
    return [(float(x), float(y)) for x, y in re.findall(r'cx="([\d.]+)" cy="([\d.]+)"', chart)]


def test_accuracies_lie_between_none_and_all():
    """A half is halfway up between the axis' ends, 190 and 12; three epochs are spread over its width, 52 to 348."""
    chart = curves_chart({"validation": [0.0, 0.5, 1.0]}, "accuracy", lambda value: f"{value:.0%}", top=1.0, best=2)
    assert circles(chart) == [(52.0, 190.0), (200.0, 101.0), (348.0, 12.0)]
    assert "<title>validation, epoch 2: 50%</title>" in chart
    assert '<line class="best" x1="200.0" x2="200.0"' in chart
    assert "Dotted: the best epoch, 2." in chart
    assert ">epoch</text>" in chart
    assert ">accuracy</text>" in chart


def test_numbers_that_are_none_are_gaps():
    chart = curves_chart({"a<b": [1.0, math.nan, 2.0, 2.0]}, "loss", str)
    assert len(circles(chart)) == 3
    assert re.search(r'd="M249.3 [\d.]+L348.0 [\d.]+"', chart)
    assert "a&lt;b, epoch 1" in chart
    assert curves_chart({"a": [math.nan]}, "loss", str) == "<p>No epoch was finished.</p>"


def test_losses_that_fall_far_are_on_a_logarithmic_axis():
    chart = curves_chart({"": [10.0, 1.0, 0.1]}, "loss", lambda value: f"{value:g}")
    assert circles(chart) == [(52.0, 12.0), (200.0, 101.0), (348.0, 190.0)]
    assert circles(curves_chart({"": [3.0]}, "loss", str)) == [(200.0, 12.0)]


@pytest.mark.parametrize(
    "values, ticks", [([2.9], [0, 1, 2, 3]), ([0.9, 0.3], [0, 0.2, 0.4, 0.6, 0.8, 1.0]), ([0.0], [0.0, 2e-13])]
)
def test_round_numbers(values, ticks):
    assert steps(values)[: len(ticks)] == pytest.approx(ticks)


def test_round_numbers_on_a_logarithmic_axis():
    assert logarithmic_ticks([0.03, 0.9]) == [0.02, 0.05, 0.1, 0.2, 0.5, 1.0]
    many = logarithmic_ticks([1e-4, 7.0])
    assert (many[0], many[-1]) == (1e-4, 10.0)
    assert len(many) <= 8


@pytest.mark.parametrize(
    "epochs, ticks", [(1, [1]), (5, [1, 2, 3, 4, 5]), (12, [1, 2, 4, 6, 8, 10, 12]), (100, [1, 20, 40, 60, 80, 100])]
)
def test_epochs_that_are_named(epochs, ticks):
    assert epoch_ticks(epochs) == ticks

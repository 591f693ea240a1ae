"""Per cent that is never rounded to a lie."""

import numpy as np
import pytest

from doldari.percent import percent


@pytest.mark.parametrize(
    "share, text",
    [
        (0, "0.00%"),
        (0.0, "0.00%"),
        (-0.0, "0.00%"),
        (1, "100.00%"),
        (1.0, "100.00%"),
        (0.9992, "99.92%"),
        (0.99994, "99.99%"),
        (0.99996, "99.996%"),
        (0.999999, "99.9999%"),
        (1 / 60_000, "0.002%"),
        (0.00004, "0.004%"),
        (0.5, "50.00%"),
        (1.25, "125.00%"),
        (1.00001, "100.001%"),
        (float("nan"), "n/a"),
        (float("inf"), "n/a"),
    ],
)
def test_only_all_is_100_and_only_none_is_0(share, text):
    assert percent(share) == text
    assert percent(np.float64(share)) == percent(share)


@pytest.mark.parametrize(
    "share, decimals, text",
    [(0.9996, 1, "99.96%"), (0.996, 0, "99.6%"), (1, 0, "100%"), (0.9994, 1, "99.9%"), (0.2, 1, "20.0%")],
)
def test_fewer_decimals(share, decimals, text):
    assert percent(share, decimals) == text


@pytest.mark.parametrize("share", [1 - 2**-53, 1 + 2**-52, 5e-324])
def test_the_nearest_numbers_beside(share):
    assert float(percent(share).rstrip("%")) not in (0, 100)

from collections import Counter
from itertools import islice

import pytest

from doldari.data.drawing import draw_from, scatter


@pytest.mark.parametrize("rows, columns", [(1, 1), (1, 7), (10, 90), (90, 10), (26, 676)])
def test_every_place_comes_once(rows, columns):
    places = [scatter(index, rows, columns, "key") for index in range(rows * columns)]
    assert sorted(places) == [(row, column) for row in range(rows) for column in range(columns)]


def test_the_order_looks_random():
    """The first tenth lies as evenly over rows, columns and diagonals as chance has it: chi-square of 99 degrees."""
    places = [scatter(index, 1000, 1000, "key") for index in range(100_000)]
    for part in (lambda a, b: a // 10, lambda a, b: b // 10, lambda a, b: (a + b) % 100, lambda a, b: a % 100):
        counts = Counter(part(*place) for place in places)
        assert 50 < sum((counts[n] - 1000) ** 2 / 1000 for n in range(100)) < 170
    assert places[:1000] != [scatter(index, 1000, 1000, "other") for index in range(1000)]


def test_boxes_come_by_their_shares_and_begin_again():
    boxes, shares = [(2, 3), (100, 100), (100, 200)], [1.0, 1.0, 2.0]
    drawn = list(islice(draw_from(boxes, shares, seed=0), 9000))
    assert len(set(drawn)) == 9000
    counts = Counter(place.box for place in drawn)
    assert counts[0] / counts[1] == pytest.approx(1, rel=0.1)
    assert counts[2] / counts[1] == pytest.approx(2, rel=0.1)
    small = [(place.row, place.column) for place in drawn if place.box == 0]
    assert len(set(small[:6])) == 6
    assert small == (small[:6] * len(small))[: len(small)]
    assert [place.turn for place in drawn if place.box == 0][:13] == [0] * 6 + [1] * 6 + [2]
    assert list(islice(draw_from(boxes, shares, seed=1), 50)) != drawn[:50]

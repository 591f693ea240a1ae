"""The accuracy plot."""

import pytest

from doldari.report.curves import accuracy_figure, spread


@pytest.mark.parametrize(
    "values, placed",
    [
        ([], []),
        ([0.5], [0.5]),
        ([0.02, 0.0, 0.5], [0.1, 0.0, 0.5]),
        ([1.0, 1.0, 0.95], [0.9, 1.0, 0.8]),
        ([0.3, 0.3, 0.3], [0.3, 0.4, 0.5]),
    ],
)
def test_labels_are_moved_apart(values, placed):
    assert spread(values, 0.1) == pytest.approx(placed)


def test_each_curve_has_its_last_accuracy_beside_it():
    figure = accuracy_figure({"plain": [0.1, 0.2], "peeky": [0.5, 0.21], "none": []}, "x")
    texts = figure.axes[0].texts
    assert [text.get_text() for text in texts] == ["20.0%", "21.0%"]
    assert texts[0].xy == (2, 0.2)
    assert texts[1].xy == (2, pytest.approx(0.245))
    assert texts[0].get_color() != texts[1].get_color()

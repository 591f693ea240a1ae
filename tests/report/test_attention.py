"""The attention picture."""

import numpy as np
import pytest

from doldari.inference.predictor import Attention
from doldari.report.attention import attention_figure


def figure_of(source, answer, title="$a$ → b"):
    weights = np.full((len(answer), len(source)), 1 / max(1, len(source)), np.float32)
    return attention_figure(Attention(source, answer, weights, "".join(answer)), title)


def test_everything_is_named():
    figure = figure_of(["$x$", " "], ["b", "⏎"])
    axes, bar = figure.axes
    assert (axes.get_xlabel(), axes.get_ylabel(), bar.get_ylabel()) == ("source", "answer", "attention weight")
    assert figure.get_suptitle() == "$a$ → b"
    assert [label.get_text() for label in axes.get_xticklabels()] == ["$x$", "␣"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["b", "⏎"]


def test_features_stand_beside_their_source_in_the_title():
    assert figure_of(["a"], ["b"], "a\tV;PST → b").get_suptitle() == "a  V;PST → b"


@pytest.mark.parametrize("S, T", [(1, 1), (2, 5), (60, 17), (900, 200)])
def test_short_texts_are_large_enough_and_long_ones_not_too_large(S, T, tmp_path):
    figure = figure_of(["a"] * S, ["b"] * T)
    width, height = figure.get_size_inches()
    assert 3.5 <= width <= 51
    assert 2.6 <= height <= 51
    if max(S, T) < 10:
        figure.savefig(tmp_path / "x.png")
        assert figure.axes[0].get_window_extent().width >= 0.5 * figure.dpi * S


@pytest.mark.parametrize("symbol, rotation", [("a", 0), ("internationalization", 90)])
def test_long_source_symbols_stand_upright(symbol, rotation):
    labels = figure_of([symbol] * 3, ["b"]).axes[0].get_xticklabels()
    assert {label.get_rotation() for label in labels} == {rotation}

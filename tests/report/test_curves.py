"""How trainings went, drawn."""

import math

import pytest

from doldari.report.curves import accuracy_figure, run_figure, spread


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
    assert [text.get_text() for text in texts] == ["plain 20.0%", "peeky 21.0%"]
    assert texts[0].xy == (2, 0.2)
    assert texts[1].xy == (2, pytest.approx(0.245))
    assert texts[0].get_color() != texts[1].get_color()


def texts_of(axes):
    return [text.get_text() for text in axes.texts]


def test_a_run_has_accuracy_above_and_losses_below():
    figure = run_figure([0.5, 0.9996, 0.98], [2.0, 1.0, 0.1], [2.1, 1.2, 1.3], "x", best=2)
    above, below = figure.axes
    assert texts_of(above) == ["98.0%", "best: epoch 2, 99.96%"]
    assert texts_of(below) == ["training 0.1", "validation 1.3"]
    assert (above.get_ylabel(), above.get_ylim()) == ("validation accuracy", (0, 1))
    assert (below.get_ylabel(), below.get_xlabel()) == ("loss (nats per symbol), log scale", "epoch")
    assert above.get_xlim() == below.get_xlim()
    curves = [[list(line.get_data()[1]) for line in axes.lines] for axes in (above, below)]
    assert curves[0][0] == [0.5, 0.9996, 0.98]
    assert curves[1][:2] == [[2.0, 1.0, 0.1], [2.1, 1.2, 1.3]]
    assert curves[0][-1] == [0.9996]  # the rings
    assert curves[1][-1] == [1.2]


def test_losses_of_one_size_start_at_0():
    _, below = run_figure([0.0, 0.0], [2.0, 1.0], [2.0, 1.0], "x").axes
    assert below.get_ylabel() == "loss (nats per symbol)"
    assert below.get_ylim() == (0, 2.2)


@pytest.mark.parametrize(
    "losses, shown",
    [
        ([1.0, math.nan], "training 1, then no number"),
        ([math.nan, math.inf], "training no number"),
        ([0.0, 0.0], "training 0"),
        ([math.nan, 0.25], "training 0.25"),
    ],
)
def test_losses_that_are_no_numbers(losses, shown, tmp_path):
    figure = run_figure([0.0, 0.0], losses, [math.nan, 1.0], "x", best=1)
    assert texts_of(figure.axes[1]) == [shown, "validation 1"]
    figure.savefig(tmp_path / "x.png")


@pytest.mark.parametrize("epochs", [0, 1, 2, 10, 100, 1_000])
def test_any_number_of_epochs(epochs, tmp_path):
    """Ticks are whole epochs; only few have a dot each."""
    figure = run_figure([0.5] * epochs, [1.0] * epochs, [1.0] * epochs, "x", best=epochs)
    figure.savefig(tmp_path / "x.png")
    below = figure.axes[1]
    left, right = below.get_xlim()
    assert all(tick == int(tick) for tick in below.get_xticks() if left <= tick <= right)
    if epochs:
        assert (below.lines[0].get_marker() == "o") == (epochs <= 60)

"""How long a training is that nobody gave a length."""

import pytest

from doldari.config import Config
from doldari.data.pairs import Pair
from doldari.data.ragged import Ragged
from doldari.training.run import Run


@pytest.mark.parametrize("count, epochs", [(40, 100), (6_400, 30), (640_000, 5)])
def test_about_three_thousand_steps(count, epochs):
    run = Run.prepare(Config().replace(hidden_size=2), [Pair("a", "b")] * 2, [Pair("a", "b")])
    run.x = Ragged.of([[3]] * count, 4)
    assert run.epochs == epochs

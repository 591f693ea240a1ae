"""The built-in tasks behind one door, and which pairs training does not see."""

import pytest

from doldari import ConfigError
from doldari.data import load_pairs, task_pairs
from doldari.data.formats import Reading


@pytest.mark.parametrize("task", ["addition", "copy", "dates", "reverse", "chapter"])
def test_a_task_is_evaluated_on_pairs_that_no_training_has_seen(task):
    seen, unseen = load_pairs(task, Reading(count=600)), load_pairs(task, Reading(count=600), unseen=True)
    assert (len(seen), len(unseen)) == (600, 60)
    assert not {pair.source for pair in seen} & {pair.source for pair in unseen}
    assert len(set(unseen)) == 60
    assert [*seen] == list(task_pairs(task, 660))[:600]
    assert [*unseen] == list(task_pairs(task, 600, unseen=True))


def test_of_few_pairs_some_are_left_to_evaluate_with():
    assert list(task_pairs("addition", 5, 1, unseen=True)) == list(task_pairs("addition", 6, 1))[5:]
    assert len(list(task_pairs("addition", 55, 1, unseen=True))) == 5
    with pytest.raises(ConfigError, match="count=55: leaves too few other pairs of chapter to evaluate with"):
        load_pairs("chapter", Reading(count=55, digits=1), unseen=True)
    with pytest.raises(ConfigError, match="count=56: must be from 1 to 55"):
        load_pairs("addition", Reading(count=56, digits=1), unseen=True)

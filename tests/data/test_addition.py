from collections import Counter

import numpy as np
import pytest

from doldari import ConfigError
from doldari.data.addition import addition_pairs, sums


def test_default_task():
    pairs = addition_pairs()
    assert len(pairs) == 50_000
    assert all(sum(map(int, source.split("+"))) == int(target) for source, target in pairs)
    assert len({frozenset(source.split("+")) for source, _ in pairs}) == 50_000


def test_lengths_are_those_of_the_books_file():
    """Shares of one-, two- and three-digit numbers in the book's 50,000 questions: 9,734, 32,625 and 57,641."""
    counts = Counter(len(number) for source, _ in addition_pairs() for number in source.split("+"))
    shares = np.array([counts[length] for length in (1, 2, 3)]) / 100_000
    np.testing.assert_allclose(shares, [0.097, 0.326, 0.576], atol=0.005)


def test_all_there_are():
    pairs = addition_pairs(count=55, digits=1)
    assert {tuple(sorted(source.split("+"))) for source, _ in pairs} == {
        (str(a), str(b)) for a in range(10) for b in range(a, 10)
    }


def test_seeds_and_digits():
    assert addition_pairs(100, 5, seed=1) == addition_pairs(100, 5, seed=1)
    assert addition_pairs(100, 5, seed=1) != addition_pairs(100, 5, seed=2)
    assert max(len(source) for source, _ in addition_pairs(2000, 25)) == 51
    four = addition_pairs(3000, 4)
    assert len({frozenset(source.split("+")) for source, _ in four}) == 3000
    assert max(len(source) for source, _ in four) == 9


@pytest.mark.parametrize(
    "arguments, message",
    [((0, 3), "count=0"), ((56, 1), "from 1 to 55"), ((5, 0), "digits=0"), ((50_005_001, 4), "count=")],
)
def test_out_of_range(arguments, message):
    with pytest.raises(ConfigError, match=message):
        addition_pairs(*arguments)


def test_many_of_all_questions_come_quickly():
    pairs = addition_pairs(count=500_500, digits=3)
    assert len({frozenset(source.split("+")) for source, _ in pairs}) == 500_500


def test_short_sums_are_all_among_the_default_ones():
    """A newcomer's first questions come, and again; those of long numbers, from which most is learnt, only once."""
    pairs = list(sums(200_000))
    assert all(sum(map(int, source.split("+"))) == int(target) for source, target in pairs)

    def counted(pairs):
        return Counter("+".join(str(len(number)) for number in source.split("+")) for source, _ in pairs)

    all_of_them, different = counted(pairs), counted(set(pairs))
    assert [different[length] for length in ("1+1", "1+2", "2+1")] == [100, 900, 900]
    assert [all_of_them[length] for length in ("1+1", "2+1", "3+3")] == pytest.approx([1183, 3550, 95_858], rel=0.05)
    assert different["3+3"] == all_of_them["3+3"]


def test_each_length_is_three_times_as_frequent_as_the_last():
    counts = Counter(len(number) for source, _ in sums(20_000, 20) for number in source.split("+"))
    for length in range(16, 20):
        assert counts[length + 1] / counts[length] == pytest.approx(3, rel=0.1)


def test_sums_with_little_or_much_to_draw_from():
    assert len(set(sums(55, 1))) == 55
    assert max(len(source) for source, _ in sums(100, 600)) == 1201
    assert list(sums(100, 5, seed=1)) == list(sums(100, 5, seed=1))
    assert list(sums(100, 5, seed=1)) != list(sums(100, 5, seed=2))
    assert list(sums(100, 5)) == list(sums(200, 5))[:100]
    for count, digits, message in ((56, 1, "from 1 to 55"), (0, 3, "count=0"), (5, 0, "digits=0")):
        with pytest.raises(ConfigError, match=message):
            sums(count, digits)


def test_sums_after_others_are_not_among_them():
    before, after = list(sums(3000, 2)), list(sums(300, 2, after=3000))
    assert len(set(after)) == 300
    assert not set(before) & set(after)
    assert len(set(before)) < 3000

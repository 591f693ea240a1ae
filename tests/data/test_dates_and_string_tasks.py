import datetime
import sys

import pytest

from doldari import ConfigError, MissingPackageError
from doldari.data import load_pairs
from doldari.data.dates import date_pairs
from doldari.data.string_tasks import copy_pairs, reverse_pairs


def test_dates():
    pairs = date_pairs(2000)
    assert len({pair.source for pair in pairs}) == 2000
    for _, target in pairs:
        assert 1970 <= datetime.date.fromisoformat(target).year < 2070
    sources = [pair.source for pair in pairs]
    for part in ("september", "September", "SEPTEMBER", "septembre", "9월", "9月", "'9", "년"):
        assert any(part in source for source in sources), part
    assert date_pairs(50, seed=1) == date_pairs(50, seed=1) != date_pairs(50, seed=2)


def test_a_written_date_means_one_day():
    """However it is drawn, a source never has two targets."""
    meaning = {}
    for seed in range(5):
        for source, target in date_pairs(4000, seed):
            assert meaning.setdefault(source, target) == target


def test_dates_without_babel(monkeypatch):
    monkeypatch.setitem(sys.modules, "babel.dates", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'doldari\[dates\]'"):
        load_pairs("dates")


def test_copy_and_reverse():
    rows = copy_pairs(3000)
    assert all(source == target for source, target in rows)
    assert len(set(rows)) == 3000
    assert {len(source) for source, _ in rows} == set(range(4, 13))
    assert reverse_pairs(3000) == [(source, target[::-1]) for source, target in rows]


@pytest.mark.parametrize("make", [date_pairs, copy_pairs])
def test_counts_out_of_range(make):
    for count in (0, 10**9):
        with pytest.raises(ConfigError, match=f"count={count}: must be from 1 to"):
            make(count)

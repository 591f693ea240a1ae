import pytest

from doldari.data.formats import read_pairs
from doldari.data.pairs import Pair, Pairs
from doldari.data.statistics import column_warnings, statistics


@pytest.fixture
def read(tmp_path):
    def read(lines):
        path = tmp_path / "pairs.tsv"
        path.write_text("".join(f"{line}\n" for line in lines))
        return read_pairs(path)

    return read


def test_what_is_counted():
    found = statistics(
        [
            Pair("ab", "x y"),
            Pair("ab", "x y"),
            Pair("ab", "x  z "),
            Pair("c\u00a0d", "x y"),
            Pair("m\u00e1s", "\u200bq"),
            Pair("ma\u0301s", "\u200bq"),
        ]
    )
    assert (found.pairs, found.duplicates) == (6, 2)
    source, target = found.source, found.target
    assert (source.different, source.several) == (3, 1)
    assert (target.different, target.several) == (3, 1)
    assert source.lengths == (2, pytest.approx(16 / 6), 4)
    assert target.words == (1, pytest.approx(10 / 6), 2)
    assert (source.symbols["a"], source.symbols["\u00e1"], target.symbols[" "]) == (4, 1, 6)
    assert (source.odd, target.odd) == ({"\u00a0": 3}, {"\u200b": 4})
    assert (source.blank_ends, target.blank_ends) == ((0, 0), (1, 2))
    assert (source.decomposed, target.decomposed) == (1, 0)


def test_features_are_no_text():
    found = statistics([Pair("walk\tV;PST", "walked"), Pair("walk\tV", "walk")])
    assert (found.source.different, found.source.several) == (2, 0)
    assert found.source.lengths == (4, 4.0, 4)
    assert found.source.odd == {}


ORDINARY = [f"{number}\t{number % 7}{number % 3}" for number in range(100)]


def test_nothing_is_said_of_ordinary_columns(read):
    assert list(column_warnings(read(ORDINARY))) == []
    assert list(column_warnings(read(["source\ttarget", "a\tb"]))) == []
    assert list(column_warnings(Pairs.of([("source", "target")] * 50))) == []


@pytest.mark.parametrize("header", ["Source\tTarget", "word\tipa", "abc\t0", "1\tresult"])
def test_a_header_is_pointed_out(read, header):
    (warning,) = column_warnings(read([header, *ORDINARY]))
    source, target = header.split("\t")
    assert f"pairs.tsv:1: probably a header, '{source}', '{target}'" in warning


def test_swapped_columns_are_pointed_out(read):
    sums = [f"{a}+{b}\t{a + b}" for a in range(20) for b in range(20)]
    assert list(column_warnings(read(sums))) == []
    (warning,) = column_warnings(read(["\t".join(line.split("\t")[::-1]) for line in sums]))
    assert "pairs.tsv: 95% of the sources have several targets, but 0% of the targets several sources" in warning

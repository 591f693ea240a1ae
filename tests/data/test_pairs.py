import unicodedata

import pytest

from doldari import DataError
from doldari.data import load_pairs
from doldari.data.formats import Columns, chapter_lines, read_pairs
from doldari.data.leaks import find_leaks, known_lemmas
from doldari.data.pairs import Pair, Pairs, split_pairs


@pytest.fixture
def write(tmp_path):
    def write(content):
        path = tmp_path / "pairs.tsv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def test_two_columns(write):
    path = write("\ufeff가게\tk a̠ː ɡ e̞\r\n\nsnake_case\tb c\n a \td")
    assert read_pairs(path) == [Pair("가게", "k a̠ː ɡ e̞"), Pair("snake_case", "b c"), Pair(" a ", "d")]


def test_chapter_lines(write):
    path = write("16+75  _91  \nseptember 27, 1994    _1994-09-27\n")
    assert read_pairs(path, format="chapter") == [Pair("16+75", "91"), Pair("september 27, 1994", "1994-09-27")]


@pytest.mark.parametrize(
    "content, message",
    [
        ("a\tb\n\nno tab\nc\td\nnone here\n", r"pairs.tsv:3: no tab \(and 1 more line\)"),
        ("a\tb\n\tc\n", "pairs.tsv:2: the source is empty"),
        ("a\tb\n\t\n", "pairs.tsv:2: the source is empty"),
        ("a\tb\nc\t \n", "pairs.tsv:2: the target is empty"),
        ("a\tb\tc\n", "pairs.tsv:1: 3 columns, expected 2; choose the columns: --source-column 1"),
        (
            "a\tb\tc;d\te\n",
            "pairs.tsv:1: 4 columns, expected 2; choose the columns: --source-column 1 --target-column 2, or",
        ),
        ("a\tb\tV;PST\n", "pairs.tsv:1: 3 columns, expected 2; if 'V;PST' are features: --features-column 3;"),
        (
            "a\tV;PST\tb\n",
            "pairs.tsv:1: 3 columns, expected 2; if 'V;PST' are features: --target-column 3 --features-column 2;",
        ),
        ("1+1_2\n1+2\n", "pairs.tsv:1: no tab, and not the chapter's file: line 2 is not as long"),
        ("just words\n", "pairs.tsv:1: no tab"),
        ("", "the file is empty"),
        ("\n \n", "the file is empty"),
        (b"a\tb\nc\t\xff\n", r"pairs.tsv:2: not UTF-8 \(byte 0xff at 3\)"),
    ],
)
def test_bad_files(write, content, message):
    with pytest.raises(DataError, match=message):
        read_pairs(write(content))


def test_columns_by_number(write):
    path = write("walk\twalked\tV;PST\t1\n\nvɑ k\tx\tV;PST\tmore\tand more\n")
    assert read_pairs(path, Columns(features=3)) == [Pair("walk\tV;PST", "walked"), Pair("vɑ k\tV;PST", "x")]
    assert read_pairs(path, Columns(2, 1))[0] == Pair("walked", "walk")
    assert read_pairs(write("a_b\tc_d\n"), Columns()) == [Pair("a_b", "c_d")]


@pytest.mark.parametrize(
    "content, columns, message",
    [
        ("a\tb\tV\na\tb\n\nc\td\n", Columns(1, 2, 3), r"2: no column 3 for the features; there are 2 \(and 1 more"),
        ("a\tb\n", Columns(1, 3), "1: no column 3 for the target; there are 2$"),
        ("a_b\n", Columns(1, 2), "1: no column 2 for the target; there are 1$"),
        ("a\tb\t \n", Columns(1, 2, 3), "1: the features are empty$"),
        ("a\tb\t;\n", Columns(1, 2, 3), "1: the features are empty$"),
        (" \tb\tV\n", Columns(1, 2, 3), "1: the source is empty$"),
    ],
)
def test_bad_columns(write, content, columns, message):
    with pytest.raises(DataError, match=f"pairs.tsv:{message}"):
        read_pairs(write(content), columns)


def test_where_a_pair_stands(write):
    path = write("a\tb\n\n \nc\td\n")
    pairs = load_pairs(str(path))
    assert [pairs.place(index) for index in (0, 1)] == [f"{path}:1", f"{path}:4"]
    assert pairs[::-1].place(0) == f"{path}:4"
    assert load_pairs("copy").place(7) == "copy"


def test_directory_and_missing(tmp_path):
    with pytest.raises(DataError, match="is a directory"):
        read_pairs(tmp_path)
    with pytest.raises(DataError, match=r"no such file or built-in task .*tasks: addition.*mean addition"):
        load_pairs("adition")


def test_split():
    pairs = [Pair(str(n), str(n)) for n in range(25)]
    training, held_out = split_pairs(pairs)
    assert (len(training), len(held_out)) == (23, 2)
    assert sorted(training + held_out) == sorted(pairs)
    assert split_pairs(pairs) == (training, held_out)
    assert list(map(len, split_pairs(pairs[:2]))) == [1, 1]
    with pytest.raises(DataError, match="only one source"):
        split_pairs(pairs[:1] * 3)


def test_no_source_is_on_both_sides():
    pairs = [Pair(str(n % 20), str(n)) for n in range(100)]
    training, held_out = split_pairs(pairs)
    assert len(held_out) == 10
    assert not {pair.source for pair in training} & {pair.source for pair in held_out}
    assert sorted(training + held_out) == sorted(pairs)


def test_canonically_equal_sources_are_on_one_side():
    syllables = [chr(ord("가") + 588 * n) for n in range(19)]
    written = syllables + [unicodedata.normalize("NFD", syllable) for syllable in syllables]
    leaks = find_leaks(*split_pairs([Pair(source, "x") for source in written]))
    assert (leaks.pairs, leaks.sources) == ([], [])


def test_chapter_lines_there_and_back(write):
    pairs = [Pair("16+75", "91"), Pair("628+521", "1149")]
    lines = list(chapter_lines(lambda: pairs))
    assert lines == ["16+75  _91  ", "628+521_1149"]
    assert read_pairs(write("\n".join(lines))) == pairs


def test_the_split_is_what_it_always_was():
    pairs = [Pair(str(n % 50), str(n)) for n in range(70)]
    training, held_out = split_pairs(pairs)
    assert [int(pair.target) for pair in held_out] == [49, 27, 39, 43, 46]
    assert [int(pair.target) for pair in training[:12]] == [62, 64, 19, 1, 59, 14, 53, 6, 8, 28, 54, 56]


def test_a_split_by_lemma_leaves_no_form_of_a_held_out_word_in_training():
    pairs = Pairs.of([(f"word{n % 30}\tV;{n // 30}", f"form{n}") for n in range(120)])
    training, held_out = split_pairs(pairs, by="lemma")
    lemmas = [{pair.source.partition("\t")[0] for pair in side} for side in (training, held_out)]
    assert (len(held_out), len(lemmas[1])) == (12, 3)
    assert not lemmas[0] & lemmas[1]
    assert sorted([*training, *held_out]) == sorted(pairs)
    assert known_lemmas(training, held_out) == []
    training, held_out = split_pairs(pairs)
    assert list(known_lemmas(training, held_out)) == list(held_out)

"""CSV, JSON lines, parallel files and the chapter's: what is read, and what is refused by line."""

import gzip
import json

import pytest

from doldari import ConfigError, DataError
from doldari.data import load_pairs
from doldari.data.formats import Columns, Reading, chapter_lines, read_pairs, read_parallel
from doldari.data.pairs import Pair


@pytest.fixture
def write(tmp_path):
    def write(content, name):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def test_csv(write):
    content = 'a,b\r\n"x, y","say ""hi"""\r\n\r\n  p  ,"q_\tr"\r\n'
    pairs = read_pairs(write(content, "some.csv"))
    assert pairs == [Pair("a", "b"), Pair("x, y", 'say "hi"'), Pair("  p  ", "q_\tr")]
    assert [pairs.line(index) for index in range(3)] == [1, 2, 4]
    assert read_pairs(write(content, "some.txt"), format="csv") == pairs
    assert read_pairs(write(gzip.compress(content.encode()), "some.CSV.gz")) == pairs


def test_columns_by_name(write):
    content = "id,word,phones,tags\n1,walk,w k,V\n2,go,g o,V;N\n"
    pairs = read_pairs(write(content, "some.csv"), Columns("word", "phones"))
    assert pairs == [Pair("walk", "w k"), Pair("go", "g o")]
    assert pairs.line(0) == 2
    with_features = read_pairs(write(content.replace(",", "\t"), "some.tsv"), Columns("word", 3, "tags"))
    assert with_features == [Pair("walk\tV", "w k"), Pair("go\tV;N", "g o")]
    assert (pairs.has_features, with_features.has_features) == (False, True)
    with pytest.raises(ConfigError, match=r"some.csv:1: no column 'wrod' for the source; the first row has 'id',"):
        read_pairs(write(content, "some.csv"), Columns("wrod", "phones"))


def test_json_lines(write):
    objects = [{"source": "a\tb", "target": "é", "n": 1}, {"target": "한", "source": "_"}]
    for ascii in (True, False):
        lines = [json.dumps(one, ensure_ascii=ascii) for one in objects]
        pairs = read_pairs(write(lines[0] + "\n\n" + lines[1], "some.jsonl"))
        assert pairs == [Pair("a\tb", "é"), Pair("_", "한")]
        assert pairs.line(1) == 3
        assert not pairs.has_features
    content = '{"en": "dog", "de": "Hund", "tags": "N"}\n'
    assert read_pairs(write(content, "x.ndjson"), Columns("en", "de", "tags")) == [Pair("dog\tN", "Hund")]
    assert read_pairs(write(content, "x.ndjson"), Columns("en", "de", "tags")).has_features
    content = '{"source": "dog", "de": "Hund", "features": "N"}\n'
    assert read_pairs(write(content, "x.ndjson"), Columns(1, "de", 3)) == [Pair("dog\tN", "Hund")]
    with pytest.raises(ConfigError, match="column 4: columns of JSON lines have names"):
        read_pairs(write(content, "x.jsonl"), Columns(1, 2, 4))


@pytest.mark.parametrize(
    "name, content, message",
    [
        ("x.csv", 'a,b\nc,"d\ne,f\n', "x.csv:2: not CSV: unexpected end of data"),
        ("x.csv", 'a,b\nc,d"e"f,\n"g"h,i\n', "x.csv:2: 3 columns, expected 2"),
        ("x.csv", 'a,b\n"c"d,e\n', "x.csv:2: not CSV: ',' expected after '\"'"),
        ("x.csv", 'a,"b\nc"\nd,e\n', "x.csv:1: a line break in the target; a text is one line"),
        ("x.csv", "a\tb\n", r"x.csv:1: no comma \(tabs\? --format tsv\)"),
        ("x.csv", "\ufeffa;b\r\n", r"x.csv:1: no comma \(semicolons\? save the file with commas or tabs\)"),
        ("x.csv", "a,\n", "x.csv:1: the target is empty"),
        ("x.tsv", "snake_case,b\n", r"x.tsv:1: no tab \(CSV\?"),
        ("x.tsv", "snake_case\n\n", "x.tsv:1: no tab, and not the chapter's file: it has one line"),
        ("x.txt", "a,b\nc_d,e\n", r"x.txt:1: no tab \(CSV\? --format csv\)"),
        ("x.txt", '{"source": "a_b", "target": "c"}\n', r"x.txt:1: no tab \(JSON lines\? --format jsonl\)"),
        ("x.jsonl", '{"source": "a"}\n', "x.jsonl:1: the field 'target' is not there, only 'source'"),
        ("x.jsonl", '{"source": "a", "target": 91}\n', "x.jsonl:1: the field 'target' is not a text"),
        ("x.jsonl", '{"source": "a", "target": "b"}\n[1]\n', "x.jsonl:2: not a JSON object"),
        ("x.jsonl", '{"source": "a", \n', "x.jsonl:1: not JSON: "),
        ("x.jsonl", "[" * 100_000 + "\n", "x.jsonl:1: not JSON: "),
        ("x.jsonl", '{"source": "\\ud800", "target": "b"}\n', "x.jsonl:1: half a character in it"),
        ("x.jsonl", '{"source": "a\\nb", "target": "b"}\n', "x.jsonl:1: a line break in the source"),
        ("x.jsonl", '{"source": " \\u3000", "target": "b"}\n', "x.jsonl:1: the source is empty"),
        ("x.jsonl", "\n", "x.jsonl: no pairs in it"),
    ],
)
def test_refused(write, name, content, message):
    with pytest.raises(DataError, match=message):
        read_pairs(write(content, name))


def test_features_and_tabs_do_not_mix(write):
    with pytest.raises(DataError, match=r"x.csv:1: a tab in the source or its features"):
        read_pairs(write("a\tb,c,N\n", "x.csv"), Columns(1, 2, 3))


@pytest.mark.parametrize("ending", ["\n", " \n"])
def test_the_chapters_file_is_recognised_only_where_exact(write, ending):
    exact = "16+75  _91  \n628+521_1149\n\n9+9    _18  \n"
    assert read_pairs(write(exact, "x.txt")) == [Pair("16+75", "91"), Pair("628+521", "1149"), Pair("9+9", "18")]
    dates = "september 27, 1994    _1994-09-27\n8/1/99                _1999-08-01\n"
    assert read_pairs(write(dates, "date.txt"))[1] == Pair("8/1/99", "1999-08-01")
    for other in ("16+75  _91  \n628+521_114\n", "16+75  _91  \n628+52_11149\n", "16+75  _91  \n628+521-1149\n"):
        with pytest.raises(DataError, match=r"x.txt:1: no tab, and not the chapter's file: line 2 is not as long"):
            read_pairs(write(other, "x.txt"))
    asked = read_pairs(write("1+1_2\n\n12+3 _15\n", "x.txt"), format="chapter")
    assert asked == [Pair("1+1", "2"), Pair("12+3", "15")]
    with pytest.raises(DataError, match=r"x.txt:2: no _ as in the chapter's file"):
        read_pairs(write("1+1_2\n12+3\n", "x.txt"), format="chapter")
    with pytest.raises(DataError, match=r"x.txt:1: no tab"):
        read_pairs(write(exact, "x.txt"), format="tsv")


def test_parallel_files(write):
    sources = write("ein Hund\n\nzwei\tHunde\r\n", "train.de")
    targets = write(gzip.compress(b"a dog\n\ntwo_dogs\n"), "train.en")
    pairs = read_parallel(sources, targets)
    assert pairs == [Pair("ein Hund", "a dog"), Pair("zwei\tHunde", "two_dogs")]
    assert pairs == load_pairs([str(sources), str(targets)])
    assert not pairs.has_features
    assert pairs.place(1) == f"{sources}:3"
    assert [origin.path for origin in pairs.origins] == [str(sources), str(targets)]


@pytest.mark.parametrize(
    "sources, targets, message",
    [
        ("a\nb\nc\n", "x\ny\n", "train.de has 3 lines and .*train.en 2: line by line"),
        ("a\n", "x\ny\nz", "train.de has 1 lines and .*train.en 3"),
        ("a\nb\n", "x\n \n", "train.en:2: the target is empty$"),
        ("a\n\n\n", "x\ny\nz\n", r"train.de:2: the source is empty \(and 1 more line\)"),
        ("", "", "train.de: no pairs in it"),
    ],
)
def test_parallel_files_that_do_not_fit(write, sources, targets, message):
    with pytest.raises(DataError, match=message):
        read_parallel(write(sources, "train.de"), write(targets, "train.en"))


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((["a", "b", "c"],), "3 files: give one file of pairs, or two parallel files"),
        ((["x.tsv", "x.tsv"], Reading(Columns(2, 1))), "parallel files have no columns or format"),
        (("x.tsv", Reading(format="tvs")), "format=tvs: must be one of tsv, csv, jsonl, chapter"),
        (("copy", Reading(format="tsv")), "copy: a built-in task; it has no format to choose"),
    ],
)
def test_choices_that_make_no_sense(write, monkeypatch, tmp_path, arguments, message):
    monkeypatch.chdir(tmp_path)
    write("a\tb\n", "x.tsv")
    with pytest.raises(ConfigError, match=message):
        load_pairs(*arguments)


def test_chapter_lines_hold_no_pairs_in_memory():
    made = []

    def make():
        for number in range(3):
            made.append(number)
            yield Pair("1" * (number + 1), "2")

    assert list(chapter_lines(make)) == ["1  _2", "11 _2", "111_2"]
    assert made == [0, 1, 2, 0, 1, 2]

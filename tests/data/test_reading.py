"""Files as people have them: compressed, joined, of another encoding, through a pipe; each read once."""

import bz2
import gzip
import hashlib
import io
import lzma
import os
import sys
import threading
from pathlib import Path

import pytest

from doldari import DataError, MissingPackageError
from doldari.data import load_pairs
from doldari.data.formats import read_pairs
from doldari.data.lines import LongLine, cut_lines, read_lines
from doldari.data.pairs import Pair, Pairs, split_pairs

CONTENT = "가게\tk a̠ː ɡ e̞\n\nmás\tm a s\n".encode()
PAIRS = [Pair("가게", "k a̠ː ɡ e̞"), Pair("más", "m a s")]


def zstd(content):
    return pytest.importorskip("backports.zstd").compress(content)


@pytest.fixture
def write(tmp_path):
    def write(content, name="pairs.tsv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress, zstd, bytes])
@pytest.mark.parametrize("name", ["pairs.tsv", "pairs.tsv.gz", "pairs.tsv.zst"])
def test_what_is_compressed_is_told_by_its_content(write, compress, name):
    content = compress(CONTENT)
    pairs = read_pairs(write(content, name))
    assert pairs == PAIRS
    assert [pairs.line(index) for index in (0, 1)] == [1, 3]
    (origin,) = pairs.origins
    assert (origin.bytes, origin.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert origin.name == origin.path


def test_a_gzip_of_several_members_is_one_text(write):
    assert read_pairs(write(gzip.compress(CONTENT) + gzip.compress(b"a\tb\n"))) == [*PAIRS, Pair("a", "b")]


@pytest.mark.parametrize("compress, name", [(gzip.compress, "gzip"), (bz2.compress, "bzip2"), (lzma.compress, "xz")])
def test_damaged_compression_is_named(write, compress, name):
    content = compress(CONTENT * 100)
    for damaged in (content[:-9], content[:20] + b"\xff\x01\xfe" + content[23:]):
        with pytest.raises(DataError, match=rf"pairs.tsv: {name} data, but damaged or cut short \("):
            read_pairs(write(damaged))


def test_damaged_zstd_is_named(write):
    with pytest.raises(DataError, match="zstd data, but damaged or cut short"):
        read_pairs(write(zstd(CONTENT * 100)[:-9]))


def test_zstd_needs_a_package(write, monkeypatch):
    content = zstd(CONTENT)
    monkeypatch.setitem(sys.modules, "backports.zstd", None)
    monkeypatch.delattr("backports.zstd", raising=False)
    if sys.version_info >= (3, 14):
        pytest.skip("zstd is part of Python")
    with pytest.raises(MissingPackageError, match=r"pip install 'doldari\[zstd\]'"):
        read_pairs(write(content))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
def test_a_byte_order_mark_says_the_encoding(write, encoding):
    mark = "" if encoding in ("utf-16", "utf-32", "utf-8-sig") else "\ufeff"
    assert read_pairs(write((mark + CONTENT.decode() * 9000).encode(encoding))) == PAIRS * 9000


def test_other_encodings_are_named(write):
    with pytest.raises(DataError, match=r"pairs.tsv: not UTF-8; it looks like UTF-16 without its mark"):
        read_pairs(write("a\tb\n".encode("utf-16-le")))
    with pytest.raises(DataError, match=r"pairs.tsv: begins as utf-16, but is not"):
        read_pairs(write("a\tb\n".encode("utf-16")[:-1]))
    with pytest.raises(DataError, match=r"pairs.tsv:2: not UTF-8 \(byte 0xe9 at 4\)"):
        read_pairs(write("a\tb\ncafé\tx\n".encode("latin-1")))


def test_joined_files_have_marks_at_the_start_of_lines(write):
    assert read_pairs(write("\ufeffa\tb\n\ufeffc\td\n")) == [Pair("a", "b"), Pair("c", "d")]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_ends_of_lines(write, end):
    pairs = read_pairs(write(end.join(["a\tb", "", "c\td", "e\tf" + end])))
    assert pairs == [Pair("a", "b"), Pair("c", "d"), Pair("e", "f")]
    assert [pairs.line(index) for index in range(3)] == [1, 3, 4]


def test_a_carriage_return_within_a_line_is_text(write):
    assert read_pairs(write("a\rb\tc\nd\te\n")) == [Pair("a\rb", "c"), Pair("d", "e")]


def test_a_pipe_is_read_once(write):
    """As in `doldari train <(cut -f1,2 pairs.tsv)`: it cannot be opened again for the number of a line."""
    reading, writing = os.pipe()
    content = b"".join(b"%d\tx\n" % number for number in range(100_000))

    def send():
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(content)

    thread = threading.Thread(target=send)
    thread.start()
    pairs = load_pairs(f"/dev/fd/{reading}")
    thread.join()
    os.close(reading)
    assert len(pairs) == 100_000
    assert pairs.place(41) == f"/dev/fd/{reading}:42"
    assert pairs.origins[0].sha256 == hashlib.sha256(content).hexdigest()
    assert pairs.origins[0].path is None


def test_standard_input(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(gzip.compress(CONTENT))))
    pairs = load_pairs("-")
    assert pairs == PAIRS
    assert pairs.place(1) == "standard input:3"
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(DataError, match="standard input is closed"):
        load_pairs("-")


def test_a_name_that_is_not_utf8(tmp_path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.tsv"))
    path.write_bytes(CONTENT)
    pairs = load_pairs(str(path))
    assert pairs.place(0) == f"{tmp_path}/caf\\xe9.tsv:1"
    pairs.origins[0].name.encode("utf-8")
    path.write_bytes(b"")
    with pytest.raises(DataError, match=r"caf\\xe9.tsv: no pairs in it"):
        load_pairs(str(path))


def test_lines_are_cut_in_linear_time_and_memory():
    blocks = [b"ab\ncd", b"", b"e\n\nf", b"g"]
    assert list(cut_lines(blocks, b"\n", 1000)) == [[b"ab"], [b"cde", b""], [b"fg"]]
    assert list(cut_lines([b"\n"], b"\n", 1000)) == [[b""]]
    assert list(cut_lines([], b"\n", 1000)) == []
    long = list(cut_lines([b"a\n", *[b"x" * 100] * 50, b"y\nb\n"], b"\n", 1000))
    assert long == [[b"a"], [b"x" * 1000, b"b"]]
    assert [type(line) for lines in long for line in lines] == [bytes, LongLine, bytes]


def test_a_line_that_is_too_long_is_named(write, monkeypatch):
    monkeypatch.setattr("doldari.data.lines.LONGEST", 1 << 20)
    with pytest.raises(DataError, match=r"pairs.tsv:2: the line is longer than 1 MiB"):
        read_pairs(write(b"a\tb\n" + "é".encode() * (1 << 19) + b"\tx\n"))


def test_lines_of_a_list(write):
    assert list(read_lines(write("a\n\n b \r\n"))) == [(1, "a"), (3, " b ")]


def test_pairs_are_a_sequence():
    pairs = Pairs.of(PAIRS * 3000, "some")
    assert len(pairs) == 6000
    assert (pairs[0], pairs[-1]) == (PAIRS[0], PAIRS[1])
    assert list(pairs) == PAIRS * 3000
    assert pairs[1:4] == [PAIRS[1], PAIRS[0], PAIRS[1]]
    assert pairs[::2][1:] == [PAIRS[0]] * 2999
    with pytest.raises(IndexError):
        pairs[6000]
    assert pairs != PAIRS
    assert pairs.origins[0][:3] == ("some", None, None)
    texts = b"".join(f"{source}\t{target}\n".encode() for source, target in PAIRS * 3000)
    assert pairs.origins[0].sha256 == hashlib.sha256(texts).hexdigest()
    with pytest.raises(DataError, match=r"pairs\[1\]: half a character"):
        Pairs.of([("a", "b"), ("\ud800", "b")])


def test_the_split_is_that_of_a_list():
    words = [(f"w{number % 900}", str(number)) for number in range(2000)]
    training, held_out = split_pairs(Pairs.of(words))
    assert (list(training), list(held_out)) == split_pairs([Pair(*word) for word in words])
    assert type(training) is Pairs


def test_a_pair_takes_few_bytes():
    """Those of its texts and 16 more: where both begin, the number of the line and the row."""
    pairs = Pairs.of((f"{number:08}", "1234567890") for number in range(10_000))
    assert pairs.nbytes / len(pairs) == pytest.approx(18 + 16, abs=0.1)
    training, _ = split_pairs(pairs)
    assert training.texts is pairs.texts

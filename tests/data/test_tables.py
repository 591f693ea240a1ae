"""Parquet and Arrow files."""

import hashlib
import sys
from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet

from doldari import ConfigError, DataError
from doldari.data.formats import Columns, read_pairs
from doldari.data.tables import AT_ONCE
from doldari.errors import MissingPackageError

PAIRS = [(f"a{n}", f"한{n}") for n in range(AT_ONCE + 3)]


def write_parquet(path, columns, **options):
    parquet.write_table(pyarrow.table(columns), path, **options)


def write_arrow_file(path, columns):
    table = pyarrow.table(columns)
    with pyarrow.OSFile(str(path), "wb") as file, pyarrow.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)


def write_arrow_stream(path, columns):
    table = pyarrow.table(columns)
    with pyarrow.OSFile(str(path), "wb") as file, pyarrow.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=1000)


WRITERS = {"x.parquet": write_parquet, "x.arrow": write_arrow_file, "y.arrow": write_arrow_stream}


@pytest.fixture(params=WRITERS)
def path(request, tmp_path):
    sources, targets = zip(*PAIRS, strict=True)
    path = tmp_path / request.param
    WRITERS[request.param](path, {"id": list(range(len(PAIRS))), "source": sources, "target": targets})
    return path


def test_pairs_of_a_table(path):
    pairs = read_pairs(path)
    assert pairs == PAIRS
    assert (pairs.line(0), pairs.line(AT_ONCE)) == (1, AT_ONCE + 1)
    (origin,) = pairs.origins
    assert (origin.bytes, origin.sha256) == (path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest())
    swapped = read_pairs(path, Columns("target", "source"))
    assert swapped == [pair[::-1] for pair in PAIRS]


def test_columns_that_are_not_there(path):
    with pytest.raises(ConfigError, match=r"no column 'word'; there are 'id', 'source', 'target'"):
        read_pairs(path, Columns("word", "target"))
    with pytest.raises(DataError, match=r":1: the field 'id' is not a text \(and 4,098 more lines\)"):
        read_pairs(path, Columns("id", "target"))


@pytest.mark.parametrize("name", WRITERS)
def test_translations_features_and_empty_cells(tmp_path, name):
    path = tmp_path / name
    WRITERS[name](path, {"id": ["1"], "translation": [{"en": "dog", "fr": "chien"}]})
    assert read_pairs(path, Columns("en", "fr")) == [("dog", "chien")]
    with pytest.raises(ConfigError, match="no column 'de'; there are 'en', 'fr'"):
        read_pairs(path, Columns("en", "de"))
    WRITERS[name](path, {"lemma": ["walk"], "form": ["walked"], "tags": ["V;PST"]})
    pairs = read_pairs(path, Columns("lemma", "form", "tags"))
    assert pairs == [("walk\tV;PST", "walked")]
    assert pairs.has_features
    WRITERS[name](path, {"source": ["a", "b", "c"], "target": ["A", None, " "]})
    with pytest.raises(DataError, match=r":2: the field 'target' is not a text \(and 1 more line\)"):
        read_pairs(path)


def test_what_cannot_be_read(tmp_path, monkeypatch):
    path = tmp_path / "x.parquet"
    write_parquet(path, {"source": ["a"] * 99, "target": ["b"] * 99})
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DataError, match=r"x.parquet: cannot be read as parquet: Parquet magic bytes not found"):
        read_pairs(path)
    with pytest.raises(DataError, match=r"standard input: parquet files are not read in order; give a file"):
        read_pairs(Path("-"), format="parquet")
    path.write_text("a\tb\n")
    with pytest.raises(DataError, match=r"x.parquet: cannot be read as arrow: "):
        read_pairs(path, format="arrow")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingPackageError, match=r"x.parquet: needs pyarrow .* pip install 'doldari\[arrow\]'"):
        read_pairs(path)

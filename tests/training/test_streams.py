"""Shards that are read as a stream: what is trained on, in which order, by which process; and resuming."""

import json
from collections import Counter
from itertools import chain

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet

import doldari
from doldari import ConfigError, DataError, DataWarning, load
from doldari.config import Config
from doldari.data.formats import Columns, Reading
from doldari.data.shards import Sample, Shards
from doldari.data.string_tasks import reverse_pairs
from doldari.training.history import read_history
from doldari.training.observer import Observer, Stop
from doldari.training.read_shards import read_stream, shard_paths
from doldari.training.run import Run
from doldari.training.streams import OwnRows, in_step

PAIRS = reverse_pairs(120)
SMALL = {"hidden_size": 8, "embedding_size": 4, "epochs": 3, "batch_size": 16, "dropout": 0.3}
STREAM = {"stream": True, "shuffle_buffer": 40}


def text(pairs):
    return "".join(f"{source}\t{target}\n" for source, target in pairs)


@pytest.fixture
def shards(tmp_path):
    """Three files of 50, 40 and 30 pairs."""
    folder = tmp_path / "shards"
    folder.mkdir()
    for name, start, stop in (("0.tsv", 0, 50), ("1.tsv", 50, 90), ("2.tsv", 90, 120)):
        (folder / name).write_text(text(PAIRS[start:stop]))
    (folder / "state.json").write_text("{}")
    return folder


def prepared(shards, validation=None, **settings):
    config = Config().replace(**SMALL | STREAM | settings)
    data = read_stream(str(shards), validation, Reading(), config=config)
    return Run.prepare(config, data.training, data.validation)


def trained_on(run, batches):
    """Spell the sources of batches."""
    source = run.predictor.text_model.source
    return [source.decode(row.tolist()) for x, *_ in batches for row in x]


def test_an_epoch_has_every_pair_once_in_an_order_of_its_own(shards):
    run = prepared(shards)
    epochs = [trained_on(run, list(run.batches(run.rng))) for _ in range(3)]
    wanted = {source for source, _ in PAIRS} - {source for source, _ in run.validation}
    assert run.pairs == len(wanted) == 108
    for epoch in epochs:
        assert Counter(epoch) == Counter(wanted)
    assert len({tuple(epoch) for epoch in epochs}) == 3
    files = [{source: n // 50 for n, (source, _) in enumerate(PAIRS)}[one] for one in chain(*epochs)]
    assert files != sorted(files)  # shards come in any order
    assert [len(batch.x) for batch in run.batches(run.rng)] == [16] * 6 + [12]
    assert run.steps_an_epoch == 7


def test_the_settings_of_memory_reach_the_windows(shards):
    run = prepared(shards, shuffle_buffer=40)
    windows = [len(x) for x, _ in run.stream.windows([0, 1, 2], 32)]
    assert windows == [32, 32, 32, 12]
    rng = np.random.default_rng(0)
    first = trained_on(run, [next(iter(run.stream.batches(16, rng, False)))])
    assert len(set(first)) == 16
    assert (run.predictor.text_model.longest_source, len(run.x)) == (max(len(source) for source, _ in PAIRS), 108)


def test_held_out_are_whole_sources_whatever_the_order(tmp_path):
    pairs = [(f"s{n}", f"{m}") for n in range(100) for m in range(3)]
    found = []
    for order in (pairs, pairs[::-1]):
        (tmp_path / "one.tsv").write_text(text(order[:200]))
        (tmp_path / "two.tsv").write_text(text(order[200:]))
        shards = Shards([tmp_path / "one.tsv", tmp_path / "two.tsv"], hold_out=20)
        found.append(set(shards.held_out))
        assert sorted([*shards, *shards.held_out]) == sorted(pairs)
        assert len(shards) == 300 - len(shards.held_out) == sum(1 for _ in shards)
        sources = {source for source, _ in shards.held_out}
        assert not sources & {source for source, _ in shards}
    assert found[0] == found[1]
    assert len(found[0]) == 18  # of 20 in the sample the last source may lack pairs
    assert len(Shards([tmp_path / "one.tsv"], hold_out=1000).held_out) == 21  # a tenth of 200, to the end of a source


def test_one_source_cannot_be_held_out(tmp_path):
    (tmp_path / "x.tsv").write_text("a\tb\n" * 5)
    with pytest.raises(DataError, match=r"x.tsv: too few sources to hold some out; give pairs to validate with"):
        Shards([tmp_path / "x.tsv"], hold_out=10)
    assert Sample(0).chosen(1) == []


class Stopping(Observer):
    """Stops after so many steps."""

    def __init__(self, steps):
        self.left, self.stop = steps, Stop()

    def step(self, run, loss):
        self.left -= 1
        if self.left == 0:
            self.stop.signal = 2


def weights(path):
    return np.concatenate([one.value.ravel() for one in load(path).text_model.model.weights().values()])


@pytest.mark.parametrize("bucketing", [False, True])
def test_a_stopped_run_ends_as_one_never_stopped(shards, tmp_path, bucketing):
    settings = SMALL | STREAM | {"bucketing": bucketing}
    doldari.train(shards, out=tmp_path / "whole", progress=False, **settings)
    stopping = Stopping(9)
    doldari.train(shards, out=tmp_path / "broken", observer=stopping, stop=stopping.stop, **settings)
    assert json.loads((tmp_path / "broken/run.json").read_text())["status"] == "stopped"
    doldari.train(resume=tmp_path / "broken", progress=False)
    np.testing.assert_array_equal(weights(tmp_path / "whole"), weights(tmp_path / "broken"))
    with (shards / "1.tsv").open("a") as file:
        file.write("abc\tcba\n")
    with pytest.raises(DataError, match=r"0\.tsv and 2 more: has changed since the run started"):
        doldari.train(resume=tmp_path / "broken", epochs=4)


def test_formats_and_engines_do_not_matter(shards, tmp_path):
    pytest.importorskip("torch")
    settings = SMALL | STREAM | {"validation": PAIRS[:9], "progress": False}
    doldari.train(shards, out=tmp_path / "text", **settings)
    tables = tmp_path / "tables"
    tables.mkdir()
    for path in sorted(shards.glob("*.tsv")):
        sources, targets = zip(*(line.split("\t") for line in path.read_text().splitlines()), strict=True)
        parquet.write_table(pyarrow.table({"source": sources, "target": targets}), tables / f"{path.stem}.parquet")
    doldari.train([str(path) for path in sorted(tables.iterdir())], out=tmp_path / "table", **settings)
    np.testing.assert_array_equal(weights(tmp_path / "text"), weights(tmp_path / "table"))
    doldari.train(shards, out=tmp_path / "torch", engine="torch", device="cpu", **settings)
    for ours, theirs in zip(
        *(read_history(tmp_path / name / "history.jsonl") for name in ("text", "torch")), strict=True
    ):
        assert ours.loss == pytest.approx(theirs.loss, rel=1e-5)
        assert ours.validation_loss == pytest.approx(theirs.validation_loss, rel=1e-5)


def test_each_process_reads_shards_of_its_own(shards, monkeypatch):
    run = prepared(shards)
    monkeypatch.setenv("WORLD_SIZE", "2")
    found, steps, after = [], [], []
    for rank in ("0", "1"):
        monkeypatch.setenv("RANK", rank)
        rng = np.random.default_rng(3)
        batches = list(run.stream.batches(17, rng, False))
        after.append(rng.random())
        assert {batch.whole for batch in batches} == {17}
        found.append(trained_on(run, batches))
        steps.append(len(batches))
    assert after[0] == after[1]
    files = [set(source for source, _ in PAIRS[start:stop]) for start, stop in ((0, 50), (50, 90), (90, 120))]
    assert set(found[0]) <= files[0] | files[2] and set(found[1]) <= files[1]
    assert len(found[0]) + len(found[1]) == len(run.stream) == 108
    assert run.stream.steps(17) == max(steps)


def test_who_has_no_more_batches_goes_on_without_rows():
    batch = OwnRows(np.ones((2, 3), np.int32), np.ones((2, 4), np.int32), 5)
    others = iter([True, True, False])
    taken = list(in_step(iter([batch]), lambda wish: wish | next(others), 5))
    assert [(len(one.x), len(one.t), one.whole) for one in taken] == [(2, 2, 5), (0, 0, 5)]


def test_what_cannot_be_streamed(shards, tmp_path, monkeypatch):
    for data, message in (
        (PAIRS, "stream=True: needs files; pairs from Python are in memory already"),
        ("-", "not standard input"),
        ("addition", "not the built-in task addition"),
    ):
        with pytest.raises(ConfigError, match=message):
            doldari.train(data, stream=True)
    with pytest.raises(DataError, match="no such file"):
        shard_paths(str(tmp_path / "none.tsv"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty: no files of pairs in this folder"):
        shard_paths(str(tmp_path / "empty"))
    with pytest.raises(ConfigError, match="shuffle_buffer=7: needs stream=True"):
        doldari.train(PAIRS, shuffle_buffer=7)
    monkeypatch.setenv("WORLD_SIZE", "4")
    with pytest.raises(
        ConfigError, match="stream=True: 3 shards for 4 processes; split the data into at least as many"
    ):
        shard_paths(str(shards))


def test_long_and_damaged_pairs(shards):
    limit = max(len(source) for source, _ in PAIRS) - 1
    with pytest.warns(DataWarning, match=rf"skipped, longer than {limit} symbols: .*\d\.tsv:\d+"):
        run = prepared(shards, max_length=limit)
    long = sum(len(source) > limit for source, _ in PAIRS)
    assert run.pairs + len(run.validation) == len(PAIRS) - long
    with (shards / "1.tsv").open("a") as file:
        file.write("no tab\nnor here\n")
    with pytest.raises(DataError, match=r"1.tsv:41: no tab \(and 1 more line\)"):
        prepared(shards)
    (shards / "1.tsv").write_text("a" * 5001 + "\tb\n")
    with pytest.raises(DataError, match=r"1.tsv:1: more than 5,000 symbols .*--max-length 5000"):
        prepared(shards)


def test_features_and_a_header(tmp_path):
    path = tmp_path / "x.tsv"
    path.write_text(
        "lemma\tform\ttags\n"
        + "".join(f"{source}\t{target}\tV;{n % 3}\n" for n, (source, target) in enumerate(PAIRS))
    )
    config = Config().replace(**SMALL | STREAM)
    data = read_stream(str(path), None, Reading(Columns("lemma", "form", "tags")), config=config)
    run = Run.prepare(config, data.training, data.validation)
    assert set(run.predictor.text_model.source.features) == {"V", "0", "1", "2"}
    with pytest.warns(DataWarning, match=r"x.tsv:1: probably a header"):
        read_stream(str(path), None, Reading(Columns(1, 2)), config=config)

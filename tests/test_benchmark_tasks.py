"""The benchmarks over folders of languages, and the baseline of inflection."""

import math
import sys
from pathlib import Path

import pytest

from doldari import DoldariError
from doldari.data.formats import Columns
from doldari.data.pairs import Pair

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import tasks
from benchmarks.inflection_baseline import GAP, Baseline, align, cut, errors_of_baseline

QUICK = ["--set", "epochs=1", "--set", "hidden_size=8", "--set", "embedding_size=4"]


def test_words_are_aligned_and_cut():
    gaps = [word.replace("-", GAP) for word in ("--frag-", "gefragt")]
    assert align("frag", "gefragt") == tuple(gaps)
    assert cut("frag", "gefragt") == (("", "ge"), ("frag", "frag"), ("", "t"))
    assert cut("manducar", "manducado") == (("", ""), ("manducar", "manducad"), ("", "o"))
    assert cut("", "x") == (("", ""), ("", ""), ("", "x"))
    assert align("ab", "ab") == ("ab", "ab")


def test_the_longest_ending_that_was_seen_decides_and_then_the_most_frequent():
    baseline = Baseline(
        [
            Pair("hablar\tPTCP", "hablado"),
            Pair("amar\tPTCP", "amado"),
            Pair("vivir\tPTCP", "vivido"),
            Pair("frag\tPST", "gefragt"),
            Pair("sag\tPST", "gesagt"),
            Pair("such\tPST", "suchte"),
        ]
    )
    assert [baseline(lemma, "PTCP") for lemma in ("cantar", "partir")] == ["cantado", "partido"]
    assert baseline("wag", "PST") == "gewagt"
    assert baseline("wag", "NEVER") == "wag"
    assert errors_of_baseline([Pair("a\tX", "ab")], [Pair("c\tX", "cb"), Pair("c\tX", "d")]) == 0.5


def test_words_of_a_language_of_prefixes_are_turned_around():
    baseline = Baseline([Pair(f"{word}\tPL", f"wa{word}") for word in ("toto", "tu", "limu")])
    assert baseline.turned
    assert baseline("kulima", "PL") == "wakulima"


@pytest.fixture
def folder(tmp_path):
    """Two languages, one of them with features in the middle and two sizes; and what is no language."""
    words = [f"{a}{b}" for a in "abcdef" for b in "ghijkl"]
    (tmp_path / "data").mkdir()
    for part in ("train", "dev", "test"):
        (tmp_path / f"data/fre_{part}.tsv").write_text("".join(f"{word}\t{' '.join(word)}\n" for word in words))
        for size in ("-low", "-medium") if part == "train" else ("",):
            rows = "".join(f"{word}\tV;PST\t{word}te\n" for word in words)
            (tmp_path / f"data/old-high-german-{part}{size}").write_text(rows)
    (tmp_path / "data/README.md").write_text("no language")
    (tmp_path / "data/dev.only").write_text("a\tb\n")
    return tmp_path / "data"


def run(monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", ["tasks", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        tasks.main()
    return ended.value.code, *capsys.readouterr()


def test_languages_are_found_by_their_names(folder):
    found = tasks.find_languages(folder, None, None, test=True)
    assert [language.label for language in found] == ["fre", "old-high-german low", "old-high-german medium"]
    assert found[1].dev.name == "old-high-german-dev"
    assert [one.label for one in tasks.find_languages(folder, "low", None, test=False)] == ["old-high-german low"]
    assert [one.label for one in tasks.find_languages(folder, None, "fre", test=False)] == ["fre"]
    for name in ("train.fin", "dev.fin"):
        (folder / name).write_text("a\tb\n")
    assert [one.label for one in tasks.find_languages(folder, None, "fin", test=False)] == ["fin"]
    with pytest.raises(DoldariError, match="no language with files to train, dev and test"):
        tasks.find_languages(folder, None, "fin", test=True)
    assert tasks.columns_of(found[0].train) is None
    assert tasks.columns_of(found[1].train) == Columns(1, 3, 2)


def test_all_languages_are_trained_once_and_stand_beside_published_figures(folder, monkeypatch, capsys, tmp_path):
    published = tmp_path / "published.tsv"
    published.write_text("# made up\nlanguage\tLSTM\tbest\nfre\t6.22\t5.11\nold-high-german\t\t4.00\n")
    arguments = [folder, "--size", "low", *QUICK, "--out", tmp_path / "runs", "--published", published]
    code, out, err = run(monkeypatch, capsys, *arguments, "--seeds", 2)
    assert (code, err.splitlines()[0]) == (0, "old-high-german low (1 of 1)")
    assert err.count("recipe general, the defaults: 36 pairs are too few") == 2
    title, heads, row, mean = (line.split() for line in out.splitlines())
    assert " ".join(title) == "word error rate, per cent, on dev data; published figures are of test data"
    assert heads == ["doldari", "deviation", "baseline", "LSTM", "best", "examples"]
    assert (row[:2], row[4:]) == (["old-high-german", "low"], ["0.00", "4.00", "36"])
    assert mean[-1] == "0.00" if row[2] in ("0.00", "100.00") else float(mean[-1]) > 0
    places = sorted(path.name for path in (tmp_path / "runs").iterdir())
    assert places == ["old-high-german-low-seed-0", "old-high-german-low-seed-1"]
    changed = (tmp_path / "runs" / places[0] / "model.safetensors").stat().st_mtime_ns
    again = run(monkeypatch, capsys, *arguments, "--seeds", 2)
    assert again[1] == out
    assert (tmp_path / "runs" / places[0] / "model.safetensors").stat().st_mtime_ns == changed
    (folder / "bad_train.tsv").write_text("no tab\n")
    (folder / "bad_dev.tsv").write_text("a\tb\n")
    code, out, err = run(
        monkeypatch, capsys, folder, "--only", "bad,fre", "--test", *QUICK, "--out", tmp_path / "runs"
    )
    assert (code, "no language" in err) == (0, False)  # bad has no file to test with
    code, out, err = run(monkeypatch, capsys, folder, "--only", "bad", *QUICK, "--out", tmp_path / "runs")
    assert code == 1
    assert "error: bad: " in err


def test_the_standard_error_of_the_mean_is_that_of_draws():
    """The issue's own figures: 1.2 points for French alone, with 450 words of which 7 % are wrong."""
    language = tasks.Language("fre", "", Path(), Path(), None)
    results = [tasks.Result(language, [0.07], 450, None)] * 15
    assert math.sqrt(results[0].variance) == pytest.approx(1.2, abs=0.01)
    *_, mean = tasks.table(results, {})
    assert mean.split() == ["mean", "7.00", "standard", "error", "of", "the", "mean", "0.31"]


def test_published_figures_are_whole():
    (name, *_) = tasks.shipped()
    assert tasks.read_published(name)["LSTM"]["kor"] == "46.89"
    with pytest.raises(DoldariError, match="no such file of published figures"):
        tasks.read_published("nothing")

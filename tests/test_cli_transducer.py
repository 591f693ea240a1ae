"""A transducer at the command line: trained by the recipe for inflection, asked, evaluated, shown and drawn."""

import json
import shutil

import pytest

import doldari

VERBS = ("talk", "look", "jump", "play", "ask", "open", "help", "cook", "push", "kick")
ENDINGS = {"V;PST": "ed", "V;V.PTCP;PRS": "ing", "V;3;SG;PRS": "s", "V;NFIN": ""}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A directory with forty pairs with features, and a run on them that has learned nothing yet."""
    place = tmp_path_factory.mktemp("transducer")
    lines = (f"{verb}\t{verb}{ending}\t{features}\n" for verb in VERBS for features, ending in ENDINGS.items())
    (place / "verbs.tsv").write_text("".join(lines))
    settings = {"hidden_size": 16, "embedding_size": 8, "epochs": 2}
    doldari.train(
        place / "verbs.tsv", features_column=3, recipe="inflection", out=place / "run", progress=False, **settings
    )
    return place


@pytest.fixture
def run(trained, tmp_path):
    """A copy of both in the directory that commands are run in."""
    shutil.copy(trained / "verbs.tsv", tmp_path)
    return shutil.copytree(trained / "run", tmp_path / "run")


def test_it_predicts_and_scores(cli, run):
    expected = doldari.load(run).predict(["talk\tV;PST"], beam_size=3, n_best=3, max_length=9)[0]
    done = cli("predict run --beam-size 3 --n-best 3 --scores --max-length 9", stdin=b"talk\tV;PST\n")
    assert done.code == 0
    assert [line.split("\t")[0] for line in done.out.splitlines()] == [answer.text for answer in expected]
    forced = cli("predict run --matching tal[a-z]{3}", ["talk\tV;PST"])
    assert (forced.code, forced.out[:3], len(forced.out)) == (0, "tal", 7)
    scored = cli("score run verbs.tsv")
    assert scored.code == 0 and len(scored.out.splitlines()) == 40


def test_it_is_evaluated_and_shown(cli, run, tmp_path):
    done = cli("evaluate run verbs.tsv --report evaluated.html --predictions answers.tsv")
    assert done.code == 0 and " of 40 correct" in done.out
    assert len((tmp_path / "answers.tsv").read_text().splitlines()) == 41
    assert "that the symbol is inserted or copied there" in (tmp_path / "evaluated.html").read_text()
    shown = cli("show run")
    assert shown.code == 0 and "decoder transducer, bidirectional" in shown.out
    assert "attention: doldari attend run TEXT" in shown.out
    assert json.loads(cli("show run --json").out)["model"]["decoder"] == "transducer"
    assert cli("report run").out == "report written to run/report.html\n"
    assert "transducer" in (run / "report.html").read_text()


def test_where_it_writes_is_drawn(cli, run, tmp_path):
    answer = doldari.load(run)("talk\tV;PST")
    done = cli("attend run --out looked.svg", ["talk\tV;PST"])
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("talk") and done.out.endswith(f"V;PST -> {answer}; plot saved to looked.svg\n")
    assert (tmp_path / "looked.svg").stat().st_size > 1000
    weights = doldari.load(run).attention("talk\tV;PST").weights
    assert weights.shape == (len(answer) + 1, 6)
    assert (weights[:, :2] == 0).all()  # at the features
    assert (weights >= 0).all() and (weights.sum(axis=1) <= 1 + 1e-5).all()

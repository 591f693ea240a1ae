"""doldari report: a page about a run, whatever of the run there is."""

import json
import re
import shutil
from html.parser import HTMLParser

import pytest

import doldari
from doldari.data.string_tasks import reverse_pairs


class Reader(HTMLParser):
    """Collects a page's text, and the tags and attributes it uses."""

    def __init__(self, page):
        super().__init__()
        self.text, self.tags, self.attributes = "", set(), set()
        self.feed(page)
        self.text = " ".join(self.text.split())

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attributes}

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run on a file of pairs, one of them with markup."""
    place = tmp_path_factory.mktemp("report")
    pairs = [*reverse_pairs(60), *(("<b>x" + "y" * n, "x<b>") for n in range(8))]
    (place / "my pairs.tsv").write_text("".join(f"{source}\t{target}\n" for source, target in pairs))
    settings = {"hidden_size": 8, "embedding_size": 4, "epochs": 3, "batch_size": 16, "learning_rate": 0.01}
    doldari.train(place / "my pairs.tsv", out=place / "run", progress=False, **settings)
    return place


@pytest.fixture
def run(trained, tmp_path):
    """A copy of it in the directory that the command is run in."""
    return shutil.copytree(trained / "run", tmp_path / "run")


def test_what_it_says(run, cli):
    done = cli("report run")
    assert (done.code, done.out) == (0, "report written to run/report.html\n")
    page = (run / "report.html").read_text()
    reader = Reader(page)
    record = json.loads((run / "run.json").read_text())
    best = record["best"]
    count = record["data"][1]["sources"]
    assert f"On the validation pairs: {count} sources" in reader.text
    assert f"The model is that of epoch {best['epoch']}, the best on the validation pairs" in reader.text
    cer = best["scores"]["CER"]
    assert f"CER{cer['value']:.2%}{cer['low']:.2%} to {cer['high']:.2%}" in reader.text
    for heading in (
        "Scores",
        "Training",
        "Accuracy by source length",
        "Symbol accuracy by target position",
        "Worst errors",
        "Attention weights",
        "Confusions",
        "Reliability",
        "Data",
        "How to reproduce it",
    ):
        assert f"<h2>{heading}</h2>" in page
    assert "training: my pairs.tsv, 62 pairs" in reader.text
    assert record["data"][0]["sha256"] in reader.text
    assert "doldari train 'my pairs.tsv' --config config.toml" in reader.text
    assert "It was trained from Python." in reader.text
    assert "hidden_size = 8" in reader.text
    assert doldari.__version__ in reader.text


def test_it_stands_alone_and_says_not_where_the_data_lie(run, trained, cli):
    cli("report run -o page.html")
    page = (run.parent / "page.html").read_text()
    reader = Reader(page)
    assert not reader.tags & {"script", "link", "img", "iframe", "object", "embed", "base", "b"}
    assert not reader.attributes & {"src", "href", "srcset", "onclick", "onload", "style"}
    assert not re.search(r"url\(|@import|https?:", page)
    assert str(trained) not in page
    assert not (run / "report.html").exists()


def test_a_command_is_shown_without_folders(cli, trained, tmp_path):
    assert cli(f"train {trained}/run/none --out x").code == 1
    shutil.copy(trained / "my pairs.tsv", tmp_path / "p.tsv")
    cli(f"train {tmp_path}/p.tsv --epochs 1 --hidden-size 8 --out runs/a")
    cli("report runs/a")
    text = Reader((tmp_path / "runs/a/report.html").read_text()).text
    assert "doldari train p.tsv --epochs 1 --hidden-size 8 --out runs/a" in text


def test_data_that_are_gone_or_changed_leave_a_page_without_predictions(run, cli, tmp_path):
    record = json.loads((run / "run.json").read_text())
    record["data"][0]["sha256"] = "0" * 64
    (run / "run.json").write_text(json.dumps(record))
    done = cli("report run")
    assert done.code == 0
    assert "my pairs.tsv: has changed since the run started" in done.out
    assert "Not looked at: my pairs.tsv: has changed" in Reader((run / "report.html").read_text()).text
    record["reading"]["data"] = str(tmp_path / "gone.tsv")
    (run / "run.json").write_text(json.dumps(record))
    assert "gone.tsv: not found; give its new place as DATA" in cli("report run").out
    text = Reader((run / "report.html").read_text()).text
    assert "Not looked at: " in text
    assert "On the validation pairs, as recorded in training." in text
    assert "How to reproduce it" in text


def test_other_pairs(run, cli, tmp_path):
    (tmp_path / "test.tsv").write_text("abc\tcba\nxyz\tzyx\n")
    assert cli("report run test.tsv").code == 0
    text = Reader((run / "report.html").read_text()).text
    assert "On test.tsv: 2 sources" in text
    assert "expect slightly lower scores" not in text
    assert cli("report run none.tsv").code == 1


def test_a_model_file_alone(run, cli, tmp_path):
    shutil.copy(run / "model.safetensors", tmp_path / "mine.safetensors")
    done = cli("report mine.safetensors")
    assert done.code == 0
    text = Reader((tmp_path / "report.html").read_text()).text
    assert "mine: report" in text
    assert "Not recorded." in text


def test_an_ensemble(cli, pairs, tmp_path):
    cli(f"train {pairs} --epochs 2 --hidden-size 8 --ensemble 2 --out both")
    assert cli("report both").code == 0
    page = (tmp_path / "both/report.html").read_text()
    assert "<title>member-2, epoch 2: " in page
    assert "an ensemble of 2: member-1, member-2" in page


@pytest.mark.parametrize(
    "arguments, message",
    [
        ("nothing", "error: nothing: no such model; train one, for example with: doldari train addition"),
        ("empty", "error: empty: no run or model in it; train one: doldari train DATA --out empty/NAME"),
        ("run -o empty", "error: empty: is a directory; give the name of a file for the report"),
    ],
)
def test_what_is_refused(run, cli, tmp_path, arguments, message):
    (tmp_path / "empty").mkdir()
    done = cli(f"report {arguments}")
    assert (done.code, done.err) == (1, message + "\n")


def test_a_new_run_takes_the_older_ones_report_away(cli, pairs, tmp_path):
    """One that somebody else wrote stays."""
    for written, left in ((None, False), ("<p>mine", True)):
        cli(f"train {pairs} --epochs 1 --hidden-size 8 --out r --overwrite")
        cli("report r")
        if written:
            (tmp_path / "r/report.html").write_text(written)
        cli(f"train {pairs} --epochs 1 --hidden-size 8 --out r --overwrite")
        assert (tmp_path / "r/report.html").exists() == left


def test_a_card_says_not_where_the_data_lie(run, trained, cli):
    cli("show run --card")
    card = (run / "README.md").read_text()
    assert 'name: "my pairs.tsv"' in card
    assert str(trained) not in card

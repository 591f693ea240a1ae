"""Answers at the command line: into files, with flags and probabilities, calibrated."""

import io
import json
import math
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import pytest
from predictors import SOURCES, make_predictor

import doldari
from doldari.cli import main


@pytest.fixture
def cli(monkeypatch, capfd, tmp_path):
    """Run a command in an empty directory: its exit code, standard output and standard error."""
    monkeypatch.chdir(tmp_path)

    def run(arguments, stdin=b""):
        monkeypatch.setattr(sys, "argv", ["doldari", *arguments.split()])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        code = 0
        with warnings.catch_warnings():
            warnings.simplefilter("default")
            try:
                main()
            except SystemExit as exit:
                code = exit.code or 0
        return SimpleNamespace(code=code, **dict(zip(("out", "err"), capfd.readouterr(), strict=True)))

    return run


@pytest.fixture
def model(cli):
    """A model of which some answers end and others do not."""
    predictor = make_predictor()
    predictor.text_model.model.decoder.affine.b.value[0] += 3.0
    predictor.save("model.safetensors")
    return doldari.load("model.safetensors")


def test_columns_and_their_names(cli, model):
    answers = model.predict(SOURCES, scores=True)
    done = cli(f"predict model.safetensors {' '.join(SOURCES)} --tsv --details --header")
    header, *rows = [line.split("\t") for line in done.out.splitlines()]
    assert header == ["source", "answer", "log_probability", "probability", "flags"]
    for row, source, answer in zip(rows, SOURCES, answers, strict=True):
        assert row[:2] == [source, answer.text]
        assert float(row[2]) == pytest.approx(answer.score, abs=1e-4)
        assert float(row[3]) == pytest.approx(math.exp(answer.score), rel=1e-3)
        assert row[4] == ",".join(answer.flags)
    cut = sum("limit" in answer.flags for answer in answers)
    assert 0 < cut < len(SOURCES)
    assert done.err == (
        f"warning: {cut} of 6 answers met the limit of length before the end; --max-length N allows longer ones\n"
    )
    assert cli("predict model.safetensors ab --header --scores").out.splitlines()[0] == "answer\tlog_probability"
    assert cli("predict model.safetensors ab --header").out.splitlines()[0] == "answer"


def test_from_file_to_file(cli, model):
    Path("sources.txt").write_text("\n".join(SOURCES) + "\n")
    printed = cli("predict model.safetensors --input sources.txt --tsv")
    done = cli("predict model.safetensors --input sources.txt --tsv --output new/answers.tsv")
    assert (done.code, done.out, done.err) == (0, "", printed.err)
    assert Path("new/answers.tsv").read_text() == printed.out
    over_itself = cli("predict model.safetensors --input sources.txt --output sources.txt")
    assert over_itself.code == 0
    assert Path("sources.txt").read_text().splitlines() == model.predict(SOURCES)
    Path("there.txt").touch()
    Path("link").symlink_to("there.txt")  # as /dev/stdout is one
    assert cli("predict model.safetensors a --output link").code == 0
    assert Path("link").is_symlink()
    assert Path("there.txt").read_text() == model("a") + "\n"
    refused = cli("predict model.safetensors ab --output new")
    assert (refused.code, refused.err) == (1, "error: new: is a directory; give the name of a file for the answers\n")


def test_a_file_of_answers_is_there_whole_or_not_at_all(cli, model, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    Path("answers.txt").write_text("before")
    monkeypatch.setattr(doldari.Predictor, "answers", interrupted)
    assert cli("predict model.safetensors ab --output answers.txt").code == 130
    assert Path("answers.txt").read_text() == "before"
    assert {path.name for path in Path().iterdir()} == {"answers.txt", "model.safetensors"}


def test_a_file_in_the_place_of_a_text(cli, model):
    Path("ab").write_text("abba\n")
    done = cli("predict model.safetensors ab")
    assert done.out == model("ab") + "\n"
    assert done.err.startswith(
        "warning: ab is a file; to predict each of its lines: doldari predict model.safetensors --input ab\n"
    )


def test_abstained_and_forced_answers_are_counted(cli, model):
    answers = model.predict(SOURCES, scores=True)
    kept = [answer.text if answer.probability >= 0.3 else "" for answer in answers]
    left_out = sum(answer.probability < 0.3 for answer in answers)
    done = cli(f"predict model.safetensors {' '.join(SOURCES)} --min-probability 0.3")
    assert done.out.splitlines() == kept
    assert f"warning: {left_out} of 6 answers were left empty, for their probability was too low\n" in done.err
    Path("list.txt").write_text("zzzzzzzz\n")
    forced = cli("predict model.safetensors ab a --one-of list.txt")
    assert forced.out == "zzzzzzzz\n" * 2
    assert forced.err == (
        "warning: 2 of 2 answers were forced by the constraint, which the model would have kept to with less than "
        "1 %\n"
    )
    refused = cli("predict model.safetensors ab --min-probability 2")
    assert (refused.code, refused.err) == (1, "error: min_probability=2.0: must be a number from 0 to 1\n")


def test_n_best_alone_makes_the_beam_as_wide(cli, model):
    wide = cli("predict model.safetensors ab --n-best 3 --beam 3 --scores")
    assert cli("predict model.safetensors ab --n-best 3 --scores").out == wide.out
    assert len(wide.out.splitlines()) == 3


def test_evaluate_writes_every_example_and_counts(cli, model):
    answer = model("ab")
    Path("test.tsv").write_text(f"ab\t{answer or 'x'}\nbcb\t{'x' * 30}\nba\tx\n")
    done = cli("evaluate model.safetensors test.tsv --predictions p.tsv --reliability r.png --report r.html")
    assert done.code == 0, done.err
    header, *rows = [line.split("\t") for line in Path("p.tsv").read_text().splitlines()]
    assert header == ["source", "target", "answer", "log_probability", "right"]
    assert [row[:2] for row in rows] == [["ab", answer or "x"], ["bcb", "x" * 30], ["ba", "x"]]
    answers = model.predict(["ab", "bcb", "ba"], scores=True)
    assert [row[2] for row in rows] == [one.text for one in answers]
    assert [float(row[3]) for row in rows] == pytest.approx([one.score for one in answers], abs=1e-4)
    assert [row[4] for row in rows] == ["right" if row[1] == row[2] else "wrong" for row in rows]
    assert Path("r.png").read_bytes().startswith(b"\x89PNG")
    assert "Expected calibration error (ECE)" in Path("r.html").read_text()
    assert "with targets longer than any answer may be: 1 sources; --max-length N allows longer answers" in done.out
    result = json.loads(cli("evaluate model.safetensors test.tsv --json").out)
    assert result["unreachable"] == 1
    assert result["cut"] == sum("limit" in one.flags for one in answers)
    assert 0 <= result["calibration_error"] <= 1
    assert sum(one["answers"] for one in result["reliability"]) == 3
    roomy = json.loads(cli("evaluate model.safetensors test.tsv --json --max-length 30").out)
    assert roomy["unreachable"] == 0


def test_calibrate_keeps_a_temperature_in_the_model_file(cli, model):
    shorts = [text for text in SOURCES if 0 < len(model(text)) < 10]
    Path("dev.tsv").write_text("".join(f"{text}\t{model(text)}\n" for text in shorts))
    done = cli("calibrate model.safetensors dev.tsv")
    assert done.code == 0, done.err
    calibrated = doldari.load("model.safetensors")
    temperature = calibrated.text_model.temperature
    assert temperature != 1.0
    assert done.out.startswith(f"temperature 1 -> {temperature:.3g}, kept in model.safetensors\n")
    assert calibrated.predict(SOURCES) == model.predict(SOURCES)
    before, after = done.out.splitlines()[1].split(": ")[1].split(" -> ")
    assert float(after.rstrip("%")) < float(before.rstrip("%"))
    again = cli("calibrate model.safetensors dev.tsv")
    assert again.out.startswith(f"temperature {temperature:.3g} -> {temperature:.3g}, ")

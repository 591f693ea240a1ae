"""Answers at the command line: into files, with flags and probabilities, calibrated."""

import io
import json
import math
import sys
import warnings
from itertools import product
from pathlib import Path
from types import SimpleNamespace

import pytest
from predictors import SOURCES, make_predictor

import doldari
from doldari.cli import main
from doldari.inference.calibration import Bin, reason_to_refuse, shown_error
from doldari.inference.predictor import Predictor


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
    assert header == ["source", "prediction", "score", "probability", "flags"]
    for row, source, answer in zip(rows, SOURCES, answers, strict=True):
        assert row[:2] == [source, answer.text]
        assert float(row[2]) == pytest.approx(answer.score, abs=1e-4)
        assert float(row[3]) == pytest.approx(math.exp(answer.score), rel=1e-3)
        assert row[4] == ",".join(answer.flags)
    cut = sum("limit" in answer.flags for answer in answers)
    assert 0 < cut < len(SOURCES)
    assert done.err == (
        f"warning: {cut} of 6 predictions were cut at the length limit; --max-length N allows longer ones\n"
    )
    assert cli("predict model.safetensors ab --header --scores").out.splitlines()[0] == "prediction\tscore"
    assert cli("predict model.safetensors ab --header").out.splitlines()[0] == "prediction"


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
    assert (refused.code, refused.err) == (
        1,
        "error: new: is a directory; give the name of a file for the predictions\n",
    )


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
    assert f"warning: {left_out} of 6 predictions were left empty because their probability is too low\n" in done.err
    Path("list.txt").write_text("zzzzzzzz\n")
    forced = cli("predict model.safetensors ab a --one-of list.txt")
    assert forced.out == "zzzzzzzz\n" * 2
    assert forced.err == (
        "warning: 2 of 2 predictions were forced by the constraint (the model alone would satisfy it with a "
        "probability below 1 %)\n"
    )
    refused = cli("predict model.safetensors ab --min-probability 2")
    assert (refused.code, refused.err) == (1, "error: --min-probability 2: must be a number from 0 to 1\n")


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
    assert header == ["source", "target", "prediction", "correct", "score", "probability", "flags"]
    assert [row[:2] for row in rows] == [["ab", answer or "x"], ["bcb", "x" * 30], ["ba", "x"]]
    answers = model.predict(["ab", "bcb", "ba"], scores=True)
    assert [row[2] for row in rows] == [one.text for one in answers]
    assert [float(row[4]) for row in rows] == pytest.approx([one.score for one in answers], abs=1e-4)
    assert [row[3] for row in rows] == ["true" if row[1] == row[2] else "false" for row in rows]
    assert [float(row[5]) for row in rows] == pytest.approx([one.probability for one in answers], rel=1e-3)
    assert [row[6] for row in rows] == [",".join(one.flags) for one in answers]
    assert Path("r.png").read_bytes().startswith(b"\x89PNG")
    assert "Expected calibration error (ECE)" in Path("r.html").read_text()
    assert "1 source whose target exceeds the length limit; raise it with --max-length N" in done.out
    result = json.loads(cli("evaluate model.safetensors test.tsv --json").out)
    assert result["unreachable"] == 1
    assert result["cut"] == sum("limit" in one.flags for one in answers)
    assert 0 <= result["calibration_error"] <= 1
    assert sum(one["answers"] for one in result["reliability"]) == 3
    roomy = json.loads(cli("evaluate model.safetensors test.tsv --json --max-length 30").out)
    assert roomy["unreachable"] == 0


def calibration_file(model, right):
    """Write pairs of short predictions, of which the model gets every third, all or none right."""
    sources = ["".join(letters) for n in range(1, 5) for letters in product("abc", repeat=n)]
    short = [
        (text, answer) for text, answer in zip(sources, model.predict(sources), strict=True) if 0 < len(answer) < 10
    ]
    pairs = [(text, answer if right and n % right == 0 else "z" * 9) for n, (text, answer) in enumerate(short)]
    Path("dev.tsv").write_text("".join(f"{source}\t{target}\n" for source, target in pairs))


def test_calibrate_keeps_a_temperature_in_the_model_file(cli, model):
    calibration_file(model, right=3)
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


def test_calibrate_refuses_useless_temperatures(cli, model):
    before = Path("model.safetensors").read_bytes()
    for right, reason in ((0, "no prediction is correct"), (1, "the best temperature, 0.1, is at the edge of the ")):
        calibration_file(model, right)
        done = cli("calibrate model.safetensors dev.tsv")
        assert (done.code, done.out) == (1, "")
        assert done.err.startswith(f"error: dev.tsv: not calibrated, the temperature stays 1: {reason}")
    assert Path("model.safetensors").read_bytes() == before
    worse = [Bin(0.0, 0.5, 10, 0.4, 0.4), Bin(0.5, 1.0, 10, 0.9, 0.6)]
    better = [Bin(0.0, 0.5, 10, 0.4, 0.4), Bin(0.5, 1.0, 10, 0.7, 0.6)]
    assert reason_to_refuse(1.5, better, worse) == "temperature 1.5 would raise the ECE from 5.00% to 15.00%"
    assert reason_to_refuse(1.5, worse, better) == ""


def test_tiny_calibration_errors_are_short():
    assert shown_error([Bin(0.0, 1.0, 10, 0.5 + 1e-12, 0.5)]) == "<0.01%"
    assert shown_error([Bin(0.0, 1.0, 10, 0.5, 0.5)]) == "0.00%"


def test_the_temperature_is_shown_and_its_loss_is_told(cli, model):
    calibrated = doldari.load("model.safetensors")
    Predictor(calibrated.text_model._replace(temperature=0.5)).save("cold.safetensors")
    assert "calibrated: temperature 0.5" in cli("show cold.safetensors").out
    assert "calibrated" not in cli("show model.safetensors").out
    assert json.loads(cli("show cold.safetensors --json").out)["model"]["temperature"] == 0.5
    joined = cli("join cold.safetensors model.safetensors --out both.safetensors")
    assert (
        joined.err
        == "warning: the models' calibration does not carry over; run: doldari calibrate both.safetensors DATA\n"
    )


def test_resuming_a_calibrated_run_warns(cli):
    Path("pairs.tsv").write_text("".join(f"{letter * n}\t{letter}\n" for letter in "abcdefghij" for n in range(1, 5)))
    assert cli("train pairs.tsv --epochs 1 --hidden-size 8 --out run -q").code == 0
    trained_on = cli("calibrate run pairs.tsv")
    assert "warning: pairs.tsv: the model was trained on these pairs; calibrate with pairs it has not seen\n" in (
        trained_on.err
    )
    Predictor(doldari.load("run").text_model._replace(temperature=0.5)).save("run/model.safetensors")
    resumed = cli("train --resume run --epochs 2")
    assert "warning: the calibration of run is lost; afterwards run: doldari calibrate\n" in resumed.err
    assert doldari.load("run").text_model.temperature == 1.0


def test_inputs_are_named_as_they_were_given(cli, model):
    Path("bad.txt").write_text("ab\n?\n")
    assert cli("predict model.safetensors --input bad.txt").err.startswith("error: line 2: '?'")
    assert cli("predict model.safetensors ab ?").err.startswith("error: text 2: '?'")


def test_counts_of_flags_are_printed_even_if_quiet(cli, model):
    quiet = cli(f"predict model.safetensors {' '.join(SOURCES)} -q")
    assert quiet.err == cli(f"predict model.safetensors {' '.join(SOURCES)}").err != ""


def test_replacing_the_input_file_is_told(cli, model):
    Path("in.txt").write_text("ab\n")
    done = cli("predict model.safetensors --input in.txt --output in.txt")
    assert "warning: in.txt: the input file is replaced by its predictions\n" in done.err


def test_swapped_models_and_texts(cli, model):
    for command in ("predict ab model.safetensors", "attend ab model.safetensors"):
        name = command.split()[0]
        done = cli(command)
        assert (done.code, done.err) == (
            1,
            f"error: ab: not a model; the model comes first: doldari {name} model.safetensors ab\n",
        )


@pytest.mark.parametrize(
    "command, hint",
    [
        ("help", "No such command 'help'. Did you mean 'doldari --help'? See: doldari --help"),
        ("version", "No such command 'version'. Did you mean 'doldari --version'? See: doldari --help"),
        ("test", "No such command 'test'. Did you mean 'evaluate'? See: doldari --help"),
        ("-v", "No such option: -v; did you mean -V (--version)? See: doldari --help"),
    ],
)
def test_commands_of_habit(cli, command, hint):
    done = cli(command)
    assert (done.code, done.err) == (2, f"error: {hint}\n")


@pytest.mark.parametrize(
    "options, message",
    [
        (
            "predict model.safetensors ab --max-length 0",
            "--max-length 0: must be a whole number of symbols, at least 1",
        ),
        ("evaluate model.safetensors t.tsv --max-length 0", "--max-length 0: must be a whole number of symbols"),
        ("predict model.safetensors ab --beam-size 0", "--beam-size 0: must be a whole number, at least 1"),
        ("predict model.safetensors ab --beam 0", "--beam 0: must be a whole number, at least 1"),
        ("predict model.safetensors ab --n-best 0", "--n-best 0: must be a whole number, at least 1"),
        ("predict model.safetensors ab --sample --temperature 0", "--temperature 0: must be a number greater than 0"),
        ("predict model.safetensors ab --sample --top-k 0", "--top-k 0: must be a whole number, at least 1"),
        ("train - -", "-: standard input can be only one of the two files"),
        ("train - --validation -", "-: standard input cannot be both training and validation pairs"),
    ],
)
def test_errors_name_options_as_typed(cli, model, options, message):
    Path("t.tsv").write_text("ab\tx\n")
    done = cli(options)
    assert done.code == 1
    assert done.err.startswith(f"error: {message}")


def test_wrong_settings_come_before_a_run_that_exists(cli):
    Path("pairs.tsv").write_text("a\tb\nb\tc\n")
    assert cli("train pairs.tsv --out run --epochs 1 --hidden-size 2 -q").code == 0
    assert cli("train pairs.tsv --out run --epochs 0").err.startswith("error: --epochs 0: must be at least 1")
    assert "already" in cli("train pairs.tsv --out run").err

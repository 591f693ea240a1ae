"""Ensembles of different kinds on the command line: train --mix, join, --vote, and what is refused."""

import json

import pytest

import doldari

QUICK = "--epochs 1 --hidden-size 8 --batch-size 16"


@pytest.fixture
def run(cli, pairs):
    assert cli(f"train {pairs.name} {QUICK} --ensemble 2 --mix decoder=attention,pointer --out run").code == 0
    return "run"


def test_train_says_how_members_differ(cli, pairs):
    said = cli(f"train {pairs.name} {QUICK} --ensemble 2 --mix decoder=attention,pointer --out run").out
    assert "model 1 of 2: decoder=attention\n" in said
    assert "model 2 of 2: decoder=pointer\n" in said


def test_train_show_and_evaluate(cli, pairs, run):
    shown = cli(f"show {run}").out
    assert "its 2 kinds of models vote by log-probability" in shown
    by_mean = cli(f"predict {run} abc aaaa --scores").out
    assert by_mean == cli(f"predict {run} abc aaaa --scores --vote log-probability").out
    by_majority = doldari.load(run).voting("majority").predict(["abc", "aaaa"])
    assert cli(f"predict {run} abc aaaa --vote majority").out.splitlines() == by_majority
    result = json.loads(cli(f"evaluate {run} {pairs.name} --vote majority --json").out)
    assert result["examples"] == 40
    mean = cli(f"score {run} {pairs.name}").out.splitlines()[0].split("\t")
    source, target = mean[:2]
    assert float(mean[2]) == pytest.approx(doldari.load(run).score([(source, target)])[0], abs=1e-4)
    constrained = cli(f"predict {run} abc --matching c.* --details").out.split("\t")
    assert constrained[0].startswith("c")


def test_attention_of_the_prediction(cli, run):
    (answer,) = cli(f"predict {run} abc").out.splitlines()
    drawn = cli(f"attend {run} abc")
    assert drawn.code == 0 and answer in drawn.out
    shown = cli(f"show {run}").out
    assert "attention: doldari attend run TEXT" in shown and "--sample" not in shown


def test_join(cli, pairs, run, tmp_path):
    assert cli(f"train {pairs.name} {QUICK} --right-to-left --out left").code == 0
    done = cli("join run left run/member-1 --out all.safetensors --vote majority")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[0] == (
        "Ensemble of 4 models of 3 kinds, which vote by majority, saved to all.safetensors"
    )
    model = doldari.load("all.safetensors")
    assert [kind.config.ensemble for kind in model.text_model.kinds] == [2, 1, 1]
    assert cli("predict all.safetensors abc aaaa").out.splitlines() == model.predict(["abc", "aaaa"])
    assert "4 x" not in cli("show all.safetensors").out


def test_what_is_refused_by_name(cli, pairs, run):
    what = "not possible with an ensemble of 2 kinds of models; use one of its members"
    for command, message in (
        ("export run page.html", f"page.html: an export: {what}"),
        ("export run model.onnx", f"model.onnx: an export: {what}"),
        ("predict run abc --sample", f"sampling: {what}"),
        (f"calibrate run {pairs.name}", f"calibrate: {what}"),
        (
            f"train {pairs.name} --mix decoder=attention,pointer --out x",
            "--mix decoder=attention,pointer: its 2 combinations need at least --ensemble 2",
        ),
        (
            "predict run/member-1 abc --vote majority",
            "--vote majority: needs an ensemble of different kinds of models",
        ),
    ):
        refused = cli(command)
        assert (refused.code, refused.out, refused.err) == (1, "", f"error: {message}\n")

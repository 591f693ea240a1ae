"""The command line as a user meets it: what is printed where, exit codes, bad input, interruption."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

import doldari
from doldari.inference.metrics import Evaluation
from doldari.training.observer import Stop, stop_on_signals

QUICK = "--epochs 1 --hidden-size 8 --batch-size 16"


def test_train_evaluate_predict(cli, pairs, tmp_path):
    done = cli(
        f"train {pairs.name} --epochs 9 --hidden-size 16 --batch-size 2 --learning-rate 0.02",
        "--no-reverse --decoder plain --seed 3",
    )
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0].startswith("36 training pairs, 4 validation pairs")
    assert [line.split()[:2] for line in lines[1:10]] == [["epoch", f"{epoch}/9"] for epoch in range(1, 10)]
    assert sum(line.lstrip()[0] in "✓✗" for line in lines[10:-1]) == 4
    saved = r"Model (of the best epoch \(\d\) )?saved to runs/pairs\. Try: doldari predict runs/pairs "
    assert re.match(saved, lines[-1])
    assert sorted(path.name for path in (tmp_path / "runs/pairs").iterdir()) == [
        "accuracy.png",
        "checkpoint.safetensors",
        "config.toml",
        "history.jsonl",
        "model.safetensors",
        "run.json",
    ]
    assert (tmp_path / "runs/pairs/accuracy.png").read_bytes().startswith(b"\x89PNG")
    assert 'decoder = "plain"' in (tmp_path / "runs/pairs/config.toml").read_text()

    evaluated = cli(f"evaluate runs/pairs {pairs.name} --json")
    result = json.loads(evaluated.out)
    assert (evaluated.code, result["examples"]) == (0, 40)
    assert 0 < result["accuracy"] < 1
    shown = cli(f"evaluate runs/pairs/model.safetensors {pairs.name}").out
    assert shown.startswith(f"accuracy {result['accuracy']:.2%}")
    model = doldari.load("runs/pairs")
    texts = [line.split("\t") for line in pairs.read_text().splitlines()]
    assert result["accuracy"] == sum(model(source) == target for source, target in texts) / 40

    by_argument = cli("predict runs/pairs abc aaaa")
    by_line = cli("predict runs/pairs", stdin=b"abc\n\naaaa\r\n")
    assert by_argument.out.splitlines() == model.predict(["abc", "aaaa"])
    assert by_line.out.splitlines() == [model("abc"), "", model("aaaa")]


def test_evaluate_measures(cli, pairs, tmp_path):
    cli(f"train {pairs} --target-symbols words --epochs 9 --hidden-size 16 --batch-size 2 --learning-rate 0.02")
    model = doldari.load("runs/pairs")
    (tmp_path / "test.tsv").write_text(f"aa\t{model('aa')}\naa\tz z\nbb\tz z\nccc\tz\ndddd\tz\n")
    shown = cli("evaluate runs/pairs test.tsv --training pairs.tsv").out.splitlines()
    assert shown[0].startswith("accuracy 25.00%")
    assert shown[0].endswith("  1 of 4 correct")
    assert [line.split()[0] for line in shown[:6]] == ["accuracy", "WER", "CER", "BLEU", "chrF", "ECE"]
    assert shown[1].startswith("WER      75.00%")
    leaks = {"pairs": int(model("aa") == "a"), "sources": 5 - (model("aa") == "a")}
    others = f"{leaks['sources']} sources with another target"
    assert f"also in pairs.tsv: {leaks['pairs']} pairs; and {others}" in shown[6:8]
    result = json.loads(cli("evaluate runs/pairs test.tsv --training pairs.tsv --json").out)
    assert (result["examples"], result["correct"]) == (4, 1)
    assert result["scores"]["WER"]["value"] == 0.75
    assert result["scores"]["accuracy"]["low"] <= 0.25 <= result["scores"]["accuracy"]["high"]
    assert result["leaks"] == leaks
    assert cli("evaluate runs/pairs test.tsv --training pairs.tsv --report new/r.html").code == 0
    page = Path("new/r.html").read_text("utf-8")
    assert "<h1>runs/pairs on test.tsv</h1>" in page
    assert "25.00%" in page
    assert f"Sources that have another target in the training pairs: {leaks['sources']}." in page
    assert page.count('<table class="attention">') == 3


def test_train_again_is_refused_unless_overwriting(cli, pairs):
    assert cli(f"train {pairs} {QUICK}").code == 0
    model = Path("runs/pairs/model.safetensors")
    before = model.read_bytes()
    refused = cli(f"train {pairs} {QUICK} --seed 5")
    assert refused.code == 1
    assert "runs/pairs: already holds a run" in refused.err
    assert "--overwrite" in refused.err
    assert model.read_bytes() == before
    assert cli(f"train {pairs} {QUICK} --seed 5 --overwrite").code == 0
    assert model.read_bytes() != before


def test_settings_from_a_file_and_options(cli, pairs, tmp_path):
    (tmp_path / "base.toml").write_text("[model]\nhidden_size = 4\n[training]\nepochs = 3\n")
    done = cli(f"train {pairs} --config base.toml --epochs 1 --out there --validation {pairs}")
    assert done.code == 0
    assert "40 training pairs, 40 validation pairs" in done.out
    written = (tmp_path / "there/config.toml").read_text()
    assert "hidden_size = 4" in written
    assert "epochs = 1" in written


def test_the_best_epoch_is_named_and_kept(cli, pairs, monkeypatch):
    """The accuracies are written down: 50 %, 75 %, 25 %, 25 % and so on."""
    accuracies = iter([0.5, 0.75] + [0.25] * 10)
    monkeypatch.setattr(
        Evaluation, "accuracy", property(lambda self: self.__dict__.setdefault("a", next(accuracies)))
    )
    done = cli(f"train {pairs} --epochs 9 --patience 3 --hidden-size 8 --validation {pairs}")
    assert done.code == 0
    lines = done.out.splitlines()
    assert [line.split()[:2] for line in lines[1:6]] == [["epoch", f"{epoch}/9"] for epoch in range(1, 6)]
    assert [word for line in lines[1:6] for word in line.split() if "%" in word] == [
        "50.00%*",
        "75.00%*",
        "25.00%",
        "25.00%",
        "25.00%",
    ]
    assert lines[-2] == "stopped early: no improvement for 3 epochs"
    assert lines[-1].startswith("Model of the best epoch (2) saved to runs/pairs. Try: doldari predict runs/pairs ")


def test_a_budget_of_time(cli, pairs):
    done = cli(f"train {pairs} --budget 1.5s --hidden-size 4 --metric loss --ema 0.9 --schedule cosine --bucketing")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert re.fullmatch(r"time budget 1\.5s: [\d,]+ epochs of about 0\.\d s", lines[1])
    assert re.fullmatch(r"epoch +1/\d+ +loss \d\.\d+ +validation \d\.\d+\* +accuracy +\d+\.\d+% +0\.\d s", lines[2])
    assert 'budget = "1.5s"' in Path("runs/pairs/config.toml").read_text()
    history = [json.loads(line) for line in Path("runs/pairs/history.jsonl").read_text().splitlines()]
    assert history[-1]["learning_rate"] < 1e-4 < max(epoch["learning_rate"] for epoch in history)


def test_pairs_that_are_trained_on_too_are_counted(cli, pairs):
    done = cli(f"train {pairs} {QUICK} --validation {pairs}")
    assert (done.code, done.err) == (0, "warning: 40 of the validation pairs are also training pairs\n")


def test_nobody_reads_the_epochs(monkeypatch, tmp_path, pairs):
    """As in `doldari train ... | head -2`: what was trained so far is kept, and said."""
    monkeypatch.chdir(tmp_path)
    command = (
        f"{sys.executable} -m doldari train {pairs} {QUICK} --recipe general --epochs 400 --out runs/read".split()
    )
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        process.stdout.close()
        error = process.stderr.read()
    assert process.returncode == 128 + signal.SIGPIPE
    assert re.fullmatch(
        r"stopped at step \d+; runs/read keeps the model of epoch \d+ \(the best so far\)\. "
        r"Resume with: doldari train --resume runs/read\n",
        error,
    )
    assert {path.name for path in Path("runs/read").iterdir()} >= {"model.safetensors", "accuracy.png"}


def test_symbols_never_seen_are_counted(cli, pairs, tmp_path):
    (tmp_path / "some.tsv").write_text("aa\ta\n가\ta\n")
    done = cli(f"train {pairs} {QUICK} --validation some.tsv")
    assert "2 validation pairs (1 of them with symbols not seen in training);" in done.out


def test_syllables_that_jamo_would_spell_are_pointed_out(cli):
    syllables = [chr(ord("가") + 588 * consonant + 28 * vowel) for consonant in range(6) for vowel in range(6)]
    Path("words.tsv").write_text("".join(f"{syllable}\ta\n" for syllable in syllables))
    tip = "tip: --source-normalization NFD decomposes the source symbols into 12, so that fewer are rare"
    done = cli(f"train words.tsv {QUICK} --validation words.tsv")
    assert (done.code, tip in done.err.splitlines()) == (0, True)
    done = cli(f"train words.tsv {QUICK} --validation words.tsv --overwrite --source-normalization NFD")
    assert (done.code, "tip:" in done.err) == (0, False)
    assert "; 12 source" in done.out


@pytest.mark.parametrize(
    "targets, options, tipped",
    [
        (["ts ts aː", "ts aː", "aː ts ts", "aː aː aː ts"], "", True),
        (["ts ts aː", "ts aː", "aː ts ts", "aː aː aː ts"], "--target-symbols whitespace", False),
        (["word word aː", "word word", "aː word word", "aː word word"], "", False),
        (["aː", "ts", "aː", "ts"], "", False),
        (["I am so far off", "he is my son", "go to bed now", "we saw a cat"], "", False),
    ],
)
def test_symbols_between_spaces_are_pointed_out(cli, targets, options, tipped):
    Path("some.tsv").write_text("".join(f"{'a' * n}\t{target}\n" for n, target in enumerate(targets, start=1)))
    tip = "tip: --target-symbols whitespace tokenizes targets at spaces; see also --recipe g2p\n"
    done = cli(f"train some.tsv {QUICK} --validation some.tsv {options}")
    assert (done.code, tip in done.err) == (0, tipped)


def test_generate(cli):
    tsv = cli("generate addition --count 20 --digits 2 --seed 4").out.splitlines()
    assert len(set(tsv)) == 20
    for line in tsv:
        source, target = line.split("\t")
        assert sum(map(int, source.split("+"))) == int(target)
    chapter = cli("generate addition --count 20 --digits 2 --seed 4 --format chapter").out.splitlines()
    assert [line.replace("_", "\t").replace(" ", "") for line in chapter] == tsv
    assert {len(line) for line in chapter} == {9}
    assert cli("generate reverse --count 1").out.count("\t") == 1
    assert "--digits 3: the task copy has no digits" in cli("generate copy --digits 3").err
    assert len(cli("generate copy").out.splitlines()) == 50_000
    refused = cli("generate addition --count 56 --digits 1")
    assert (refused.code, refused.out) == (1, "")
    assert "--count 56: must be from 1 to 55" in refused.err


def test_compare(cli, pairs, tmp_path):
    done = cli(f"compare {pairs} --epochs 1")
    assert done.code == 0
    models = ["plain", "reversed", "reversed + peeky", "reversed + attention"]
    assert [line for line in done.out.splitlines() if line in models] == models
    compared = tmp_path / "runs/compare-pairs"
    assert (compared / "accuracy.png").read_bytes().startswith(b"\x89PNG")
    reverse = {d.name: "reverse = true" in (d / "config.toml").read_text() for d in compared.iterdir() if d.is_dir()}
    assert reverse == {"plain": False, "reversed": True, "reversed-peeky": True, "reversed-attention": True}
    assert all('schedule = "constant"' in (compared / name / "config.toml").read_text() for name in reverse)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (
            "train nothing.tsv",
            "nothing.tsv: no such file or built-in task (tasks: addition, copy,",
        ),
        ("train adition", "did you mean addition?"),
        ("train pairs.tsv --digits 5", "--digits 5: only for built-in tasks, not for files"),
        ("train pairs.tsv --count 5", "--count 5: only for built-in tasks, not for files"),
        ("train dates --digits 5", "--digits 5: the task dates has no digits"),
        ("train addition --count 500501", "--count 500501: must be from 1 to 500,500 with 3 digits"),
        ("train .", ".: is a directory"),
        ("train bad.tsv", "bad.tsv:2: no tab (and 1 more line)"),
        ("train empty.tsv", "empty.tsv: no pairs in it"),
        ("train latin.tsv", "latin.tsv:1: not UTF-8 (byte 0xe9 at 4)"),
        ("train pairs.tsv --hidden-size 0", "--hidden-size 0: must be at least 1"),
        ("train pairs.tsv --learning-rate nan", "--learning-rate nan: must be finite"),
        ("train pairs.tsv --config none.toml", "none.toml: cannot be read as TOML: No such file"),
        ("train pairs.tsv --out pairs.tsv", "pairs.tsv: cannot be used as the run directory"),
        ("train pairs.tsv --validation bad.tsv", "bad.tsv:2: no tab"),
        ("train pairs.tsv --validation empty.tsv", "empty.tsv: no pairs in it"),
        (
            "train pairs.tsv --validation foreign.tsv",
            "foreign.tsv: every pair has symbols not seen in training (2 pairs); use validation pairs",
        ),
        ("train pairs.tsv --epochs 3 --budget 5m", "--epochs 3, --budget 5m: give one of the two"),
        ("train pairs.tsv --budget soon", "--budget soon: must be a time such as 90s, 5m or 1h30m"),
        ("train pairs.tsv --budget 0.001s", "--budget 0.001s: too short, one epoch takes about 0."),
        ("train pairs.tsv --budget 0.001s --ensemble 2", "--budget 0.01s: too short, one epoch takes about 0."),
        (
            "train pairs.tsv --ensemble 2 --validation foreign.tsv",
            "foreign.tsv: every pair has symbols not seen in training (2 pairs); use validation pairs",
        ),
        ("train pairs.tsv --layers 2000000000", "--layers 2000000000: must be at least 1, and below 1,000"),
        ("train pairs.tsv --ema 1", "--ema 1: must be below 1 and at least 0"),
        ("train pairs.tsv --warmup 1", "--warmup 1: must be below 1"),
        ("train pairs.tsv --weight-decay -1", "--weight-decay -1: must be finite and at least 0"),
        ("train pairs.tsv --patience -1", "--patience -1: must be at least 0"),
        ("evaluate none pairs.tsv", "none: no such model; train one, for example with: doldari train"),
        ("predict . abc", ".: no model file in this directory"),
        ("predict pairs.tsv abc", "pairs.tsv: not a safetensors file"),
    ],
)
def test_mistakes_get_one_line(cli, pairs, tmp_path, arguments, message):
    (tmp_path / "bad.tsv").write_text("a\tb\nno tab\nnone\n")
    (tmp_path / "empty.tsv").write_text("")
    (tmp_path / "latin.tsv").write_bytes("caf\xe9\tx\n".encode("latin-1"))
    (tmp_path / "foreign.tsv").write_text("가\ta\na\t나\n")
    failed = cli(arguments)
    assert failed.code == 1
    assert not (tmp_path / "runs").exists()
    assert failed.out == ""
    assert failed.err.startswith("error: ")
    assert message in failed.err
    assert failed.err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments, message, command",
    [
        ("train", "Missing argument 'DATA'", " train"),
        ("trian addition", "No such command 'trian'. Did you mean 'train'?", ""),
        ("train addition --decoder pekky", "'pekky' is not one of 'plain', 'peeky', 'attention'", " train"),
        ("train addition --metric bleu", "'bleu' is not one of 'accuracy', 'loss'", " train"),
        ("train addition --source-normalization NFG", "'NFG' is not one of 'none', 'NFC', 'NFD', ", " train"),
        ("train addition --source-column 0", "Invalid value for '--source-column'", " train"),
        ("train addition --hiden-size 9", "No such option: --hiden-size", " train"),
        ("generate subtraction", "'subtraction' is not one of 'addition', 'copy', 'dates', 'reverse'", " generate"),
    ],
)
def test_usage_errors_get_one_line_and_their_own_code(cli, arguments, message, command):
    failed = cli(arguments)
    assert (failed.code, failed.out) == (2, "")
    assert failed.err.startswith("error: ")
    assert message in failed.err
    assert failed.err.endswith(f"{command} --help\n")
    assert failed.err.count("\n") == 1


def test_without_a_command_there_is_help(cli):
    shown = cli("")
    assert (shown.code, shown.err) == (2, "")
    assert "doldari train addition" in shown.out


def test_unknown_symbols_lose_nothing_else(cli, pairs):
    cli(f"train {pairs} {QUICK}")
    done = cli("predict runs/pairs", stdin="aa\n가\nbb\n".encode())
    assert done.code == 1
    assert len(done.out.splitlines()) == 3
    assert done.out.splitlines()[1] == ""
    with_sources = cli("predict runs/pairs --tsv --scores", stdin="aa\n가\nbb\n".encode()).out.splitlines()
    assert [line.split("\t")[0] for line in with_sources] == ["aa", "가", "bb"]
    assert with_sources[1] == "가\t\t"
    columns = cli("predict runs/pairs --unknown unknown", stdin=b"aa\tb\n")
    assert (columns.code, columns.out) == (1, "\n")
    assert "line 1: 'aa\\tb': contains a tab, but the model has no features; give sources only" in columns.err
    assert "line 2: '가': the symbol '가' (U+AC00) was not seen in training\n" in done.err  # nothing else is in it
    hinted = cli("predict runs/pairs a가").err
    assert hinted.startswith("error: text 1: 'a가': the symbol '가' (U+AC00) was not seen in training; let such ")
    assert "with --unknown unknown\n" in hinted  # and not with copy: no target had an unknown symbol
    let_through = cli("predict runs/pairs --unknown unknown", stdin="aa\na가\nbb\n".encode())
    assert (let_through.code, "error" in let_through.err) == (0, False)
    assert let_through.out.splitlines()[::2] == done.out.splitlines()[::2]
    not_text = cli("predict runs/pairs", stdin=b"\xef\xbb\xbfaa\n\xff\nbb")
    assert not_text.code == 1
    assert not_text.err.startswith("error: line 2: not UTF-8\n")
    assert not_text.out.splitlines() == [done.out.splitlines()[0], "", done.out.splitlines()[2]]


@pytest.mark.parametrize(
    "settings",
    [
        "--source-symbols graphemes --target-symbols graphemes --target-normalization NFD",
        "--source-symbols words --target-symbols words --min-count 2",
        "--source-symbols subwords --target-symbols subwords --shared-vocabulary --subword-count 60",
        "--source-symbols words --target-symbols subwords --source-normalization NFKC",
    ],
)
def test_symbols_of_every_kind(cli, tmp_path, settings):
    """A dozen texts of accented words and marks are learnt by heart, and said again as they were."""
    days = ["lundi", "mardi", "jeudi", "samedi"]
    lines = [f"{day}, {hour} été\t{hour} h, {day} (été)!\n" for day in days for hour in ("une", "deux", "trois")]
    (tmp_path / "fr.tsv").write_text("".join(lines * 12))
    done = cli(
        f"train fr.tsv {settings} --validation fr.tsv --epochs 30 --batch-size 8 --hidden-size 32",
        "--learning-rate 0.02",
    )
    assert (done.code, done.err) == (0, "warning: 144 of the validation pairs are also training pairs\n")
    result = json.loads(cli("evaluate runs/fr fr.tsv --json").out)
    assert result["examples"] == 12
    assert result["accuracy"] > 0.8
    assert ("BLEU" in result["scores"]) == ("graphemes" not in settings)
    assert doldari.load("runs/fr")("mardi, une été") == "une h, mardi (été)!"


@pytest.fixture
def inflections(tmp_path):
    """Words in which V and P are letters too, with two features each: doubled or not, and with which ending."""
    words = [first + second for first in "VPSTab" for second in "VPab"]
    lines = [
        f"{word}\t{word * (1 + twice)}{'S' * past}\t{'P' if twice else 'N'};{'PST' if past else 'V'}\n"
        for word in words
        for twice in (0, 1)
        for past in (0, 1)
    ]
    path = tmp_path / "inflections.tsv"
    path.write_text("".join(lines))
    return path


def test_features_from_end_to_end(cli, inflections):
    # A pointer, since a transducer passes every symbol of a word once and cannot copy it twice.
    settings = "--epochs 40 --batch-size 8 --hidden-size 32 --learning-rate 0.01 --decoder pointer"
    done = cli(f"train {inflections} --features-column 3 --out runs/x {settings}")
    assert (done.code, done.err) == (0, "")
    assert "; 6 source and 6 target symbols, 4 features; " in done.out
    assert "doldari predict runs/x $'" in done.out.splitlines()[-1]
    assert any("  P;PST  " in line for line in done.out.splitlines())
    result = json.loads(cli(f"evaluate runs/x {inflections} --json").out)
    assert result["accuracy"] > 0.8
    other_way = inflections.with_name("other.tsv")
    rows = [line.split("\t") for line in inflections.read_text().splitlines()]
    other_way.write_text("".join(f"{form}\t{features}\t{word}\n" for word, form, features in rows))
    options = "--source-column 3 --target-column 1 --features-column 2"
    assert json.loads(cli(f"evaluate runs/x {other_way} {options} --json").out) == result
    model = doldari.load("runs/x")
    asked = cli("predict runs/x", stdin=b"Va\tN;PST\n\nVa\nVa\tN;a\n")
    assert asked.out.splitlines() == [model("Va\tN;PST"), "", "", ""]
    assert asked.err.splitlines() == [
        "error: line 3: 'Va': no features; expected: text, tab, features separated by ;",
        "error: line 4: 'Va': the feature 'a' was not seen in training; let such symbols through with --unknown copy",
    ]


@pytest.mark.parametrize(
    "arguments, message",
    [
        (
            "train inflections.tsv",
            "inflections.tsv:1: 3 columns, expected 2; if 'N;V' are features: --features-column 3",
        ),
        ("train inflections.tsv --features-column 4", "inflections.tsv:1: no column 4 for the features; there are 3"),
        (
            "train inflections.tsv --features-column 2",
            "--source-column 1, --target-column 2, --features-column 2: must be different columns",
        ),
        ("train copy --source-column 2 --target-column 1", "copy: a built-in task; it has no columns"),
        ("train pairs.tsv --features-column 3", "pairs.tsv:1: no column 3 for the features; there are 2 (and 39"),
        ("train pairs.tsv --min-count 1000", "--min-count 1000: leaves no symbol; the most frequent one occurs 10"),
        ("evaluate with pairs.tsv", "pairs.tsv:1: no column 3 for the features; there are 2"),
        ("evaluate without inflections.tsv --features-column 3", "without has no features"),
    ],
)
def test_mistakes_with_columns_get_one_line(cli, pairs, inflections, arguments, message):
    if "evaluate with" in arguments:
        cli(f"train inflections.tsv --features-column 3 --out with {QUICK}")
        cli(f"train pairs.tsv --out without {QUICK}")
    failed = cli(arguments)
    assert (failed.code, failed.out) == (1, "")
    assert failed.err.startswith("error: ")
    assert message in failed.err
    assert failed.err.count("\n") == 1


def test_sources_of_unknown_symbols_are_named(cli, pairs, tmp_path):
    cli(f"train {pairs} {QUICK}")
    (tmp_path / "test.tsv").write_text("aa\ta\n\nb가\tb\n가\tb\n나\tb\n")
    refused = cli("evaluate runs/pairs test.tsv")
    assert (refused.code, refused.out) == (1, "")
    assert refused.err.startswith(
        "error: test.tsv:3: 'b가': the symbol '가' (U+AC00) was not seen in training (and 2 more sources); let"
    )
    counted = cli("evaluate runs/pairs test.tsv --unknown copy --json")
    assert (counted.code, json.loads(counted.out)["examples"]) == (0, 4)
    cannot = (
        "warning: --unknown copy: no training target of this model had an unknown symbol, so nothing can be copied\n"
    )
    assert counted.err == cannot + (
        "warning: test.tsv:4: '가': none of its symbols was seen in training (and 1 more source); counted as errors\n"
    )
    asked = cli("predict runs/pairs --unknown copy", stdin="가\naa".encode())
    assert (asked.code, asked.out.count("\n")) == (1, 2)
    assert asked.err == cannot + "error: line 1: '가': none of its symbols was seen in training\n"


def test_jamo_from_end_to_end(cli, tmp_path):
    """Targets are learnt as jamo and written as syllables, those never seen among them."""
    syllables = [chr(0xAC00 + 588 * first + 28 * vowel) for first in range(19) for vowel in range(0, 21, 4)]
    (tmp_path / "ko.tsv").write_text("".join(f"{text}\t{text}\n" for text in syllables))
    cli("train ko.tsv --source-normalization NFD --target-normalization NFD --epochs 30 --batch-size 8 --out ko")
    answers = cli("predict ko", stdin="\n".join(syllables).encode()).out.splitlines()
    assert sum(map(str.__eq__, answers, syllables)) > 0.8 * len(syllables)
    result = json.loads(cli("evaluate ko ko.tsv --json").out)
    assert result["accuracy"] > 0.8


def test_long_sources_are_warned_about(cli, pairs):
    cli(f"train {pairs} {QUICK}")
    done = cli("predict runs/pairs aaaaaaa")
    assert done.code == 0
    assert done.err.startswith("warning: a source of 7 symbols, the longest in training had 4")


def test_a_loss_that_is_no_number(cli, pairs):
    failed = cli(f"train {pairs} {QUICK} --learning-rate 1e38 --schedule constant")
    assert failed.code == 1
    assert failed.err.startswith("error: the loss became")
    assert (
        "at step 2 (epoch 1); try a learning rate lower than 1e+38. runs/pairs keeps the untrained model"
        in failed.err
    )
    assert doldari.load("runs/pairs")("a") is not None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interruption_saves(tmp_path, number):
    command = [sys.executable, "-u", "-m", "doldari", "train", "addition", "--hidden-size", "8", "--epochs", "500"]
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as training:
        assert "training pairs" in training.stdout.readline()
        assert training.stdout.readline().startswith("epoch   1/500")
        time.sleep(0.2)
        training.send_signal(number)
        _, error = training.communicate(timeout=60)
    assert training.returncode == 128 + number
    epochs = len((tmp_path / "runs/addition/history.jsonl").read_text().splitlines())
    assert re.search(rf"runs/addition keeps the model of epoch [1-{epochs}] \(the best so far\)", error)
    assert "Traceback" not in error
    assert doldari.load(tmp_path / "runs/addition")("1+1") is not None
    assert (tmp_path / "runs/addition/accuracy.png").exists()


def test_output_into_a_closed_pipe():
    command = f"{sys.executable} -m doldari generate addition | head -n 1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60)
    assert "\t" in done.stdout
    assert done.stderr == ""


def test_help_teaches(cli):
    shown = cli("train --help-all").out
    for word in ("DATA", "--epochs", "--reverse", "--decoder", "plain|peeky", "--config", "accuracy.png"):
        assert word in shown


def test_a_task_is_evaluated_on_a_tenth_as_many(cli):
    train = cli("train copy --epochs 1 --hidden-size 4 --batch-size 1000")
    assert "45,000 training pairs, 5,000 validation pairs" in train.out
    assert json.loads(cli("evaluate runs/copy copy --json").out)["examples"] == 5000


def test_a_task_of_another_size(cli):
    """The pairs are those that `generate` prints; others are evaluated on, a tenth as many, of the run's own size."""
    generated = cli("generate addition --digits 5 --count 600").out
    train = cli("train addition --digits 5 --count 600 --epochs 1 --hidden-size 4")
    assert (train.code, train.err) == (0, "")
    assert "540 training pairs, 60 validation pairs" in train.out
    Path("sums.tsv").write_text(generated)
    cli("train sums.tsv --recipe addition --epochs 1 --hidden-size 4")
    history = [Path(f"runs/{name}/history.jsonl").read_text() for name in ("addition", "sums")]
    timeless = [re.sub(r'"(seconds|pairs_per_second)": [\d.]+', "", text) for text in history]
    assert timeless[0] == timeless[1]
    evaluated = cli("evaluate runs/addition addition --digits 5 --count 600 --json --training sums.tsv").out
    assert json.loads(evaluated)["examples"] == 60
    assert json.loads(evaluated)["leaks"] == {"pairs": 0, "sources": 0}
    assert cli("evaluate runs/addition addition --json --training sums.tsv").out == evaluated


def test_text_is_shown_as_it_is(cli, tmp_path):
    """No markup, no escape sequences, and a hint that a shell reads rightly."""
    tricky = ["\x1b[31mred", "[bold]a :smile:", "[/b]", "it's", "-1"]
    (tmp_path / "a[b] $x^.tsv").write_text("".join(f"{text * n}\t{text}\n" for text in tricky for n in (1, 2, 3, 4)))
    run = partial(subprocess.run, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    trained = run(
        [
            sys.executable,
            "-m",
            "doldari",
            "train",
            "a[b] $x^.tsv",
            *QUICK.split(),
            "--recipe=general",
            "-o",
            "x[/v] y",
        ]
    )
    assert (trained.returncode, trained.stderr) == (0, "")
    assert "\x1b" not in trained.stdout
    hint = trained.stdout.splitlines()[-1]
    assert hint.startswith("Model saved to x[/v] y. Try: doldari predict 'x[/v] y' ")
    asked = run(["bash", "-c", f"{sys.executable} -m {hint.split('Try: ')[1]}"])
    assert (asked.returncode, asked.stdout.count("\n")) == (0, 1)
    evaluated = run([sys.executable, "-m", "doldari", "evaluate", "x[/v] y", "a[b] $x^.tsv"])
    assert "[bold]a :smile:" in evaluated.stdout
    assert "\\x1b[31mred" in evaluated.stdout


def test_who_asks_through_a_pipe_is_answered_at_once(cli, pairs, tmp_path):
    cli(f"train {pairs} {QUICK}")
    command = [sys.executable, "-m", "doldari", "predict", "runs/pairs"]
    with subprocess.Popen(command, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as asked:
        model = doldari.load("runs/pairs")
        for question in ("aa", "bbb"):
            asked.stdin.write(question + "\n")
            asked.stdin.flush()
            assert asked.stdout.readline() == model(question) + "\n"
        asked.stdin.close()
        assert asked.wait(timeout=30) == 0


@pytest.fixture
def heeding_interrupts():
    """Let Ctrl-C interrupt, which a process that was started in the background ignores."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heeding_interrupts")
def test_a_second_signal_stops_at_once():
    stop = Stop()
    with stop_on_signals(stop):
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.signal == signal.SIGINT
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(1)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_too_large_a_model(cli, pairs):
    failed = cli(f"train {pairs} --hidden-size 2000000")
    assert failed.code == 1
    assert failed.err.startswith("error: not enough memory")
    assert not Path("runs").exists()


def test_version(cli):
    assert cli("--version").out == doldari.__version__ + "\n"


@pytest.fixture
def model(cli, pairs):
    """A little attention model, trained for a moment."""
    done = cli(
        f"train {pairs} --decoder attention --bidirectional --hidden-size 16 --epochs 4 --batch-size 2 --out model"
    )
    assert done.code == 0, done.err
    return "model"


def test_predict_prints_columns(cli, model):
    assert cli(f"predict {model} abc aaaa --beam 3").out.count("\n") == 2
    lines = cli(f"predict {model} abc aaaa --beam 3 --n-best 3 --scores --tsv").out.splitlines()
    rows = [line.split("\t") for line in lines]
    assert [row[0] for row in rows] == ["abc"] * 3 + ["aaaa"] * 3
    assert all(float(row[2]) < 0 for row in rows)
    scored = cli(f"predict {model} abc --scores").out.split("\t")
    assert float(scored[1]) == pytest.approx(float(rows[0][2]), abs=1e-3) or scored[0] != rows[0][1]


def test_score_agrees_with_predict(cli, model, tmp_path):
    rows = cli(f"predict {model} abc aaaa --beam 3 --n-best 3 --scores --tsv").out.splitlines()
    asked = [row.split("\t") for row in rows]
    (tmp_path / "asked.tsv").write_text("".join(f"{source}\t{answer}\n" for source, answer, _ in asked if answer))
    scored = [line.split("\t") for line in cli(f"score {model} asked.tsv").out.splitlines()]
    expected = [float(value) for _, answer, value in asked if answer]
    assert [float(row[2]) for row in scored] == pytest.approx(expected, abs=2e-3)


def test_score_takes_the_features_third_and_names_the_line(cli, inflections, tmp_path):
    assert cli(f"train inflections.tsv --features-column 3 --out with {QUICK}").code == 0
    scored = cli("score with inflections.tsv")
    assert scored.code == 0, scored.err
    assert len(scored.out.splitlines()) == len(inflections.read_text().splitlines())
    lines = inflections.read_text().splitlines()
    (tmp_path / "odd.tsv").write_text(f"{lines[0]}\n\n{'%' + lines[1]}\n")
    refused = cli("score with odd.tsv")
    assert (refused.code, refused.out) == (1, "")
    assert refused.err.startswith("error: odd.tsv:3: '%")


def test_predict_within_what_is_allowed(cli, model, tmp_path):
    (tmp_path / "list.txt").write_text("c\nb\n")
    listed = cli(f"predict {model} abc aaaa b --one-of list.txt").out.split()
    assert len(listed) == 3
    assert set(listed) <= {"c", "b"}
    assert set(cli(f"predict {model} abc aaaa b --matching [bc] --beam 2").out.split()) <= {"b", "c"}
    drawn = [cli(f"predict {model} abc aaaa b --sample --seed {seed} --matching [abc]+").out for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1]


@pytest.mark.parametrize(
    "arguments, message",
    [
        ("predict model abc --n-best 3 --beam 2", "error: --n-best 3: must be at most the beam size, --beam 2"),
        ("predict model abc --matching (", "error: '(': not a regular expression"),
        ("predict model abc --matching x+", "error: 'x+' allows nothing"),
        ("predict model --matching x+", "error: 'x+' allows nothing"),
        ("predict model --beam 2 --n-best 3", "error: --n-best 3: must be at most the beam size, --beam 2"),
        ("predict model abc --one-of foreign.txt", "error: foreign.txt: the list allows nothing"),
        ("predict model abc --matching a --one-of list.txt", "error: --matching, --one-of: give one of the two"),
        ("predict model abc --one-of nothing.txt", "error: nothing.txt: cannot be read"),
        ("predict model abc --sample --beam 2", "error: --sample: cannot be combined with --beam or --n-best"),
        ("predict model abc --top-k 2", "error: --temperature, --top-k, --seed: need --sample"),
        ("train pairs.tsv --recipe adition", "error: --recipe adition: no such recipe (known: addition"),
        ("train pairs.tsv --tie --decoder peeky", "error: --tie"),
        ("train pairs.tsv --decoder plain --attention dot", "error: --attention dot: needs --decoder attention"),
        (
            "train pairs.tsv --subword-count 60",
            "error: --subword-count 60: needs --source-symbols subwords or --target-",
        ),
        ("train pairs.tsv --bidirectional --hidden-size 15", "error: --hidden-size 15"),
        ("train pairs.tsv --dropout 1", "error: --dropout 1"),
    ],
)
def test_refusals_of_models_and_searches(cli, model, arguments, message):
    Path("foreign.txt").write_text("가\n나\n")
    refused = cli(arguments)
    assert (refused.code, refused.out) == (1, "")
    assert refused.err.startswith(message)
    assert refused.err.count("\n") == 1


def test_attend_draws(cli, model, tmp_path):
    drawn = cli(f"attend {model} abc")
    assert drawn.code == 0
    assert (tmp_path / "attention.png").read_bytes().startswith(b"\x89PNG")
    assert cli(f"attend {model} abc --out a.svg").code == 0
    assert "abc →" in (tmp_path / "a.svg").read_text("utf-8")
    refused = cli(f"attend {model} abc --out a.jpg")
    assert (refused.code, refused.err) == (1, "error: a.jpg: a picture's file must end in .png, .pdf or .svg\n")


def test_attend_prints_what_predict_answers(cli, tmp_path):
    """Symbols between white space come with their blanks."""
    (tmp_path / "spaced.tsv").write_text("".join(f"{a}{b}\t{a} {b}\n" for a in "abc" for b in "abcdef"))
    trained = "train spaced.tsv --target-symbols whitespace --hidden-size 32 --epochs 10 --batch-size 2 --out spaced"
    assert cli(trained).code == 0
    answer = cli("predict spaced ab").out.strip()
    assert " " in answer
    assert cli("attend spaced ab").out.startswith(f"ab -> {answer}; plot saved to")


def test_show(cli, model, tmp_path):
    shown = cli(f"show {model}")
    assert (shown.code, shown.err) == (0, "")
    assert shown.out.startswith(f"{model}")
    for part in ("LSTM, decoder", "accuracy ", f"doldari predict {model} "):
        assert part in shown.out
    assert json.loads(cli(f"show {model} --json").out)["model"]["cell"] == "lstm"
    runs = tmp_path / "all"
    for name in ("one", "two"):
        (runs / name).mkdir(parents=True)
        (runs / name / "model.safetensors").write_bytes((tmp_path / model / "model.safetensors").read_bytes())
    (runs / "bad").mkdir()
    (runs / "bad/model.safetensors").write_bytes(b"no")
    listed = cli("show all")
    assert [line.split()[0] for line in listed.out.splitlines()] == ["run", "one", "two"]
    assert listed.err.startswith("warning: all/bad/model.safetensors: not a safetensors file")
    assert [run["path"] for run in json.loads(cli("show all --json").out)] == ["all/one", "all/two"]
    assert "more runs: doldari show all\n" in cli("show .").out


def test_a_run_whose_model_is_damaged_is_shown_with_the_problem(cli, model, tmp_path):
    (tmp_path / model / "model.safetensors").write_bytes(b"no")
    for options in ("", " --json"):
        shown = cli(f"show {model}{options}")
        assert (shown.code, shown.err) == (1, "")
        assert f"{model}/model.safetensors: not a safetensors file" in shown.out
    assert "1 layer of 16 units" in cli(f"show {model}").out
    card = cli(f"show {model} --card")
    assert (card.code, card.out) == (1, f"model card written to {model}/README.md\n")
    assert card.err.startswith(f"warning: {model}/model.safetensors: not a safetensors file")


def test_show_writes_a_card(cli, model, tmp_path):
    assert cli(f"show {model} --card").out == f"model card written to {model}/README.md\n"
    (tmp_path / model / "README.md").write_text("mine")
    refused = cli(f"show {model} --card")
    assert (refused.code, refused.out) == (1, "")
    assert refused.err == f"error: {model}/README.md: not written by doldari; replace it with --overwrite\n"
    assert cli(f"show {model} --card --overwrite").code == 0
    assert "model = doldari.load('model.safetensors')" in (tmp_path / model / "README.md").read_text("utf-8")


@pytest.mark.parametrize(
    "arguments, message",
    [
        ("show none", "none: no such run; train one: doldari train DATA --out none"),
        ("show empty", "empty: no run or model in it; train one: doldari train DATA --out empty/NAME"),
        ("show . --card", ".: not a single run; --card needs one"),
        ("show pairs.tsv", "pairs.tsv: not a safetensors file"),
        ("show empty --overwrite", "--overwrite: needs --card"),
    ],
)
def test_what_cannot_be_shown_gets_one_line(cli, pairs, tmp_path, arguments, message):
    (tmp_path / "empty").mkdir()
    refused = cli(arguments)
    assert (refused.code, refused.out) == (1, "")
    assert refused.err.startswith(f"error: {message}")
    assert refused.err.count("\n") == 1


def test_an_ensemble_from_end_to_end(cli, pairs, tmp_path):
    done = cli(f"train {pairs} --ensemble 2 --hidden-size 16 --epochs 2 --batch-size 2 --out both")
    assert done.code == 0, done.err
    assert "ensemble of 2: accuracy" in done.out
    assert sorted(path.name for path in (tmp_path / "both").iterdir()) == [
        "config.toml",
        "member-1",
        "member-2",
        "model.safetensors",
        "run.json",
    ]
    together = cli("predict both abc aaaa --beam 2 --n-best 2 --scores").out
    alone = cli("predict both/member-1 abc aaaa --beam 2 --n-best 2 --scores").out
    assert together.count("\n") == alone.count("\n") == 4
    assert together != alone
    refused = cli(f"train {pairs} --ensemble 2 --out both")
    assert refused.code == 1
    assert "already holds a run" in refused.err


def test_join(cli, pairs, tmp_path):
    assert cli(f"train {pairs.name} {QUICK} --ensemble 2 --out both").code == 0
    done = cli("join both/member-1 both/member-2/model.safetensors --out joined/two.safetensors")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        "Ensemble of 2 models saved to joined/two.safetensors",
        "Try: doldari predict joined/two.safetensors TEXT",
    ]
    joined = (tmp_path / "joined/two.safetensors").read_bytes()
    assert joined == (tmp_path / "both/model.safetensors").read_bytes()
    assert cli("predict joined/two.safetensors aa b").out == cli("predict both aa b").out
    refused = cli("join both both/member-1 --out joined/two.safetensors")
    assert (refused.code, refused.err) == (
        1,
        "error: joined/two.safetensors: exists already; choose another --out, or use --overwrite\n",
    )
    assert (tmp_path / "joined/two.safetensors").read_bytes() == joined
    assert cli("join both both/member-1 --out joined/two.safetensors --overwrite").out.startswith("Ensemble of 3 ")
    assert doldari.load("joined/two.safetensors").text_model.config.ensemble == 3

    assert cli(f"train {pairs.name} {QUICK} --ensemble 2 --seed 7 --out other").code == 0
    for arguments, message in (
        (
            "both other --out x --vote majority",
            "--vote majority: needs models of different kinds; these average their log-probabilities",
        ),
        ("both --out x", "only one model; give at least two"),
        ("both nothing --out x", "nothing: no such model; train one with: doldari train DATA --out nothing"),
        ("both both --out joined", "joined: is a directory; give a file name, such as joined/model.safetensors"),
    ):
        refused = cli(f"join {arguments}")
        assert (refused.code, refused.out, refused.err) == (1, "", f"error: {message}\n")
    assert not (tmp_path / "x").exists()
    assert cli("join both other").code == 2

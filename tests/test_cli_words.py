"""What a newcomer types: help that fits a terminal, names of before, wrong guesses, and few words on demand."""

import dataclasses
import re

import pytest

from doldari.cli import app
from doldari.config import Config, ModelConfig, TrainingConfig
from doldari.settings import about

QUICK = "--epochs 1 --hidden-size 8 --batch-size 16"
COMMANDS = [command.callback.__name__ for command in app.registered_commands]
# Every option of doldari train in 0.1.0 and 0.2.0 that takes a value, with one that it may have.
OF_BEFORE = {
    "--validation": "pairs.tsv",
    "--recipe": "general",
    "--source-column": "1",
    "--target-column": "2",
    "--format": "tsv",
    "--epochs": "1",
    "--batch-size": "16",
    "--learning-rate": "0.01",
    "--schedule": "constant",
    "--warmup": "0.1",
    "--weight-decay": "0.01",
    "--max-grad": "3",
    "--dropout": "0.1",
    "--label-smoothing": "0.1",
    "--max-length": "9",
    "--min-count": "1",
    "--ema": "0.9",
    "--metric": "loss",
    "--patience": "2",
    "--seed": "1",
    "--checkpoint-every": "5m",
    "--decoder": "attention",
    "--attention": "dot",
    "--cell": "gru",
    "--layers": "1",
    "--wordvec-size": "4",
    "--hidden-size": "8",
    "--ensemble": "1",
    "--source-symbols": "graphemes",
    "--target-symbols": "characters",
    "--source-normalization": "NFC",
    "--target-normalization": "NFC",
    "--out": "there",
}
FLAGS_OF_BEFORE = ["--bucketing", "--no-bidirectional", "--tie", "--reverse", "--no-shared-vocabulary", "--overwrite"]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("help", ["--help", "--help-all"])
def test_help_fits_80_columns(cli, monkeypatch, command, help):
    monkeypatch.setenv("COLUMNS", "80")
    shown = cli(f"{command} {help}")
    assert (shown.code, shown.err) == (0, "")
    lines = shown.out.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].startswith(f"Usage: doldari {command} ")
    assert not re.search("<|INTEGER|None|│", shown.out)  # types, metavars that are missing, boxes


def test_the_help_of_train_fits_two_screens_and_shows_what_matters(cli, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    lines = cli("train --help").out.splitlines()
    assert len(lines) <= 100
    groups = [line[:-1] for line in lines if re.fullmatch(r"\w+:", line)]
    assert groups == ["Arguments", "Data", "Model", "Training", "Regularisation", "Output", "Options"]
    assert len([line for line in lines if line.startswith("  -")]) <= 25
    everything = cli("train --help-all").out
    for kind in (ModelConfig, TrainingConfig):
        for item in dataclasses.fields(kind):
            option = "--" + item.name.replace("_", "-")
            assert f"{option} " in everything or f"{option}/" in everything
            assert not [name for name in about(item).former if f"--{name.replace('_', '-')} " in everything]


def test_the_group_has_a_line_for_each_command(cli, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    shown = cli("--help").out.splitlines()
    rows = [line.split()[0] for line in shown[shown.index("Commands:") + 1 :] if re.match(r"  [a-z]+  ", line)]
    assert rows == COMMANDS
    assert "..." not in "".join(shown[shown.index("Commands:") :])


def test_every_option_of_before_works(cli, pairs, tmp_path):
    options = " ".join(f"{name} {value}" for name, value in OF_BEFORE.items())
    done = cli(f"train {pairs.name} {options} {' '.join(FLAGS_OF_BEFORE)}")
    assert (done.code, done.err) == (0, "warning: 40 of the validation pairs are also training pairs\n")
    config = Config.from_toml(tmp_path / "there/config.toml")
    assert (config.model.embedding_size, config.training.max_grad_norm) == (4, 3)
    assert cli("predict there aa --beam 2 --n-best 2 --scores --tsv").code == 0
    assert cli("predict there aa --beam-size 2").code == 0


def test_names_people_type_by_habit(cli, pairs, tmp_path):
    done = cli(f"train {pairs.name} --epochs 1 --hidden 8 --batch 16 --lr 0.02 --embedding-size 4 -q -o there")
    assert done.out.startswith("Model saved to there. Try: doldari predict there ")
    assert (done.code, done.out.count("\n"), done.err) == (0, 1, "")
    config = Config.from_toml(tmp_path / "there/config.toml")
    assert (config.model.hidden_size, config.model.embedding_size) == (8, 4)
    assert (config.training.batch_size, config.training.learning_rate) == (16, 0.02)
    assert cli("-V").out == cli("--version").out != ""


def test_settings_of_before_in_files_are_read_and_written_anew(cli, pairs, tmp_path):
    (tmp_path / "old.toml").write_text("[model]\nwordvec_size = 4\nhidden_size = 8\n[training]\nmax_grad = 2.0\n")
    assert cli(f"train {pairs.name} --config old.toml --epochs 1").code == 0
    written = tmp_path / "runs/pairs/config.toml"
    text = written.read_text()
    assert "embedding_size = 4\n" in text
    assert "max_grad_norm = 2.0\n" in text
    for new, old in (("embedding_size", "wordvec_size"), ("max_grad_norm", "max_grad")):
        assert old + " =" not in text
        text = text.replace(new, old)
    written.write_text(text)
    resumed = cli("train --resume runs/pairs --epochs 2")
    assert (resumed.code, resumed.err) == (0, "")
    twice = cli(f"train {pairs.name} --config both.toml")
    (tmp_path / "both.toml").write_text("[model]\nwordvec_size = 4\nembedding_size = 8\n")
    twice = cli(f"train {pairs.name} --config both.toml --out there")
    assert (twice.code, twice.err) == (1, "error: both.toml: embedding_size: given twice, also as wordvec_size\n")


@pytest.mark.parametrize(
    "typed, message",
    [
        ("--epochs 0", "--epochs 0: must be at least 1"),
        ("--lr 0", "--lr 0: must be finite and greater than 0"),
        ("--learning-rate=0", "--learning-rate 0: must be finite and greater than 0"),
        ("--wordvec-size 0", "--wordvec-size 0: must be at least 1"),
        ("--hidden 9", "--hidden 9: must be even for a bidirectional encoder"),
        ("--tie --decoder peeky", "--tie: cannot be combined with --decoder peeky"),
        ("--model transformer --bidirectional", "--bidirectional: needs --model recurrent"),
        ("--model transformer --decoder peeky", "--decoder peeky: needs --model recurrent"),
        ("--heads 4", "--heads 4: needs --model transformer"),
        ("--budget 5", "--budget 5: must be a time such as 90s, 5m or 1h30m"),
        ("--lr x", "Invalid value for '--lr': "),
    ],
)
def test_errors_name_the_option_as_typed(cli, pairs, typed, message):
    failed = cli(f"train {pairs.name} {typed}")
    assert failed.err.startswith(f"error: {message}")
    assert failed.err.count("\n") == 1


@pytest.fixture
def run(cli, pairs):
    """The run of the pairs."""
    assert cli(f"train {pairs.name} {QUICK} --quiet").code == 0


@pytest.mark.parametrize(
    "typed, message",
    [
        ("predict pairs aa", "pairs: no such model; did you mean runs/pairs? Try: doldari predict runs/pairs aa"),
        ("predict run/pairs aa", "did you mean runs/pairs? Try: doldari predict runs/pairs aa"),
        ("predict 1+1", "1+1: no such model; give the model before the text: doldari predict runs/pairs 1+1"),
        ("predict addition", "addition: no such model; train it first: doldari train addition"),
        ("evaluate pairs.tsv runs/pairs", "the model comes first: doldari evaluate runs/pairs pairs.tsv"),
        ("predict runs/pairs -tuno", "a text that begins with - goes after --: doldari predict runs/pairs -- -tuno"),
        (
            "predict runs/pairs --bem-size 3",
            "No such option: --bem-size; did you mean --beam-size? See: doldari predict --help",
        ),
        (
            "train",
            "Missing argument 'DATA', a file of pairs or a built-in task: doldari train pairs.tsv, or: ",
        ),
        ("train addtion", "did you mean addition?"),
        ("evaluate runs/pairs", "Missing argument 'DATA', File of pairs"),
        (
            "export runs/pairs",
            "Output file: NAME.html or NAME.onnx: doldari export runs/pairs FILE; see: ",
        ),
        ("export page.html runs/pairs", "the model comes first: doldari export runs/pairs page.html"),
        ("show runs/pair", "runs/pair: no such run; did you mean runs/pairs? Try: doldari show runs/pairs"),
        ("serve runs/pair", "runs/pair: no such run; did you mean runs/pairs? Try: doldari serve runs/pairs"),
        (
            "train pairs.tsv --dev dev.tsv",
            "No such option: --dev; did you mean --validation? See: doldari train --help",
        ),
        ("train pairs.tsv --augment 9", "No such option: --augment; did you mean --hallucinate?"),
        ("train pairs.tsv --pointer", "No such option: --pointer; did you mean --decoder?"),
        ("train pairs.tsv --model pointer", "did you mean --decoder pointer?"),
        ("train addition --gpu", "No such option: --gpu; did you mean --device?"),
        ("predict runs/pairs aa --gpu", "No such option: --gpu; did you mean --device? See: doldari predict --help"),
        ("train addition --optimizer adam", "No such option: --optimizer; see: doldari train --help"),
        (
            "train addition --recipe g2",
            "--recipe g2: no such recipe (known: addition, chapter, dates, g2p, g2p-low, general, ",
        ),
        ("test", "No such command 'test'. Did you mean 'evaluate'? See: doldari --help"),
        ("translate x", "No such command 'translate'. Did you mean 'predict'?"),
        ("addition", "No such command 'addition'. Did you mean 'train addition'?"),
    ],
)
def test_wrong_guesses_get_what_to_type(cli, run, typed, message):
    failed = cli(typed)
    assert failed.code in (1, 2)
    assert message in failed.err
    assert (failed.out, failed.err.count("\n")) == ("", 1)


def test_a_text_that_begins_with_a_dash_is_answered_as_the_hint_says(cli, run):
    assert cli("predict runs/pairs -- -a --unknown unknown").code in (0, 1)
    assert cli("predict runs/pairs --unknown unknown -- -a").code == 0


def test_columns_of_training_are_those_of_evaluate(cli, tmp_path):
    rows = [(letter, letter * n) for letter in "abcdefghij" for n in range(1, 5)]
    (tmp_path / "odd.tsv").write_text("".join(f"x\t{target}\t{source}\n" for target, source in rows))
    (tmp_path / "two.tsv").write_text("".join(f"{source}\t{target}\n" for target, source in rows))
    assert cli(f"train odd.tsv --source-column 3 --target-column 2 {QUICK}").code == 0
    given = cli("evaluate runs/odd odd.tsv --source-column 3 --target-column 2 --json").out
    assert cli("evaluate runs/odd odd.tsv --json").out == given
    assert cli("score runs/odd odd.tsv").out.startswith("a\ta\t")
    failed = cli("evaluate runs/odd two.tsv")
    assert (failed.code, failed.out) == (1, "")
    assert failed.err.endswith("; read as in training: --source-column 3 --target-column 2\n")
    assert cli("evaluate runs/odd two.tsv --source-column 1").code == 0

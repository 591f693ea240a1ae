"""What is shown of runs: on one screen, in a table, as a model card."""

import copy
import fcntl
import json
import math
import re

import pytest

from doldari.config import Config, ModelConfig, TrainingConfig
from doldari.data.vocabulary import Vocabulary
from doldari.errors import ModelFileError, RunExistsError
from doldari.models.model_file import TextModel, build_model, save_model
from doldari.report.card import card, code, fenced, write_card
from doldari.report.record import Facts, find_runs, read_run
from doldari.report.summary import as_object, readable_seconds, readable_time, summary
from doldari.report.table import by_score, short_count, table
from doldari.report.usage import known_source, predict_command, some_symbols
from doldari.run_files import CARD_MARK, LOCK_FILE

RECORD = {
    "format": 1,
    "status": "finished",
    "started": "2026-11-26T15:04:17+00:00",
    "ended": "2026-11-26T15:04:39+00:00",
    "seconds": 21.4,
    "resumes": 1,
    "command": ["doldari", "train", "/home/me/words.tsv"],
    "versions": {"doldari": "0.2.0", "numpy": "2.4.6", "python": "3.11.7"},
    "kernels": "native",
    "instruction_set": "avx512",
    "threads": 2,
    "platform": "Linux-x86_64",
    "data": [
        {
            "use": "training",
            "name": "words.tsv",
            "path": "/home/me/words.tsv",
            "bytes": 12345,
            "sha256": "ab" * 32,
            "pairs": 45000,
            "sources": 44000,
            "longest_source": 7,
            "longest_target": 4,
            "split": None,
            "unknown": 0,
        },
        {
            "use": "validation",
            "name": "words.tsv",
            "path": "/home/me/words.tsv",
            "bytes": 12345,
            "sha256": "cd" * 32,
            "pairs": 5000,
            "sources": 5000,
            "longest_source": 7,
            "longest_target": 4,
            "split": "a tenth of the sources is held out",
            "unknown": 3,
        },
    ],
    "source_symbols": 11,
    "target_symbols": 10,
    "features": 0,
    "weights": 199869,
    "members": 1,
    "seed": 0,
    "epochs": 10,
    "epochs_planned": 12,
    "steps": 3520,
    "from": None,
    "best": {
        "epoch": 9,
        "loss": 0.0004,
        "validation_loss": 0.0009,
        "scores": {
            "accuracy": {"value": 0.99996, "low": 0.999, "high": 1.0},
            "WER": {"value": 0.00004, "low": 0.0, "high": 0.001},
            "BLEU": {"value": 99.5, "low": 99.1, "high": 99.8},
        },
    },
}


@pytest.fixture
def make(tmp_path):
    """Make a run's directory, with a model in it unless told otherwise."""

    def make_run(name="run", record=RECORD, model=True, config=None, **changes):
        directory = tmp_path / name
        directory.mkdir(parents=True, exist_ok=True)
        if record is not None:
            (directory / "run.json").write_text(json.dumps(copy.deepcopy(record) | changes))
        if model:
            save_tiny(directory / "model.safetensors")
            (directory / "config.toml").write_text((config or Config(model=TINY)).to_toml())
        return directory

    return make_run


TINY = ModelConfig(hidden_size=2, embedding_size=1)


def save_tiny(path):
    source, target = Vocabulary("characters", ("+", "1", "2")), Vocabulary("characters", ("1", "2", "3"))
    save_model(path, TextModel(build_model(TINY, source, target), TINY, source, target, 3, 1))


def shown(path):
    return "\n".join(line for _, line in summary(read_run(path)))


def test_a_run_on_one_screen(make):
    directory = make(epochs=10)
    text = shown(directory)
    for part in (
        f"{directory}: finished, ended 2026-11-26 15:04 UTC",
        "training: words.tsv, 45,000 pairs of 44,000 sources",
        "validation: words.tsv, 5,000 pairs (a tenth of the sources is held out)",
        "3 of the validation pairs have symbols not seen in training",
        "LSTM, decoder attention, bidirectional, 1 layer of 2 units, embedding size 1; ",
        "source: 3 symbols (characters), up to 3 per text",
        "10 of 12 epochs, 3,520 steps, 21 s, resumed once",
        "doldari 0.2.0, numpy 2.4.6, python 3.11.7, native kernels (avx512), 2 threads, Linux-x86_64",
        "accuracy 99.996%   95 % interval 99.90% to 100.00%",
        "BLEU     99.50     95 % interval 99.10 to 99.80",
        "best epoch: 9, validation loss 0.0009, training loss 0.0004",
        f"doldari predict {directory} TEXT",
        "source symbols: + 1 2",
        f"doldari attend {directory} TEXT",
    ):
        assert part in text
    assert len(text.splitlines()) < 24
    assert max(map(len, text.splitlines())) < 120


def test_an_example_is_one_that_the_model_knows(make, tmp_path):
    (tmp_path / "words.tsv").write_text("3+1\t4\n-1+1\t2\n1+1\t2\n")
    data = [{"use": "training", "path": str(tmp_path / "words.tsv")}]
    assert "predict_TEXT" not in shown(directory := make(data=data)).replace(" ", "_")
    assert f"doldari predict {directory} 1+1\n" in shown(directory) + "\n"


@pytest.mark.parametrize(
    "source, command",
    [
        (None, "doldari predict 'a b' TEXT"),
        ("-1", "doldari predict 'a b' -- -1"),
        ("it's", """doldari predict 'a b' 'it'"'"'s'"""),
        ("walk\tV;PST", r"doldari predict 'a b' $'walk\tV;PST'"),
    ],
)
def test_commands_can_be_typed(source, command):
    assert predict_command("a b", source) == command


def test_features_are_found_in_whatever_column():
    vocabulary = Vocabulary("characters", ("a", "b"), ("PST", "V"))
    assert known_source("ab\tba\tV;PST\r", vocabulary) == "ab\tV;PST"
    assert known_source("ab\tV", vocabulary) == "ab\tV"
    assert known_source("ab\tba\tN", vocabulary) is None
    assert known_source("", vocabulary) is None
    assert known_source("a\x1b", vocabulary) is None


def test_symbols_are_seen():
    assert some_symbols((" ", "a", "\t")) == r"␣ a \t"
    assert some_symbols(tuple("abcdefghijklmnopqrstuvwxyz")).endswith("s t ... (26)")


@pytest.mark.parametrize("name", list(RECORD))
@pytest.mark.parametrize("broken", ["missing", None, "x", 7, [1], {"a": [{}]}, math.nan, True])
def test_a_record_of_another_version_says_less(make, name, broken):
    record = {key: value for key, value in RECORD.items() if key != name}
    directory = make(record=record, **({} if broken == "missing" else {name: broken}), model=False)
    run = read_run(directory)
    assert summary(run)[0][1].startswith(str(directory))
    assert len(table([run])) == 2
    assert card(run).startswith("---\n")
    json.dumps(as_object(run), allow_nan=False)


@pytest.mark.parametrize("content", ["", "{", "[]", "null", "\x00", '{"status": "finished"'])
def test_a_broken_record_says_nothing(make, content):
    directory = make()
    (directory / "run.json").write_text(content)
    assert "finished" not in shown(directory)
    assert "LSTM" in shown(directory)


def test_a_run_of_before_says_what_its_history_says(make):
    directory = make(record=None)
    lines = [(0.5, 0.2), (0.75, 0.3), (0.75, 0.1), (0.6, 0.05)]
    epochs = [
        {"epoch": n, "loss": 1.5, "accuracy": accuracy, "validation_loss": loss, "seconds": 2.0, "learning_rate": 1}
        for n, (accuracy, loss) in enumerate(lines, start=1)
    ]
    history = "".join(json.dumps(epoch) + "\n" for epoch in epochs)
    (directory / "history.jsonl").write_text(history + '{"epoch": 5, "lo')
    text = shown(directory)
    assert f"{directory}\n" in text
    assert "4 epochs, 8.0 s" in text
    assert "accuracy 75.00%\nbest epoch: 3, validation loss 0.1000, training loss 1.5000" in text
    by_loss = Config(model=TINY, training=TrainingConfig(metric="loss"))
    assert "accuracy 60.00%" in shown(make(record=None, config=by_loss))


def test_a_model_file_alone(tmp_path):
    save_tiny(tmp_path / "adds.safetensors")
    (tmp_path / "run.json").write_text(json.dumps(RECORD))
    text = shown(tmp_path / "adds.safetensors")
    assert "LSTM, decoder attention" in text
    assert "words.tsv" not in text
    with pytest.raises(ModelFileError, match="not a safetensors file"):
        read_run(tmp_path / "run.json")


def test_the_model_file_in_a_run_stands_for_it(make):
    assert "words.tsv" in shown(make() / "model.safetensors")


def test_a_run_with_a_broken_model_shows_the_rest(make):
    directory = make()
    (directory / "model.safetensors").write_bytes(b"no")
    text = shown(directory)
    assert "not a safetensors file" in text
    assert "99.996%" in text
    assert "predict" not in text


def test_running_is_who_holds_the_lock(make):
    directory = make(status="running", ended=None)
    resume = (
        f"{directory}: interrupted, started 2026-11-26 15:04 UTC; resume with: doldari train --resume {directory}"
    )
    assert shown(directory).startswith(resume + "\n")
    lock = directory / LOCK_FILE
    lock.touch()
    assert read_run(directory).status == "interrupted"
    with lock.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert read_run(directory).status == "running"
        assert "--resume" not in shown(directory)
    with lock.open("rb") as free:
        fcntl.flock(free, fcntl.LOCK_EX | fcntl.LOCK_NB)  # nobody was kept from it


def test_an_ensemble_runs_while_a_member_does(make):
    directory = make(status="running", members=2)
    member = make("run/member-1", status="running")
    (member / LOCK_FILE).touch()
    with (member / LOCK_FILE).open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert read_run(directory).status == "running"
    assert read_run(directory).members == [member]
    assert "an ensemble of 2: member-1" in shown(directory)


def scored(make, name, accuracy, loss=0.1, **changes):
    best = {"epoch": 1, "validation_loss": loss, "scores": {"accuracy": {"value": accuracy}}}
    return make(name, best=best, model=False, **changes)


def test_runs_in_a_table_the_best_first(make, tmp_path):
    scored(make, "bad", 0.5)
    scored(make, "tie", 0.9, loss=0.3)
    scored(make, "good", 0.9, loss=0.2, epochs_planned=10)
    make("new", best=None, model=False, status="running", data=[])
    make("good/member-1")
    (tmp_path / "other").mkdir()
    runs = by_score([read_run(directory) for directory in find_runs(tmp_path)])
    assert [run.name for run in runs] == ["good", "tie", "bad", "new"]
    head, *lines = table(runs)
    assert head.split() == ["run", "status", "data", "weights", "epochs", "time", "accuracy"]
    assert lines[0].split() == ["good", "finished", "words.tsv", "199.9k", "10/10", "21", "s", "90.00%"]
    assert lines[3].split()[:2] == ["new", "interrupted"]
    assert lines[0].index("90.00%") == lines[2].index("50.00%")


def test_a_table_fits_a_terminal(make):
    make("나무" * 30)
    directory = make("x" * 100, status="running")
    directory.joinpath("model.safetensors").unlink()
    lines = table([read_run(place) for place in find_runs(directory.parent)])
    assert max(map(len, lines)) <= 120
    assert all("…" in line for line in lines[1:])
    assert "attention lstm 1x2" in lines[1]
    assert lines[1].endswith("99.996%  99.90% to 100.00%")


@pytest.mark.parametrize(
    "count, text", [(0, "0"), (950, "950"), (199_869, "199.9k"), (12_345_678, "12.3M"), (2 * 10**9, "2.0G")]
)
def test_short_counts(count, text):
    assert short_count(count) == text


@pytest.mark.parametrize(
    "seconds, text", [(0.04, "0.0 s"), (21.4, "21 s"), (99, "99 s"), (720, "12 min"), (3780, "1 h 03 min")]
)
def test_readable_seconds(seconds, text):
    assert readable_seconds(seconds) == text


def test_readable_time():
    assert readable_time("2026-11-26T15:04:17+00:00") == "2026-11-26 15:04 UTC"
    assert readable_time("2026-11-26T15:04:17+09:00") == "2026-11-26 15:04"


def test_json_has_no_nan(make):
    best = {"epoch": 1, "loss": math.nan, "scores": {"accuracy": {"value": 0.5, "low": math.nan, "high": 1.0}}}
    found = json.loads(json.dumps(as_object(read_run(make(best=best))), allow_nan=False))
    assert found["scores"]["accuracy"] == {"value": 0.5, "low": None, "high": None, "unit": "share"}
    assert (found["status"], found["epochs"], found["seconds"]) == ("finished", 10, 21.4)
    assert (found["model"]["decoder"], found["model"]["source_vocabulary"]) == ("attention", 3)
    assert found["record"]["steps"] == 3520


def front_matter_of(page):
    """Read the front matter: what it has of YAML are nested lists and mappings of JSON's scalars and bare words."""
    yaml = pytest.importorskip("yaml")
    assert page.startswith("---\n")
    return yaml.safe_load(page.split("---\n")[1])


def test_a_card_has_what_hubs_read(make):
    found = front_matter_of(card(read_run(make())))
    assert found["library_name"] == "doldari"
    assert found["pipeline_tag"] == "text-generation"
    assert {"seq2seq", "text2text-generation", "lstm", "attention"} <= set(found["tags"])
    assert found["metrics"] == ["accuracy", "wer", "bleu"]
    ((name, (result,)),) = [(model["name"], model["results"]) for model in found["model-index"]]
    assert name == "run"
    assert result["dataset"] == {"name": "words.tsv", "type": "words.tsv", "split": "validation"}
    values = {metric["type"]: metric["value"] for metric in result["metrics"]}
    assert values == {"accuracy": 0.99996, "wer": 0.00004, "bleu": 99.5}


@pytest.mark.parametrize(
    "name", ['a: "b" #c', "- x", "'", "\\n\n---\n", "가나 😀\u2028\x85\x1b", "{}", "@`|>%", "yes"]
)
def test_any_name_is_valid_yaml_and_markdown(make, name):
    data = [{"use": "validation", "name": name, "pairs": 5}]
    page = card(read_run(make(data=data)))
    printable = "".join(char if char.isprintable() else " " for char in name)
    found = front_matter_of(page)
    assert found["model-index"][0]["results"][0]["dataset"]["name"] == printable
    assert page.count("\n---\n") == 1


def test_a_card_tells_no_path_and_no_lie(make):
    page = card(read_run(make()))
    assert "/home" not in page
    assert "| accuracy (exact match) | 99.996% | 99.90% to 100.00% |" in page
    assert "- Training: `words.tsv`, 45,000 pairs, 44,000 sources; SHA-256 `abab" in page
    assert "doldari predict model.safetensors TEXT" in page
    assert "doldari.load('model.safetensors')" in page
    assert re.search(r"hidden_size = 2$", page, re.MULTILINE)


def test_a_card_of_a_model_alone(tmp_path):
    save_tiny(tmp_path / "adds.safetensors")
    page = card(read_run(tmp_path / "adds.safetensors"))
    assert "model-index" not in page
    assert page.count("Not recorded.") == 3
    assert "# `adds`" in page


def test_a_readme_by_another_hand_is_kept(make):
    run = read_run(directory := make())
    path = write_card(run)
    assert path == directory / "README.md"
    assert CARD_MARK in path.read_text("utf-8")
    write_card(run)
    path.write_text("mine")
    with pytest.raises(RunExistsError, match=r"README\.md: not written by doldari; replace it with --overwrite"):
        write_card(run)
    assert path.read_text() == "mine"
    write_card(run, overwrite=True)
    assert CARD_MARK in path.read_text("utf-8")


def test_markdown_code():
    assert code("a`b") == "``a`b``"
    assert code("`") == "`` ` ``"
    assert fenced("```", "sh") == "````sh\n```\n````"


def test_facts_are_asked_by_type():
    facts = Facts({"a": 1, "b": True, "c": math.inf, "d": 0.5, "e": [{"x": 1}, 2]})
    assert [facts.count(name) for name in "abcdz"] == [1, None, None, None, None]
    assert [facts.number(name) for name in "abcd"] == [1, None, None, 0.5]
    assert [part.count("x") for part in facts.parts("e")] == [1]
    assert Facts([1]).value == {}

"""Experiment trackers: what they are given, what is said before, and what happens where they fail."""

import os
import sys
from types import SimpleNamespace

import pytest

import doldari
from doldari.data.string_tasks import reverse_pairs
from doldari.training import trackers

SMALL = {"hidden_size": 16, "embedding_size": 8, "epochs": 2, "batch_size": 16, "progress": False}
NUMBERS = {"loss", "accuracy", "validation_loss", "learning_rate", "seconds", "gradient_norm", "pairs_per_second"}
SETTINGS = {"decoder": "attention", "hidden_size": 16, "learning_rate": 3e-3, "weights": 10_000, "training_pairs": 45}
PAIRS = reverse_pairs(50)


class Book(trackers.Tracker):
    """A tracker that keeps everything in a list, and fails where it is told to."""

    entries, fails = [], ""

    def note(self, what, *content):
        if self.fails == what:
            raise OSError(f"no {what}\nand more")
        self.entries.append((what, *content))

    def where(self, directory):
        return f"a book in {directory.shown.name}"

    def start(self, name, settings, directory):
        self.note("start", name, dict(settings))

    def log(self, numbers, epoch):
        self.note("log", epoch, dict(numbers))

    def end(self, best, finished):
        self.note("end", dict(best), finished)


@pytest.fixture
def book(monkeypatch):
    monkeypatch.setitem(trackers.TRACKERS, "tensorboard", Book)  # a name that the command line knows
    monkeypatch.setattr(Book, "entries", [])
    monkeypatch.setattr(Book, "fails", "")
    return Book


def test_what_a_tracker_is_given(book, tmp_path, capsys):
    doldari.train(PAIRS, out=tmp_path / "mine", track="tensorboard", **SMALL)
    (started, name, settings), *logged, ended = book.entries
    assert (started, name) == ("start", "mine")
    assert {key: settings[key] for key in SETTINGS} | {"weights": 0} == SETTINGS | {"weights": 0}
    assert settings["doldari"] == doldari.__version__
    assert [(what, epoch) for what, epoch, _ in logged] == [("log", 1), ("log", 2)]
    assert all(set(numbers) == NUMBERS for *_, numbers in logged)
    assert ended == ("end", {"best_epoch": 2, "best_accuracy": 0.0}, True)
    said = "tracking: the run's name, settings and the numbers of each epoch go to a book in mine\n"
    assert capsys.readouterr().err == said


def test_it_is_said_before_anything_goes_there(book, tmp_path, capsys):
    book.fails = "start"
    with pytest.raises(doldari.ConfigError, match=r"^track=tensorboard: cannot be started: no start$"):
        doldari.train(PAIRS, track="tensorboard", **SMALL)
    assert "go to a book" in capsys.readouterr().err
    assert book.entries == []


def test_nothing_is_tracked_unasked_nor_by_other_processes_than_the_first(book, monkeypatch):
    doldari.train(PAIRS, **SMALL | {"epochs": 1})
    monkeypatch.setattr(doldari.api, "rank", lambda: 1)
    doldari.train(PAIRS, track="tensorboard", **SMALL | {"epochs": 1})
    assert book.entries == []


@pytest.mark.parametrize("what", ["log", "end"])
def test_a_tracker_that_fails_does_not_end_the_training(book, what):
    book.fails = what
    with pytest.warns(UserWarning, match=f"^tensorboard failed: no {what}; the training goes on without it$"):
        assert doldari.train(PAIRS, track="tensorboard", **SMALL)
    assert [entry[0] for entry in book.entries] == ["start"] + ["log", "log"] * (what == "end")


def test_members_are_runs_of_their_own(book, tmp_path):
    doldari.train(PAIRS, out=tmp_path / "all", track="tensorboard", ensemble=2, **SMALL | {"epochs": 1})
    assert [entry[1] for entry in book.entries if entry[0] == "start"] == ["all/member-1", "all/member-2"]
    assert [entry[0] for entry in book.entries] == ["start", "log", "end"] * 2


def test_the_command_line(book, cli, pairs):
    done = cli(f"train {pairs} --epochs 1 --hidden-size 8 --out runs/mine --track tensorboard")
    assert done.code == 0
    assert "tracking: the run's name, settings and the numbers of each epoch go to a book in mine\n" in done.err
    assert [entry[0] for entry in book.entries] == ["start", "log", "end"]
    done = cli(f"train {pairs} --epochs 1 --track paper")
    assert done.code == 2
    assert "'paper' is not one of 'trackio', 'wandb', 'tensorboard', 'mlflow'" in done.err


def test_a_stopped_run_ends_as_such(book):
    stop = doldari.Stop()
    stop.signal = 2
    doldari.train(PAIRS, track="tensorboard", stop=stop, **SMALL)
    assert book.entries[-1] == ("end", {}, False)


@pytest.mark.parametrize("name, package", [("tensorboard", "tensorboardX"), ("wandb", "wandb"), ("mlflow", "mlflow")])
def test_a_package_that_is_missing(monkeypatch, name, package, cli, pairs):
    monkeypatch.setitem(sys.modules, package, None)
    done = cli(f"train {pairs} --track {name}")
    assert done.code == 1
    assert done.err == f"error: track={name}: needs {package}; install it with: pip install 'doldari[{name}]'\n"
    assert not os.path.exists("runs")


def test_a_name_that_is_none():
    with pytest.raises(doldari.ConfigError, match="track=paper: must be one of trackio, wandb, tensorboard, mlflow"):
        doldari.train(PAIRS, track="paper")


def test_tensorboard_for_real(tmp_path, capsys):
    """The event files stand in the run's directory, also where the run takes an older one's place."""
    from tensorboardX.proto.event_pb2 import Event

    for _ in range(2):
        doldari.train(PAIRS, out=tmp_path / "run", track="tensorboard", overwrite=True, **SMALL)
    (file,) = (tmp_path / "run/tensorboard").iterdir()
    events = list(map(Event.FromString, records(file.read_bytes())))
    found = [(value.tag, event.step) for event in events for value in event.summary.value]
    assert {tag for tag, _ in found} == NUMBERS | {"settings/text_summary"}
    assert [step for tag, step in found if tag == "loss"] == [1, 2]
    assert f"tensorboard --logdir {tmp_path}" in capsys.readouterr().err


def records(content):
    """Cut a file of TensorFlow's records: a length of 8 bytes, its checksum of 4, the content, its checksum of 4."""
    while content:
        length = int.from_bytes(content[:8], "little")
        yield content[12 : 12 + length]
        content = content[16 + length :]


def test_wandb_is_kept_from_collecting_more(monkeypatch, tmp_path, capsys):
    given, logged, summary = {}, [], {}
    run = SimpleNamespace(
        log=lambda numbers, step: logged.append((step, set(numbers))),
        summary=summary,
        finish=lambda exit_code: summary.update(exit_code=exit_code),
    )
    machine = SimpleNamespace(mode="online", base_url="https://api.wandb.example")
    wandb = SimpleNamespace(
        setup=lambda: SimpleNamespace(settings=machine),
        Settings=lambda **settings: settings,
        init=lambda **arguments: given.update(arguments) or run,
    )
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    doldari.train(PAIRS, out=tmp_path / "mine", track="wandb", **SMALL)
    assert (given["project"], given["name"], given["config"]["hidden_size"]) == ("doldari", "mine", 16)
    off = {"console": "off", "disable_git": True, "disable_code": True, "x_save_requirements": False}
    off |= {"x_disable_meta": True, "x_disable_stats": True, "x_disable_machine_info": True}
    assert given["settings"] == off
    assert logged == [(1, NUMBERS), (2, NUMBERS)]
    assert summary == {"best_epoch": 2, "best_accuracy": 0.0, "exit_code": 0}
    assert os.environ["WANDB_ERROR_REPORTING"] == "false"
    assert "go to https://api.wandb.example (with WANDB_MODE=offline" in capsys.readouterr().err
    machine.mode = "offline"
    assert trackers.Wandb().where(None) == "./wandb on this machine (offline)"


def test_trackio(monkeypatch, tmp_path, capsys):
    given, logged = {}, []
    trackio = SimpleNamespace(
        init=lambda project, **arguments: print("* initialized") or given.update(arguments, project=project),
        log=lambda numbers, step=None: logged.append((step, set(numbers))),
        finish=lambda: logged.append("finished"),
    )
    monkeypatch.setitem(sys.modules, "trackio", trackio)
    monkeypatch.delenv("TRACKIO_SPACE_ID", raising=False)
    doldari.train(PAIRS, out=tmp_path / "mine", track="trackio", **SMALL)
    assert (given.pop("config")["hidden_size"], given) == (
        16,
        {"project": "doldari", "name": "mine", "embed": False, "auto_log_cpu": False, "auto_log_gpu": False},
    )
    assert logged == [(1, NUMBERS), (2, NUMBERS), (None, {"best_epoch", "best_accuracy"}), "finished"]
    out, err = capsys.readouterr()
    assert out == ""
    assert "on this machine; look at them with: trackio show --project doldari" in err
    monkeypatch.setenv("TRACKIO_SPACE_ID", "me/runs")
    assert trackers.Trackio().where(None) == "me/runs"


@pytest.mark.parametrize("there", [None, SimpleNamespace(experiment_id="7")])
def test_mlflow(monkeypatch, tmp_path, there):
    told = []
    client = SimpleNamespace(
        tracking_uri="http://localhost:5000",
        get_experiment_by_name=lambda name: there,
        create_experiment=lambda name: name,
        create_run=lambda experiment, run_name: (
            told.append((experiment, run_name)) or SimpleNamespace(info=SimpleNamespace(run_id="1"))
        ),
        log_param=lambda id, name, value: told.append((id, name, value)),
        log_metric=lambda id, name, value, step=None: told.append((id, name, step)),
        set_terminated=lambda id, status: told.append((id, status)),
    )
    monkeypatch.setitem(sys.modules, "mlflow", SimpleNamespace(MlflowClient=lambda: client))
    doldari.train(PAIRS, out=tmp_path / "mine", track="mlflow", **SMALL)
    assert told[0] == ("doldari" if there is None else "7", "mine")
    assert ("1", "hidden_size", 16) in told
    assert [entry for entry in told if "loss" in entry] == [("1", "loss", 1), ("1", "loss", 2)]
    assert told[-1] == ("1", "FINISHED")

"""The Hugging Face Hub, played by a small server: models that are pushed and loaded again, and what goes wrong."""

import base64
import hashlib
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest

import doldari
from doldari.data.string_tasks import reverse_pairs

TOKEN = "hf_" + "x" * 34
COMMIT = "c" * 40


class Hub(BaseHTTPRequestHandler):
    """As much of the Hub as a client needs to make a repository, commit small files to it and fetch one."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, content=b"", headers=()):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **dict(headers)}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def reply(self, content):
        self.answer(200, json.dumps(content).encode(), {"Content-Type": "application/json"})

    def do_POST(self):
        hub, body = self.server, self.rfile.read(int(self.headers["Content-Length"]))
        hub.posted.append(self.path)
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self.answer(401, b'{"error": "Invalid username or password."}')
        if self.path == "/api/repos/create":
            hub.created.append(json.loads(body))
            return self.reply({"url": f"{hub.address}/me/mine", "name": "me/mine"})
        if self.path == "/api/validate-yaml":
            return self.reply({"errors": [], "warnings": []})
        if self.path == "/api/models/me/mine/preupload/main":
            files = [{"path": file["path"], "uploadMode": "regular"} for file in json.loads(body)["files"]]
            return self.reply({"files": [file | {"shouldIgnore": False} for file in files]})
        if self.path == "/api/models/me/mine/commit/main":
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    hub.files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            return self.reply({"commitUrl": f"{hub.address}/me/mine/commit/{COMMIT}", "commitOid": COMMIT})
        return self.answer(403 if "theirs" in self.path else 404)

    def do_GET(self):
        name = self.path.rpartition("/")[2]
        if self.path.startswith("/me/mine/resolve/main/") and name in self.server.files:
            content = self.server.files[name]
            etag = hashlib.sha256(content).hexdigest()
            return self.answer(200, content, {"ETag": f'"{etag}"', "X-Repo-Commit": COMMIT})
        there = self.path.startswith("/me/mine/")
        code = "EntryNotFound" if there else "RepoNotFound"
        return self.answer(404, b"", {"X-Error-Code": code, "X-Repo-Commit": COMMIT})

    def do_HEAD(self):
        self.do_GET()


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A hub on this machine, which the client is told of as users tell it; its cache is empty."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.address = f"http://127.0.0.1:{server.server_port}"
    server.posted, server.created, server.files = [], [], {}
    monkeypatch.setenv("HF_ENDPOINT", server.address)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run that was trained on pairs from Python."""
    place = tmp_path_factory.mktemp("hub") / "mine"
    settings = {"hidden_size": 8, "embedding_size": 4, "epochs": 1, "batch_size": 16}
    doldari.train(reverse_pairs(60), out=place, progress=False, **settings)
    return place


def test_a_model_pushed_and_loaded_again_answers_the_same(hub, run, cli):
    done = cli(f"push {run} me/mine --yes")
    assert (done.code, done.err) == (0, "")
    sizes = {name: len(content) for name, content in hub.files.items()}
    assert set(sizes) == {"model.safetensors", "README.md", "config.toml"}
    first, *listed, last = done.out.splitlines()
    assert first == f"To {hub.address}/me/mine, which is made if it is not there, public:"
    assert [line.split() for line in listed] == [[name, f"{size:,}", "bytes"] for name, size in sizes.items()]
    assert last == f"Model pushed to {hub.address}/me/mine. Load it with: doldari.load('hf://me/mine')"
    assert hub.created[0]["name"] == "mine"
    assert not is_private(hub.created[0])
    card = hub.files["README.md"].decode()
    assert "doldari.load('hf://me/mine')" in card
    assert "doldari predict hf://me/mine" in card
    texts = [pair.source for pair in reverse_pairs(20, seed=5)]
    here, there = doldari.load(run), doldari.load("hf://me/mine")
    assert there.predict(texts, scores=True) == here.predict(texts, scores=True)
    assert cli(f"predict hf://me/mine {texts[0]}").out == here(texts[0]) + "\n"


def test_nothing_is_sent_unasked(hub, run, cli, monkeypatch):
    done = cli(f"push {run} me/mine")
    assert done.code == 1
    assert done.err.startswith("error: nobody can be asked whether to upload this; nothing was sent")
    monkeypatch.setattr(sys.modules["doldari.cli.push"], "somebody_there", lambda: True)
    for answer, code in ((b"n\n", 1), (b"\n", 1), (b"y\n", 0)):
        assert hub.posted == []
        done = cli(f"push {run} me/mine --private", stdin=answer)
        assert (done.code, "nothing was sent" in done.out) == (code, code == 1)
    assert is_private(hub.created[0])


def is_private(created):
    """Tell what was asked for, as newer clients or older ones say it."""
    return created.get("visibility") == "private" or created.get("private", False)


def test_a_card_of_the_runs_own_is_pushed_and_no_record(hub, run, cli, tmp_path):
    (run / "README.md").write_text("---\nlicense: cc-by-4.0\n---\nmine")
    assert cli(f"push {run} me/mine -y").code == 0
    assert hub.files["README.md"] == b"---\nlicense: cc-by-4.0\n---\nmine"
    (run / "README.md").unlink()
    assert cli(f"push {run / 'model.safetensors'} me/mine -y").code == 0


def test_a_second_load_needs_no_hub(hub, run, monkeypatch):
    hub.files["model.safetensors"] = (run / "model.safetensors").read_bytes()
    doldari.load("hf://me/mine")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert doldari.load("hf://me/mine")


def test_a_file_that_is_no_model_is_refused(hub):
    hub.files["model.safetensors"] = b"no model"
    with pytest.raises(doldari.ModelFileError, match="not a safetensors file"):
        doldari.load("hf://me/mine")


@pytest.mark.parametrize(
    "address, message",
    [
        ("hf://me/mine", r"hf://me/mine: has no model.safetensors; not a doldari model"),
        ("hf://me/other", r"hf://me/other: no such model, or no such revision"),
    ],
)
def test_models_that_are_not_there(hub, address, message):
    with pytest.raises(doldari.HubError, match=message):
        doldari.load(address)


def test_a_hub_that_cannot_be_reached(hub, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # the client tries again and again
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(doldari.HubError, match=r"^hf://me/mine: the Hub cannot be reached: "):
        doldari.load("hf://me/mine")


@pytest.mark.parametrize("token, name, message", [("hf_no", "me/mine", "not logged in"), (TOKEN, "me/theirs", "")])
def test_pushing_what_one_may_not(hub, run, cli, monkeypatch, token, name, message):
    monkeypatch.setenv("HF_TOKEN", token)
    done = cli(f"push {run} {name} -y")
    assert done.code == 1
    assert done.err.startswith(f"error: {hub.address}/{name}: {message}")
    assert done.err.count("\n") == 1
    assert hub.files == {}


@pytest.mark.parametrize("name", ["mine", "a/b/c", "../mine", "me/", "me/a b"])
def test_names_that_are_none(hub, run, cli, name, monkeypatch):
    with pytest.raises(doldari.ConfigError, match="must be as owner/name"):
        doldari.load(f"hf://{name}")
    monkeypatch.setattr(sys, "argv", ["doldari"])
    if " " not in name:
        assert "must be as owner/name" in cli(f"push {run} {name} -y").err


def test_without_the_package(monkeypatch, run, cli):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    remedy = r"the Hugging Face Hub needs huggingface_hub; install it with: pip install 'doldari\[hub\]'"
    with pytest.raises(doldari.MissingPackageError, match=remedy):
        doldari.load("hf://me/mine")
    assert cli(f"push {run} me/mine").code == 1


def test_runs_that_are_none(hub, cli, tmp_path):
    (tmp_path / "run.json").write_text("{}")
    assert "there is no model yet" in cli(f"push {tmp_path} me/mine -y").err
    assert cli("push nowhere me/mine -y").err.startswith("error: nowhere: no such model")
    assert SimpleNamespace(**vars(hub)).posted == []

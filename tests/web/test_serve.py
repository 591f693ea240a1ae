"""doldari serve: what it says where it cannot serve, and that it serves and ends."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest

from doldari.web.start import bound, is_loopback


def test_what_cannot_be_served_is_a_line(cli, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "cut.safetensors").write_bytes(b"12345678")
    for path, expected in (
        ("runs", "runs: no such run or directory of runs"),
        ("empty", "empty: no run or model in it; train one: doldari train DATA --out empty/NAME"),
        ("cut.safetensors", "not a safetensors file, or cut short"),
    ):
        result = cli("serve", path)
        assert result.code == 1 and expected in result.err and len(result.err.splitlines()) == 1


def test_a_port_in_use_is_a_line(cli, folder):
    with bound("127.0.0.1", 0) as other:
        port = other.getsockname()[1]
        result = cli("serve", str(folder), "--port", str(port))
    assert result.code == 1
    assert result.err == f"error: --port {port}: already in use; choose another, such as --port {port + 1}\n"
    assert "--host no.such.host.invalid: " in cli("serve", str(folder), "--host", "no.such.host.invalid").err


def test_without_the_packages_it_says_how_to_install_them(cli, folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.delitem(sys.modules, "doldari.web.start", raising=False)
    result = cli("serve", str(folder))
    assert result.code == 1
    assert result.err == "error: serve needs uvicorn; install what it needs with: pip install 'doldari[web]'\n"


@pytest.mark.parametrize(
    "host, private", [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False)]
)
def test_loopback(host, private):
    assert is_loopback(host) is private


def test_it_serves_a_run_in_its_first_epoch_and_ends_when_told_to(folder, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text(json.dumps({"format": 1, "status": "running"}))
    server = subprocess.Popen(
        [sys.executable, "-m", "doldari", "serve", str(tmp_path / "run"), "--port", "0"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    address = re.search(r"http://127\.0\.0\.1:\d+/", server.stdout.readline())[0]
    with urllib.request.urlopen(f"{address}runs") as answer:
        assert [run["has_model"] for run in json.load(answer)["runs"]] == [False]
    stalled = socket.create_connection(("127.0.0.1", int(address.rsplit(":", 1)[1].strip("/"))))
    stalled.sendall(b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
    with urllib.request.urlopen(f"{address}healthz", timeout=5) as answer:
        assert answer.status == 200
    stalled.close()
    server.send_signal(signal.SIGINT)
    out, err = server.communicate(timeout=20)
    assert server.returncode == 0 and out == "stopped\n"
    assert "no model yet" in err

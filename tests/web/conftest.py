"""A folder with two models of random weights and a run that was trained, and a client of the API over it."""

import json

import pytest
from predictors import make_predictor
from starlette.testclient import TestClient

import doldari
from doldari.web.app import make_app
from doldari.web.guard import LOOPBACK, Guard
from doldari.web.served import Served
from doldari.web.worker import Worker


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    for name, settings in (
        ("attention", {"reverse": True}),
        ("gru", {"decoder": "peeky", "cell": "gru", "layers": 2, "bidirectional": True}),
        ("pointer", {"decoder": "pointer"}),
        ("transducer", {"decoder": "transducer"}),
        ("transformer", {"model": "transformer", "heads": 2, "embedding_size": 8}),
    ):
        (folder / name).mkdir()
        make_predictor(**settings).save(folder / name / "model.safetensors")
    pairs = [(letter * n, letter) for letter in "abcdefghij" for n in range(1, 5)]
    doldari.train(pairs, out=folder / "trained", epochs=2, hidden_size=8, embedding_size=4, progress=False)
    (folder / "no run").mkdir()
    (folder / "begun").mkdir()
    (folder / "begun" / "run.json").write_text(json.dumps({"format": 1, "status": "running", "epochs_planned": 3}))
    return folder


@pytest.fixture(scope="session")
def client(folder):
    app = Guard(make_app(Served(folder), Worker()), LOOPBACK)
    with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as client:
        yield client

"""The API: its answers are Python's, its limits are said, and what is wrong is a line with a status, never a 500."""

import json
import threading
import time
import warnings

import pytest
from predictors import SOURCES, make_predictor
from starlette.testclient import TestClient

import doldari
from doldari.data.vocabulary import PADDING, START
from doldari.models.joining import join
from doldari.web import requests
from doldari.web.app import make_app
from doldari.web.guard import HEADERS
from doldari.web.served import Served
from doldari.web.worker import Worker


def post(client, path, **body):
    return client.post(path, json=body)


@pytest.mark.parametrize("name", ["attention", "gru"])
@pytest.mark.parametrize("beam", [1, 4])
def test_predictions_are_those_of_python(client, folder, name, beam):
    answer = post(client, "/predict", model=name, texts=[*SOURCES, " "], beam=beam, n_best=beam).json()
    expected = doldari.load(folder / name).predict([*SOURCES, " "], beam=beam, n_best=beam)
    assert [[one["text"] for one in some] for some in answer["answers"]] == [
        [one.text for one in some] for some in expected
    ]
    assert [one["log_probability"] for some in answer["answers"] for one in some] == pytest.approx(
        [one.score for some in expected for one in some], abs=1e-5
    )
    assert answer["model"] == name and answer["errors"] == [None] * 7


@pytest.mark.parametrize("name", ["attention", "gru", "pointer", "transducer", "transformer"])
@pytest.mark.parametrize("beam", [1, 4])
def test_explanations_have_the_answers_of_python(client, folder, name, beam):
    model = doldari.load(folder / name)
    for text in SOURCES:
        found = post(client, "/explain", model=name, text=text, beam=beam).json()
        (expected,) = model.predict([text], beam=beam, n_best=beam)
        assert [one["text"] for one in found["n_best"]] == [one.text for one in expected]
        assert found["answer"]["probability"] == pytest.approx(expected[0].probability, rel=1e-4)
        product = 1.0
        for step in found["steps"]:
            product *= step["output"]["probability"]
        assert product == pytest.approx(expected[0].probability, rel=1e-3)


def test_an_ensemble_of_different_kinds_has_a_page(tmp_path):
    kinds = [make_predictor(decoder=decoder).text_model for decoder in ("attention", "transducer")]
    model = doldari.Predictor(join(kinds))
    model.save(tmp_path / "mixed.safetensors")
    with TestClient(make_app(Served(tmp_path / "mixed.safetensors"), Worker())) as client:
        page = client.get("/model").json()
        assert page["attention"] and not page["recurrent"]
        for text in SOURCES:
            found = post(client, "/explain", text=text, beam=2).json()
            (voted,) = model.predict([text], beam=2, n_best=2)
            assert [one["text"] for one in found["n_best"]] == [one.text for one in voted]
            assert len(found["steps"][0]["attention"]) == len(text)


def test_texts_that_cannot_be_read_are_refused_or_told_beside_the_others(client):
    refused = post(client, "/predict", model="attention", texts=["ab", "q"])
    assert refused.status_code == 422
    assert refused.json() == {"error": "'q': the symbol 'q' (U+0071) was not seen in training"}
    told = post(client, "/predict", model="attention", texts=["ab", "q"], tolerant=True).json()
    assert len(told["answers"][0]) == 1 and told["answers"][1] == []
    assert told["errors"] == [None, refused.json()["error"]]
    assert post(client, "/explain", model="attention", text="q").status_code == 422
    assert post(client, "/explain", model="attention", text="q", tolerant=True).json() == refused.json()
    assert post(client, "/explain", model="attention", text=" ").json() == {"error": "text: is empty"}


def test_forced_symbols_begin_the_answer(client, folder):
    free = post(client, "/explain", model="attention", text="abba").json()
    for symbol in free["steps"][0]["top"]:
        if symbol["id"] not in (PADDING, START, 2):
            found = post(client, "/explain", model="attention", text="abba", forced=[symbol["id"]]).json()
            assert found["answer"]["text"].startswith(symbol["symbol"])
            assert [step["forced"] for step in found["steps"]] == [True] + [False] * (len(found["steps"]) - 1)
    end = post(client, "/explain", model="attention", text="abba", forced=[PADDING]).json()
    assert end["answer"]["text"] == ""
    for wrong in ([START], [2], [99], [-1], [PADDING, 3]):
        assert post(client, "/explain", model="attention", text="abba", forced=wrong).status_code == 422


LIMITS = {
    "texts": ("/predict", {"texts": ["a"] * (requests.MOST_TEXTS + 1)}, 422, "1000"),
    "length": ("/predict", {"texts": ["a" * (requests.LONGEST_TEXT + 1)]}, 422, "2000"),
    "all": ("/predict", {"texts": ["a" * 2_000] * 51}, 413, "100,000"),
    "beam": ("/predict", {"texts": ["a"], "beam": requests.WIDEST_BEAM + 1}, 422, "20"),
    "n_best": ("/predict", {"texts": ["a"], "n_best": 0}, 422, "1"),
    "emoji": ("/explain", {"text": "\N{GRINNING FACE}" * 100_000}, 422, "2000"),
    "body": ("/explain", {"text": "a" * (1 << 20)}, 413, "1,048,576"),
    "forced": ("/explain", {"text": "a", "forced": [3] * 2_001}, 422, "2000"),
}


@pytest.mark.parametrize("path, body, status, limit", [*LIMITS.values()], ids=[*LIMITS])
def test_limits_are_said(client, path, body, status, limit):
    answer = post(client, path, **body)
    assert answer.status_code == status
    assert limit in answer.json()["error"]


HOSTILE = [
    b"", b"{", b"[]", b"null", b'{"texts": "a"}', b'{"texts": [1]}', b'{"texts": null}', b'{"texts": ["\\ud800"]}',
    b'{"texts": ["a"], "beam": "5"}', b'{"texts": ["a"], "beam": 1e400}', b'{"texts": ["a"], "beam": NaN}',
    b'{"texts": ["a"], "min_probability": Infinity}', b'{"texts": ["a"], "beam": true}', b'{"texts": ["a"], "x": 1}',
    b'{"texts": ["a"], "model": "\\ud800"}', b'{"texts": ["a"], "model": "../../etc/passwd"}',
    b'{"texts": ["a"], "model": "/etc"}', b'{"texts": ["\\u0000"]}', b"\xff\xfe", b'{"texts": ["a\xff"]}',
    b"[" * 100_000, b'{"texts": ["a"], "beam": ' + b"9" * 5_000 + b"}", '{"texts": ["\N{GRINNING FACE}"]}'.encode(),
    b'{"texts": ["\\ud83d"], "\\ud83d": 1}',
]  # fmt: skip


@pytest.mark.parametrize("body", HOSTILE, ids=[repr(body[:30]) for body in HOSTILE])
def test_hostile_bodies_are_refused_in_a_line(client, body):
    answer = client.post("/predict", content=body, headers={"content-type": "application/json"})
    assert 400 <= answer.status_code < 500
    assert "\n" not in answer.json()["error"] and answer.json()["error"]


@pytest.mark.parametrize(
    "path",
    ["/static/../app.py", "/static/%2e%2e/app.py", "/static//etc/passwd", "/../../etc/passwd", "/model?name=../runs",
     "/model?name=no%20run", "/history?run=/etc", "/history?run=%00", "/static/", "/docs", "/redoc"],
)  # fmt: skip
def test_no_other_path_is_reachable(client, path):
    assert client.get(path).status_code in (404, 422)


def test_links_out_of_the_folder_are_not_followed(folder, tmp_path):
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "linked").symlink_to(folder / "attention")
    (tmp_path / "runs" / "file").mkdir()
    (tmp_path / "runs" / "file" / "model.safetensors").symlink_to(folder / "attention" / "model.safetensors")
    with TestClient(make_app(Served(tmp_path / "runs"), Worker())) as client:
        assert "linked" not in [run["name"] for run in client.get("/runs").json()["runs"]]
        for name in ("linked", "file"):
            assert post(client, "/predict", model=name, texts=["ab"]).status_code == 404


def test_runs_models_and_histories(client):
    runs = {run["name"]: run for run in client.get("/runs").json()["runs"]}
    assert runs.keys() == {"attention", "gru", "pointer", "transducer", "transformer", "trained", "begun"}
    assert runs["trained"]["status"] == "finished" and runs["trained"]["epochs"] == 2
    assert not runs["begun"]["has_model"] and runs["begun"]["status"] == "interrupted"
    (history,) = client.get("/history", params={"run": "trained"}).json()["histories"]
    assert [epoch["epoch"] for epoch in history["epochs"]] == [1, 2]
    page = client.get("/model", params={"name": "trained"}).json()
    assert page["card"].startswith("---") and page["longest_source"] == 4
    assert client.get("/model").json()["name"] == "trained"  # the only one with a score
    assert client.get("/healthz").json()["status"] == "ok"
    begun = client.get("/model", params={"name": "begun"})
    assert begun.status_code == 409 and "no model yet" in begun.json()["error"]


def test_a_model_that_is_written_anew_is_read_anew_and_a_broken_one_is_a_line(folder, tmp_path):
    path, name = tmp_path / "one" / "model.safetensors", "one"
    with TestClient(make_app(Served(tmp_path), Worker()), raise_server_exceptions=False) as client:
        assert post(client, "/predict", texts=["ab"]).status_code == 404
        path.parent.mkdir()
        path.write_bytes((folder / "attention" / "model.safetensors").read_bytes())
        first = post(client, "/predict", model=name, texts=SOURCES).json()["answers"]
        path.write_bytes((folder / "gru" / "model.safetensors").read_bytes())
        assert post(client, "/predict", model=name, texts=SOURCES).json()["answers"] != first
        path.write_bytes(path.read_bytes()[:-100])
        broken = post(client, "/predict", model=name, texts=SOURCES)
        assert broken.status_code == 409 and "cut short" in broken.json()["error"]


def test_headers_and_hosts(client):
    page = client.get("/")
    assert page.status_code == 200 and "<main" in page.text
    for name, value in HEADERS.items():
        assert page.headers[name] == value
    assert client.get("/", headers={"if-none-match": page.headers["etag"]}).status_code == 304
    assert client.get("/healthz", headers={"host": "evil.example"}).status_code == 400
    assert client.get("/healthz", headers={"host": "127.0.0.1:8000"}).status_code == 200


def test_files_that_a_record_names_are_shown_to_their_owner_only(folder, tmp_path):
    (tmp_path / "one").mkdir()
    model = (folder / "attention" / "model.safetensors").read_bytes()
    (tmp_path / "one" / "model.safetensors").write_bytes(model)
    (tmp_path / "pairs.tsv").write_text("abc\tx\ncab\ty\n")
    data = [{"use": "training", "name": "pairs", "path": str(tmp_path / "pairs.tsv")}]
    (tmp_path / "one" / "run.json").write_text(json.dumps({"format": 1, "status": "finished", "data": data}))
    assert Served(tmp_path).page("one")["examples"] == ["abc", "cab"]
    public = Served(tmp_path, private=False).page("one")
    assert public["examples"] == [] and "abc" not in public["card"] and str(tmp_path) not in public["card"]


class Slow:
    """A predictor that waits for a signal, and counts what it is asked together."""

    def __init__(self, model):
        self.model, self.calls, self.go = model, [], threading.Event()

    def __getattr__(self, name):
        return getattr(self.model, name)

    def answers(self, texts, options):
        self.calls.append(len(texts))
        self.go.wait(10)
        return self.model.answers(texts, options)


def test_requests_that_wait_are_predicted_together(folder):
    slow = Slow(doldari.load(folder / "attention"))
    served, worker = Served(folder, read=lambda _: slow), Worker()
    found = {}
    with TestClient(make_app(served, worker)) as client:

        def ask(number, texts):
            found[number] = post(client, "/predict", model="attention", texts=texts)

        threads = [threading.Thread(target=ask, args=(0, ["a"]))]
        threads[0].start()
        while not slow.calls:
            time.sleep(0.001)
        for number, texts in enumerate([["ab"], ["q"], ["ba", "c"], ["abba"]], start=1):
            threads.append(threading.Thread(target=ask, args=(number, texts)))
            threads[-1].start()
            while worker.queue.qsize() < number:
                time.sleep(0.001)
        assert client.get("/healthz").json()["waiting"] == 4  # it answers while the worker works
        slow.go.set()
        for thread in threads:
            thread.join()
    # Together first; as one has a text that cannot be read, each alone then.
    assert slow.calls == [1, 5, *map(len, [["ab"], ["q"], ["ba", "c"], ["abba"]])] and found[2].status_code == 422
    for number, texts in ((1, ["ab"]), (3, ["ba", "c"]), (4, ["abba"])):
        answers = [some[0]["text"] for some in found[number].json()["answers"]]
        assert answers == slow.model.predict(texts)


def test_too_many_waiting_requests_are_told_to_come_again(folder, monkeypatch):
    monkeypatch.setattr("doldari.web.worker.MOST_WAITING", 0)
    with TestClient(make_app(Served(folder), Worker())) as client:
        answer = post(client, "/predict", model="attention", texts=["ab"])
    assert answer.status_code == 503 and answer.headers["retry-after"] == "1"


def test_the_openapi_document_holds_for_anything_that_is_sent(folder):
    schemathesis = pytest.importorskip("schemathesis")
    from hypothesis import HealthCheck, Phase, given, settings
    from schemathesis.specs.openapi.checks import positive_data_acceptance

    app = make_app(Served(folder), Worker())
    schema = schemathesis.openapi.from_asgi("/openapi.json", app)
    for operation in schema.get_all_operations():
        case_strategy = operation.ok().as_strategy()

        @given(case=case_strategy)
        @settings(max_examples=10, deadline=None, database=None, derandomize=True, phases=[Phase.generate],
                  suppress_health_check=list(HealthCheck))  # fmt: skip
        def check(case):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                response = case.call()
            assert response.status_code < 500
            case.validate_response(response, excluded_checks=[positive_data_acceptance])  # not of every text

        check()

"""The routes: the page, and the API behind it."""

import asyncio
import gzip
import json
from contextlib import asynccontextmanager
from hashlib import sha256
from importlib.resources import files
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

import doldari
from doldari.errors import DataError, DoldariError, ModelFileError
from doldari.inference.arguments import check_length
from doldari.inference.explanation import as_object, explain
from doldari.inference.predictor import AnswerOptions
from doldari.web import requests
from doldari.web.served import NoSuchRunError, Served, history, run_line
from doldari.web.worker import BusyError, Worker

TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


class JSON(JSONResponse):
    """JSON in ASCII: what clients sent may stand in it, whatever it was."""

    def render(self, content: Any) -> bytes:
        """Write it; numbers that JSON has not would be our own mistake."""
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode()


def make_app(served: Served, worker: Worker) -> FastAPI:
    """Make the application of the models that are served, predicted by the worker."""
    errors: dict[int | str, dict[str, Any]] = {
        status: {"model": requests.Error, "description": description}
        for status, description in {
            400: "Not JSON, or not for this server",
            404: "No such run or model",
            408: "The body took too long",
            409: "The model cannot be read now",
            413: "The body, or all texts together, are too large",
            422: "A field is wrong, or the model cannot read the text",
            503: "Too many requests wait",
        }.items()
    }

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> Any:
        yield
        await asyncio.to_thread(worker.stop)

    app = FastAPI(
        title="doldari",
        version=doldari.__version__,
        description="Predictions of sequence-to-sequence models, and what led to them.",
        docs_url=None,
        redoc_url=None,
        default_response_class=JSON,
        responses=errors,
        lifespan=lifespan,
    )
    add_page(app)
    add_error_handlers(app)

    async def chosen(name: str | None) -> str:
        return name if name is not None else await asyncio.to_thread(served.first)

    @app.post("/predict", response_model=requests.Predictions, summary="Predict the outputs of texts")
    async def predict(asked: requests.PredictRequest) -> Response:
        """Return each text's answers, the best first; requests of several clients are predicted together."""
        model, beam = await chosen(asked.model), max(asked.beam, asked.n_best)
        check_work(asked.texts, beam)
        options = AnswerOptions(
            asked.unknown, beam, asked.n_best, None, asked.max_length, asked.min_probability, scored=True
        )
        found = await worker.predict(model, lambda: served.predictor(model), asked.texts, options, asked.tolerant)
        answers = [[] if isinstance(some, str) else [as_object(one) for one in some] for some in found]
        errors = [some if isinstance(some, str) else None for some in found]
        return JSON({"model": model, "answers": answers, "errors": errors})

    @app.post("/explain", response_model=requests.Explained | requests.Error, summary="Explain a prediction")
    async def explain_one(asked: requests.ExplainRequest) -> Response:
        """Return a prediction with its probabilities, attention, states, gates, steps and the tree of its beam."""
        name = await chosen(asked.model)
        check_work([asked.text], asked.beam)

        def work() -> dict[str, Any]:
            model = served.predictor(name).text_model
            if model.source.is_blank(asked.text):
                raise DataError("text: is empty")
            check_length(len(model.source.encode(asked.text, unknown=True)), model.longest_source, asked.beam)
            return explain(model, asked.text, unknown=asked.unknown, beam=asked.beam, forced=asked.forced)

        try:
            return JSON(await worker.call(work))
        except DataError as error:
            if not asked.tolerant:
                raise
            return JSON({"error": str(error)})

    @app.get("/model", response_model=requests.ModelPage, summary="Describe a model")
    async def model(name: Annotated[requests.Name | None, Query()] = None) -> Response:
        """Return what there is to know of a model, its card and some examples."""
        chosen_name = await chosen(name)
        return JSON(await worker.call(lambda: served.page(chosen_name)))

    @app.get("/runs", response_model=requests.Runs, summary="List runs")
    def runs() -> Response:
        """Return all runs, the most accurate first."""
        return JSON({"runs": [run_line(run) for run in served.runs()]})

    @app.get("/history", response_model=requests.Histories, summary="Epochs of runs")
    def histories(
        run: Annotated[list[requests.Name], Query(min_length=1, max_length=requests.MOST_RUNS)],
    ) -> Response:
        """Return the epochs of runs so far; ask again while one goes on."""
        return JSON({"histories": [history(name, served.run(name)) for name in run]})

    @app.get("/healthz", response_model=requests.Health, summary="Tell that the server answers")
    async def healthz() -> Response:
        """Return at once, whatever is being predicted."""
        return JSON({"status": "ok", "version": doldari.__version__, "waiting": worker.queue.qsize()})

    return app


def check_work(texts: list[str], beam: int) -> None:
    """Refuse what would keep the others waiting for long."""
    characters = sum(map(len, texts)) * beam
    if characters > requests.MOST_CHARACTERS:
        raise HTTPException(
            413, f"texts: {characters:,} characters times beam; the limit is {requests.MOST_CHARACTERS:,} a request"
        )


def add_page(app: FastAPI) -> None:
    """Add the page and its files, which are read once: no path that a client sends leads to a file."""
    for file in files("doldari.web").joinpath("static").iterdir():
        ending = "." + file.name.rpartition(".")[2]
        if ending in TYPES:
            body = file.read_bytes()
            path = "/" if file.name == "index.html" else f"/static/{file.name}"
            app.add_api_route(path, page_route(body, TYPES[ending]), methods=["GET"], include_in_schema=False)


def page_route(body: bytes, media_type: str) -> Any:
    """Make what answers a request for a file of the page; one that has not changed is not sent again."""
    packed, etag = gzip.compress(body, mtime=0), f'"{sha256(body).hexdigest()[:20]}"'

    async def send(request: Request) -> Response:
        headers = {"etag": etag, "cache-control": "no-cache", "vary": "accept-encoding"}
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers=headers)
        if "gzip" in request.headers.get("accept-encoding", ""):
            return Response(packed, media_type=media_type, headers={**headers, "content-encoding": "gzip"})
        return Response(body, media_type=media_type, headers=headers)

    return send


def add_error_handlers(app: FastAPI) -> None:
    """Answer every error with a status and a line."""

    def error(status: int, message: str, headers: Any = None) -> JSON:
        return JSON({"error": message}, status, headers)

    @app.exception_handler(RequestValidationError)
    async def wrong_field(_: Request, problem: RequestValidationError) -> JSON:
        first = problem.errors()[0]
        if first["type"] == "json_invalid":
            return error(400, f"not JSON: {first.get('ctx', {}).get('error', first['msg'])}")
        where = [str(part) for part in first["loc"] if part not in ("body", "query")]
        return error(422, f"{'.'.join(where) or 'body'}: {first['msg'].removeprefix('Value error, ')}")

    @app.exception_handler(HTTPException)
    async def refused(_: Request, problem: HTTPException) -> JSON:
        return error(problem.status_code, str(problem.detail), problem.headers)

    @app.exception_handler(NoSuchRunError)
    async def no_such_run(_: Request, problem: NoSuchRunError) -> JSON:
        return error(404, f"{str(problem)[:100]!r}: no such run; GET /runs lists them")

    @app.exception_handler(ModelFileError)
    async def unreadable(_: Request, problem: ModelFileError) -> JSON:
        return error(409, str(problem))

    @app.exception_handler(DoldariError)
    async def wrong_text(_: Request, problem: DoldariError) -> JSON:
        return error(422, str(problem))

    @app.exception_handler(BusyError)
    async def busy(_: Request, problem: BusyError) -> JSON:
        return error(503, "too many requests wait; try again in a moment", {"retry-after": "1"})

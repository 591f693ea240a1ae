"""doldari serve."""

from pathlib import Path
from typing import Annotated

import typer

from doldari.cli.console import stdout, tell, warn
from doldari.errors import MissingPackageError, ModelFileError


def serve(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="[MODEL or RUNS]", help="Run directory, model file, or a directory of runs.", show_default="runs"
        ),
    ] = Path("runs"),
    host: Annotated[
        str, typer.Option(metavar="HOST", help="Address to listen at. 0.0.0.0: everybody on the network may use it.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(metavar="PORT", min=0, max=65535, help="Port; 0: any free one.")] = 8000,
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
) -> None:
    """Serve a web page and an API for trained models.

    The page predicts as you type and shows what led to the answer: the probability of every symbol, attention, each
    decoding step, the beam search, the gates; click another symbol and the rest is predicted anew. It compares two
    models, predicts files of lines, and draws the curves of runs while they train.

    The API: POST /predict, POST /explain, GET /model, /runs, /history, /healthz; GET /openapi.json describes it.
    Example: curl -d '{"texts": ["16+75"]}' -H 'Content-Type: application/json' http://127.0.0.1:8000/predict

    Needs the packages of the extra web: pip install 'doldari[web]'.
    """
    check_path(path)
    try:
        from doldari.web.start import is_loopback
        from doldari.web.start import serve as run
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.startswith("doldari"):
            raise
        raise MissingPackageError(
            f"serve needs {error.name}; install what it needs with: pip install 'doldari[web]'"
        ) from error
    if not is_loopback(host):
        warn(f"--host {host}: everybody who reaches this machine can use the page and the API")
    run(path, host, port, open_page, lambda url: tell(f"Serving {path} at {url} (Ctrl-C ends)"))
    tell("stopped")


def check_path(path: Path) -> None:
    """Refuse what has no run or no readable model in it; say so where a model is still to come."""
    from doldari.cli.usage import check_spelling
    from doldari.inference.predictor import load
    from doldari.report.record import find_runs, is_run, read_run
    from doldari.run_files import MODEL_FILE

    if not path.exists():
        check_spelling(path, f"{path}: no such run")
        raise ModelFileError(f"{path}: no such run or directory of runs; train one: doldari train addition")
    if path.is_file():
        load(path)
    elif not is_run(path):
        if not find_runs(path):
            raise ModelFileError(f"{path}: no run or model in it; train one: doldari train DATA --out {path}/NAME")
    elif (path / MODEL_FILE).exists():
        load(path)
    else:
        running = read_run(path).status == "running"
        now = "it is in its first epoch" if running else "its training ended before the first epoch did"
        warn(f"{path}: no model yet: {now}; the page shows its curves, and the model once there is one")
    stdout.file.flush()

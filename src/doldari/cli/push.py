"""doldari push."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from doldari.cli.console import stdout
from doldari.errors import ConfigError, ModelFileError
from doldari.run_files import CARD_FILE, CONFIG_FILE, MODEL_FILE

if TYPE_CHECKING:
    from doldari.report.record import RunFiles


def push(
    model: Annotated[Path, typer.Argument(metavar="RUN", help="Run directory, or model file.")],
    name: Annotated[str, typer.Argument(metavar="OWNER/NAME", help="Repository on the Hugging Face Hub.")],
    private: Annotated[bool, typer.Option("--private", help="Make a new repository private.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Upload without asking.")] = False,
) -> None:
    """Publish a model on the Hugging Face Hub.

    Prints which files go where, and asks before anything is sent: the model, its model card (README.md; that of the
    run, or else a new one), and the settings.  The data, the record of the run and its history stay here.  Others
    then load it with doldari.load("hf://OWNER/NAME"), or doldari predict hf://OWNER/NAME TEXT.
    """
    from doldari.hub import address_of, publish
    from doldari.report.record import read_run

    address = address_of(name)
    if not model.exists():
        raise ModelFileError(f"{model}: no such run; train one: doldari train DATA --out {model}")
    files = files_to_push(read_run(model), name)
    visible = "private" if private else "public"
    stdout.print(f"To {address}, which is made if it is not there, {visible}:")
    for file, content in files.items():
        stdout.print(f"  {file:<20} {len(content):>12,} bytes")
    if not yes:
        if not somebody_there():
            raise ConfigError("nobody can be asked whether to upload this; nothing was sent; to upload it, add --yes")
        if not typer.confirm("Upload?"):
            stdout.print("nothing was sent")
            raise typer.Exit(1)
    publish(name, files, private)
    stdout.print(f"Model pushed to {address}. Load it with: doldari.load('hf://{name}')")


def somebody_there() -> bool:
    """Tell whether a question would be seen and could be answered."""
    return sys.stdin is not None and sys.stdin.isatty()


def files_to_push(run: "RunFiles", name: str) -> dict[str, bytes]:
    """Collect what is published of a run."""
    from doldari.report.card import card

    if run.text_model is None:
        raise ModelFileError(run.problem or f"{run.path}: there is no model yet")
    directory = run.path if run.path.is_dir() else None
    files = {MODEL_FILE: (run.path if directory is None else run.path / MODEL_FILE).read_bytes()}
    if directory is not None and (directory / CARD_FILE).exists():
        files[CARD_FILE] = (directory / CARD_FILE).read_bytes()
    else:
        files[CARD_FILE] = card(run, f"hf://{name}").encode()
    if run.config is not None:
        files[CONFIG_FILE] = run.config.to_toml().encode()
    return files

"""doldari join: one model of several."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from doldari.cli.console import stdout
from doldari.errors import ConfigError, RunExistsError


def join(
    models: Annotated[list[Path], typer.Argument(metavar="MODEL...", help="Runs' directories, or model files.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="The file of the joined model.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file if it is there.")] = False,
) -> None:
    """Join trained models into one, an ensemble: its scores are the mean of their log-probabilities.

    The models must have the same settings and vocabularies, as runs on the same pairs with different --seed have.
    """
    from doldari.inference.predictor import load
    from doldari.models import joining
    from doldari.models.model_file import save_model

    if len(models) < 2:
        raise ConfigError("one model: nothing to join; give at least two")
    if out.is_dir():
        raise RunExistsError(f"{out}: a directory; give a file, such as {out / 'model.safetensors'}")
    if out.exists() and not overwrite:
        raise RunExistsError(f"{out}: exists already; give another --out, or --overwrite")
    joined = joining.join([load(model).text_model for model in models], [str(model) for model in models])
    save_model(out, joined)
    stdout.print(f"ensemble of {joined.config.ensemble} models saved to {out}")
    stdout.print(f"try: {shlex.join(['doldari', 'predict', str(out), 'TEXT'])}")

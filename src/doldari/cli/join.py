"""doldari join: several models become one ensemble."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from doldari.cli.console import stdout, warn
from doldari.errors import ConfigError, RunExistsError


def join(
    models: Annotated[list[Path], typer.Argument(metavar="MODEL...", help="Run directories, or model files.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="Output file.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the output file if it exists.")] = False,
) -> None:
    """Join trained models into one ensemble.

    The ensemble averages their log-probabilities.  The models must have the same settings and vocabularies, for
    example runs on the same pairs with different random seeds (--seed).
    """
    from doldari.inference.predictor import load
    from doldari.models import joining
    from doldari.models.model_file import save_model

    if len(models) < 2:
        raise ConfigError("only one model; give at least two")
    if out.is_dir():
        raise RunExistsError(f"{out}: is a directory; give a file name, such as {out / 'model.safetensors'}")
    if out.exists() and not overwrite:
        raise RunExistsError(f"{out}: exists already; choose another --out, or use --overwrite")
    loaded = [load(model).text_model for model in models]
    joined = joining.join(loaded, [str(model) for model in models])
    save_model(out, joined)
    if any(model.temperature != 1.0 for model in loaded):
        warn(f"the models' calibration does not carry over; run: doldari calibrate {shlex.quote(str(out))} DATA")
    stdout.print(f"Ensemble of {joined.config.ensemble} models saved to {out}")
    stdout.print(f"Try: {shlex.join(['doldari', 'predict', str(out), 'TEXT'])}")

"""doldari join: several models become one ensemble."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from doldari.cli.arguments import VoteOption
from doldari.cli.console import stdout, warn
from doldari.errors import ConfigError, RunExistsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from doldari.models.model_file import TextModel


def join(
    models: Annotated[list[Path], typer.Argument(metavar="MODEL...", help="Run directories, or model files.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="Output file.")],
    vote: VoteOption = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the output file if it exists.")] = False,
) -> None:
    """Join trained models into one ensemble.

    Models with the same settings and vocabularies, for example runs with different random seeds (--seed), average
    their log-probabilities at each symbol.  Models of different kinds (decoder, direction, sizes) vote on whole
    outputs: by mean log-probability, or by majority (--vote).
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
    joined = joining.join(loaded, [str(model) for model in models], vote)
    if vote is not None and not joined.others:
        raise ConfigError("{vote}: needs models of different kinds; these average their log-probabilities", vote=vote)
    save_model(out, joined)
    if calibrated(loaded) > calibrated([joined]):
        remedy = "" if joined.others else f"; run: doldari calibrate {shlex.quote(str(out))} DATA"
        warn(f"the models' calibration does not carry over{remedy}")
    members = sum(kind.config.ensemble for kind in joined.kinds)
    kinds = f" of {len(joined.kinds)} kinds, which vote by {joined.vote}," if joined.others else ""
    stdout.print(f"Ensemble of {members} models{kinds} saved to {out}")
    stdout.print(f"Try: {shlex.join(['doldari', 'predict', str(out), 'TEXT'])}")


def calibrated(models: "Sequence[TextModel]") -> int:
    """Count the kinds of members that have a temperature."""
    return sum(kind.temperature != 1.0 for model in models for kind in model.kinds)

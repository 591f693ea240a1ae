"""What is said of a training: data and model before it, tips, what it left, and the command to type after it."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from doldari.cli.console import stderr, tell
from doldari.errors import plural
from doldari.report.usage import predict_command

if TYPE_CHECKING:
    from doldari.data.pairs import Pair
    from doldari.training.directory import RunDirectory
    from doldari.training.run import Run
    from doldari.training.train import Trained


def describe(run: "Run") -> None:
    """Describe what is about to be trained."""
    text_model = run.predictor.text_model
    source, target = text_model.source, text_model.target
    unspelled = len(run.validation) - len(run.spelled)
    never_seen = f" ({unspelled:,} of them with symbols not seen in training)" if unspelled else ""
    features = f", {plural(len(source.features), 'feature')}" if source.features else ""
    weights = sum(weight.value.size for weight in text_model.model.weights().values())
    artificial = run.config.training.hallucinate
    besides = f" and {plural(artificial, 'artificial one')}" if artificial else ""
    tell(
        f"{plural(run.pairs - artificial, 'training pair')}{besides}, "
        f"{plural(len(run.validation), 'validation pair')}{never_seen}; "
        f"{len(source.symbols)} source and {plural(len(target.symbols), 'target symbol')}{features}; "
        f"{weights:,} weights"
    )
    for tip in tips(run):
        stderr.print(f"tip: {tip}")
    if run.new_symbols is not None:
        tell("new symbols: {:,} source, {:,} target".format(*run.new_symbols))
    if run.budget is not None:
        tell(f"time budget {run.config.training.budget}: {run.epochs:,} epochs of about {run.budget.epoch:.1f} s")


def tips(run: "Run") -> Iterator[str]:
    """Yield options that are likely to give better results on these pairs."""
    from doldari.data.traits import look_like_phones

    if run.config.model.shared_vocabulary:
        return
    source = run.predictor.text_model.source
    apart = source.symbols_taken_apart()
    if 2 * apart < len(source.symbols):
        yield f"--source-normalization NFD decomposes the source symbols into {apart}, so that fewer are rare"
    if run.config.model.target_symbols == "characters" and look_like_phones([pair.target for pair in run.validation]):
        yield "--target-symbols whitespace tokenizes targets at spaces; see also --recipe g2p"


def example_command(out: Path, pairs: "Sequence[Pair]") -> str:
    """Return the command that predicts from the first printable source."""
    question = next((pair.source for pair in pairs if pair.source.replace("\t", "").isprintable()), "")
    return predict_command(str(out), question)


def why_over(run: "Run") -> str:
    """Return why a resumed run is already over, and the option that makes it longer."""
    settings = run.config.training
    if run.out_of_patience:
        return (
            f"it stopped early at epoch {len(run.history)}, after {settings.patience} epochs without improvement; "
            "to continue, raise --patience, or set it to 0"
        )
    if settings.budget is not None:
        return f"its time budget of {settings.budget} is used up; for more, raise --budget"
    return f"all {run.epochs} epochs are done; for more, raise --epochs"


def kept_model(trained: "Trained", directory: "RunDirectory", members: int) -> str:
    """Return which model a stopped or failed training leaves in its directory."""
    best = trained.last.best
    if directory.claim.beside_older:
        return "the earlier run, since no epoch was finished"
    if members > 1:
        return f"an ensemble of the models trained so far ({len(trained.runs)})"
    if best is None:
        return "the current model" if trained.error is None else "the untrained model"
    return f"the model of epoch {best.epoch}" + " (the best so far)" * (trained.error is None)

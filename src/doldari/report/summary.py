"""A one-screen summary of a run or a model: model, training, scores, usage."""

import dataclasses
import math
import shlex
from collections.abc import Iterator, Sequence
from typing import Any

from doldari.config import Config, ModelConfig
from doldari.errors import plural
from doldari.report.record import Facts, RunFiles
from doldari.report.usage import example_source, predict_command, resume_command, some_symbols

Row = tuple[str, str]  # a label, empty where it is that of the row before, and a line of text


def summary(run: RunFiles) -> list[Row]:
    """Lay out what is known of a run in rows; what is not known is left out."""
    rows = [("", f"{run.path}{described_status(run)}")]
    if run.problem is not None:
        rows.append(("problem", run.problem))
    for label, lines in (
        ("data", data_lines(run)),
        ("model", model_lines(run)),
        ("training", training_lines(run)),
        ("ran on", ran_on_lines(run.record)),
        ("score", score_lines(run)),
        ("usage", usage_lines(run)),
    ):
        rows += [(label * (number == 0), line) for number, line in enumerate(lines)]
    return rows


def described_status(run: RunFiles) -> str:
    """Return how far it is, and what can be done about it."""
    status = run.status
    if status is None:
        return ""
    started, ended = run.record.text("started"), run.record.text("ended")
    when = f", ended {readable_time(ended)}" if ended else f", started {readable_time(started)}" if started else ""
    unfinished = status in ("interrupted", "stopped") and run.path.is_dir()
    return f": {status}{when}" + f"; resume with: {resume_command(run.path)}" * unfinished


def data_lines(run: RunFiles) -> Iterator[str]:
    """Describe what it was trained on and validated with."""
    training, validation = run.data("training"), run.data("validation")
    if training.value:
        yield f"training: {described_data(training)}{artificial(run.config)}"
    if validation.value:
        split, unknown = validation.text("split"), validation.count("unknown")
        yield f"validation: {described_data(validation)}{f' ({split})' if split else ''}"
        if unknown:
            yield f"{unknown:,} of the validation pairs have symbols not seen in training"


def described_data(data: Facts) -> str:
    """Say the name and the size of some pairs."""
    pairs, sources = data.count("pairs"), data.count("sources")
    size = "" if pairs is None else f", {pairs:,} pairs"
    if sources is not None and sources != pairs:
        size += f" of {sources:,} sources"
    return f"{data.text('name') or 'pairs'}{size}"


def artificial(config: Config | None) -> str:
    """Say how many artificial pairs were trained on beside those of the data, if any."""
    count = 0 if config is None else config.training.hallucinate
    return f"; and {plural(count, 'artificial pair')} (hallucinate)" if count else ""


def model_lines(run: RunFiles) -> Iterator[str]:
    """Describe what the model is, and its size."""
    config, weights = run.model_config, run.weights
    if len(run.model_configs) > 1:
        yield from (f"{kind.ensemble} x {described_model(kind)}" for kind in run.model_configs)
    if len(run.model_configs) == 1:
        yield described_model(run.model_configs[0]) + ("" if weights is None else f"; {weights:,} weights")
    elif weights is not None:
        yield f"{weights:,} weights"
    members = run.record.count("members") or sum(kind.ensemble for kind in run.model_configs)
    if members > 1:
        yield f"an ensemble of {members}: {', '.join(member.name for member in run.members) or 'in one file'}"
    if run.text_model is not None and run.text_model.others:
        yield f"its {len(run.text_model.kinds)} kinds of models vote by {run.text_model.vote}"
    symbols = [run.record.count(f"{side}_symbols") for side in ("source", "target")]
    longest = [run.data("training").count(f"longest_{side}") for side in ("source", "target")]
    if run.text_model is not None:
        symbols = [len(run.text_model.source.symbols), len(run.text_model.target.symbols)]
        longest = [run.text_model.longest_source, run.text_model.longest_target]
    if run.text_model is not None and run.text_model.temperature != 1.0:
        yield f"calibrated: temperature {run.text_model.temperature:.3g}"
    for side, count, most in zip(("source", "target"), symbols, longest, strict=True):
        if count is not None:
            kind = "" if config is None else f" ({getattr(config, f'{side}_symbols')})"
            yield f"{side}: {count:,} symbols{kind}" + ("" if most is None else f", up to {most:,} per text")


def described_models(kinds: Sequence[ModelConfig]) -> str:
    """Describe a model, or each kind of an ensemble's members and how many they are."""
    if len(kinds) == 1:
        return described_model(kinds[0])
    return "; ".join(f"{kind.ensemble} x {described_model(kind)}" for kind in kinds)


def described_model(config: ModelConfig) -> str:
    """Describe what kind of model it is: `LSTM, decoder peeky, sources reversed, 1 layer of 128 units, ...`."""
    layers = "1 layer" if config.layers == 1 else f"{config.layers} layers"
    sizes = [f"{layers} of {config.hidden_size:,} units", f"embedding size {config.embedding_size:,}"]
    if config.model == "transformer":
        return ", ".join([config.name, f"{config.heads} heads", *order_and_ties(config), *sizes])
    parts = [f"{config.cell.upper()}, decoder {config.decoder}"]
    if config.attention != "general":
        parts[0] += f" ({config.attention})"
    parts += ["bidirectional"] * config.bidirectional
    return ", ".join([*parts, *order_and_ties(config), *sizes])


def order_and_ties(config: ModelConfig) -> list[str]:
    """Say what is reversed, if anything, and whether embeddings are tied."""
    parts = {
        "sources reversed": config.reads_backwards,
        "targets right to left": config.right_to_left,
        "tied": config.tie,
    }
    return [part for part, holds in parts.items() if holds]


def training_lines(run: RunFiles) -> Iterator[str]:
    """Say for how long it was trained, and with which settings."""
    record, parts = run.record, []
    planned, steps = record.count("epochs_planned"), record.count("steps")
    if run.epochs is not None:
        parts.append(f"{run.epochs:,} of {planned:,} epochs" if planned else f"{run.epochs:,} epochs")
    parts += [] if steps is None else [f"{steps:,} steps"]
    parts += [] if run.seconds is None else [readable_seconds(run.seconds)]
    resumes = record.count("resumes")
    parts += [f"resumed {resumes:,} times" if resumes > 1 else "resumed once"] if resumes else []
    if parts:
        yield ", ".join(parts)
    if run.config is not None:
        yield described_settings(run.config)
    origin = record.part("from")
    if origin.value:
        yield f"started from {origin.text('path') or 'another model'}"


def described_settings(config: Config) -> str:
    """Say the settings of a training that are looked at first."""
    settings = config.training
    parts = [f"batch size {settings.batch_size:,}", f"learning rate {settings.learning_rate:g} ({settings.schedule})"]
    parts += [
        f"dropout {settings.dropout:g}",
        f"label smoothing {settings.label_smoothing:g}",
        f"seed {settings.seed}",
    ]
    return ", ".join(parts)


def ran_on_lines(record: Facts) -> Iterator[str]:
    """Describe what computed it."""
    versions = record.part("versions")
    parts = [f"{name} {versions.text(name)}" for name in versions.value if versions.text(name)]
    kernels, instructions, threads = (
        record.text("kernels"),
        record.text("instruction_set"),
        record.count("threads"),
    )
    if kernels:
        parts.append(f"{kernels} kernels" + (f" ({instructions})" if instructions else ""))
    parts += [f"{threads} thread{'s' * (threads > 1)}"] if threads else []
    parts += [platform] if (platform := record.text("platform")) else []
    if parts:
        yield ", ".join(parts)


def score_lines(run: RunFiles) -> Iterator[str]:
    """Return how good the best epoch is, each measure with its 95 % interval."""
    best, scores = run.best, run.scores
    for name, score in scores.items():
        known = math.isfinite(score.low) and math.isfinite(score.high)
        yield f"{name:<8} {score!s:<8}  {f'95 % interval {score.interval}' if known else ''}".rstrip()
    losses = [("validation loss", best.number("validation_loss")), ("training loss", best.number("loss"))]
    parts = [f"{name} {value:.4f}" for name, value in losses if value is not None]
    epoch = best.count("epoch")
    if epoch is not None:
        yield ", ".join([f"best epoch: {epoch:,}", *parts])


def usage_lines(run: RunFiles) -> Iterator[str]:
    """Describe the usage: a command, the known symbols, and options that apply."""
    if run.text_model is None:
        return
    source, path = run.text_model.source, shlex.quote(str(run.path))
    yield predict_command(str(run.path), example_source(run))
    yield f"source symbols: {some_symbols(source.symbols)}"
    if source.features:
        yield f"features, as TEXT TAB one;two: {some_symbols(source.features)}"
    sample = "" if run.text_model.others else ", --sample"
    yield f"options: --beam-size 5 --n-best 3, --scores{sample}; see also doldari evaluate, doldari score"
    if run.text_model.attending is not None:
        yield f"attention: doldari attend {path} TEXT"


def readable_time(time: str) -> str:
    """Write a time as in run.json for people: 2026-11-26 15:04 UTC."""
    return f"{time[:10]} {time[11:16]}" + (" UTC" if time.endswith(("+00:00", "Z")) else "")


def readable_seconds(seconds: float) -> str:
    """Write a time span: 21 s, 12 min, 1 h 03 min."""
    if seconds < 100:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"


def as_object(run: RunFiles) -> dict[str, Any]:
    """Put what is known of a run into one object for JSON, and run.json into it; what is not known is null."""
    config = run.model_config
    model = {} if config is None else dataclasses.asdict(config)
    if run.text_model is not None:
        model |= {
            "source_vocabulary": len(run.text_model.source.symbols),
            "target_vocabulary": len(run.text_model.target.symbols),
            "features": len(run.text_model.source.features),
            "longest_source": run.text_model.longest_source,
            "longest_target": run.text_model.longest_target,
            "temperature": run.text_model.temperature,
        }
    best = run.best
    known = {
        "path": str(run.path),
        "status": run.status,
        "problem": run.problem,
        "model": model,
        "weights": run.weights,
        "kinds": [dataclasses.asdict(kind) for kind in run.model_configs],
        "members": [str(member) for member in run.members],
        "training": None if run.config is None else dataclasses.asdict(run.config.training),
        "epochs": run.epochs,
        "seconds": run.seconds,
        "best": {name: best.number(name) for name in ("epoch", "loss", "validation_loss")} if best.value else None,
        "scores": {name: dataclasses.asdict(score) for name, score in run.scores.items()},
        "ask": None if run.text_model is None else predict_command(str(run.path), example_source(run)),
        "record": run.record.value or None,
    }
    return {name: without_nan(value) for name, value in known.items()}


def without_nan(value: Any) -> Any:
    """Replace numbers that JSON does not have by None."""
    if isinstance(value, dict):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value

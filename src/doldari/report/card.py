"""The model card: a run's README.md, with the front matter in YAML that model hubs read.

A text in the front matter is written as JSON writes it, which YAML reads alike.
"""

import json
import math
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import doldari
from doldari.errors import RunExistsError
from doldari.files import write_whole
from doldari.inference.scores import SAMPLES, Score
from doldari.report.record import Facts, RunFiles, without_folders
from doldari.report.summary import artificial, described_models, described_settings, readable_seconds
from doldari.report.usage import example_source, predict_command
from doldari.run_files import CARD_FILE, CARD_MARK, MODEL_FILE

NAMES = {
    "accuracy": "accuracy (exact match)",
    "WER": "WER (word error rate, 1 - accuracy)",
    "PER": "PER (edit distance per target symbol)",
    "CER": "CER (edit distance per target character)",
}


def write_card(run: RunFiles, overwrite: bool = False) -> Path:
    """Write the card beside a run's model; RunExistsError if a README.md is there that doldari did not write."""
    path = (run.path if run.path.is_dir() else run.path.parent) / CARD_FILE
    if path.exists() and not overwrite and CARD_MARK not in path.read_text("utf-8", "replace"):
        raise RunExistsError(f"{path}: not written by doldari; replace it with --overwrite")
    write_whole(path, card(run).encode())
    return path


def card(run: RunFiles, address: str | None = None) -> str:
    """Write a model card; where the data lie on this machine is not in it.

    address is by what others load the model, if not as the file that it is.
    """
    run = without_folders(run)
    title = one_line(run.name.removesuffix(".safetensors"))
    sections = [
        "\n".join(["---", *front_matter(run), "---", CARD_MARK]),
        f"# {code(title)}",
        description(run),
        "## Usage\n\n" + usage(run, address),
        "## Training data\n\n" + "\n".join(data_lines(run)),
        "## Training\n\n" + "\n".join(training_lines(run)),
        "## Evaluation\n\n" + evaluation(run),
        "## Limitations\n\n" + "\n".join(limits(run)),
    ]
    return "\n\n".join(sections) + "\n"


def front_matter(run: RunFiles) -> Iterator[str]:
    """Write the lines of the front matter; text2text-generation is a kind of the pipeline text-generation now."""
    config, scores = run.model_config, run.scores
    yield "library_name: doldari"
    yield "pipeline_tag: text-generation"
    yield "tags:"
    tags = ["doldari", "seq2seq", "text2text-generation"]
    if config is not None:
        kind = config.cell if config.model == "recurrent" else config.model
        tags += [kind, *["attention"] * config.attends]
    yield from (f"- {tag}" for tag in tags)
    if not scores:
        return
    yield "metrics:"
    yield from (f"- {text(name.lower())}" for name in scores)
    name = dataset_name(run.data("validation"))
    yield "model-index:"
    yield f"- name: {text(run.name.removesuffix('.safetensors'))}"
    yield "  results:"
    yield "  - task:"
    yield "      type: text-generation"
    yield "    dataset:"
    yield f"      type: {text(name)}"
    yield f"      name: {text(name)}"
    yield "      split: validation"
    yield "    metrics:"
    for name, score in scores.items():
        yield f"    - type: {text(name.lower())}"
        yield f"      value: {Decimal(repr(score.value)):f}"  # YAML 1.1 takes 4e-05 for a text
        yield f"      name: {text(NAMES.get(name, name))}"


def text(value: str) -> str:
    """Write a text for YAML, without the control characters that it has not."""
    return json.dumps(one_line(value), ensure_ascii=False)


def dataset_name(data: Facts) -> str:
    """Name a data set."""
    return data.text("name") or "unknown"


def description(run: RunFiles) -> str:
    """Describe what it is, in a paragraph."""
    parts = ["A sequence-to-sequence model: text in, text out."]
    if run.model_config is not None:
        weights = "" if run.weights is None else f"; {run.weights:,} weights"
        parts.append(f"{described_models(run.model_configs)}{weights}.")
    version = run.record.part("versions").text("doldari") or doldari.__version__
    return " ".join([*parts, f"Made with doldari {version}."])


def usage(run: RunFiles, address: str | None) -> str:
    """Show how to ask it, from the command line and from Python."""
    file = address or (MODEL_FILE if run.path.is_dir() else run.path.name)
    source = example_source(run)
    shell = predict_command(file, source)
    python = f"import doldari\n\nmodel = doldari.load({file!r})\nmodel({'TEXT' if source is None else source!r})"
    return f"{fenced(shell, 'sh')}\n\n{fenced(python, 'python')}"


def data_lines(run: RunFiles) -> Iterator[str]:
    """Describe what it learnt from, and what its scores are measured with."""
    there = False
    for use, label in (("training", "Training"), ("validation", "Validation")):
        data = run.data(use)
        if not data.value:
            continue
        there = True
        counts = [f"{count:,} {name}" for name in ("pairs", "sources") if (count := data.count(name)) is not None]
        parts = [code(dataset_name(data)), *counts, *([split] if (split := data.text("split")) else [])]
        made = artificial(run.config) if use == "training" else ""
        checksum = data.text("sha256")
        yield f"- {label}: {', '.join(parts)}{made}" + (f"; SHA-256 {code(checksum)}" if checksum else "")
    if not there:
        yield "Not recorded."


def training_lines(run: RunFiles) -> Iterator[str]:
    """Describe the training; all settings are in config.toml."""
    parts = [] if run.epochs is None else [f"{run.epochs:,} epochs"]
    parts += [] if run.seconds is None else [readable_seconds(run.seconds)]
    if parts:
        yield f"- Trained for {', '.join(parts)}."
    if run.config is not None:
        yield f"- {described_settings(run.config)}.".replace("- b", "- B", 1)
        yield f"- All settings:\n\n{fenced(run.config.to_toml().strip(), 'toml')}"
    elif not parts:
        yield "Not recorded."


def evaluation(run: RunFiles) -> str:
    """Lay out the scores in a table."""
    if not run.scores:
        return "Not recorded."
    epoch = run.best.count("epoch")
    which = "" if epoch is None else f" after epoch {epoch:,}, the best on these pairs"
    rows = [
        f"| {NAMES.get(name, one_line(name))} | {score} | {interval(score)} |" for name, score in run.scores.items()
    ]
    return "\n".join(
        [
            f"On the validation pairs{which}. Intervals are 95 % bootstrap intervals ({SAMPLES:,} samples).",
            "",
            "| metric | value | 95 % interval |",
            "|---|---|---|",
            *rows,
        ]
    )


def interval(score: Score) -> str:
    """Write an interval, if it is known."""
    return "not known" if math.isnan(score.low) or math.isnan(score.high) else score.interval


def limits(run: RunFiles) -> Iterator[str]:
    """Describe what is not to be expected of it."""
    yield "- It predicts an output for any text; for texts unlike its training pairs the output is probably wrong."
    selected = "The best epoch was selected on the validation pairs that the scores are from"
    yield f"- {selected}; expect slightly lower scores on new pairs."
    if run.text_model is not None:
        symbols, longest = run.text_model.source.symbols, run.text_model.longest_source
        yield f"- It knows {len(symbols):,} source symbols; by default it refuses texts with others."
        yield f"- The longest training source had {longest:,} symbols; much longer ones are predicted unreliably."


def one_line(value: str) -> str:
    """Put a text on one line, without control characters."""
    return "".join(char if char.isprintable() else " " for char in value)


def code(value: str) -> str:
    """Write a text as code within a line of Markdown, whatever backticks are in it."""
    ticks = "`"
    while ticks in value:
        ticks += "`"
    blank = " " * (value.startswith("`") or value.endswith("`"))
    return f"{ticks}{blank}{one_line(value)}{blank}{ticks}"


def fenced(content: str, language: str) -> str:
    """Write lines of code for Markdown, whatever backticks are in them."""
    fence = "```"
    while fence in content:
        fence += "`"
    return f"{fence}{language}\n{content}\n{fence}"

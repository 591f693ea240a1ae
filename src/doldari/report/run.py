"""The report of a run as a page: scores, curves, what the model gets wrong, data, settings, how to reproduce it."""

import math
import shlex
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple

from doldari.inference.metrics import Evaluation
from doldari.inference.predictor import Predictor
from doldari.inference.scores import scores
from doldari.percent import percent
from doldari.report.charts import curves_chart
from doldari.report.evaluation import evaluation_sections, score_table
from doldari.report.page import folded, page, table
from doldari.report.record import RunFiles, without_folders
from doldari.report.summary import (
    data_lines,
    described_status,
    model_lines,
    ran_on_lines,
    readable_seconds,
    training_lines,
)

COLUMNS = ("epoch", "loss", "validation loss", "accuracy", "learning rate", "gradient norm", "seconds")


class Evaluated(NamedTuple):
    """The run's model, and what it answered to some pairs: its validation pairs, or those of `name`."""

    model: Predictor
    evaluation: Evaluation
    name: str | None = None


def run_report(run: RunFiles, members: Sequence[RunFiles], evaluated: Evaluated | None, why_not: str = "") -> str:
    """Write the report; without `evaluated`, why_not says why there is none.

    members are the runs of an ensemble's members, or the run alone.
    """
    known = (data.text(name) for data in run.record.parts("data") for name in ("name", "path"))
    for folder in sorted({str(Path(place).parent) for place in known if place and "/" in place}, reverse=True):
        why_not = why_not.replace(f"{folder}/", "")
    run = without_folders(run)
    lead = [f"<p>{escape(line)}" for line in model_lines(run)]
    status = described_status(run).removeprefix(": ").replace(str(run.path), run.name)
    lead = [f"<p>{escape(status[:1].upper() + status[1:])}.</p>"] * bool(status) + lead
    sections = [("Scores", scores_section(run, evaluated)), ("Training", training_section(run, members))]
    if evaluated is None:
        sections.append(("Predictions", f"<p>Not looked at: {escape(why_not)}.</p>"))
    else:
        sections += evaluation_sections(evaluated.model, evaluated.evaluation)
    sections += [("Data", data_section(run)), ("How to reproduce it", reproduction(run))]
    return page(f"{run.name.removesuffix('.safetensors')}: report", "\n".join(lead), sections)


def scores_section(run: RunFiles, evaluated: Evaluated | None) -> str:
    """Lay out the scores: of the pairs that the model was evaluated with, or those that its record has."""
    if evaluated is not None:
        count, where = len(evaluated.evaluation.pairs), evaluated.name or "the validation pairs"
        known = scores(evaluated.evaluation)
        about = f"On {escape(where)}: {count:,} sources, {sum(evaluated.evaluation.right):,} predicted correctly."
    else:
        known = {name: score for name, score in run.scores.items() if math.isfinite(score.low)}
        about = "On the validation pairs, as recorded in training."
    if not known:
        return "<p>Not recorded.</p>"
    best = run.best.count("epoch")
    chosen = f" The model is that of epoch {best:,}, the best on the validation pairs" if best else ""
    slightly = "; expect slightly lower scores on new pairs." if evaluated is None or evaluated.name is None else "."
    return f"<p>{about}{chosen + slightly if chosen else ''}</p>\n{score_table(known)}"


def training_section(run: RunFiles, members: Sequence[RunFiles]) -> str:
    """Draw the accuracy and the losses after each epoch; the numbers are folded away below."""
    lines = "".join(f"<p>{escape(line)}.</p>" for line in training_lines(run))
    there = [member for member in members if member.history]
    if not there:
        return lines + "<p>No epoch was finished.</p>"

    def values(member: RunFiles, name: str) -> list[float]:
        numbers = (epoch.number(name) for epoch in member.history)
        return [math.nan if number is None else number for number in numbers]

    if len(there) == 1:
        best = there[0].best.count("epoch")
        accuracies = {"validation": values(there[0], "accuracy")}
        losses = {"training": values(there[0], "loss"), "validation": values(there[0], "validation_loss")}
    else:
        best = None
        accuracies = {member.name: values(member, "accuracy") for member in there}
        losses = {member.name: values(member, "validation_loss") for member in there}
    label = "loss (nats per symbol)" if len(there) == 1 else "validation loss (nats per symbol)"
    charts = [
        curves_chart(accuracies, "validation accuracy", lambda value: f"{value:.0%}", top=1.0, best=best),
        curves_chart(losses, label, lambda value: f"{value:.3g}", best=best),
    ]
    numbers = "".join(epochs_table(member, len(there) > 1) for member in there)
    return f'{lines}<div class="charts">{"".join(charts)}</div>\n{folded("All epochs", numbers)}'


def epochs_table(run: RunFiles, named: bool) -> str:
    """Lay out a run's history."""
    rows = []
    for epoch in run.history:
        cells = [f"{epoch.count('epoch') or 0:,}"]
        for name in COLUMNS[1:]:
            value = epoch.number(name.replace(" ", "_"))
            cells.append("" if value is None else percent(value) if name == "accuracy" else f"{value:.4g}")
        rows.append("<tr>" + "".join(f'<td class="number">{cell}' for cell in cells))
    return table(escape(run.name) if named else "", COLUMNS, rows)


def data_section(run: RunFiles) -> str:
    """Say what it was trained on and validated with; files by name and checksum, not where they lie."""
    items = [f"<li>{escape(line)}" for line in data_lines(run)]
    checksums = {use: run.data(use).text("sha256") for use in ("training", "validation")}
    if checksums["training"] == checksums["validation"]:
        checksums = {"": checksums["training"]}
    items += [
        f"<li>SHA-256 of the {use} data: <code>{checksum}</code>".replace("  ", " ")
        for use, checksum in checksums.items()
        if checksum
    ]
    return f"<ul>{''.join(items)}</ul>" if items else "<p>Not recorded.</p>"


def reproduction(run: RunFiles) -> str:
    """Say how to train it again: the command, all settings, and what it ran on."""
    command = [str(word) for word in run.record.value.get("command") or ()]
    parts = []
    if command[:2] == ["doldari", "train"]:
        parts.append(f"<p>It was trained by</p>\n<pre>{escape(shlex.join(map(without_folder, command)))}</pre>")
    elif command:
        parts.append("<p>It was trained from Python.</p>")
    if run.config is not None:
        data = (run.data("training").text("name") or "DATA").split(" and ")
        again = shlex.join(["doldari", "train", *data, "--config", "config.toml"])
        parts.append(
            "<p>To train it again, save the settings as <code>config.toml</code>, and with the same data:</p>\n"
            f"<pre>{escape(again)}</pre>\n{folded('All settings', f'<pre>{escape(run.config.to_toml())}</pre>')}"
        )
    ran_on = " ".join(ran_on_lines(run.record))
    if ran_on:
        parts.append(
            f"<p>It ran on {escape(ran_on)}"
            + (f" for {readable_seconds(run.seconds)}" if run.seconds else "")
            + ". With the same versions, kernels, data and seed, a training ends with the same bits.</p>"
        )
    return "\n".join(parts) or "<p>Not recorded.</p>"


def without_folder(word: str) -> str:
    """Leave out where on this machine the file lies that a word of a command names, or its option."""
    option, equals, place = word.rpartition("=") if word.startswith("-") else ("", "", word)
    return option + equals + (Path(place).name if Path(place).is_absolute() else place)

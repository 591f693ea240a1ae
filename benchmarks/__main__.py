"""Measure everything, or some sections, and write RESULTS.md, results.json and the pictures beside this file.

python -m benchmarks                      everything, in about half an hour
python -m benchmarks --quick              a look, in a minute or two; writes nothing
python -m benchmarks training predicting  these sections; the others keep their last results
"""

import argparse
import json
import sys
from pathlib import Path

from rich.console import Console

from benchmarks import report, sections, transformers, words
from benchmarks.measure import machine
from benchmarks.sides import NATIVE, TORCH

HERE = Path(__file__).parent
TITLES = {
    "training": "Training, seconds an epoch of the chapter's set-up (45,000 questions, batch 128, D 16, H 128)",
    "share_of_peak": "Share of sgemm, on all cores, in turn with it, that such an epoch reaches in useful products",
    "scaling": "Training, seconds a step of the plain model, where one size differs from H 128, N 128, T 20, V 13",
    "models": "Training, seconds a step of 64 words (D 64, H 256, V 60), encoder in both directions, smoothed labels",
    "transformers": "Transformers of 4 heads, seconds a step or a batch of answers, of such words",
    "beam": "Beam search, seconds, attention model of that size",
    "predicting": "Answering, seconds, models of the chapter's sizes (attention: bidirectional)",
    "memory": "Memory",
    "startup": "Start-up and size",
}


def main() -> None:
    """Run the sections that were asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__, formatter_class=Formatter)
    parser.add_argument("sections", nargs="*", choices=[*TITLES, []], metavar="SECTION", help=", ".join(TITLES))
    parser.add_argument("--rounds", type=int, default=5, help="how often each side is measured (5)")
    parser.add_argument("--quick", action="store_true", help="one round, small sizes, nothing written")
    arguments = parser.parse_args()
    stdout, stderr = Console(width=160), Console(stderr=True)
    say = (lambda text: stderr.print(f"[dim]{text} ...[/]")) if stderr.is_terminal else (lambda text: None)

    for peer, there in (("PyTorch", TORCH), ("doldari's native kernels", NATIVE)):
        if not there:
            stderr.print(f"{peer}: not installed, skipped")
    rounds = 1 if arguments.quick else arguments.rounds
    path = HERE / "results.json"
    results = json.loads(path.read_text("utf-8")) if path.exists() and not arguments.quick else {}
    results["machine"] = machine()
    for name in arguments.sections or list(TITLES):
        if name == "scaling":
            rows = report.with_ratios(sections.scaling(rounds, say, most=2 if arguments.quick else None))
        elif name == "transformers":
            rows = report.with_ratios(transformers.transformers(rounds, say, most=1 if arguments.quick else None))
        elif name == "beam":
            rows = report.with_ratios(words.beam(rounds, say, count=2_000 if arguments.quick else 10_000))
        else:
            section = words.models if name == "models" else getattr(sections, name)
            rows = report.with_ratios(section(rounds, say))
        results[name] = rows
        results.setdefault("rounds", {})[name] = rounds
        if rows:
            report.print_table(stdout, TITLES[name], rows)
        if not arguments.quick:
            path.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
            write_results(results)


def write_results(results: dict) -> None:
    """Write RESULTS.md and its pictures."""
    lines = ["# Results\n", "\n".join(f"- {name}: {value}" for name, value in results["machine"].items()) + "\n"]
    lines.append(
        "Written by `python -m benchmarks`: all sides in one process, in turn, medians of some rounds after one that "
        "does not count. Times are in seconds; the ratios say how many times as fast doldari is.\n"
    )
    for name, title in TITLES.items():
        if not results.get(name):
            continue
        lines.append(f"## {title}\n")
        if name in results["rounds"]:
            lines.append(f"Medians of {results['rounds'][name]} rounds.\n")
        if name in ("training", "scaling"):
            getattr(report, f"draw_{name}")(HERE / f"{name}.png", results[name])
            lines.append(f"![{title}]({name}.png)\n")
        lines.append(report.markdown_table(results[name]))
    (HERE / "RESULTS.md").write_text("\n".join(lines), "utf-8")


class Formatter(argparse.RawDescriptionHelpFormatter):
    """Keeps the line breaks of the description."""


if __name__ == "__main__":
    sys.exit(main())

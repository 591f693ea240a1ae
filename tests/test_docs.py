"""Every command of the README and of docs/ is run here, on small data, or is listed as not run, with the reason."""

import importlib.util
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import doldari
from doldari.__main__ import main
from doldari.chapter import TimeSoftmaxWithLoss

ROOT = Path(__file__).parent.parent
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
# What is not run, by how it begins, and why.
NOT_RUN = {
    "pip install": "installs packages; CI does it",
    "python -m venv": "makes an environment; CI does it",
    "torchrun": "starts many processes; tests/engines/test_processes.py starts two",
    "python -m benchmarks": "takes minutes to hours",
    "python examples/": "takes minutes; tests/test_chapter_script.py and tests/chapter run them",
    "DOLDARI_KERNELS=": "an exercise, in which the reader changes a line",
    "ruff": "CI does it",
    "mkdocs": "CI does it",
    "pytest": "this is it",
    ".ci/run": "CI does it",
    ". .venv": "enters an environment",
    "mypy": "CI does it",
    "export MASTER_ADDR": "needs a cluster",
    "srun": "needs a cluster",
    "run=": "needs a cluster",
    "[ -e $run": "needs a cluster",
    "what=": "needs a cluster",
    "doldari train words.tsv --engine torch --device cuda:1": "needs two GPUs",
    "doldari compare words.tsv": "trains twelve models; tests/test_compare.py compares on few pairs",
    "hf auth login": "needs an account",
    "doldari push": "publishes a model; tests/test_hub.py does, on a small server",
    "doldari predict hf://": "needs the Hub; tests/test_hub.py loads a model from a small server",
    "doldari serve": "serves pages until it is stopped; tests/web does",
    "curl -d": "asks such a server",
    "tensorboard --logdir": "serves pages until it is stopped",
    "doldari calibrate": "needs a model that is sometimes right; tests/test_cli_answers.py calibrates",
    "doldari compare addition": "trains four models for minutes; tests/test_cli.py compares on few pairs",
}
SMALL = "--epochs 1 --hidden-size 8 --embedding-size 8 --batch-size 16"
TASKS = ("addition", "dates", "copy", "reverse", "chapter")


def commands():
    """Find the commands in the pages' sh blocks, each once, with a page that has it."""
    found = {}
    for page in PAGES:
        for block in re.findall(r"^```sh\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL):
            for line in block.replace("\\\n", " ").splitlines():
                command = re.sub(r"\s+#.*", "", line).strip()
                for part in command.split(" && ") if command and not command.startswith("#") else []:
                    found.setdefault(part, page.relative_to(ROOT))
    return found


COMMANDS = commands()
RUN = [command for command in COMMANDS if not command.startswith(tuple(NOT_RUN))]


def test_the_pages_have_commands():
    assert len(RUN) > 50
    unused = [start for start in NOT_RUN if not any(command.startswith(start) for command in COMMANDS)]
    assert unused == []


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A folder with the files and runs that the pages take for granted."""
    folder = tmp_path_factory.mktemp("docs")
    words = [("가게", "k a̠ː ɡ e̞"), ("나무", "n a̠ m u"), ("나라", "n a̠ ɾ a̠"), ("가나", "k a̠ n a̠"), ("무게", "m u ɡ e̞")]
    words += [(a + b, f"{x} {y}") for (a, x) in words for (b, y) in words]
    tsv = "".join(f"{source}\t{target}\n" for source, target in words)
    languages = [f"{language}_{part}" for language in ("kor", "ita") for part in ("train", "dev", "test")]
    for name in ("words", "train", "test", "dev", "pairs", "more", "new", *languages):
        (folder / f"{name}.tsv").write_text(tsv, "utf-8")
    (folder / "shards").mkdir()
    for name in ("0", "1"):
        (folder / "shards" / f"{name}.tsv").write_text(tsv, "utf-8")
    (folder / "words.csv").write_text("word,ipa\n" + tsv.replace("\t", ","), "utf-8")
    (folder / "sources.txt").write_text("".join(f"{source}\n" for source, _ in words), "utf-8")
    (folder / "list.txt").write_text("".join(f"{target}\n" for _, target in words), "utf-8")
    verbs = [(f"{verb}", f"{verb}ed", "V;PST") for verb in ("walk", "talk", "look", "jump", "play", "ask", "cook")]
    for name in ("verbs", "german_train_medium", "german_dev"):
        (folder / f"{name}.tsv").write_text("".join("\t".join(verb) + "\n" for verb in verbs), "utf-8")
    rows = (json.dumps(dict(zip(("lemma", "form", "tags"), verb, strict=True))) + "\n" for verb in verbs)
    (folder / "forms.jsonl").write_text("".join(rows), "utf-8")
    (folder / "past.tsv").write_text("".join(f"{verb}\t{past}\n" for verb, past, _ in verbs), "utf-8")
    (folder / "addition.txt").write_text(
        "".join(f"{n}+{n:<5}"[:7] + f"_{2 * n:<4}\n" for n in range(10, 99)), "utf-8"
    )
    dates = "".join(f"september {day}, 1994\t1994-09-{day}\n" for day in range(10, 31))
    (folder / "dates.tsv").write_text(dates + "27 Sep 94\t1994-09-27\n", "utf-8")
    for part in ("train", "dev", "test"):
        for language, text in (("de", "ein Hund läuft schnell ."), ("en", "a dog runs fast .")):
            (folder / f"{part}.{language}").write_text("".join(f"{text} {n}\n" for n in range(30)), "utf-8")
    subprocess.run(["gzip", "-k", "test.de"], cwd=folder, check=True)
    trainings = [
        "words.tsv --out runs/words --target-symbols whitespace",
        "words.tsv --out runs/a --target-symbols whitespace --seed 1",
        "words.tsv --out runs/b --target-symbols whitespace --seed 2",
        "words.tsv --out runs/mixed --target-symbols whitespace --ensemble 2 --mix decoder=attention,plain",
        "verbs.tsv --features-column 3",
        "past.tsv",
        "dates.tsv",
        "addition --count 300",
        "train.de train.en --target-symbols words",
        "kor_train.tsv --out runs/kor --target-symbols whitespace --ensemble 2",
        "ita_train.tsv --out runs/ita --target-symbols whitespace --ensemble 2",
    ]
    here = Path.cwd()
    os.chdir(folder)
    try:
        for training in trainings:
            assert call(f"doldari train {training} {SMALL} --quiet") == 0
    finally:
        os.chdir(here)
    return folder


def call(command, stdin=b""):
    """Run a doldari command in this process -> its exit code."""
    kept = sys.argv, sys.stdin
    sys.argv, sys.stdin = shlex.split(command), io.TextIOWrapper(io.BytesIO(stdin))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("default")
            main()
    except SystemExit as exit:
        return exit.code or 0
    finally:
        sys.argv, sys.stdin = kept
    return 0


def made_small(command):
    """Add settings to a training that make it short."""
    words = shlex.split(command)
    if words[1] == "train" and "--resume" not in words:
        command += f" {SMALL}" if "--budget" not in words else f" {SMALL.removeprefix('--epochs 1 ')} --budget 1s"
        if words[2] in TASKS:
            command += " --count 300"
    return command


@pytest.mark.parametrize("command", RUN)
def test_command(command, prepared, tmp_path, monkeypatch, capfd):
    for package, word in (
        ("torch", "--engine torch"),
        ("interegular", "--matching"),
        ("tokenizers", "subwords"),
        ("babel", "train dates"),
    ):
        if word in command and importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    folder = tmp_path / "folder"
    shutil.copytree(prepared, folder)
    monkeypatch.chdir(folder)
    if command.startswith("printf") and "|" not in command:
        assert subprocess.run(["bash", "-c", command]).returncode == 0
        return
    before, _, last = command.rpartition(" | ")
    stdin = subprocess.run(["bash", "-c", before], capture_output=True, check=True).stdout if before else b""
    asked, _, _ = last.partition(" > ")
    assert shlex.split(asked)[0] == "doldari", f"{COMMANDS[command]}: neither run here nor among NOT_RUN"
    if shlex.split(asked)[1] == "train" and "--resume" not in asked and "--from" not in asked:
        shutil.rmtree(folder / "runs")
    code = call(made_small(asked), stdin)
    out, err = capfd.readouterr()
    assert code == 0, f"{COMMANDS[command]}: {err}"
    assert out or err


# Blocks of Python that are not run, by how they begin, and why.
BLOCKS_NOT_RUN = {
    "import json\nimport numpy": "tests/export/test_docs.py runs it",
    "given = {": "tests/export/test_docs.py runs it",
    "decoder_ts =": "a line for the chapter's class; the test below",
    'import doldari\n\nmodel = doldari.load("hf://': "needs the Hub; tests/test_hub.py loads from a small server",
    "    f = np.ones_like": "an exercise, a line for lstm_step",
    "np.subtract": "one way to write a formula beside another",
    "raise ValueError": "one way to write an error beside another",
}


def blocks():
    """Find the pages' blocks of Python, comments aside; what a page shares with an earlier one only once."""
    found = {}
    for page in PAGES:
        text = page.read_text("utf-8")
        code = [re.sub(r"\s+#.*", "", block) for block in re.findall(r"^```python\n(.*?)^```", text, re.M | re.S)]
        if code:
            found.setdefault(tuple(code), str(page.relative_to(ROOT)))
    return {page: code for code, page in found.items()}


BLOCKS = blocks()


def test_the_pages_have_blocks():
    every = [block for code in BLOCKS.values() for block in code]
    assert len([block for block in every if not block.startswith(tuple(BLOCKS_NOT_RUN))]) >= 10
    assert [start for start in BLOCKS_NOT_RUN if not any(block.startswith(start) for block in every)] == []


@pytest.mark.parametrize("page", BLOCKS)
def test_blocks(page, prepared, tmp_path, monkeypatch):
    """A page's blocks run one after the other, with their trainings made short."""
    shutil.copytree(prepared, tmp_path / "folder")
    monkeypatch.chdir(tmp_path / "folder")
    pairs = "[('walk', 'walked'), ('talk', 'talked')] * 9"
    names = {"doldari": doldari}
    for block in BLOCKS[page]:
        block = block.replace('[("walk", "walked"), ...], budget="2m"', f"{pairs}, epochs=1, hidden_size=8")
        block = block.replace('"pairs.tsv", observer', '"pairs.tsv", epochs=1, hidden_size=8, observer')
        if not block.startswith(tuple(BLOCKS_NOT_RUN)):
            with warnings.catch_warnings():
                warnings.simplefilter("default")
                exec(block, names)


def test_the_line_that_masks_the_loss():
    """docs/chapter.md: where the decoder reads padding, 0 here, the target is ignored."""
    line = next(block for code in BLOCKS.values() for block in code if block.startswith("decoder_ts ="))
    softmax = TimeSoftmaxWithLoss()
    names = {"np": np, "pad_id": 0, "self": SimpleNamespace(softmax=softmax)}
    names |= {"decoder_xs": np.array([[3, 1, 0]]), "decoder_ts": np.array([[1, 0, 0]])}
    exec(line, names)
    score = np.random.default_rng(0).standard_normal((1, 3, 4))
    kept = -np.log(np.exp(score[0, :2]) / np.exp(score[0, :2]).sum(axis=1, keepdims=True))
    assert softmax.forward(score, names["decoder_ts"]) == pytest.approx((kept[0, 1] + kept[1, 0]) / 2)


def test_the_reference_has_every_public_name():
    for page in ("python.md", "python.ko.md"):
        text = (ROOT / "docs" / "reference" / page).read_text("utf-8")
        names = [name for name in doldari.__all__ if not hasattr(doldari.errors, name)]
        missing = [name for name in names if not re.search(rf"\b{name}\b", text)]
        assert missing == ([] if page == "python.md" else ["LongSourceWarning"])

"""The command line with data as people have them: formats, pipes, long lines, other encodings, odd columns."""

import bz2
import gzip
import json
import os
import subprocess
import sys
import time
import unicodedata
from pathlib import Path

import pytest

import doldari
from doldari.inference.predictor import Answer

QUICK = "--epochs 1 --hidden-size 8 --batch-size 16"


def letters(separator="\t", ends="\n"):
    """Forty pairs: a letter once to four times, and the letter."""
    return "".join(f"{letter * n}{separator}{letter}{ends}" for letter in "abcdefghij" for n in range(1, 5))


@pytest.fixture
def model(cli):
    """A little model of letters."""
    Path("letters.tsv").write_text(letters())
    assert cli(f"train letters.tsv {QUICK} --out model").code == 0
    return "model"


def errors(done):
    """List the errors, without what is said of a little model's answers, which are cut."""
    return [line for line in done.err.splitlines() if not line.startswith("warning: ")]


def program(*arguments, **options):
    """Run the program itself."""
    return subprocess.run([sys.executable, "-m", "doldari", *arguments], capture_output=True, timeout=120, **options)


def test_parallel_files_from_end_to_end(cli):
    """As Multi30k has them: sentences line by line, one with a tab in it."""
    german = [f"{number} Hunde laufen" for number in range(60)]
    german[7] = "ein\tHund läuft"
    Path("train.de").write_text("".join(f"{line}\n" for line in german))
    Path("train.en.gz").write_bytes(gzip.compress("".join(f"{n} dogs run\n" for n in range(60)).encode()))
    Path("dev.de").write_text("5 Hunde laufen\n6 Hunde laufen\n")
    Path("dev.en").write_text("5 dogs run\n6 dogs run\n")
    done = cli("train train.de train.en.gz --validation dev.de --validation dev.en --target-symbols words", QUICK)
    assert (done.code, done.err) == (0, "warning: 2 of the validation pairs are also training pairs\n")
    assert done.out.startswith("60 training pairs, 2 validation pairs")
    record = json.loads(Path("runs/train/run.json").read_text())
    assert record["data"][0]["name"] == "train.de and train.en.gz"
    assert [Path(path).name for path in record["reading"]["data"]] == ["train.de", "train.en.gz"]
    assert not doldari.load("runs/train").text_model.source.features
    evaluated = cli("evaluate runs/train dev.de dev.en --training train.de --training train.en.gz --json")
    assert json.loads(evaluated.out)["leaks"] == {"pairs": 2, "sources": 0}
    assert cli("score runs/train dev.de dev.en").out.count("\n") == 2
    assert cli("predict runs/train --input dev.de").out.count("\n") == 2
    assert cli("stats train.de train.en.gz").out.startswith("train.de and train.en.gz: 60 pairs\n")
    assert cli("train --resume runs/train --epochs 2").code == 0
    refused = cli("evaluate runs/train train.de dev.en")
    assert (refused.code, refused.err) == (
        1,
        "error: train.de has 60 lines and dev.en 2: line by line the one is a source and the other its target\n",
    )


@pytest.mark.parametrize(
    "name, content, options",
    [
        ("x.csv", "n,word,letter\n" + letters(",").replace("\n", ",9\n"), "--source-column n --target-column word"),
        ("x.tsv", "n\tword\tletter\n" + letters(ends="\t9\n"), "--source-column n --target-column word"),
        ("x.csv.bz2", letters(","), ""),
        (
            "x.jsonl",
            "".join(json.dumps(dict(zip("st", line.split(), strict=True))) + "\n" for line in letters().splitlines()),
            "--source-column s --target-column t",
        ),
        ("x.dat", letters(","), "--format csv"),
        ("x.dat", letters("_"), "--format chapter"),
        ("x.dat", letters(ends="\r"), ""),
    ],
)
def test_every_format_trains_the_same_model(cli, model, name, content, options):
    content = content.encode()
    Path(name).write_bytes(bz2.compress(content) if name.endswith(".bz2") else content)
    done = cli(f"train {name} {options} {QUICK} --out other")
    assert (done.code, done.err) == (0, "")
    ours, theirs = (doldari.load(path).text_model.model.parameters.values for path in ("model", "other"))
    assert (ours == theirs).all()
    assert cli(f"score model {name} {options}").out == cli("score model letters.tsv").out


def test_a_pipe_is_read_once(cli, model):
    Path("odd.tsv").write_text("aa\ta\textra\nb가\tb\textra\n")
    command = f"{sys.executable} -m doldari evaluate model <(cut -f1,2 odd.tsv)"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert ":2: 'b가': the symbol '가' (U+AC00) was not seen in training" in done.stderr
    assert "Traceback" not in done.stderr
    trained = cli(f"train - {QUICK}", stdin=letters().encode())
    assert trained.code == 0
    assert "Model saved to runs/stdin" in trained.out


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is told by Linux alone")
def test_a_long_line_among_short_ones_costs_little_memory(cli, tmp_path):
    """One of 50,001 symbols among 10,000 pairs: 2 GB if all of them were padded to it."""
    short = "".join(f"{number:07}\t{number % 100}\n" for number in range(10_000))
    Path("long.tsv").write_text(short + "7" * 50_001 + "\t7\n")
    refused = cli(f"train long.tsv {QUICK}")
    assert refused.code == 1
    assert refused.err.startswith("error: long.tsv:10001: up to 50,001 symbols in a source or target; more than")
    assert "--max-length 50001" in refused.err
    left_out = cli(f"train long.tsv {QUICK} --max-length 100")
    assert left_out.err == "warning: 1 pair is skipped, longer than 100 symbols: long.tsv:10001\n"
    # Not ru_maxrss, in which a process begins with the memory of the one that started it.
    code = "from doldari.cli import main\ntry: main()\nfinally: print(open('/proc/self/status').read())"
    command = f"train long.tsv {QUICK} --max-length 60000 --out long".split()
    done = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split("VmHWM:")[1].split()[0]) < 500_000  # KiB


def test_standard_input_is_read_in_linear_time(cli, model):
    """A line of 40 MB took 17 s before, four times that of half its length."""
    start = time.perf_counter()
    done = cli("predict model --unknown unknown", stdin=b"aa\n" + b"x" * 40_000_000 + b"\nbb")
    assert time.perf_counter() - start < 5
    assert done.code == 1
    assert errors(done) == ["error: line 2: the line is longer than 4 MiB"]
    assert done.out == cli("predict model aa").out + "\n" + cli("predict model bb").out


@pytest.mark.filterwarnings("ignore")
def test_what_cannot_be_answered_costs_no_other_answer(cli, model, monkeypatch):
    answers = cli("predict model aa bb").out.splitlines()
    many = b"aa\n" * 1000 + b"a" * 20_000 + b"\n" + b"bb\n" * 1000
    done = cli("predict model", stdin=many)
    assert done.out.splitlines() == [answers[0]] * 1000 + [""] + [answers[1]] * 1000
    assert errors(done) == ["error: line 1001: a source of 20,000 symbols; at most 10,000 are accepted"]
    answer = doldari.Predictor.answers

    def without_memory(self, texts, options):
        if any(len(text) > 50 for text in texts):
            raise MemoryError
        return answer(self, texts, options)

    monkeypatch.setattr(doldari.Predictor, "answers", without_memory)
    done = cli("predict model", stdin=b"aa\n" + b"a" * 100 + b"\nbb\n")
    assert done.out.splitlines() == [answers[0], "", answers[1]]
    assert done.err.startswith(f"error: line 2: '{'a' * 80}' ... (100 characters): not enough memory")


def test_a_beam_over_a_very_long_text_is_refused_at_once(cli, model):
    start = time.perf_counter()
    done = cli("predict model --beam 5", stdin=b"a" * 100_000)
    assert time.perf_counter() - start < 5
    assert (done.code, done.out) == (1, "\n")
    assert done.err == "error: line 1: a source of 100,000 symbols; at most 2,000 are accepted with beam size 5\n"
    Path("long.tsv").write_text("a\ta\n" + "a" * 100_000 + "\ta\n")
    done = cli("evaluate model long.tsv --beam 5")
    assert done.err.startswith("error: long.tsv:2: a source of 100,000 symbols; at most 2,000")
    assert cli("attend model", ["a" * 100_000]).err.startswith("error: a source of 100,000 symbols; at most 10,000")


def test_messages_show_little_of_a_text(cli, model):
    done = cli("predict model", stdin=("가" * 9_000 + "\n").encode())
    assert "'" + "가" * 80 + "' ... (9,000 characters)" in done.err
    assert len(done.err) < 400


@pytest.mark.parametrize("blank", [b"", b" ", b"  ", "\u3000".encode(), b"\r"])
def test_a_blank_line_is_answered_with_an_empty_one(cli, model, blank):
    done = cli("predict model", stdin=b"aa\n" + blank + b"\nbb\n")
    assert (done.code, errors(done)) == (0, [])
    assert done.out.splitlines() == [
        *cli("predict model aa").out.splitlines(),
        "",
        *cli("predict model bb").out.split("\n")[:1],
    ]


def test_blank_means_one_thing_everywhere(cli, model):
    Path("features.tsv").write_text("".join(f"{line}\tN;{line[0]}\n" for line in letters().splitlines()))
    assert cli(f"train features.tsv --features-column 3 {QUICK} --out features").code == 0
    done = cli("predict features", stdin=b"aa\tN;a\n\tN;a\n \tN\n\n")
    assert (done.code, done.err, done.out.splitlines()[1:]) == (0, "", ["", "", ""])
    Path("blank.tsv").write_text("aa\ta\n \u3000\tb\n")
    for command in (f"train blank.tsv {QUICK}", "evaluate model blank.tsv", "score model blank.tsv"):
        refused = cli(command)
        assert refused.code == 1
        assert refused.err.startswith("error: blank.tsv:2: the source is empty")
    assert cli("attend model", [" "]).err == "error: the text is empty\n"
    predictor = doldari.load("model")
    assert predictor.predict([" ", "aa"]) == ["", predictor("aa")]
    assert predictor.predict(["\u3000"], n_best=2, beam=2) == [[Answer("", 0.0)]]
    assert predictor.sample([" ", "aa"], seed=3)[1] == predictor.sample(["bb", "aa"], seed=3)[1]
    for call in (lambda: predictor.score([("aa", "a"), (" ", "a")]), lambda: evaluate(predictor, [("", "a")])):
        with pytest.raises(doldari.DataError, match=r"pairs\[\d\]: the source is empty"):
            call()
    with pytest.raises(doldari.DataError, match=r"pairs\[1\]: the source is empty"):
        doldari.train([("a", "b"), (" ", "b")])


def evaluate(predictor, pairs):
    from doldari.data.pairs import Pair
    from doldari.inference.metrics import evaluate

    return evaluate(predictor, [Pair(*pair) for pair in pairs])


@pytest.mark.parametrize("stored", ["NFC", "NFD"])
def test_canonically_equal_texts_are_read_alike(cli, stored):
    """A model of composed letters reads decomposed ones, and the reverse; in predict, evaluate and validation."""
    words = [f"{a}{b}s" for a in "mñtlbcd" for b in "áéíóú"]
    other = {"NFC": "NFD", "NFD": "NFC"}[stored]
    lines = [f"{word}\t{word[1]}\n" for word in words]
    Path("train.tsv").write_text(unicodedata.normalize(stored, "".join(lines)))
    Path("dev.tsv").write_text(unicodedata.normalize(other, "".join(lines[:30])))
    done = cli(f"train train.tsv --validation dev.tsv {QUICK}")
    assert (done.code, done.err) == (0, "warning: 30 of the validation pairs are also training pairs\n")
    assert "30 validation pairs;" in done.out
    same = [cli("predict runs/train", stdin=unicodedata.normalize(form, "más\n").encode()) for form in ("NFC", "NFD")]
    assert [done.code for done in same] == [0, 0]
    assert same[0].out == same[1].out
    evaluated = [json.loads(cli(f"evaluate runs/train {name}.tsv --json").out) for name in ("train", "dev")]
    assert evaluated[1]["examples"] == 30
    model = doldari.load("runs/train")
    if stored == "NFC":
        assert model.attention(unicodedata.normalize("NFD", "más")).source == ["m", "á", "s"]


@pytest.mark.parametrize("encoding", ["cp1252", "cp949", "ascii"])
def test_answers_are_utf8_whatever_the_terminal_says(tmp_path, encoding):
    (tmp_path / "ipa.tsv").write_text("".join(f"{letter * n}\tɑ가é\n" for letter in "ab" for n in range(1, 9)))
    options = {"cwd": tmp_path, "env": os.environ | {"PYTHONIOENCODING": encoding}}
    trained = program("train", "ipa.tsv", *["--epochs", "40", "--hidden-size", "16", "--batch-size", "2"], **options)
    assert trained.returncode == 0, trained.stderr
    answered = program("predict", "runs/ipa", "aa", "--tsv", **options)
    assert answered.stdout == "aa\tɑ가é\n".encode()
    scored = program("score", "runs/ipa", "ipa.tsv", **options)
    assert scored.stdout.decode("utf-8").startswith("a\tɑ가é\t-")
    refused = program("predict", "runs/ipa", "가", **options)
    assert refused.stdout == b"\n"
    generated = program("generate", "dates", "--count", "50", **options)
    assert "월" in generated.stdout.decode("utf-8")


def test_a_file_whose_name_is_not_utf8(tmp_path):
    name = b"caf\xe9.tsv"
    (tmp_path / os.fsdecode(name)).write_text(letters())
    trained = program("train", name, "--recipe", "general", *QUICK.split(), cwd=tmp_path)
    assert (trained.returncode, trained.stderr) == (0, b"")
    run = tmp_path / os.fsdecode(b"runs/caf\xe9")
    assert (run / "accuracy.png").read_bytes().startswith(b"\x89PNG")
    evaluated = program("evaluate", run, name, "--report", b"r\xe9.html", cwd=tmp_path)
    assert (evaluated.returncode, evaluated.stderr) == (0, b"")
    assert r"caf\xe9 on caf\xe9.tsv" in (tmp_path / os.fsdecode(b"r\xe9.html")).read_text("utf-8")
    for command in (["show", run], ["stats", name], ["compare", name, "--epochs", "1"], ["train", "--resume", run]):
        done = program(*command, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, b""), command


def test_odd_columns_are_pointed_out_before_training(cli):
    sums = [f"{a}+{b}\t{a + b}\n" for a in range(10) for b in range(10)]
    Path("header.tsv").write_text("question\tanswer\n" + "".join(sums))
    done = cli(f"train header.tsv {QUICK}")
    assert done.code == 0
    assert done.err.startswith("warning: header.tsv:1: probably a header, 'question', 'answer'; choose columns")
    Path("swapped.tsv").write_text("".join("\t".join(reversed(line.strip().split("\t"))) + "\n" for line in sums))
    done = cli(f"train swapped.tsv {QUICK}")
    assert "warning: swapped.tsv: 89% of the sources have several targets" in done.err
    assert done.err.rstrip().endswith("are the columns swapped?")
    by_name = cli(f"train header.tsv --source-column question --target-column answer {QUICK} --out named")
    assert (by_name.code, by_name.err) == (0, "")


def test_data_that_cannot_work_is_said_before_the_first_epoch(cli):
    Path("phones.tsv").write_text("".join(f"w{number}\tpʰɑ{number}\n" for number in range(400)))
    done = cli(f"train phones.tsv --target-symbols whitespace {QUICK} --epochs 5")
    assert "warning: 360 target symbols for 360 pairs: nearly every target is a single symbol" in done.err
    assert "warning: 40 of the 40 validation pairs have symbols not seen in training" in done.err
    assert "warning: accuracy 0 in all 5 epochs" in done.err


def test_blanks_at_the_ends_of_targets_are_seen(cli, model):
    Path("blanks.tsv").write_text("aa\ta \nbb\tb\ncc\t  c\n")
    done = cli("evaluate model blanks.tsv")
    assert done.err == (
        "warning: 2 targets begin or end with blanks, the first at blanks.tsv:1; correct predictions need them\n"
    )
    assert "expected a␣\n" in done.out
    assert "expected ␣␣c\n" in done.out


def test_stats(cli):
    content = "aa\ta\naa\ta\naa\tb \nc\u200bd\tma\u0301s\n"
    Path("x.tsv").write_text(content)
    Path("dev.tsv").write_text("aa\tb \nq\tx\n")
    done = cli("stats x.tsv --validation dev.tsv")
    assert (done.code, done.err) == (0, "")
    lines = [" ".join(line.split()) for line in done.out.splitlines()]
    assert lines[:15] == [
        "x.tsv: 4 pairs, 1 of them duplicates",
        "sources targets",
        "different 2 3",
        "with several counterparts 1 (50.0%) 0 (0.0%)",
        "characters 2 to 3, mean 2.2 1 to 4, mean 2.0",
        "words 1 to 1, mean 1.0 1 to 1, mean 1.0",
        "different symbols 4 6",
        "leading or trailing blanks 0 1, first in line 3",
        "not NFC-normalized 0 1",
        "source symbols: a c U+200B d; 3 occur only once",
        "target symbols: a b ␣ m ◌\u0301 s; 5 occur only once",
        "unusual: U+200B (ZERO WIDTH SPACE), 1 times, first at x.tsv:4",
        "train would choose recipe general, the defaults: 4 pairs are too few to tell what they are",
        "",
        "dev.tsv: 2 pairs",
    ]
    assert "also in x.tsv: 1 pairs; and 0 sources with another target" in lines
    assert "source symbols not in x.tsv: q" in lines
    assert "target symbols not in x.tsv: x" in lines
    assert cli("stats copy").out.startswith("copy: 50,000 pairs\n")
    assert cli("stats none.tsv").code == 1


def test_compressed_standard_input_is_read_by_name(cli, model):
    assert cli("predict model --input -", stdin=gzip.compress(b"aa\n")).out == cli("predict model aa").out


def test_lines_with_commas_are_not_taken_for_the_chapters(cli):
    Path("ids.txt").write_text("".join(f"w_{n},ab{n}\n" for n in range(10, 40)))
    refused = cli(f"train ids.txt {QUICK}")
    assert (refused.code, refused.out) == (1, "")
    assert "ids.txt:1: no tab" in refused.err
    assert "not the chapter's file: every line has a comma" in refused.err


def test_lines_that_end_with_carriage_returns_are_answered_one_by_one(cli, model):
    expected = cli("predict model aa bb").out
    Path("cr.txt").write_bytes(b"aa\rbb\r")
    assert cli("predict model --input cr.txt").out == expected


def test_splits_by_lemma_and_the_words_that_both_files_know(cli, tmp_path):
    rows = [f"w{n % 20}\tw{n % 20}{'x' * (n // 20)}\tV;{n // 20}\n" for n in range(60)]
    Path("all.tsv").write_text("".join(rows))
    Path("some.tsv").write_text("".join([*rows[40:], "new\tnew\tV;0\n"]))
    train = f"train all.tsv --features-column 3 --split-by lemma {QUICK}"
    assert cli(f"{train} --out run").code == 0
    assert "(a tenth of the lemmas is held out)" in cli("show run").out
    known = "with a source (lemma) that all.tsv has with other features: 20 pairs"
    assert known in cli("stats all.tsv --validation some.tsv --features-column 3").out.splitlines()
    evaluated = cli("evaluate run some.tsv --training all.tsv --unknown unknown --json").out
    assert json.loads(evaluated)["leaks"] == {"pairs": 20, "sources": 0, "lemmas": 20}
    for option, message in (
        ("--validation some.tsv", "--split-by lemma, --validation: cannot be combined; these pairs"),
        ("--features-column 2 --target-column 3 --split-by source", ""),
    ):
        done = cli(f"{train} --out {len(message)} {option}")
        assert (done.code != 0, message in done.err) == (bool(message), True)
    Path("plain.tsv").write_text(letters())
    refused = cli(f"train plain.tsv --split-by lemma {QUICK}")
    assert refused.err.startswith("error: --split-by lemma: the lemma is the source without its features")

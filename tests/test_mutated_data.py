"""Whatever is in a file or on standard input: a result or a DoldariError, and as many lines out as in."""

import bz2
import gzip
import io
import json
import lzma
import sys
import warnings
from contextlib import redirect_stderr, redirect_stdout

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from doldari import DoldariError
from doldari.cli.predictions import Columns as AnswerColumns
from doldari.cli.predictions import lines_of, print_answers
from doldari.config import ModelConfig
from doldari.data import load_pairs
from doldari.data.formats import Columns, Reading
from doldari.data.statistics import column_warnings, statistics
from doldari.data.vocabulary import Vocabulary
from doldari.inference.predictor import Answer, AnswerOptions, Predictor
from doldari.models.model_file import TextModel, build_model

UNCHECKED = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
EXAMPLES = settings(max_examples=3_000, deadline=None, suppress_health_check=UNCHECKED)
PAIRS = [("가게", "k a̠ː ɡ e̞"), ("más", "m a s"), ('say "hi", you', "x_y"), ("a\u0301", " b "), ("16+75", "91")]
TSV = "".join(f"{source}\t{target}\n" for source, target in PAIRS).encode()
CONTENTS = {
    "x.tsv": TSV,
    "x.csv": b'"a, b",c\n"say ""hi""","d\te"\n\nf,g\n',
    "x.jsonl": "".join(json.dumps({"source": s, "target": t}) + "\n" for s, t in PAIRS).encode(),
    "x.txt": b"16+75  _91  \n628+521_1149\n9+9    _18  \n",
    "x.gz": gzip.compress(TSV),
    "x.bz2": bz2.compress(TSV),
    "x.xz": lzma.compress(TSV),
    "x.utf16": TSV.decode().encode("utf-16"),
    "three.tsv": b"a\tb\tN;V\nc\td\tN\n",
}
PIECES = [b"\t", b"\n", b"\r", b"\r\n", b"\0", b"\xff", b"\xef\xbb\xbf", b'"', b",", b"_", b"{", b"}", b" "]
PIECES += [b"\\ud800", "\u3000".encode(), "\u2028".encode(), "é".encode(), b"\x1f\x8b", b"\xff\xfe", b"x" * 300]

# A mutation puts a piece in the place of some bytes.
mutations = st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 6), st.sampled_from(PIECES) | st.binary(max_size=4)), max_size=4
)


def mutated(content, mutations):
    """Apply mutations, one after the other."""
    for place, length, piece in mutations:
        start = int(place * len(content))
        content = content[:start] + piece + content[start + length :]
    return content


@EXAMPLES
@given(
    st.sampled_from(sorted(CONTENTS)),
    mutations,
    st.sampled_from([None, "tsv", "csv", "jsonl", "chapter"]),
    st.sampled_from([None, Columns(1, 2), Columns(2, 1, 3), Columns("source", "target"), Columns("a", 2)]),
)
def test_mutated_files(tmp_path, name, mutations, format, columns):
    path = tmp_path / name
    path.write_bytes(mutated(CONTENTS[name], mutations))
    try:
        pairs = load_pairs(str(path), Reading(columns, format))
    except DoldariError as error:
        assert len(str(error)) < 1_000
        return
    check(pairs)


@settings(EXAMPLES, max_examples=1_000)
@given(st.sampled_from(["x.tsv", "x.gz", "x.csv"]), mutations, mutations)
def test_mutated_parallel_files(tmp_path, name, of_sources, of_targets):
    paths = tmp_path / "x.de", tmp_path / "x.en"
    for path, changes in zip(paths, (of_sources, of_targets), strict=True):
        path.write_bytes(mutated(CONTENTS[name], changes))
    try:
        pairs = load_pairs([str(path) for path in paths])
    except DoldariError:
        return
    check(pairs)


def check(pairs):
    """What holds of all pairs that were read."""
    both = list(pairs)
    assert len(both) == len(pairs) > 0
    assert [pairs[index] for index in range(len(pairs))] == both
    lines = [pairs.line(index) for index in range(len(pairs))]
    assert lines == sorted(set(lines))
    for source, target in both:
        assert source.partition("\t")[0].strip() if pairs.has_features else source.strip()
        assert target.strip()
        assert "\n" not in source + target
    assert statistics(pairs).pairs == len(pairs)
    list(column_warnings(pairs))


@pytest.fixture(scope="module")
def predictors():
    """Untrained models of a few letters, without and with features."""
    config = ModelConfig(hidden_size=4, embedding_size=3)
    target = Vocabulary.build(["xyz"], "characters")
    made = []
    for features in ([], [["N", "V"]]):
        source = Vocabulary.build(["aábcms가게 16+75"], "characters", features=features)
        made.append(Predictor(TextModel(build_model(config, source, target), config, source, target, 6, 3)))
    return made


LINES = [b"abc", b"", b" ", "más".encode(), "가게".encode(), b"16+75\r", b"q", b"a\tN", b"a\tN;V", b"\t", b"\xff"]
LINES += [b"a" * 400]
UNKNOWN = st.sampled_from(["error", "unknown", "copy"])
stdin_lines = st.lists(st.sampled_from(LINES) | st.binary(max_size=8), max_size=8)


@EXAMPLES
@given(stdin_lines, mutations, st.booleans(), UNKNOWN, st.integers(0, 1), st.booleans())
def test_mutated_standard_input(predictors, lines, mutations, ended, unknown, which, tsv):
    content = mutated(b"\n".join(lines) + b"\n" * ended, mutations)
    predictor, stdin, out = predictors[which], sys.stdin, io.StringIO()

    def ask(texts, first):
        return [[Answer(text, 0.0)] for text in predictor.predict(texts, unknown=unknown)]

    sys.stdin = io.TextIOWrapper(io.BytesIO(content))
    try:
        with redirect_stdout(out), redirect_stderr(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            print_answers(predictor, lines_of(None), ask, AnswerOptions(unknown), AnswerColumns(source=tsv))
    finally:
        sys.stdin = stdin
    assert out.getvalue().count("\n") == content.count(b"\n") + (content[-1:] not in (b"", b"\n"))

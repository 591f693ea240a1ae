"""doldari export: what it writes, what it says, what it refuses."""

import re
import shutil
import sys

import numpy as np
import pytest
from exported import ARCHITECTURES, make_model

from doldari import ConfigError
from doldari.config import ModelConfig
from doldari.export import node, to_file
from doldari.export.checking import ExportError, random_sources
from doldari.export.refusal import KNOWN, UNDERSTOOD, refuse_unknown
from doldari.export.weights import quantized

needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="needs node: apt-get install nodejs")


@pytest.fixture
def saved(tmp_path):
    (tmp_path / "run").mkdir()
    make_model(bidirectional=True).save(tmp_path / "run" / "model.safetensors")


@needs_node
def test_a_page_is_checked_by_node(cli, saved, tmp_path):
    done = cli("export run page.html")
    assert (done.code, done.err) == (0, "")
    assert done.out == (
        f"page.html: {(tmp_path / 'page.html').stat().st_size / 1e6:.2f} MB\n"
        "checked: the page's JavaScript, run by node, answers 100 inputs as the model does\n"
    )
    assert "<title>run</title>" in (tmp_path / "page.html").read_text("utf-8")
    assert (
        cli("export run page.html").err
        == "error: page.html: exists already; choose another name, or use --overwrite\n"
    )
    done = cli("export run page.html --overwrite --int8")
    assert re.search(r"^int8: \d+ of these 100 random inputs are answered as by the float32 weights$", done.out, re.M)


def test_without_node_it_is_said_what_was_checked(cli, saved, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert cli("export run page.html").out.endswith(
        "checked: weights and vocabulary read back from the page answer 100 inputs as the model does; its JavaScript "
        "was not run: node is not installed\n"
    )


@needs_node
@pytest.mark.parametrize("name", ["attention", "features"])
def test_node_gives_the_models_answers(name):
    model = make_model(**ARCHITECTURES[name])
    done = []
    to_file.checked_page(
        model.text_model,
        to_file.exported_weights(model.text_model, False),
        "x",
        "",
        to_file.Check.of(model, done.append),
    )
    assert done == list(range(1, 101))


def test_an_onnx_model_is_checked_by_onnxruntime(cli, saved):
    pytest.importorskip("onnxruntime")
    done = cli("export run run.onnx")
    assert (done.code, done.err) == (0, "")
    assert done.out.endswith("MB\nchecked: onnxruntime answers 100 inputs as the model does\n")


@pytest.mark.parametrize("suffix", [".html", ".onnx"])
def test_a_file_that_answers_otherwise_is_not_written(monkeypatch, tmp_path, suffix):
    model = make_model()
    weights = to_file.exported_weights(model.text_model, False)
    wrong = {name: -array if name == "decoder.affine.W" else array for name, array in weights.items()}
    monkeypatch.setattr(to_file, "exported_weights", lambda model, int8: wrong)
    if suffix == ".onnx":
        pytest.importorskip("onnxruntime")
    with pytest.raises(ExportError, match="does not answer as the model does, and was not written; please report it"):
        to_file.export(model, tmp_path / f"model{suffix}", title="x")
    assert list(tmp_path.iterdir()) == []


def test_a_page_opens_with_an_example(cli, saved, tmp_path):
    assert cli("export run page.html --example abca").code == 0
    assert '"example": "abca"' in (tmp_path / "page.html").read_text("utf-8")
    done = cli("export run page2.html --example ab?")
    assert done.err == "error: 'ab?': the symbol '?' (U+003F) was not seen in training\n"
    assert cli("export run run.onnx --example ab").err == "error: --example: needs a FILE.html\n"


def test_a_page_of_a_task_opens_with_one_of_its_sources(cli, tmp_path):
    (tmp_path / "sums").mkdir()
    make_model(sources=["0123456789+"]).save(tmp_path / "sums" / "model.safetensors")
    (tmp_path / "sums" / "run.json").write_text('{"data": [{"use": "training", "name": "addition"}]}')
    assert cli("export sums/model.safetensors page.html").code == 0
    text = (tmp_path / "page.html").read_text("utf-8")
    assert re.search(r'"example": "\d+\+\d+"', text)
    assert "<title>sums</title>" in text


def test_wrong_names_are_refused(cli, saved, tmp_path):
    (tmp_path / "page.html").mkdir()
    messages = {
        "run page.htm": "page.htm: must end in .html (a page) or .onnx (an ONNX model)",
        "run model": "model: must end in .html (a page) or .onnx (an ONNX model)",
        "run page.html": "page.html: is a directory; give a file name",
        "nothing page2.html": "nothing: no such model",
    }
    for arguments, message in messages.items():
        done = cli(f"export {arguments}")
        assert (done.code, done.out) == (1, "")
        assert done.err.startswith(f"error: {message}"), done.err


def test_without_onnx_it_is_said_how_to_get_it(cli, saved, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "onnx", None)
    monkeypatch.delitem(sys.modules, "doldari.export.onnx.graph", raising=False)
    monkeypatch.delitem(sys.modules, "doldari.export.onnx.model", raising=False)
    done = cli("export run run.onnx")
    assert (done.code, done.err) == (1, "error: an ONNX file needs onnx: pip install 'doldari[onnx]'\n")
    assert not (tmp_path / "run.onnx").exists()


def test_every_setting_of_a_model_is_understood_or_refused():
    config = ModelConfig()
    values = {name: {one.get(name, getattr(config, name)) for one in ARCHITECTURES.values()} for name in KNOWN}
    assert values == KNOWN
    for name in vars(config).keys() - (UNDERSTOOD - KNOWN.keys()):
        newer = ModelConfig()
        object.__setattr__(newer, name, "newer")
        with pytest.raises(ConfigError, match=f"^{name}=newer: an HTML page cannot run such a model$"):
            refuse_unknown(newer, "an HTML page")


@pytest.mark.parametrize("name, what", [("page.html", "an HTML page"), ("run.onnx", "an ONNX file")])
def test_a_pointer_is_refused_by_name(cli, tmp_path, name, what):
    if name.endswith(".onnx"):
        pytest.importorskip("onnx")
    make_model(decoder="pointer").save(tmp_path / "model.safetensors")
    done = cli(f"export model.safetensors {name}")
    assert (done.code, done.out) == (1, "")
    assert done.err == f"error: decoder=pointer: {what} cannot run such a model\n"
    assert not (tmp_path / name).exists()


def test_int8_is_the_nearest_whole_number_of_steps():
    matrix = np.random.default_rng(0).standard_normal((30, 7)).astype(np.float32)
    matrix[:, 3] = 0
    numbers, scales = one = quantized(matrix)
    assert numbers.dtype == np.int8 and np.abs(numbers).max(axis=0).tolist() == [127, 127, 127, 0, 127, 127, 127]
    assert (np.abs(one.values - matrix) <= scales / 2 * 1.0001).all()
    assert (one.values[:, 3] == 0).all()


def test_random_inputs_are_the_same_each_time_and_of_all_lengths():
    model = make_model(features=["V", "N"])
    texts = random_sources(model)
    assert texts == random_sources(model)
    assert {len(text.partition("\t")[0]) for text in texts} == set(range(1, 10))
    assert all(text.endswith(("\tV;N", "\tN;V")) for text in texts)


@needs_node
def test_a_page_that_node_cannot_run_is_said(monkeypatch):
    monkeypatch.setattr(node, "ASK", "throw new Error('no'); // %(about)s %(weights)s %(texts)s %(options)s")
    model = make_model()
    with pytest.raises(ExportError, match="node cannot run the page, which was not written: Error: no"):
        to_file.checked_page(
            model.text_model,
            to_file.exported_weights(model.text_model, False),
            "x",
            "",
            to_file.Check.of(model, print),
        )

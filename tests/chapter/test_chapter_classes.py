"""The chapter's classes, as examples/chapter_classes.py has them: they are our models, and they train."""

import copy
import os
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest
from checks import answers, assert_gradient, ragged_ids

import doldari
from doldari import SGD, Adam, AdamW, ModelFileError, Trainer, eval_seq2seq
from doldari.chapter import BaseModel, TimeAffine, TimeEmbedding
from doldari.data.addition import addition_pairs
from doldari.data.formats import chapter_lines

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "examples" / "chapter_classes.py"
PAD, START, V, D, H = 0, 1, 9, 4, 6

specification = spec_from_file_location("chapter_classes", SCRIPT)
chapter = module_from_spec(specification)
specification.loader.exec_module(chapter)

both = pytest.mark.parametrize("name", ["Seq2seq", "PeekySeq2seq"])
pytestmark = pytest.mark.usefixtures("implementation")


def make_pair(name, V=V, D=D, H=H):
    """Make the chapter's model and ours with the same weights, large enough for all parts to matter."""
    theirs = getattr(chapter, name)(V, D, H)
    ours = getattr(doldari, name)(V, D, H, pad_id=None, dtype=np.float64)
    ours.parameters.values[...] = np.random.default_rng(3).standard_normal(ours.parameters.values.size) * 0.5
    for param, (_, parameter) in zip(theirs.params, ours.parameters.items(), strict=True):
        param[...] = parameter.value
    return theirs, ours


def make_batch(N=5, S=6, T=4, seed=11):
    rng = np.random.default_rng(seed)
    return ragged_ids(rng, N, S, V, PAD), answers(rng, N, T, V, PAD, START)


@both
def test_loss_gradients_and_answers_are_those_of_our_model(name):
    theirs, ours = make_pair(name)
    x, t = make_batch()
    assert theirs.forward(x, t) == pytest.approx(ours.forward(x, t), abs=1e-12)
    theirs.backward()
    ours.backward()
    for gradient, (key, parameter) in zip(theirs.grads, ours.parameters.items(), strict=True):
        np.testing.assert_allclose(gradient, parameter.gradient, rtol=1e-9, atol=1e-12, err_msg=key)
    for row in x:
        assert theirs.generate(row[None], START, 5) == ours.generate(row[None], START, 5)[0].tolist()


@both
def test_ten_training_steps_are_those_of_our_model(name):
    models = make_pair(name)
    trainers = [Trainer(model, Adam(1e-2)) for model in models]
    losses = np.array([[trainer.step(*make_batch(N=32, seed=s), 0.5) for trainer in trainers] for s in range(10)])
    np.testing.assert_allclose(losses[:, 0], losses[:, 1], atol=1e-6, rtol=0)
    assert losses[-1, 0] < losses[0, 0]
    for param, (key, parameter) in zip(models[0].params, models[1].parameters.items(), strict=True):
        np.testing.assert_allclose(param, parameter.value, atol=1e-6, rtol=0, err_msg=key)


@both
def test_gradients(name):
    model, _ = make_pair(name)
    x, t = make_batch()
    model.forward(x, t)
    model.backward()
    gradients = [gradient.copy() for gradient in model.grads]
    assert_gradient(lambda: model.forward(x, t), model.params, gradients, np.random.default_rng(0))


def test_the_books_figures():
    """Loss, gradients and greedy output of the book's code for the same weights and batch."""
    with np.load(ROOT / "tests" / "models" / "chapter_seq2seq.npz") as figures:
        model = chapter.Seq2seq(13, 16, 32)
        names = list(doldari.Seq2seq(13, 16, 32).parameters)
        for name, param in zip(names, model.params, strict=True):
            param[...] = figures[f"param/{name}"]
        x, t = figures["x"], figures["t"]
        assert model.forward(x, t) == pytest.approx(float(figures["loss"]), abs=1e-6)
        model.backward()
        for name, gradient in zip(names, model.grads, strict=True):
            np.testing.assert_allclose(gradient, figures[f"grad/{name}"], atol=1e-6, rtol=0, err_msg=name)
        for row, expected in zip(x, figures["generated"], strict=True):
            assert model.generate(row[None], int(t[0, 0]), 4) == expected.tolist()


def test_the_printed_decoder_ignores_the_encoder():
    """With stateful=False, as printed, it forgets the h it is given: the question does not matter."""
    model, _ = make_pair("Seq2seq")
    x, t = make_batch()
    assert model.forward(x, t) != model.forward(x[::-1], t)
    model.decoder.lstm.stateful = False
    assert model.forward(x, t) == model.forward(x[::-1], t)
    assert len({tuple(model.generate(row[None], START, 4)) for row in x}) == 1


def test_the_printed_encoder_returns_no_last_state():
    model, _ = make_pair("Seq2seq")
    model.encoder.forward(make_batch()[0])
    with pytest.raises(ValueError, match=r"set_state: h has the shape \(4, 6, 6\), expected \(N, 6\)"):
        model.decoder.lstm.set_state(model.encoder.hs[:-1, :])


@pytest.mark.parametrize("optimizer", [SGD(0.1), Adam(), AdamW()], ids=lambda o: type(o).__name__)
def test_training_changes_the_arrays_in_place(optimizer, capsys):
    model, _ = make_pair("PeekySeq2seq")
    params, before = list(model.params), [param.copy() for param in model.params]
    trainer = Trainer(model, optimizer, rng=np.random.default_rng(0))
    trainer.fit(*make_batch(N=64), max_epoch=2, batch_size=16, max_grad=5.0)
    assert "| epoch 2 | step 1 / 4 |" in capsys.readouterr().out
    assert all(param is own for param, own in zip(params, model.params, strict=True))
    assert model.encoder.embed.params[0] is params[0]
    assert all((param != old).any() for param, old in zip(params, before, strict=True))


def test_eval_seq2seq_takes_a_list_for_an_answer(capsys):
    model, _ = make_pair("PeekySeq2seq")
    x, _ = make_batch()
    answer = [START, *model.generate(x[:1], START, 4)]
    letters = {id: chr(97 + id) for id in range(V)}
    assert eval_seq2seq(model, x[:1], [answer], letters, verbose=True) == 1
    assert "✓" in capsys.readouterr().out
    assert eval_seq2seq(model, x[:1], [[*answer[:-1], (answer[-1] + 1) % V]], letters) == 0


class Tied(BaseModel):
    """The next id from this one, read and written by one matrix W (V, V): scores = W[xs] W^T + b."""

    def __init__(self):
        W = np.random.default_rng(0).standard_normal((V, V))
        self.embed, self.affine = TimeEmbedding(W), TimeAffine(W.T, np.zeros(V))
        self.softmax = chapter.TimeSoftmaxWithLoss()
        self.params = self.embed.params + self.affine.params
        self.grads = self.embed.grads + self.affine.grads

    def forward(self, xs, ts):
        return self.softmax.forward(self.affine.forward(self.embed.forward(xs)), ts)

    def backward(self, dout=1):
        self.embed.backward(self.affine.backward(self.softmax.backward(dout)))


def test_a_shared_weight_has_one_gradient():
    model = Tied()
    W, b = model.params[0], model.params[2]
    before = [W.copy(), b.copy()]
    xs, ts = make_batch(S=4, T=2)
    model.forward_backward(xs, ts)
    model.update(SGD(1.0))
    gradients = [old - new for old, new in zip(before, (W, b), strict=True)]
    W[...], b[...] = before
    assert_gradient(lambda: model.forward(xs, ts), [W, b], gradients, np.random.default_rng(0))


def test_a_copy_learns_on_its_own():
    model, _ = make_pair("Seq2seq")
    x, t = make_batch()
    twin = copy.deepcopy(model)
    before = model.forward(x, t)
    Trainer(twin, Adam(0.1)).step(x, t)
    assert twin.forward(x, t) < before == model.forward(x, t)


def test_params_are_saved_and_loaded(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model, _ = make_pair("Seq2seq")
    model.save_params()
    other = chapter.Seq2seq(V, D, H)
    params = list(other.params)
    other.load_params("Seq2seq.npz")
    assert other.forward(*make_batch()) == model.forward(*make_batch())
    assert all(param is own for param, own in zip(params, other.params, strict=True))
    with pytest.raises(ModelFileError, match=r"Seq2seq.npz: holds arrays of the shapes \[\(9, 4\), .*, expected"):
        chapter.Seq2seq(V, D, H + 1).load_params("Seq2seq.npz")


@pytest.mark.parametrize("content", [None, b"", b"\x80\x04N.", b"PK\x03\x04 cut short"])
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "weights.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(
        ModelFileError, match=r"weights.npz: (cannot be read: No such file|not a file that save_params)"
    ):
        chapter.Seq2seq(V, D, H).load_params(path)


def test_a_base_model_says_what_is_missing():
    for call in (lambda: BaseModel().forward(None, None), lambda: BaseModel().backward()):
        with pytest.raises(NotImplementedError):
            call()


def test_the_script_runs(tmp_path, implementation):
    """One epoch on little data."""
    (tmp_path / "addition.txt").write_text("\n".join(chapter_lines(lambda: addition_pairs(600))))
    script = SCRIPT.read_text("utf-8")
    assert "max_epoch = 10" in script
    (tmp_path / "script.py").write_text(script.replace("max_epoch = 10", "max_epoch = 1"), "utf-8")
    done = subprocess.run(
        [sys.executable, "script.py"],
        cwd=tmp_path,
        env=os.environ | {"DOLDARI_KERNELS": implementation},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "| epoch 1 | step 1 / 5 |" in done.stdout
    assert done.stdout.count("\nT ") == 10
    assert "검증 정확도" in done.stdout

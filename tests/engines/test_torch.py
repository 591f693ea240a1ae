"""The PyTorch engine computes what the NumPy engine does: losses, gradients, steps, answers, whole runs."""

import copy
import itertools

import numpy as np
import pytest
from checks import answers, ragged_ids
from typer.testing import CliRunner

import doldari
from doldari import (
    Adam,
    AdamW,
    AttentionSeq2seq,
    ConfigError,
    DotAttentionSeq2seq,
    MissingPackageError,
    PeekySeq2seq,
    PointerSeq2seq,
    PointerTransformer,
    Seq2seq,
    TrainingError,
    TransducerSeq2seq,
    Transformer,
)
from doldari.cli import app
from doldari.config import TrainingConfig
from doldari.data.string_tasks import reverse_pairs
from doldari.engines.averaging import MovingAverage
from doldari.engines.numpy import NumpyLearner
from doldari.inference.beam import beam_search
from doldari.inference.search import Bounds
from doldari.training.history import read_history

torch = pytest.importorskip("torch")
torch.set_num_threads(1)

from doldari.engines.torch.captured import CapturedSteps, UncapturedWarning  # noqa: E402
from doldari.engines.torch.learner import TorchLearner  # noqa: E402
from doldari.engines.torch.processes import Processes, check_precision, choose_device  # noqa: E402
from doldari.engines.torch.seq2seq import drawn_rows  # noqa: E402

PAD, START, V, N = 0, 1, 9, 7
MODELS = [Seq2seq, PeekySeq2seq, AttentionSeq2seq, DotAttentionSeq2seq, PointerSeq2seq, TransducerSeq2seq]
FLAGS = [
    (model, {"cell": cell, "layers": layers, "bidirectional": both, "tie": tie})
    for model, cell, layers, both, tie in itertools.product(
        MODELS, ("lstm", "gru"), (1, 2), (False, True), (False, True)
    )
    if not (tie and model in (PeekySeq2seq, TransducerSeq2seq))
]
FLAGS += [
    (model, {"heads": 2, "layers": layers, "tie": tie})
    for model, layers, tie in itertools.product((Transformer, PointerTransformer), (1, 2), (False, True))
]
FLAGS += [
    (model, {"cell": cell, "layers": 1, "bidirectional": True, "features": 2})
    for cell in ("lstm", "gru")
    for model in (PointerSeq2seq, TransducerSeq2seq)
]
every_model = pytest.mark.parametrize(
    "model_class, flags",
    FLAGS,
    ids=lambda value: value.__name__ if isinstance(value, type) else "-".join(map(str, value.values())),
)


def make_model(model_class, flags, dtype=np.float64, pad_id=PAD):
    D = 6 if flags.get("tie") and model_class is Seq2seq else 4
    rates = {"dropout": 0.3, "label_smoothing": 0.1}
    model = model_class(V, D, 6, pad_id=pad_id, rng=np.random.default_rng(3), dtype=dtype, **flags, **rates)
    values = model.parameters.values
    values[...] = np.random.default_rng(3).standard_normal(values.size) * 0.4
    if model_class is PointerTransformer:
        model.decoder.copies = np.array([0, 1, 2, 6, 2, -1, 6, 7, 8], np.int32)
    return model


def make_learner(model, **settings):
    config = TrainingConfig(engine="torch", device="cpu", **settings)
    return TorchLearner(model, config, np.random.default_rng(5), Processes())


def make_batch(seed=0, S=6, T=4):
    """Make questions padded on the right, the left and in between, one of nothing but padding, and answers."""
    rng = np.random.default_rng(seed)
    x = ragged_ids(rng, N, S, V, PAD, shortest=1)
    x[1], x[2] = np.roll(x[1], 2), PAD
    x[3, 1:3] = PAD
    return x, answers(rng, N, T, V, PAD, START)


def assert_close(ours, theirs, tolerance):
    scale = max(np.abs(theirs).max(), 1e-3)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance * scale)


@every_model
@pytest.mark.parametrize("pad_id", [PAD, None])
def test_loss_and_gradients(model_class, flags, pad_id):
    model = make_model(model_class, flags, pad_id=pad_id)
    learner = make_learner(model)
    x, t = make_batch()
    loss = model.forward_backward(x, t, np.random.default_rng(5))
    learner.forward_backward(x, t)
    assert float(learner.tensors.sums[-1]) == pytest.approx(loss, rel=1e-9)
    for name, gradient in model.parameters.views(learner.tensors.gradients.numpy()).items():
        assert_close(gradient, model.parameters[name].gradient, 1e-9)
    assert learner.loss(x, t) == pytest.approx(model.forward(x, t), rel=1e-9)


def test_padding_in_front_of_an_answer():
    model = make_model(AttentionSeq2seq, {})
    x, t = make_batch()
    t = np.hstack([np.full((N, 2), PAD, np.int32), t])
    learner = make_learner(model)
    loss = model.forward_backward(x, t, np.random.default_rng(5))
    learner.forward_backward(x, t)
    assert float(learner.tensors.sums[-1]) == pytest.approx(loss, rel=1e-9)
    assert_close(learner.tensors.gradients.numpy(), model.parameters.gradients, 1e-9)


@every_model
def test_ten_steps(model_class, flags):
    settings = {"learning_rate": 0.01, "weight_decay": 0.1, "ema": 0.9}
    ours, theirs = (make_model(model_class, flags, np.float32) for _ in range(2))
    learner = make_learner(ours, accumulate=3, **settings)
    average = MovingAverage(theirs.parameters.values, 0.9)
    optimizer = AdamW(0.01, weight_decay=0.1)
    other = NumpyLearner(theirs, optimizer, dropout_rng=np.random.default_rng(5), average=average)
    for number in range(10):
        x, t = make_batch(number)
        step, expected = learner.step(x, t, 0.5), other.step(x, t, 0.5)
        assert step.loss == pytest.approx(expected.loss, rel=1e-5)
        assert step.norm == pytest.approx(expected.norm, rel=1e-4)
    with learner.averaged(), other.averaged():
        assert_close(ours.parameters.values, theirs.parameters.values, 1e-4)
    arrays, expected = learner.arrays(), other.arrays()
    assert arrays.keys() == expected.keys()
    for name, array in arrays.items():
        assert array.shape == expected[name].shape
    assert learner.counters() == other.counters()


def test_the_first_steps_take_eps_as_numpys():
    ours, theirs = (make_model(Seq2seq, {}) for _ in range(2))
    learner, other = make_learner(ours), NumpyLearner(theirs, Adam(3e-3), dropout_rng=np.random.default_rng(5))
    for number in range(3):
        learner.step(*make_batch(number))
        other.step(*make_batch(number))
        assert_close(ours.parameters.values, theirs.parameters.values, 1e-11)


@every_model
def test_answers(model_class, flags):
    model = make_model(model_class, flags)
    asked = make_learner(model).inference_model
    x = ragged_ids(np.random.default_rng(1), 1000, 6, V, PAD, shortest=0)
    x[500:] = x[500:, ::-1]  # padding on the left
    np.testing.assert_array_equal(asked.generate(x, START, 7, (START,)), model.generate(x, START, 7, (START,)))
    ids = np.random.default_rng(2).integers(2, V, 1000).astype(np.int32)
    state, other = asked.encode(x), model.encode(x)
    for _ in range(3):
        (scores, state), (expected, other) = asked.step(ids, state), model.step(ids, other)
        assert_close(scores, expected, 1e-12)
    bounds = Bounds(np.full(40, 5, np.int32))
    for mine, theirs in zip(
        beam_search(asked, x[480:520], START, PAD, bounds, 3, 3),
        beam_search(model, x[480:520], START, PAD, bounds, 3, 3),
        strict=True,
    ):
        assert [one.ids for one in mine] == [one.ids for one in theirs]
        np.testing.assert_allclose([one.score for one in mine], [one.score for one in theirs], rtol=1e-6)
    if issubclass(model_class, AttentionSeq2seq | TransducerSeq2seq | Transformer):
        read = np.hstack([np.full((1000, 1), START, np.int32), model.generate(x, START, 4)])
        assert_close(asked.attention(x, read), model.attention(x, read), 1e-12)
    else:
        with pytest.raises(TypeError, match="has no attention"):
            asked.attention(x, x)


PAIRS = reverse_pairs(120)
SMALL = {"hidden_size": 8, "wordvec_size": 4, "batch_size": 16, "dropout": 0.3, "epochs": 4, "ema": 0.9}
TORCH = {"engine": "torch", "device": "cpu"}
KINDS = pytest.mark.parametrize("kind", [{}, {"model": "transformer", "heads": 2}], ids=["recurrent", "transformer"])


class Stopping(doldari.Observer):
    """Stops after so many steps."""

    def __init__(self, steps):
        self.left = steps

    def step(self, run, loss):
        self.left -= 1
        if self.left == 0:
            import os
            import signal

            os.kill(os.getpid(), signal.SIGINT)


@KINDS
@pytest.mark.parametrize("engines", [("numpy", "torch"), ("torch", "numpy"), ("torch", "torch")])
def test_a_run_begun_on_one_engine_is_ended_on_the_other(tmp_path, engines, kind):
    settings = SMALL | kind
    doldari.train(PAIRS, out=tmp_path / "whole", progress=False, **settings)
    first, second = engines
    doldari.train(PAIRS, out=tmp_path / "run", observer=Stopping(10), **settings, engine=first)
    model = doldari.train(PAIRS, resume=tmp_path / "run", progress=False, engine=second)
    whole, run = (read_history(tmp_path / name / "history.jsonl") for name in ("whole", "run"))
    for ours, theirs in zip(run, whole, strict=True):
        assert ours.loss == pytest.approx(theirs.loss, rel=1e-5)
        assert ours.validation_loss == pytest.approx(theirs.validation_loss, rel=1e-5)
        assert ours.accuracy == theirs.accuracy
    sources = [pair.source for pair in PAIRS]
    assert model.predict(sources) == doldari.load(tmp_path / "whole").predict(sources)
    assert doldari.load(tmp_path / "run").predict(sources) == model.predict(sources)


def test_a_torch_run_resumes_to_the_bit(tmp_path):
    doldari.train(PAIRS, out=tmp_path / "whole", progress=False, **SMALL, **TORCH)
    doldari.train(PAIRS, out=tmp_path / "run", observer=Stopping(11), **SMALL, **TORCH)
    doldari.train(PAIRS, resume=tmp_path / "run", progress=False)
    ours, theirs = (doldari.load(tmp_path / name).text_model.model.weights() for name in ("run", "whole"))
    for name, parameter in ours.items():
        np.testing.assert_array_equal(parameter.value, theirs[name].value)


def test_an_ensemble_and_a_budget(tmp_path):
    model = doldari.train(PAIRS, progress=False, ensemble=2, **SMALL | {"epochs": 1}, **TORCH)
    assert len(model.text_model.model.members) == 2
    settings = SMALL | TORCH | {"epochs": None, "budget": "1s"}
    doldari.train(PAIRS, progress=False, **settings)


@pytest.mark.parametrize(
    "model_class, flags, rate",
    [
        (AttentionSeq2seq, {}, 0.01),
        (Transformer, {"heads": 2, "layers": 2}, 0.03),
        (PointerTransformer, {"heads": 2, "layers": 2}, 0.03),
    ],
)
def test_bf16_learns(model_class, flags, rate):
    learner = make_learner(make_model(model_class, flags, np.float32), precision="bf16", learning_rate=rate)
    x, t = make_batch()
    losses = [learner.step(x, t, 5.0).loss for _ in range(60)]
    assert losses[-1] < 0.7 * losses[0]
    assert learner.inference_model.generate(x, START, 5).shape == (N, 5)
    assert learner.values.dtype == np.float32


def test_ruin_is_told():
    learner = make_learner(make_model(Seq2seq, {}, np.float32))
    learner.tensors.values.fill_(torch.nan)
    with pytest.raises(TrainingError, match="the loss became nan"):
        learner.step(*make_batch())


def test_out_of_memory_says_what_fits(monkeypatch):
    learner = make_learner(make_model(AttentionSeq2seq, {}, np.float32), batch_size=N, accumulate=1)
    mean_loss = learner.torch_model.mean_loss

    def with_little_memory(batch, most=3):
        if len(batch.x) > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return mean_loss(batch)

    monkeypatch.setattr(learner.torch_model, "mean_loss", with_little_memory)
    message = "batch_size=7: cpu is out of memory at 7 pairs at a time, of up to 6 and 5 symbols; 3 fit: --accumulate"
    with pytest.raises(ConfigError, match=message):
        learner.step(*make_batch())
    monkeypatch.setattr(learner.torch_model, "mean_loss", lambda batch: with_little_memory(batch, 0))
    with pytest.raises(ConfigError, match="not even one fits"):
        learner.step(*make_batch())


@pytest.mark.parametrize(
    "device, gpus, processes, message",
    [
        ("cuda", 0, 1, "device=cuda: PyTorch finds no NVIDIA GPU here"),
        ("cuda:1", 1, 1, "device=cuda:1: GPU number 1, but there are 1 GPUs here, cuda:0 to cuda:0"),
        ("cuda", 2, 3, "device=cuda: 3 processes, but there are 2 GPUs here"),
        ("cuda:0", 2, 2, "device=cuda:0: 2 processes cannot share it; choose cuda"),
        ("mps", 0, 1, "device=mps: PyTorch finds no Apple GPU here"),
    ],
)
def test_devices_that_are_not_there(monkeypatch, device, gpus, processes, message):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(ConfigError, match=message):
        choose_device(device, Processes(processes, 0, processes - 1, processes))


def test_devices_that_are_there(monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert choose_device("auto", Processes()) == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    assert choose_device("auto", Processes(8, 6, 2, 4)) == torch.device("cuda:2")
    assert choose_device("cuda:3", Processes()) == torch.device("cuda:3")


def test_a_precision_that_the_device_lacks(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: False)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Tesla V100")
    with pytest.raises(ConfigError, match="precision=bf16: Tesla V100 does not support bfloat16; choose float32"):
        check_precision("bf16", torch.device("cuda", 0))
    monkeypatch.setattr(torch.backends.mps, "is_macos_or_newer", lambda *_: False)
    with pytest.raises(ConfigError, match="precision=bf16: needs macOS 14"):
        check_precision("bf16", torch.device("mps"))


def test_without_torch(monkeypatch):
    monkeypatch.setattr("doldari.engines.find_spec", lambda name: None)
    with pytest.raises(MissingPackageError, match="engine=torch: needs PyTorch; install it with: pip install"):
        doldari.train(PAIRS, **SMALL, engine="torch")


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"device": "gpu"}, "device=gpu: must be auto, cpu, cuda, cuda:N or mps"),
        ({"device": "cuda"}, "device=cuda: needs engine=torch"),
        ({"precision": "bf16"}, "precision=bf16: needs engine=torch"),
        ({"accumulate": 2}, "accumulate=2: needs engine=torch"),
        ({"engine": "jax"}, "engine=jax: must be one of numpy, torch"),
    ],
)
def test_settings_that_do_not_fit(settings, message):
    with pytest.raises(ConfigError, match=message):
        TrainingConfig(**settings)


@KINDS
@pytest.mark.parametrize("members", [1, 2])
def test_a_model_is_loaded_on_either_engine(tmp_path, members, kind):
    settings = SMALL | {"epochs": 2, "ensemble": members} | kind
    doldari.train(PAIRS, out=tmp_path / "run", progress=False, **settings)
    ours, theirs = doldari.load(tmp_path / "run", engine="torch", device="cpu"), doldari.load(tmp_path / "run")
    sources = [pair.source for pair in PAIRS]
    for options in ({}, {"beam": 3}, {"beam": 3, "n_best": 2}):
        mine, others = ours.predict(sources, **options), theirs.predict(sources, **options)
        if "n_best" in options:
            mine, others = [[[one.text for one in best] for best in found] for found in (mine, others)]
        assert mine == others
    np.testing.assert_allclose(ours.score(PAIRS), theirs.score(PAIRS), rtol=1e-5)
    assert [one.text for one in ours.sample(sources)] == [one.text for one in theirs.sample(sources)]
    np.testing.assert_allclose(ours.attention("abc").weights, theirs.attention("abc").weights, atol=1e-6)
    ours.save(tmp_path / "copy.safetensors")
    assert (tmp_path / "copy.safetensors").read_bytes() == (tmp_path / "run/model.safetensors").read_bytes()
    with pytest.raises(ConfigError, match="engine='jax': must be one of numpy, torch"):
        doldari.load(tmp_path / "run", engine="jax")
    with pytest.raises(ConfigError, match="device=cuda: needs engine=torch"):
        doldari.load(tmp_path / "run", device="cuda")


def test_commands_on_torch(tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text("".join(f"{source}\t{target}\n" for source, target in PAIRS))
    options = [f"--{name.replace('_', '-')}={value}" for name, value in (SMALL | TORCH).items()]
    runner, run = CliRunner(), str(tmp_path / "run")
    assert runner.invoke(app, ["train", str(path), "--out", run, *options]).exit_code == 0
    for command in (["evaluate", run, str(path)], ["predict", run, "abc", "cab"]):
        outputs = [runner.invoke(app, [*command, *end]) for end in ([], ["--engine", "torch", "--device", "cpu"])]
        assert outputs[0].exit_code == outputs[1].exit_code == 0
        assert outputs[0].output == outputs[1].output


def test_steps_that_are_captured(monkeypatch):
    """What a GPU does with a graph, done here with a function that is called again on the same tensors."""
    learners = [make_learner(make_model(AttentionSeq2seq, {}, np.float32)) for _ in range(2)]
    captured = []

    def capture(work):
        captured.append(work)
        work()
        return work

    learners[0].compute = CapturedSteps(learners[0].backward, learners[0].tensors.sums, capture)
    for number in range(9):
        x, t = make_batch(number, S=6 + number % 2)
        losses = [learner.step(x, t, 0.5).loss for learner in learners]
        assert losses[0] == pytest.approx(losses[1], rel=1e-6)
    assert len(captured) == 2
    assert_close(learners[0].values, learners[1].values, 1e-6)


@pytest.mark.parametrize("wrong", [RuntimeError("capture failed"), None])
def test_steps_that_cannot_be_captured(wrong):
    learners = [make_learner(make_model(AttentionSeq2seq, {}, np.float32)) for _ in range(2)]

    def capture(work):
        if wrong is not None:
            raise wrong
        return lambda: None  # which computes nothing

    learners[0].compute = CapturedSteps(learners[0].backward, learners[0].tensors.sums, capture)
    with pytest.warns(
        UncapturedWarning, match="training without CUDA graphs: (capture failed|a captured step differs)"
    ):
        for _ in range(5):
            losses = [learner.step(*make_batch(), 0.5).loss for learner in learners]
            assert losses[0] == pytest.approx(losses[1], rel=1e-6)
    assert_close(learners[0].values, learners[1].values, 1e-6)


@pytest.mark.parametrize("size", [4, 5])
def test_a_process_draws_its_own_rows(size):
    whole, skipping = np.random.default_rng(7), np.random.default_rng(7)
    for N in (6, 7):
        before = skipping.bit_generator.state
        drawn = whole.random((N, 1, size), np.float32)
        for count in (1, 2, 3):
            for rank in range(count):
                skipping.bit_generator.state = before
                rows = Processes(count, rank).share(N)
                np.testing.assert_array_equal(drawn_rows(N, size, rows, skipping), drawn[rows.start : rows.stop])
                assert skipping.random() == np.random.Generator(copy.deepcopy(whole.bit_generator)).random()
        whole.random()

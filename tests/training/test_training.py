import json
import warnings

import numpy as np
import pytest
from runs import train

from doldari import (
    SGD,
    Adam,
    AdamW,
    DataError,
    PeekySeq2seq,
    Seq2seq,
    Trainer,
    TrainingError,
    kernels,
    load,
)
from doldari.config import Config
from doldari.data.addition import addition_pairs
from doldari.data.pairs import Pair, split_pairs
from doldari.data.vocabulary import START, UNKNOWN
from doldari.recipes import load_recipe
from doldari.training.history import read_history
from doldari.training.run import Run
from doldari.training.trainer import SlowKernelsWarning

SMALL = load_recipe("chapter").replace(
    hidden_size=16, epochs=2, batch_size=16, learning_rate=5e-3, schedule="one-cycle"
)


def make_run(config=SMALL, pairs=None):
    return Run.prepare(config, *split_pairs(pairs or addition_pairs(200, 2)))


def test_a_run_learns_and_leaves_everything(tmp_path):
    """A task small enough to be learnt in a second: copy one of four letters."""
    pairs = [Pair(letter * n, letter) for n in range(1, 101) for letter in "abcd"]
    config = SMALL.replace(epochs=4, learning_rate=2e-2)
    assert train(run := make_run(config, pairs), tmp_path)
    assert run.history[-1].accuracy == 1.0
    assert run.history[-1].loss < run.history[0].loss / 5
    assert read_history(tmp_path / "history.jsonl") == run.history
    assert [json.loads(line)["epoch"] for line in (tmp_path / "history.jsonl").read_text().splitlines()] == [
        1,
        2,
        3,
        4,
    ]
    assert Config.from_toml(tmp_path / "config.toml") == config
    model = load(tmp_path)
    assert model("aa") == "a"
    assert model.predict(["b", "ccc", "dd"]) == ["b", "c", "d"]


def test_one_seed_gives_one_result_to_the_bit(tmp_path):
    contents = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        train(make_run(SMALL.replace(seed=seed)), tmp_path / name)
        contents.append((tmp_path / name / "model.safetensors").read_bytes())
    assert contents[0] == contents[1] != contents[2]


def test_a_loss_that_is_no_number_keeps_the_last_good_model(tmp_path):
    run = make_run()

    def spoil(epoch, evaluation):
        good.append(run.predictor.text_model.model.parameters.values.copy())
        run.config = run.config.replace(learning_rate=1e38, schedule="constant")

    good = []
    with pytest.raises(TrainingError, match=r"loss became (nan|inf) at step 1\d \(epoch 2\)"):
        train(run, tmp_path, None, spoil)
    np.testing.assert_array_equal(load(tmp_path).text_model.model.parameters.values, good[0])
    assert len(read_history(tmp_path / "history.jsonl")) == 1


@pytest.mark.parametrize("steps", [5, 15])
def test_stopping_keeps_the_best_epoch_or_else_what_is_there(tmp_path, steps):
    """An epoch has 12 steps: a stop in the first one leaves its weights, a stop in the second those of the first."""
    run, seen = make_run(), []

    def stop(loss):
        seen.append(run.learner.model.parameters.values.copy())
        return len(seen) == steps

    assert not train(run, tmp_path, stop)
    assert run.position.steps == steps
    assert len(read_history(tmp_path / "history.jsonl")) == (steps > 12)
    for model in (load(tmp_path), run.predictor):
        np.testing.assert_array_equal(model.text_model.model.parameters.values, seen[min(steps, 12) - 1])


def test_vocabularies_come_from_the_training_pairs():
    held_out = [Pair("c", "z")]
    run = Run.prepare(SMALL, [Pair("ab", "x y"), Pair("b", "y")], held_out)
    assert run.predictor.text_model.source.symbols == ("a", "b")
    assert run.predictor.text_model.target.symbols == (" ", "x", "y")
    shared = SMALL.replace(shared_vocabulary=True)
    run = Run.prepare(shared, [Pair("ab", "b c")], held_out)
    assert run.predictor.text_model.source.symbols == (" ", "a", "b", "c")
    assert run.predictor.text_model.target.symbols == (" ", "a", "b", "c")


def test_it_is_kept_how_long_answers_are():
    run = Run.prepare(SMALL, [Pair("abcdef", "xy"), Pair("b", "xyz"), Pair("aa", "xyz")], [Pair("a", "x")])
    assert run.predictor.text_model[4:7] == (6, 3, 2)


def test_sides_are_normalised_and_rare_symbols_learnt_as_unknown():
    settings = SMALL.replace(source_normalization="NFD", min_count=2)
    pairs = [Pair("각", "xy"), Pair("가각", "xz")]
    run = Run.prepare(settings, pairs, pairs)
    assert len(run.predictor.text_model.source.symbols) == 3
    assert run.predictor.text_model.longest_source == 5
    assert run.predictor.text_model.longer == 0
    assert run.t.padded(0, keep=1).tolist() == [[START, 3, UNKNOWN, 0]] * 2


def test_features_belong_to_sources():
    pairs = [Pair("walk\tV;PST", "walked"), Pair("talk\tV", "talk")]
    run = Run.prepare(SMALL.replace(reverse=False), pairs, pairs)
    source, target = run.predictor.text_model.source, run.predictor.text_model.target
    assert (source.features, target.features) == (("PST", "V"), ())
    assert run.x[0].tolist() == source.encode("walk\tV;PST")
    shared = Run.prepare(SMALL.replace(shared_vocabulary=True), pairs, pairs).predictor.text_model
    assert shared.source.symbols == shared.target.symbols
    assert len(shared.source) == len(shared.target) + 2
    with pytest.raises(DataError, match="'talk': no features"):
        Run.prepare(SMALL, [pairs[0], Pair("talk", "talk")], pairs)


@pytest.mark.parametrize("model_class", [Seq2seq, PeekySeq2seq])
def test_fit_as_in_the_chapter(model_class, capsys):
    rng = np.random.default_rng(0)
    x = rng.integers(2, 6, (70, 3))
    t = np.hstack([np.ones((70, 1), int), x[:, ::-1]])
    trainer = Trainer(model_class(6, 8, 16, rng=rng), Adam(1e-2), rng=rng)
    trainer.fit(x, t, max_epoch=2, batch_size=32, max_grad=5.0, eval_interval=2)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("|")[1:3] for line in lines] == [
        [f" epoch {epoch} ", f" step {batch} / 3 "] for epoch in (1, 2) for batch in (1, 3)
    ]
    trainer.fit(x, t, max_epoch=100, eval_interval=None)
    assert capsys.readouterr().out == ""
    assert trainer.model.forward(x, t) < 0.1
    np.testing.assert_array_equal(trainer.model.generate(x[:3, ::1], 1, 3), t[:3, 1:])


def test_adam_equals_pytorchs():
    torch = pytest.importorskip("torch")
    model = Seq2seq(5, 3, 4, rng=np.random.default_rng(0), dtype=np.float64)
    theirs = torch.nn.Parameter(torch.from_numpy(model.parameters.values.copy()))
    ours, optimizer = Adam(0.01, eps=1e-12), torch.optim.Adam([theirs], lr=0.01, eps=1e-12)
    rng = np.random.default_rng(1)
    for _ in range(10):
        gradient = rng.standard_normal(theirs.shape)
        model.parameters.gradients[...] = gradient
        theirs.grad = torch.from_numpy(gradient)
        norm = ours.step(model.parameters, max_grad=3.0)
        assert norm == pytest.approx(torch.nn.utils.clip_grad_norm_([theirs], 3.0).item())
        optimizer.step()
        np.testing.assert_allclose(model.parameters.values, theirs.detach().numpy(), rtol=1e-6, atol=1e-8)


def test_adamw_equals_pytorchs():
    """Weights decay and biases, which are vectors, do not; the learning rate changes from step to step."""
    torch = pytest.importorskip("torch")
    parameters = Seq2seq(5, 3, 4, rng=np.random.default_rng(0), dtype=np.float64).parameters
    theirs = {
        name: torch.nn.Parameter(torch.from_numpy(parameter.value.copy())) for name, parameter in parameters.items()
    }
    biases = {name for name in theirs if name.endswith(".b")}
    groups = [
        {"params": [theirs[name] for name in theirs if name not in biases], "weight_decay": 0.3},
        {"params": [theirs[name] for name in biases], "weight_decay": 0.0},
    ]
    ours, optimizer = AdamW(eps=1e-12, weight_decay=0.3), torch.optim.AdamW(groups, eps=1e-12)
    rng = np.random.default_rng(1)
    for step in range(10):
        ours.learning_rate = groups[0]["lr"] = groups[1]["lr"] = 0.01 * (step + 1)
        for name, parameter in parameters.items():
            parameter.gradient[...] = rng.standard_normal(parameter.value.shape)
            theirs[name].grad = torch.from_numpy(parameter.gradient.copy())
        torch.nn.utils.clip_grad_norm_(theirs.values(), 3.0)
        ours.step(parameters, max_grad=3.0)
        optimizer.step()
        for name, parameter in parameters.items():
            np.testing.assert_allclose(parameter.value, theirs[name].detach().numpy(), rtol=1e-6, atol=1e-8)
    assert len(biases) == 3


def test_adamw_without_decay_is_adam():
    models = [Seq2seq(5, 3, 4, rng=np.random.default_rng(0)) for _ in range(2)]
    for model, optimizer in zip(models, (Adam(0.1), AdamW(0.1, weight_decay=0.0)), strict=True):
        model.parameters.gradients[...] = np.random.default_rng(1).standard_normal(model.parameters.values.shape)
        optimizer.step(model.parameters, max_grad=1.0)
    np.testing.assert_array_equal(models[0].parameters.values, models[1].parameters.values)


def test_sgd_clips_and_steps():
    model = Seq2seq(5, 3, 4, dtype=np.float64)
    before = model.parameters.values.copy()
    model.parameters.gradients[...] = 1.0
    norm = SGD(0.5).step(model.parameters, max_grad=1.0)
    assert norm == pytest.approx(np.sqrt(before.size))
    np.testing.assert_allclose(before - model.parameters.values, 0.5 / norm)


def test_what_a_run_learns_from():
    config = SMALL.replace(reverse=True)
    held_out = [Pair("c", "z"), Pair("cd", "z"), Pair("b", "zx")]
    run = Run.prepare(config, [Pair("abc", "xy"), Pair("b", "z")], held_out)
    assert run.x.padded(0).tolist() == [[5, 4, 3], [4, 0, 0]]
    assert run.t.padded(0, keep=1).tolist() == [[1, 3, 4, 0], [1, 5, 0, 0]]
    assert run.spelled == [held_out[0], held_out[2]]
    x, t = run.validation_arrays
    assert x.padded(0).tolist() == [[5], [4]]
    assert t.padded(0, keep=1).tolist() == [[1, 5, 0, 0], [1, 5, 3, 0]]
    straight = Run.prepare(SMALL.replace(reverse=False), [Pair("abc", "xy"), Pair("b", "z")], held_out)
    assert straight.x.padded(0).tolist() == [[3, 4, 5], [4, 0, 0]]


def test_a_run_follows_its_settings(tmp_path, monkeypatch):
    given = []

    def step(self, parameters, max_grad):
        given.append((self.learning_rate, max_grad))
        return 1.0

    monkeypatch.setattr(Adam, "step", step)
    train(make_run(SMALL.replace(max_grad=0.25, learning_rate=0.5)), tmp_path / "cycle")
    train(make_run(SMALL.replace(schedule="constant", learning_rate=0.5)), tmp_path / "constant")
    steps = len(given) // 2
    rates = [rate for rate, _ in given]
    assert {limit for _, limit in given[:steps]} == {0.25}
    assert max(rates[:steps]) == pytest.approx(0.5, rel=0.02)
    assert rates[0] == pytest.approx(0.5 / 25)
    assert rates[steps - 1] < 0.02
    assert set(rates[steps:]) == {0.5}


def test_the_optimizer_and_batches_follow_the_settings():
    plain = make_run()
    assert (type(plain.learner.optimizer), plain.config.training.bucketing) == (Adam, False)
    chosen = make_run(SMALL.replace(weight_decay=0.25, bucketing=True, learning_rate=0.5))
    assert (type(chosen.learner.optimizer), chosen.learner.optimizer.weight_decay) == (AdamW, 0.25)
    assert chosen.learner.optimizer.learning_rate == 0.5
    lengths = [{len(row[row != 0]) for row in x} for x, *_ in chosen.batches(chosen.rng)]
    assert max(map(len, lengths)) < max(len({len(row[row != 0]) for row in x}) for x, *_ in plain.batches(plain.rng))


def test_bucketing_trains_on_batches_of_one_length():
    x = np.repeat(np.tri(30, dtype=int) * 3, 20, axis=0)  # 20 questions of each length up to 30
    t = np.hstack([np.ones((600, 1), int), x, np.zeros((600, 1), int)])
    model, widths = Seq2seq(4, 2, 2, pad_id=0), []
    trainer = Trainer(model, SGD(), bucketing=True, rng=np.random.default_rng(0))
    forward = model.forward
    model.forward = lambda x, t, rng: widths.append((x != 0).sum(axis=1)) or forward(x, t, rng)
    assert len(list(trainer.epoch(x, t, 10))) == 60
    assert max(lengths.max() - lengths.min() for lengths in widths) <= 6


def test_weights_ruined_by_the_last_step_are_not_kept(tmp_path):
    """The loss is that of before the step; what the step did must not be saved as good."""
    run = make_run(SMALL.replace(epochs=1, batch_size=1000, learning_rate=1e39, schedule="constant"))
    before = run.predictor.text_model.model.parameters.values.copy()
    with pytest.raises(TrainingError, match=r"weights became infinite at step 1 "):
        train(run, tmp_path)
    np.testing.assert_array_equal(load(tmp_path).text_model.model.parameters.values, before)


def test_adam_clips():
    """A step with a long gradient and a limit is the step with the gradient of that length."""
    models = [Seq2seq(5, 3, 4, rng=np.random.default_rng(0)) for _ in range(2)]
    optimizers = [Adam(0.01), Adam(0.01)]
    rng = np.random.default_rng(1)
    for length in (10.0, 0.5, 30.0):
        gradient = rng.standard_normal(models[0].parameters.values.shape)
        gradient *= length / np.linalg.norm(gradient)
        models[0].parameters.gradients[...] = gradient
        models[1].parameters.gradients[...] = gradient * min(1.0, 1.0 / length)
        assert optimizers[0].step(models[0].parameters, max_grad=1.0) == pytest.approx(length, rel=1e-5)
        optimizers[1].step(models[1].parameters)
        np.testing.assert_allclose(models[0].parameters.values, models[1].parameters.values, atol=1e-6)
    assert (
        abs(models[0].parameters.values - Seq2seq(5, 3, 4, rng=np.random.default_rng(0)).parameters.values).max()
        > 0.01
    )


def test_fit_prints_the_mean_loss_since_the_last_line(capsys):
    x = np.random.default_rng(0).integers(0, 5, (60, 4))
    models = [Seq2seq(5, 3, 4, rng=np.random.default_rng(0)) for _ in range(2)]
    watched, printing = (Trainer(model, Adam(), rng=np.random.default_rng(1)) for model in models)
    losses = list(watched.epoch(x, x, 10, 5.0))
    printing.fit(x, x, 1, 10, 5.0, eval_interval=3)
    shown = [line.split("loss ")[1] for line in capsys.readouterr().out.splitlines()]
    assert shown == [f"{losses[0]:.2f}", f"{np.mean(losses[1:4]):.2f}"]


def test_missing_native_kernels_are_named_once(monkeypatch):
    monkeypatch.setattr(kernels, "name", "reference")
    monkeypatch.delenv("DOLDARI_KERNELS", raising=False)
    with pytest.warns(SlowKernelsWarning, match=r"without a C\+\+ compiler"):
        Trainer(Seq2seq(5, 3, 4), Adam())
    monkeypatch.setenv("DOLDARI_KERNELS", "reference")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Trainer(Seq2seq(5, 3, 4), Adam())

"""The whole models: against central differences, PyTorch, the book's own figures, and themselves in other batches."""

import copy
import pickle
from pathlib import Path

import numpy as np
import pytest
from checks import answers, assert_gradient, ragged_ids
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from doldari import (
    Adam,
    AttentionSeq2seq,
    DotAttentionSeq2seq,
    PeekySeq2seq,
    PointerSeq2seq,
    Seq2seq,
    Trainer,
    TransducerSeq2seq,
    Transformer,
)

pytestmark = pytest.mark.usefixtures("implementation")
MODELS = [Seq2seq, PeekySeq2seq, AttentionSeq2seq, DotAttentionSeq2seq, PointerSeq2seq, TransducerSeq2seq]
every_model = pytest.mark.parametrize("model_class", MODELS)
PAD, START, V = 0, 1, 9


def small_transformer(V, D, H, **settings):
    return Transformer(V, 2 * D, H, heads=2, layers=2, **settings)


KINDS = [*MODELS, small_transformer]
every_kind = pytest.mark.parametrize("model_class", KINDS)


def make_model(model_class, pad_id, dtype=np.float64, seed=3, H=6):
    """Make a model with weights large enough for all of its parts to matter."""
    model = model_class(V, 4, H, pad_id=pad_id, rng=np.random.default_rng(seed), dtype=dtype)
    model.parameters.values[...] = np.random.default_rng(seed).standard_normal(model.parameters.values.size) * 0.5
    return model


def make_batch(N=5, S=6, T=4, seed=11, shortest=1):
    rng = np.random.default_rng(seed)
    return ragged_ids(rng, N, S, V, PAD, shortest), answers(rng, N, T, V, PAD, START)


@every_kind
@pytest.mark.parametrize("pad_id", [None, PAD])
@pytest.mark.parametrize("S, T", [(6, 4), (1, 0)])
def test_gradients(model_class, pad_id, S, T):
    model = make_model(model_class, pad_id)
    x, t = make_batch(S=S, T=T, shortest=0)
    model.forward(x, t)
    model.backward()
    arrays, gradients = [model.parameters.values], [model.parameters.gradients.copy()]
    assert_gradient(lambda: model.forward(x, t), arrays, gradients, np.random.default_rng(0))


@every_model
@pytest.mark.parametrize("pad_id", [None, PAD])
def test_loss_and_gradients_equal_pytorchs(model_class, pad_id):
    pytest.importorskip("torch")
    from torch_seq2seq import TorchSeq2seq

    model = make_model(model_class, pad_id)
    x, t = make_batch(N=16)
    theirs = TorchSeq2seq(model)
    their_loss = theirs(x, t)
    their_loss.backward()
    loss = model.forward(x, t)
    model.backward()
    assert loss == pytest.approx(their_loss.item(), rel=1e-12)
    for name, parameter in model.parameters.items():
        np.testing.assert_allclose(parameter.gradient, theirs.gradient(name), rtol=1e-9, atol=1e-11, err_msg=name)


@every_model
@pytest.mark.parametrize("pad_id", [None, PAD])
def test_ten_training_steps_equal_pytorchs(model_class, pad_id):
    torch = pytest.importorskip("torch")
    from torch_seq2seq import TorchSeq2seq

    model = make_model(model_class, pad_id, np.float32, H=32)
    theirs = TorchSeq2seq(model)
    their_optimizer = torch.optim.Adam([p for p in theirs.parameters() if p.requires_grad], lr=1e-2, eps=1e-12)
    trainer = Trainer(model, Adam(1e-2, eps=1e-12))
    losses, their_losses = [], []
    for step in range(10):
        x, t = make_batch(N=32, seed=step)
        losses.append(trainer.step(x, t, max_grad=0.5))
        their_optimizer.zero_grad()
        their_loss = theirs(x, t)
        their_loss.backward()
        torch.nn.utils.clip_grad_norm_(theirs.parameters(), 0.5)
        their_optimizer.step()
        their_losses.append(their_loss.item())
    np.testing.assert_allclose(losses, their_losses, atol=1e-4, rtol=0)
    assert losses[-1] < losses[0]


def test_the_books_figures():
    """Loss, gradients and greedy output of the book's code for the same weights and batch."""
    with np.load(Path(__file__).with_name("chapter_seq2seq.npz")) as figures:
        model = Seq2seq(13, 16, 32)
        for name, parameter in model.parameters.items():
            parameter.value[...] = figures[f"param/{name}"]
        x, t = figures["x"], figures["t"]
        assert model.forward(x, t) == pytest.approx(float(figures["loss"]), abs=1e-5)
        model.backward()
        for name, parameter in model.parameters.items():
            np.testing.assert_allclose(parameter.gradient, figures[f"grad/{name}"], atol=1e-5, rtol=0, err_msg=name)
        np.testing.assert_array_equal(model.generate(x, int(t[0, 0]), 4), figures["generated"])


@every_kind
def test_generate_is_the_argmax_of_forwards_scores(model_class):
    """Feeding a generated answer back in must score each of its symbols highest."""
    model = make_model(model_class, None)
    x, _ = make_batch(N=20)
    generated = model.generate(x, START, 5)
    read = np.hstack([np.full((20, 1), START, np.int32), generated[:, :-1]])
    scores, _, _ = model.decoder.forward(read, model.encode(x))
    np.testing.assert_array_equal(generated, scores.argmax(axis=2))


@every_kind
def test_step_continues_forward(model_class):
    model = make_model(model_class, PAD)
    x, t = make_batch()
    read = np.where(t == PAD, START, t)
    scores, _, _ = model.decoder.forward(read, model.encode(x))
    state = model.encode(x)
    for position in range(t.shape[1]):
        step_scores, state = model.step(read[:, position], state)
        np.testing.assert_allclose(step_scores, scores[:, position], rtol=1e-12)


def test_an_answer_ends_at_its_first_padding():
    """Up to there it is what a model without end would write; from there on it is padding."""
    model, endless = make_model(PeekySeq2seq, PAD, seed=9), make_model(PeekySeq2seq, None)
    model.parameters.values *= 3.0
    endless.parameters.values[...] = model.parameters.values
    x = np.random.default_rng(0).integers(2, V, (50, 5))
    written, unended = model.generate(x, START, 8), endless.generate(x, START, 8)
    ended = np.cumsum(unended == PAD, axis=1) > 0
    assert 10 < ended.any(axis=1).sum() < 50
    assert (unended[ended] != PAD).any()
    np.testing.assert_array_equal(written, np.where(ended, PAD, unended))


def test_scores_and_gradients_are_zero_where_masked():
    model = make_model(Seq2seq, PAD)
    x, t = make_batch(N=8)
    read = t[:, :-1]
    mask = read != PAD
    scores, _, _ = model.decoder.forward(np.ascontiguousarray(read), model.encode(x), mask)
    assert not scores[~mask].any()
    model.forward(x, t)
    assert not model._cache.loss.dscores[~mask].any()
    assert model._cache.loss.dscores[mask].all()


invariance = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@invariance
@given(
    model_class=st.sampled_from(KINDS),
    seed=st.integers(0, 10_000),
    batch_size=st.integers(1, 12),
    left=st.integers(0, 3),
    right=st.integers(0, 3),
    after=st.integers(0, 3),
)
def test_batches_order_and_padding_do_not_matter(model_class, seed, batch_size, left, right, after):
    """Loss summed over examples, its gradient and the predictions: the same in any batch, order and padding."""
    model = make_model(model_class, PAD)
    x, t = make_batch(N=12, seed=seed, shortest=0)
    positions = (t[:, :-1] != PAD).sum()
    summed = model.forward(x, t) * positions
    model.backward()
    gradient = model.parameters.gradients * positions
    predictions = model.generate(x, START, 6)

    order = np.random.default_rng(seed).permutation(12)
    x, t = np.pad(x[order], ((0, 0), (left, right))), np.pad(t[order], ((0, 0), (0, after)))
    other_sum, other_gradient, other_predictions = 0.0, 0.0, []
    for start in range(0, 12, batch_size):
        batch_x, batch_t = x[start : start + batch_size], t[start : start + batch_size]
        positions = (batch_t[:, :-1] != PAD).sum()
        model.parameters.gradients[...] = 0.0
        other_sum += model.forward(batch_x, batch_t) * positions
        model.backward()
        other_gradient = other_gradient + model.parameters.gradients * positions
        other_predictions.append(model.generate(batch_x, START, 6))
    assert other_sum == pytest.approx(summed, rel=1e-12)
    np.testing.assert_allclose(other_gradient, gradient, rtol=1e-9, atol=1e-11)
    np.testing.assert_array_equal(np.concatenate(other_predictions), predictions[order])


def test_padding_may_stand_in_front():
    """A row's result is that of the row without its padding, wherever the padding stands."""
    model = make_model(Seq2seq, PAD)
    short = np.array([[3, 5, 4]], np.int32)
    expected = model.encode(short).layers[0].h
    for padded in ([[0, 0, 3, 5, 4]], [[3, 5, 4, 0, 0]], [[0, 3, 5, 4, 0]]):
        np.testing.assert_array_equal(model.encode(padded).layers[0].h, expected)


@every_kind
def test_a_batch_of_nothing(model_class):
    model = make_model(model_class, PAD)
    assert model.generate(np.zeros((0, 4), np.int32), START, 3).shape == (0, 3)
    assert model.generate(np.zeros((2, 4), np.int32), START, 3).shape == (2, 3)
    assert model.forward(np.zeros((0, 4), np.int32), np.zeros((0, 3), np.int32)) == 0.0


def test_the_same_seed_gives_the_same_weights_in_any_precision():
    single, double = (Seq2seq(V, 4, 6, rng=np.random.default_rng(1), dtype=d) for d in (np.float32, np.float64))
    np.testing.assert_array_equal(single.parameters.values, double.parameters.values.astype(np.float32))
    assert Seq2seq(V, 4, 6).parameters.values.dtype == np.float32


@pytest.mark.parametrize(
    "xs, error, message",
    [
        ([[1, 9]], ValueError, "xs: ids from 1 to 9, expected from 0 to 8"),
        ([[-1]], ValueError, "xs: ids from -1 to -1"),
        ([1, 2], ValueError, r"xs: must have two dimensions, \(N, T\), not the shape \(2,\)"),
        ([[1.5]], TypeError, "xs: must be whole numbers, ids, not float64"),
    ],
)
def test_ids_from_outside_are_checked(xs, error, message):
    model = Seq2seq(V, 4, 6)
    for ask in (lambda: model.generate(xs, START, 3), lambda: model.forward(xs, [[1, 2]])):
        with pytest.raises(error, match=message):
            ask()
    with pytest.raises(ValueError, match="1 questions xs and 2 answers ts"):
        model.forward([[1]], [[1, 2], [1, 2]])


def test_source_and_target_may_have_their_own_vocabularies():
    model = Seq2seq(V, 4, 6, target_vocab_size=3)
    assert model.parameters["decoder.affine.W"].value.shape == (6, 3)
    assert model.generate([[V - 1]], START, 4).max() < 3
    with pytest.raises(ValueError, match="ts: ids from 1 to 3, expected from 0 to 2"):
        model.forward([[V - 1]], [[1, 3]])


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_copy_learns_on_its_own(copied):
    model = make_model(PeekySeq2seq, PAD)
    x, t = make_batch()
    twin = copied(model)
    before = model.forward(x, t)
    assert twin.forward(x, t) == before
    Trainer(twin, Adam(0.1)).step(x, t)
    assert twin.forward(x, t) < before == model.forward(x, t)


def test_a_copy_has_the_gradients_too():
    model = make_model(PeekySeq2seq, PAD)
    model.forward(*make_batch())
    model.backward()
    np.testing.assert_array_equal(copy.deepcopy(model).parameters.gradients, model.parameters.gradients)
    with pytest.raises(TypeError, match="deepcopy the model"):
        copy.copy(model.parameters)


def test_some_ids_are_never_written():
    model = make_model(PeekySeq2seq, PAD)
    x, _ = make_batch()
    free = model.generate(x, START, 4)
    liked = int(np.bincount(free.ravel()).argmax())
    assert not (model.generate(x, START, 4, never=(liked,)) == liked).any()


@pytest.mark.parametrize(
    "arguments",
    [{"vocab_size": 0}, {"hidden_size": 0}, {"target_vocab_size": 0}, {"pad_id": 9}, {"pad_id": -1}, {"cell": "rnn"}],
)
def test_impossible_models(arguments):
    with pytest.raises(ValueError, match=r"must be at least 1|is the id of no symbol|must be one of lstm, gru"):
        Seq2seq(**{"vocab_size": V, "wordvec_size": 4, "hidden_size": 6} | arguments)


def test_misuse():
    model = Seq2seq(V, 4, 6)
    with pytest.raises(RuntimeError, match="needs a forward"):
        model.backward()
    with pytest.raises(ValueError, match="start_id=9"):
        model.generate([[1]], 9, 2)


@every_model
def test_first_weights(model_class):
    """Standard deviations: 1 / sqrt(rows) of matrices; of embeddings 0.01, as in the book, or 0.1 with attention."""
    model = model_class(200, 100, 120, rng=np.random.default_rng(0))
    for name, parameter in model.parameters.items():
        value = parameter.value
        if name.endswith("gate.b"):  # copies at first
            assert value.tolist() == [-2.0]
        elif name.endswith(".b"):
            assert not value.any()
        elif name.endswith("attention.U"):  # what is near fits at first
            np.testing.assert_array_equal(value, 0.5 * np.eye(32, dtype=np.float32))
        elif name.endswith("joint.end"):
            assert value.std() == pytest.approx(1.0, rel=0.2)
        else:
            expected = model_class.embedding_scale if name.endswith("embed.W") else value.shape[0] ** -0.5
            few = value.size < 1000  # so that the deviation of the draw is itself uncertain
            assert value.std() == pytest.approx(expected, rel=0.2 if few else 0.03), name

"""Every combination of a model's flags: central differences, PyTorch's autograd, decoding, batches and padding."""

import itertools

import numpy as np
import pytest
from checks import answers, assert_gradient, ragged_ids

from doldari import (
    Adam,
    AttentionSeq2seq,
    DotAttentionSeq2seq,
    PeekySeq2seq,
    PointerSeq2seq,
    Seq2seq,
    Trainer,
    TransducerSeq2seq,
)
from doldari.models.recurrent import CELLS

pytestmark = pytest.mark.usefixtures("implementation")
PAD, START, V, D, H = 0, 1, 9, 4, 6
FEATURES = 2  # the last ids of sources, for a pointer with a bidirectional encoder
MODELS = {
    "plain": Seq2seq,
    "peeky": PeekySeq2seq,
    "attention": AttentionSeq2seq,
    "dot": DotAttentionSeq2seq,
    "pointer": PointerSeq2seq,
    "transducer": TransducerSeq2seq,
}


def combinations():
    """All that a model can be made of; regularised stands for dropout and label smoothing."""
    for decoder, cell, layers, both, tie, regularised in itertools.product(
        MODELS, CELLS, (1, 2), (False, True), (False, True), (False, True)
    ):
        if tie and decoder in ("peeky", "transducer"):
            continue  # refused
        if decoder == "pointer" and (layers, both) == (1, False):
            continue  # its parts do not know of these
        flags = [*["bidirectional"] * both, *["tie"] * tie, *["regularised"] * regularised]
        name = "-".join([decoder, cell, str(layers), *flags])
        yield pytest.param((decoder, cell, layers, both, tie, regularised), id=name)


every_combination = pytest.mark.parametrize("combination", list(combinations()))


def make_model(combination, dtype=np.float64, sizes=(D, H), seed=3):
    """Make a model with weights large enough for all of its parts to matter."""
    decoder, cell, layers, both, tie, regularised = combination
    wordvec_size, hidden_size = sizes
    if tie and decoder == "plain":
        wordvec_size = hidden_size
    model = MODELS[decoder](
        V,
        wordvec_size,
        hidden_size,
        pad_id=PAD,
        cell=cell,
        layers=layers,
        bidirectional=both,
        tie=tie,
        dropout=0.3 * regularised,
        label_smoothing=0.1 * regularised,
        features=FEATURES if decoder in ("pointer", "transducer") and both else 0,
        dtype=dtype,
    )
    model.parameters.values[...] = np.random.default_rng(seed).standard_normal(model.parameters.values.size) * 0.5
    return model


def make_batch(N=4, S=5, T=3, seed=11, shortest=1):
    rng = np.random.default_rng(seed)
    return ragged_ids(rng, N, S, V, PAD, shortest), answers(rng, N, T, V, PAD, START)


def dropout_rng():
    return np.random.default_rng(5)


@every_combination
def test_gradients(combination):
    model = make_model(combination)
    x, t = make_batch(shortest=0)
    model.forward(x, t, dropout_rng())
    model.backward()
    arrays, gradients = [model.parameters.values], [model.parameters.gradients.copy()]
    assert_gradient(
        lambda: model.forward(x, t, dropout_rng()), arrays, gradients, np.random.default_rng(0), directions=3
    )


@every_combination
def test_loss_and_gradients_equal_pytorchs(combination):
    pytest.importorskip("torch")
    from torch_seq2seq import TorchSeq2seq

    model = make_model(combination)
    x, t = make_batch(N=8)
    x[:, 0] = 3  # no row is without a symbol
    theirs = TorchSeq2seq(model)
    their_loss = theirs(x, t, dropout_rng())
    their_loss.backward()
    loss = model.forward(x, t, dropout_rng())
    model.backward()
    assert loss == pytest.approx(their_loss.item(), rel=1e-12)
    for name, parameter in model.parameters.items():
        np.testing.assert_allclose(parameter.gradient, theirs.gradient(name), rtol=1e-9, atol=1e-11, err_msg=name)


@every_combination
def test_ten_training_steps_equal_pytorchs(combination):
    torch = pytest.importorskip("torch")
    from torch_seq2seq import TorchSeq2seq

    model = make_model(combination, np.float32, (12, 16))
    model.parameters.values *= 0.5
    theirs = TorchSeq2seq(model)
    their_optimizer = torch.optim.Adam([p for p in theirs.parameters() if p.requires_grad], lr=1e-2, eps=1e-12)
    trainer = Trainer(model, Adam(1e-2, eps=1e-12), dropout_rng=dropout_rng())
    losses, their_losses, their_rng = [], [], dropout_rng()
    for step in range(10):
        x, t = make_batch(N=16, seed=step)
        x[:, 0] = 3
        losses.append(trainer.step(x, t, max_grad=0.5))
        their_optimizer.zero_grad()
        their_loss = theirs(x, t, their_rng)
        their_loss.backward()
        torch.nn.utils.clip_grad_norm_(theirs.parameters(), 0.5)
        their_optimizer.step()
        their_losses.append(their_loss.item())
    np.testing.assert_allclose(losses, their_losses, atol=1e-4, rtol=0)


@every_combination
def test_batches_order_and_padding_do_not_matter(combination):
    """Loss, gradient and answers of a batch are those of its examples one by one, without their padding."""
    model = make_model(combination)
    x, t = make_batch(N=6, shortest=0)
    positions = (t[:, :-1] != PAD).sum()
    summed = model.forward(x, t) * positions
    model.backward()
    gradient = model.parameters.gradients * positions
    written = model.generate(np.pad(x, ((0, 0), (1, 2))), START, 6)
    model.parameters.gradients[...] = 0.0
    summed_alone, gradient_alone = 0.0, 0.0
    for n in range(6):
        x_alone, t_alone = x[n : n + 1, x[n] != PAD], t[n : n + 1, : (t[n] != PAD).sum() + 1]
        model.parameters.gradients[...] = 0.0
        summed_alone += model.forward(x_alone, t_alone) * (t_alone.shape[1] - 1)
        model.backward()
        gradient_alone = gradient_alone + model.parameters.gradients * (t_alone.shape[1] - 1)
        np.testing.assert_array_equal(model.generate(x_alone, START, 6)[0], written[n])
    assert summed_alone == pytest.approx(summed, rel=1e-12)
    np.testing.assert_allclose(gradient_alone, gradient, rtol=1e-9, atol=1e-11)


@every_combination
def test_generate_is_the_argmax_of_forwards_scores(combination):
    """Feeding an answer back in must score each of its symbols highest, in one go as step by step."""
    model = make_model(combination)
    model.pad_id = None
    x, _ = make_batch(N=10)
    generated = model.generate(x, START, 5)
    read = np.hstack([np.full((10, 1), START, np.int32), generated[:, :-1]])
    scores, _, _ = model.decoder.forward(read, model.encode(x))
    np.testing.assert_array_equal(generated, scores.argmax(axis=2))
    state = model.encode(x)
    for position in range(5):
        step_scores, state = model.step(read[:, position], state)
        np.testing.assert_allclose(step_scores, scores[:, position], rtol=1e-10)


@pytest.mark.parametrize("threads", [2, 5])
@pytest.mark.parametrize("decoder", MODELS)
def test_the_same_bits_for_any_number_of_threads(decoder, threads, implementation):
    """Loss and gradient, of sizes at which the work is shared out."""
    from doldari import kernels

    model = make_model((decoder, "lstm", 2, True, False, True), np.float32, (32, 128))
    x, t = make_batch(N=40, S=12, T=10)
    before, results = kernels.get_num_threads(), []
    try:
        for count in (1, threads):
            kernels.set_num_threads(count)
            model.parameters.gradients[...] = 0.0
            loss = model.forward(x, t, dropout_rng())
            model.backward()
            results.append((loss, model.parameters.gradients.copy()))
    finally:
        kernels.set_num_threads(before)
    assert results[0][0] == results[1][0]
    np.testing.assert_array_equal(results[0][1], results[1][1])


@pytest.mark.parametrize("decoder", MODELS)
@pytest.mark.parametrize("N, S, T", [(0, 5, 3), (2, 0, 3), (2, 5, 0), (0, 0, 0)])
def test_no_rows_and_no_positions(decoder, N, S, T):
    model = make_model((decoder, "gru", 2, True, False, True))
    loss = model.forward(np.full((N, S), 3), np.full((N, T + 1), START), dropout_rng())
    model.backward()
    assert (loss > 0.0) == (N * T > 0)
    assert np.isfinite(model.parameters.gradients).all()
    assert model.generate(np.full((N, S), 3), START, 2).shape == (N, 2)


def test_what_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match="tie"):
        PeekySeq2seq(V, 6, 6, tie=True)
    with pytest.raises(ValueError, match="tie"):
        Seq2seq(V, 4, 6, tie=True)
    with pytest.raises(ValueError, match="even"):
        Seq2seq(V, 4, 5, bidirectional=True)
    with pytest.raises(ValueError, match="dropout"):
        Seq2seq(V, 4, 6, dropout=1.0)

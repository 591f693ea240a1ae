"""What the benchmarks compare must be the same model: the peers' losses are ours."""

import sys
from pathlib import Path

import numpy as np
import pytest

from doldari import Adam, PeekySeq2seq, Seq2seq, Trainer
from doldari.data.vocabulary import PADDING, START

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import words
from benchmarks.peers.textbook import TextbookSeq2seq
from benchmarks.sections import all_steps_after_first, distinct_steps, useful_flops
from benchmarks.sides import chapter_batches
from benchmarks.transformers import torch_transformer, transformer
from benchmarks.words import (
    BEAM,
    VOCABULARY,
    drawn_words,
    same_answers,
    taught_predictor,
    torch_words,
    word_batches,
    word_model,
)

NAMES = ("encoder.embed", "encoder.lstm", "decoder.embed", "decoder.lstm", "decoder.affine")


@pytest.mark.parametrize("peeky", [False, True])
def test_the_textbook_trains_as_we_do(peeky):
    theirs = TextbookSeq2seq(13, 8, 16, peeky)
    ours = (PeekySeq2seq if peeky else Seq2seq)(13, 8, 16)
    for name, layer in zip(NAMES, theirs.layers, strict=True):
        parts = [part for part in ours.parameters if part.startswith(name + ".")]
        for part, param in zip(parts, layer.params, strict=True):
            ours.parameters[part].value[...] = param
    trainer = Trainer(ours, Adam())
    batches = chapter_batches(640)
    losses = [(trainer.step(x, t, 5.0), theirs.step(x, t)) for x, t in batches]
    np.testing.assert_allclose(*zip(*losses, strict=True), atol=1e-4)


@pytest.mark.parametrize("peeky", [False, True])
@pytest.mark.parametrize("pad_id", [None, 0])
def test_the_pytorch_peer_has_our_size_and_learns_as_fast(peeky, pad_id):
    pytest.importorskip("torch").manual_seed(0)
    from benchmarks.peers.pytorch import TorchSeq2seq

    theirs = TorchSeq2seq(13, 8, 16, peeky, pad_id)
    ours = (PeekySeq2seq if peeky else Seq2seq)(13, 8, 16, pad_id=pad_id, rng=np.random.default_rng(0))
    second_biases = 2 * 4 * 16
    assert sum(p.numel() for p in theirs.parameters()) == ours.parameters.values.size + second_biases
    trainer = Trainer(ours, Adam())
    batches = chapter_batches(6400)
    losses = np.array([(trainer.step(x, t, 5.0), theirs.step(x, t)) for x, t in batches])
    np.testing.assert_allclose(*losses[-10:].mean(axis=0), rtol=0.1)


def test_useful_flops():
    x, t = np.array([[3, 4, 0], [3, 5, 6], [3, 4, 6]]), np.array([[1, 2, 0, 0]] * 3)
    assert (all_steps_after_first(x, masked=False), all_steps_after_first(x, masked=True)) == (6, 5)
    assert distinct_steps(x, masked=False) == 3  # after 3, after 3 4, after 3 5
    assert distinct_steps(x, masked=True) == 3
    assert distinct_steps(x[:1], masked=True) == 1
    ordinary, masked = (
        useful_flops(x, t, peeky=False, masked=masked, encoder_steps=all_steps_after_first)
        for masked in (False, True)
    )
    assert ordinary - masked == 6 * (1 * 128 * 512 + 3 * (128 * 512 + 128 * 13))


@pytest.mark.parametrize("settings", [{}, {"cell": "gru"}, {"layers": 2}, {"attention": False}])
def test_the_pytorch_peer_of_the_words_has_our_size_and_losses(settings):
    pytest.importorskip("torch")
    ours, theirs = word_model(**settings, smoothing=0.1, size=32), torch_words(**settings, smoothing=0.1, size=32)
    second_biases = [bias for name, bias in theirs.named_parameters() if "bias_hh" in name]
    theirs_size = sum(p.numel() for p in theirs.parameters()) - sum(bias.numel() for bias in second_biases)
    assert theirs_size == ours.parameters.values.size
    theirs.load({name: parameter.value for name, parameter in ours.parameters.items()})
    for bias in second_biases:
        bias.requires_grad_(False)
    trainer = Trainer(ours, Adam())
    losses = [(trainer.step(x, t, 5.0), theirs.step(x, t)) for x, t in word_batches(640)]
    np.testing.assert_allclose(*zip(*losses, strict=True), rtol=1e-4)


def test_the_pytorch_peer_of_the_transformer_has_our_size_losses_and_gradients():
    torch = pytest.importorskip("torch")
    ours, theirs = transformer(32, 48, 2, smoothing=0.1), torch_transformer(32, 48, 2, smoothing=0.1)
    theirs.load({name: parameter.value for name, parameter in ours.parameters.items()})
    unused = [parameter for layer in theirs.encoder for parameter in layer.norms[1].parameters()]
    sizes = [sum(parameter.numel() for parameter in part) for part in (theirs.parameters(), unused)]
    assert sizes[0] - sizes[1] == ours.parameters.values.size
    trainer = Trainer(ours, Adam())
    losses, norms = [], []
    for x, t in word_batches(640):
        losses.append((trainer.step(x, t, 5.0), theirs.step(x, t)))
        gradients = [p.grad for p in theirs.parameters() if p.grad is not None]
        norms.append((np.linalg.norm(ours.parameters.gradients), torch.nn.utils.get_total_norm(gradients).item()))
    np.testing.assert_allclose(*zip(*losses, strict=True), rtol=1e-4)
    np.testing.assert_allclose(*zip(*norms, strict=True), rtol=1e-3)
    x, _ = word_batches(64, seed=1)[0]
    theirs.load({name: parameter.value for name, parameter in ours.parameters.items()})
    ours.parameters["decoder.affine.b"].value[PADDING] = theirs.affine.bias.data[PADDING] = -10.0
    np.testing.assert_array_equal(ours.generate(x, START, 9), theirs.generate(x, START, 9).numpy())


def test_drawn_words_have_the_lengths_of_g2p_data():
    drawn = drawn_words(5_000, seed=0)
    for side, mean in ((0, 8.5), (1, 8.0)):
        lengths = np.array([len(word[side]) for word in drawn])
        np.testing.assert_allclose((lengths.mean(), lengths.std()), (mean, 3.0), atol=0.2)


def test_both_beam_searches_find_the_same_words(monkeypatch):
    pytest.importorskip("torch")
    predictor = taught_predictor(word_model(size=32), 300, 1e-2)
    texts = [VOCABULARY.decode(word) for word, _ in drawn_words(500, seed=2)]
    assert same_answers(predictor, texts) >= 0.99
    assert len(set(predictor.predict(texts, beam=BEAM))) > 400
    monkeypatch.setattr(words, "torch_beam", lambda twin, predictor, texts: texts)
    with pytest.raises(RuntimeError, match="expected at least 99 %"):
        same_answers(predictor, texts)

"""Beam search, sampling and forced scores: against greedy search, all outputs enumerated, and themselves."""

import itertools
from functools import partial

import numpy as np
import pytest
from checks import ragged_ids

from doldari import (
    AttentionSeq2seq,
    PeekySeq2seq,
    PointerSeq2seq,
    PointerTransformer,
    Seq2seq,
    TransducerSeq2seq,
    Transformer,
)
from doldari.inference.beam import beam_search
from doldari.inference.search import Bounds, forced_scores, sample
from doldari.models.ensemble import Ensemble, log_softmax

PAD, START, V = 0, 1, 7
LONGEST = 6


def make(model_class, seed, scale=2.5, V=V, **settings):
    """Make a model whose answers are of several lengths."""
    model = model_class(V, 4, 6, pad_id=PAD, dtype=np.float64, **settings)
    model.parameters.values[...] = np.random.default_rng(seed).standard_normal(model.parameters.values.size) * scale
    return model


def make_transformer(seed=9, scale=1.2, model_class=Transformer, **settings):
    """Make a transformer whose answers depend on what it reads: nothing is added to what is normalised."""
    model = make(partial(model_class, heads=2, layers=2), seed, scale, **settings)
    for name, parameter in model.parameters.items():
        if name.endswith(".b"):
            parameter.value[...] = 0.0
    return model


MODELS = {
    "plain": lambda **s: make(Seq2seq, 7, **s),
    "peeky": lambda **s: make(PeekySeq2seq, 34, layers=2, **s),
    "attention": lambda **s: make(AttentionSeq2seq, 22, bidirectional=True, **s),
    "transformer": make_transformer,
    "pointer transformer": lambda **s: make_transformer(28, model_class=PointerTransformer, **s),
    "pointer": lambda **s: make(PointerSeq2seq, 13, bidirectional=True, **s),
    "transducer": lambda **s: make(TransducerSeq2seq, 10, bidirectional=True, **s),
    "ensemble": lambda **s: Ensemble([make(AttentionSeq2seq, seed, **s) for seed in (9, 10, 11)]),
}


@pytest.fixture(params=MODELS)
def build(request):
    return MODELS[request.param]


def questions(N=12, seed=5, V=V):
    return ragged_ids(np.random.default_rng(seed), N, 5, V, PAD, shortest=1)


def bounds(N, longest=LONGEST):
    return Bounds(np.full(N, longest))


def search(model, x, width, longest=LONGEST, penalty=1.0, n_best=None):
    return beam_search(model, x, START, PAD, bounds(len(x), longest), width, n_best or width, penalty)


def forced(model, x, hypotheses):
    """Score each question's answers, ended, by the steps that teacher forcing takes."""
    scores = []
    for row, answers in zip(x, hypotheses, strict=True):
        for answer in answers:
            ts = np.array([[START, *answer.ids, PAD]], np.int32)
            scores.append(forced_scores(model, row[None], ts, PAD)[0])
    return scores


def test_width_one_is_greedy(build):
    model, x = build(), questions(40)
    answers = [hypotheses[0].ids for hypotheses in search(model, x, 1)]
    assert len({len(answer) for answer in answers}) > 2
    greedy = model.generate(x, START, LONGEST)
    np.testing.assert_array_equal([ids + [PAD] * (LONGEST - len(ids)) for ids in answers], greedy)


def test_rows_of_a_state_can_be_taken_and_put_together(build):
    model, x = build(), questions()
    ids, then = np.full(len(x), START, np.int32), np.arange(2, 7, dtype=np.int32)
    _, state = model.step(ids, model.encode(x))
    rows = np.array([7, 2, 2, 0, 11])
    scores, _ = model.step(then, model.select(state, rows))
    joined = model.join(model.select(state, rows[:3]), model.select(state, rows[3:]))
    np.testing.assert_array_equal(model.step(then, joined)[0], scores)
    alone = [model.step(then[i : i + 1], model.select(state, rows[i : i + 1]))[0][0] for i in range(5)]
    np.testing.assert_allclose(scores, alone, rtol=1e-12)


@pytest.mark.parametrize("width", [1, 3, 9])
def test_scores_are_the_forced_scores(build, width):
    model, x = build(), questions()
    found = search(model, x, width)
    assert all(len(hypotheses) == width for hypotheses in found)
    assert all(len({tuple(answer.ids) for answer in hypotheses}) == width for hypotheses in found)
    scores = [answer.score for hypotheses in found for answer in hypotheses]
    np.testing.assert_allclose(scores, forced(model, x, found), rtol=1e-9)
    for hypotheses in found:
        normalised = [answer.score / (len(answer.ids) + 1) for answer in hypotheses]
        assert normalised == sorted(normalised, reverse=True)


@pytest.mark.parametrize("penalty", [0.0, 1.0])
def test_a_wide_beam_finds_the_best_of_all_outputs(build, penalty):
    V, longest = 4, 4
    model, x = build(V=V), questions(5, V=V)
    outputs = [ids for length in range(longest + 1) for ids in itertools.product(range(1, V), repeat=length)]
    found = search(model, x, len(outputs), longest, penalty)
    for row, hypotheses in zip(x, found, strict=True):
        ts = np.full((len(outputs), longest + 2), PAD, np.int32)
        ts[:, 0] = START
        for line, ids in zip(ts, outputs, strict=True):
            line[1 : 1 + len(ids)] = ids
        scores = forced_scores(model, np.repeat(row[None], len(outputs), axis=0), ts, PAD)
        ranked = scores / np.array([len(ids) + 1 for ids in outputs]) ** penalty
        assert tuple(hypotheses[0].ids) == outputs[ranked.argmax()]
        assert {tuple(answer.ids) for answer in hypotheses} == set(outputs)
        assert np.logaddexp.reduce([answer.score for answer in hypotheses]) < 0.0


@pytest.mark.parametrize("penalty", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("n_best", [1, 2, 4])
def test_what_is_left_out_could_not_have_won(build, n_best, penalty):
    """With every output in the beam nothing else can be left out: the n best are the n best of all."""
    model, x = build(V=4), questions(5, V=4)
    everything = search(model, x, 121, 4, penalty)
    best = [[answer.ids for answer in answers[:n_best]] for answers in everything]
    found = search(model, x, 121, 4, penalty, n_best)
    assert [[answer.ids for answer in answers] for answers in found] == best


@pytest.mark.parametrize("width", [2, 5])
def test_a_beam_is_never_below_greedy(build, width):
    model, x = build(), questions(60)

    def normalised(width):
        return np.array([best.score / (len(best.ids) + 1) for (best, *_) in search(model, x, width, n_best=1)])

    assert (normalised(width) >= normalised(1) * (1 + 1e-12)).all()
    assert (normalised(width) > normalised(1) + 1e-6).any()


def test_what_cannot_win_costs_nothing():
    """The best of a beam of 5 takes fewer rows through the model than 5 times those of the greedy answers."""
    model, x, rows = MODELS["attention"](), questions(60), []

    class Counting:
        encode, select, join = model.encode, model.select, model.join

        def step(self, ids, state):
            rows[-1] += len(ids)
            return model.step(ids, state)

    for width, n_best in ((1, 1), (5, 1), (5, 5)):
        rows.append(0)
        search(Counting(), x, width, n_best=n_best)
    assert rows[0] < rows[1] < 0.6 * rows[2] < 3 * rows[0]


def test_a_wider_beam_is_likelier_on_average():
    model, x = MODELS["attention"](), questions(60)
    best = [np.mean([hypotheses[0].score for hypotheses in search(model, x, width, penalty=0.0)]) for width in (1, 8)]
    assert best[1] > best[0] + 0.01


def test_batch_order_and_padding_do_not_matter(build):
    model, x = build(), questions()
    together = search(model, x, 4)
    order = np.random.default_rng(0).permutation(len(x))
    for n, hypotheses in zip(order, search(model, np.pad(x[order], ((0, 0), (1, 2))), 4), strict=True):
        assert [answer.ids for answer in hypotheses] == [answer.ids for answer in together[n]]
    for n in range(len(x)):
        (alone,) = search(model, x[n : n + 1, x[n] != PAD], 4)
        assert [answer.ids for answer in alone] == [answer.ids for answer in together[n]]
        np.testing.assert_allclose([a.score for a in alone], [a.score for a in together[n]], rtol=1e-9)


def test_each_question_has_its_own_bound(build):
    model, x = build(), questions(9)
    longest = np.arange(9) % 4
    found = beam_search(model, x, START, PAD, Bounds(longest), 3, 3)
    most = np.array([max(len(answer.ids) for answer in hypotheses) for hypotheses in found])
    assert (most <= longest).all()
    assert len(set(most)) > 1
    for n, hypotheses in enumerate(found):
        (alone,) = search(model, x[n : n + 1], 3, longest[n])
        assert [answer.ids for answer in hypotheses] == [answer.ids for answer in alone]


def test_nothing_to_search(build):
    assert search(build(), np.zeros((0, 4), np.int32), 3) == []
    assert len(search(build(), np.zeros((2, 4), np.int32), 3)) == 2


def test_forced_scores_are_the_loss():
    """Summed over the answers they are minus the summed training loss."""
    model, x = make(AttentionSeq2seq, 22), questions(6)
    t = np.array([[START, 3, 4, PAD], [START, 5, PAD, PAD], [START, 2, 2, PAD]] * 2, np.int32)
    positions = (t[:, :-1] != PAD).sum()
    assert forced_scores(model, x, t, PAD).sum() == pytest.approx(-model.forward(x, t) * positions, rel=1e-12)


def draw(model, x, seed, **settings):
    rngs = [np.random.default_rng([seed, n]) for n in range(len(x))]
    return sample(model, x, START, PAD, bounds(len(x)), rngs, **settings)


def test_samples_follow_the_models_probabilities(build):
    model = build()
    x = np.repeat(questions(1), 4000, axis=0)
    first = np.bincount([answer.ids[0] if answer.ids else PAD for answer in draw(model, x, 1)], minlength=V) / 4000
    scores, _ = model.step(np.array([START], np.int32), model.encode(x[:1]))
    np.testing.assert_allclose(first, np.exp(log_softmax(scores))[0], atol=0.03)
    halved = np.exp(log_softmax(log_softmax(scores) / 2.0))[0]
    first = [answer.ids[0] if answer.ids else PAD for answer in draw(model, x, 2, temperature=2.0)]
    np.testing.assert_allclose(np.bincount(first, minlength=V) / 4000, halved, atol=0.03)


def test_samples_scores_seeds_and_top_k(build):
    model, x = build(), questions()
    answers = draw(model, x, 1)
    np.testing.assert_allclose([a.score for a in answers], forced(model, x, [[a] for a in answers]), rtol=1e-9)
    assert draw(model, x, 1) == answers
    assert draw(model, x, 2) != answers
    rngs = [np.random.default_rng([1, 5])]
    (alone,) = sample(model, x[5:6], START, PAD, bounds(1), rngs)
    assert alone.ids == answers[5].ids
    assert [a.ids for a in draw(model, x, 1, top_k=1)] == [h[0].ids for h in search(model, x, 1)]
    assert [a.ids for a in draw(model, x, 1, temperature=1e-4)] == [h[0].ids for h in search(model, x, 1)]

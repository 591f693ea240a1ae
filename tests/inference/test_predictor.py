"""What a predictor tells beside its answer: others, with their scores; drawn ones; where it looked."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from predictors import SOURCES, make_predictor

from doldari import ConfigError, kernels
from doldari.config import ModelConfig
from doldari.data.vocabulary import START, UNKNOWN, Vocabulary
from doldari.inference.predictor import END, Predictor
from doldari.models.ensemble import Ensemble
from doldari.models.model_file import TextModel, build_model


@pytest.fixture(params=[False, True], ids=["one", "ensemble"])
def predictor(request):
    return make_predictor(request.param)


def test_a_beam_of_one_is_greedy(predictor):
    greedy = predictor.predict(SOURCES)
    assert [answers[0].text for answers in predictor.predict(SOURCES, beam=1, n_best=1)] == greedy


def test_threads_share_a_predictor(predictor):
    """Each call has the answers that it has alone, whatever other threads ask meanwhile."""
    calls = [(text, beam) for beam in (1, 3) for text in SOURCES] * 4

    def ask(call):
        text, beam = call
        return predictor.predict([text], beam=beam, scores=True)

    alone = [ask(call) for call in calls]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, calls)) == alone


def test_a_beam_is_never_below_greedy(predictor):
    greedy = predictor.predict(SOURCES)
    listed = [answers[0].text for answers in predictor.predict(SOURCES, beam=3, n_best=3)]
    for found in predictor.predict(SOURCES, beam=3), listed:
        for text, answer, other in zip(SOURCES, found, greedy, strict=True):
            score, other_score = predictor.score([(text, answer), (text, other)])
            assert score / (len(answer) + 1) >= other_score / (len(other) + 1) - 1e-6


def test_scores_are_the_log_probabilities(predictor):
    found = predictor.predict(SOURCES, beam=4, n_best=3)
    pairs = [(text, answer.text) for text, answers in zip(SOURCES, found, strict=True) for answer in answers]
    scores = [answer.score for answers in found for answer in answers]
    assert len(pairs) == 3 * len(SOURCES)
    np.testing.assert_allclose(predictor.score(pairs), scores, rtol=1e-4)
    assert all(score < 0 for score in scores)


def test_drawn_answers(predictor):
    drawn = predictor.sample(SOURCES, seed=1)
    assert drawn == predictor.sample(SOURCES, seed=1)
    assert drawn != predictor.sample(SOURCES, seed=2)
    assert [answer.text for answer in predictor.sample(SOURCES, top_k=1)] == predictor.predict(SOURCES)
    np.testing.assert_allclose(
        predictor.score([(text, answer.text) for text, answer in zip(SOURCES, drawn, strict=True)]),
        [answer.score for answer in drawn],
        rtol=1e-4,
    )


def test_hardly_any_temperature_draws_the_likeliest(predictor):
    drawn = predictor.sample(SOURCES, temperature=1e-310)
    assert [answer.text for answer in drawn] == predictor.predict(SOURCES)


def test_batches_do_not_matter(predictor, monkeypatch):
    together = predictor.predict(SOURCES, beam=3, n_best=3), predictor.sample(SOURCES), predictor.predict(SOURCES)
    monkeypatch.setattr("doldari.inference.answering.GREEDY_SYMBOLS", 7)
    monkeypatch.setattr("doldari.inference.answering.BEAM_SYMBOLS", 21)
    alone = predictor.predict(SOURCES, beam=3, n_best=3), predictor.sample(SOURCES), predictor.predict(SOURCES)
    assert together[2] == alone[2]
    assert [answer.text for answer in together[1]] == [answer.text for answer in alone[1]]
    for ours, theirs in zip(together[0], alone[0], strict=True):
        assert [answer.text for answer in ours] == [answer.text for answer in theirs]
        np.testing.assert_allclose([a.score for a in ours], [a.score for a in theirs], rtol=1e-5)


def test_threads_do_not_matter(predictor, monkeypatch):
    monkeypatch.setattr("doldari.inference.answering.GREEDY_SYMBOLS", 7)
    monkeypatch.setattr("doldari.inference.answering.BEAM_SYMBOLS", 21)
    before, results = kernels.get_num_threads(), []
    try:
        for threads in (1, 3):
            kernels.set_num_threads(threads)
            found = predictor.predict(SOURCES * 5, beam=3, n_best=2), predictor.predict(SOURCES * 5)
            results.append((found, predictor.sample(SOURCES * 5), predictor.score([("ab", "x"), ("cab", "y")])))
    finally:
        kernels.set_num_threads(before)
    assert results[0] == results[1]


def test_answers_have_twice_the_room_of_training_or_what_is_said():
    predictor = make_predictor()
    predictor.text_model = predictor.text_model._replace(longer=1)
    predictor.text_model.model.decoder.affine.b.value[0] = -1e6  # no answer ends by itself
    texts = ["a", "abc", "aaaaa"]
    for options, expected in (({}, [4, 8, 10]), ({"max_length": 3}, [3, 3, 3]), ({"max_length": 12}, [12, 12, 12])):
        for found in (
            predictor.predict(texts, scores=True, **options),
            [answers[0] for answers in predictor.predict(texts, beam=2, n_best=1, **options)],
            predictor.sample(texts, **options),
        ):
            assert [len(answer.text) for answer in found] == expected
            assert all(answer.flags == ("limit",) for answer in found)
        assert list(map(len, predictor.predict(texts, **options))) == expected
        assert list(map(len, predictor.predict(texts, beam=2, **options))) == expected
    assert predictor.predict(texts, allowed=["xxxxx"], beam=2) == ["xxxxx"] * 3
    assert [answer.text for answer in predictor.sample(texts, allowed=["xxxxx"])] == ["xxxxx"] * 3


@pytest.mark.filterwarnings("ignore::doldari.LongSourceWarning")
def test_longer_sources_have_room_for_longer_answers():
    predictor = make_predictor()
    predictor.text_model.model.decoder.affine.b.value[0] = -1e6  # no answer ends by itself
    assert [len(text) for text in predictor.predict(["a", "a" * 6, "a" * 12])] == [10, 10, 20]
    assert [len(text) for text in predictor.predict(["a", "a" * 6, "a" * 12], beam=2)] == [10, 10, 20]


def test_no_answer_has_a_start_or_an_unknown_symbol(predictor):
    """However likely they are; the unknown one may be there where a symbol of the source takes its place."""
    model = predictor.text_model.model
    for member in model.members if isinstance(model, Ensemble) else [model]:
        member.decoder.affine.b.value[[START, UNKNOWN]] = 9.0, 8.0
    drawn = [answer.text for answer in predictor.sample(["ab"] * 50)]
    listed = [answer.text for answer in predictor.predict(["ab"], beam=6, n_best=6)[0]]
    assert all(set(text) <= set("xyz") for text in [predictor("ab"), *drawn, *listed])
    assert len(set(listed)) == 6
    for beam in 1, 2:
        assert predictor.predict(["aq"], unknown="copy", beam=beam)[0][:2] == "q\ufffd"


def test_different_answers_of_subwords():
    """The same text, spelled in several ways, stands in a list once."""
    subwords = pytest.importorskip("tokenizers") and Vocabulary.build(["walk walked walking"] * 3, "subwords")
    config = ModelConfig(hidden_size=6, embedding_size=3, target_symbols="subwords")
    source = Vocabulary.build(["abc"], "characters")
    model = build_model(config, source, subwords, rng=np.random.default_rng(0))
    predictor = Predictor(TextModel(model, config, source, subwords, 6, 4))
    every = predictor.predict(["a"], beam=20, n_best=20)[0]
    assert len({answer.text for answer in every}) == len(every) > 5
    few = predictor.predict(["a"], beam=20, n_best=5)[0]
    assert few == every[:5]


@pytest.mark.parametrize("reverse", [False, True])
def test_attention_is_laid_out_as_it_is_read(reverse):
    predictor = make_predictor(reverse=reverse)
    attention = predictor.attention("abba")
    assert attention.source == ["a", "b", "b", "a"]
    assert "".join(attention.answer[:-1]) == attention.text == predictor("abba")
    wide = predictor.attention("abba", beam=4)
    assert "".join(wide.answer[:-1]) == wide.text == predictor.predict(["abba"], beam=4)[0]
    assert attention.answer[-1] == END
    assert attention.weights.shape == (len(attention.answer), 4)
    np.testing.assert_allclose(attention.weights.sum(axis=1), 1.0, rtol=1e-5)
    model, ids = predictor.text_model.model, predictor.text_model.source.encode("abba")
    xs = np.array([ids[::-1] if reverse else ids], np.int32)
    first = model.attention(xs, np.array([[1]], np.int32))[0, 0]
    np.testing.assert_allclose(attention.weights[0], first[::-1] if reverse else first, rtol=1e-5)


def test_attention_of_an_ensemble_is_the_members_mean():
    predictor = make_predictor(ensemble=True, reverse=True)
    ours = predictor.attention("abc").weights
    members = predictor.text_model.model.members
    read = [[1, *predictor.text_model.target.encode(predictor("abc"))]]
    xs = [predictor.text_model.source.encode("abc")[::-1]]
    mean = np.mean([member.attention(xs, read)[0] for member in members], axis=0)
    np.testing.assert_allclose(ours, mean[:, ::-1], rtol=1e-6)


@pytest.mark.parametrize(
    "ask, message",
    [
        (lambda p: p.predict(["a"], beam=0), "beam_size=0"),
        (lambda p: p.predict(["a"], beam=2, n_best=3), "n_best=3: must be at most the beam size, beam_size=2"),
        (lambda p: p.predict(["a"], n_best=0), "n_best=0"),
        (lambda p: p.sample(["a"], temperature=0.0), "temperature=0"),
        (lambda p: p.sample(["a"], top_k=0), "top_k=0"),
        (lambda p: make_predictor(decoder="peeky").attention("a"), "decoder=peeky"),
        (lambda p: p.attention("a", beam=0), "beam_size=0"),
    ],
)
def test_what_is_refused(ask, message):
    with pytest.raises(ConfigError, match=message):
        ask(make_predictor())


def test_nothing_to_answer(predictor):
    assert predictor.predict([], beam=3) == predictor.sample([]) == predictor.score([]) == []

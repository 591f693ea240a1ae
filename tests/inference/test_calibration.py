"""Probabilities of answers: how well they are calibrated, and the temperature that calibrates them."""

import numpy as np
import pytest
from predictors import SOURCES, make_predictor

from doldari import ConfigError, DataError, Predictor
from doldari.data.pairs import Pair
from doldari.inference.answering import AnswerOptions
from doldari.inference.calibration import calibration_error, fitted_temperature, log_probabilities, reliability
from doldari.inference.metrics import evaluate


def test_bins_by_hand():
    bins = reliability([0.05, 0.1, 0.6, 0.62, 1.0, 0.0], [False, True, True, False, True, False], bins=10)
    assert [one.answers for one in bins] == [3, 0, 0, 0, 0, 1, 1, 0, 0, 1]
    assert (bins[0].low, bins[0].high) == (0.0, 0.1)
    assert bins[0].probability == pytest.approx(0.05)
    assert bins[0].accuracy == pytest.approx(1 / 3)
    assert (bins[5].probability, bins[5].accuracy) == (0.6, 1.0)
    expected = (3 * abs(1 / 3 - 0.05) + 1 * abs(1 - 0.6) + 1 * abs(0 - 0.62) + 0) / 6
    assert calibration_error(bins) == pytest.approx(expected)
    assert calibration_error(reliability([], [])) == 0.0


def test_what_is_calibrated_has_no_error():
    rng = np.random.default_rng(0)
    p = rng.random(200_000)
    assert calibration_error(reliability(p, rng.random(len(p)) < p)) < 0.005
    assert calibration_error(reliability(p, rng.random(len(p)) < p**2)) > 0.15


def ending_predictor():
    """Make one whose answers end, of several lengths."""
    predictor = make_predictor()
    predictor.text_model.model.decoder.affine.b.value[0] += 3.0
    return predictor


def with_temperature(predictor, temperature):
    return Predictor(predictor.text_model._replace(temperature=temperature))


@pytest.mark.parametrize("ensemble", [False, True])
def test_a_temperature_leaves_greedy_answers_and_scales_scores(ensemble):
    predictor = make_predictor(ensemble)
    warm = with_temperature(predictor, 2.0)
    assert warm.predict(SOURCES) == predictor.predict(SOURCES)
    answers, warmer = predictor.predict(SOURCES, scores=True), warm.predict(SOURCES, scores=True)
    assert [answer.text for answer in answers] == [answer.text for answer in warmer] == predictor.predict(SOURCES)
    pairs = [(text, answer.text) for text, answer in zip(SOURCES, warmer, strict=True)]
    np.testing.assert_allclose([answer.score for answer in warmer], warm.score(pairs), rtol=1e-4)
    logs = log_probabilities(predictor.text_model, SOURCES, np.array([1.0, 2.0]), "error", None)
    np.testing.assert_allclose(logs[:, 0], [answer.score for answer in answers], rtol=1e-4)
    np.testing.assert_allclose(logs[:, 1], [answer.score for answer in warmer], rtol=1e-4)


def test_a_temperature_is_found_again():
    """Answers that are right as often as a model of temperature 0.6 says, by its probabilities."""
    predictor = ending_predictor()
    rng = np.random.default_rng(1)
    texts = ["".join(rng.choice(list("abc"), rng.integers(1, 7))) for _ in range(3_000)]
    p = np.exp(log_probabilities(predictor.text_model, texts, np.array([0.6]), "error", None))[:, 0]
    right = (rng.random(len(p)) < p).tolist()
    assert fitted_temperature(predictor.text_model, texts, right) == pytest.approx(0.6, rel=0.08)


def test_a_few_answers_that_are_all_right_make_no_model_certain():
    predictor = ending_predictor()
    temperature = fitted_temperature(predictor.text_model, SOURCES, [True] * len(SOURCES))
    assert 0.12 < temperature < 0.9  # not 0.1, the coldest that is tried
    with pytest.raises(DataError, match="no pairs to calibrate with"):
        fitted_temperature(predictor.text_model, [], [])


def test_abstaining():
    predictor = ending_predictor()
    answers = predictor.predict(SOURCES, scores=True)
    middle = sorted(answer.probability for answer in answers)[3]
    kept = predictor.predict(SOURCES, min_probability=middle)
    assert kept == [answer.text if answer.probability >= middle else "" for answer in answers]
    detailed = predictor.predict(SOURCES, min_probability=middle, scores=True)
    assert ["abstained" in answer.flags for answer in detailed] == [a.probability < middle for a in answers]
    assert [answer.score for answer in detailed] == [answer.score for answer in answers]
    assert predictor.predict([" "], min_probability=1.0) == [""]
    for wrong in (1.5, -0.1, "x"):
        with pytest.raises(ConfigError, match=r"min_probability=.*: must be a number from 0 to 1"):
            predictor.predict(SOURCES, min_probability=wrong)


def test_answers_forced_against_the_model():
    """By the probability of all that is allowed, step by step, under the model itself."""
    predictor = ending_predictor()
    own = predictor("ab")
    listed = [own, "zzzzzzzz"]
    (free,) = predictor.predict(["ab"], one_of=listed, scores=True)
    assert (free.text, free.flags) == (own, ())
    (forced,) = predictor.predict(["ab"], one_of=["zzzzzzzz"], scores=True)
    assert (forced.text, forced.flags) == ("zzzzzzzz", ("forced",))
    assert forced.probability < 1e-4
    assert predictor.predict(["ab"], one_of=["zzzzzzzz"]) == ["zzzzzzzz"]
    (drawn,) = predictor.sample(["ab"], one_of=["zzzzzzzz"])
    assert drawn.flags == ("forced",)


def test_one_name_for_one_thing():
    pytest.importorskip("interegular")
    predictor = make_predictor()
    assert predictor.predict(SOURCES, one_of=["xy", "z"]) == predictor.predict(SOURCES, allowed=["xy", "z"])
    assert predictor.predict(SOURCES, matching="x+y") == predictor.predict(SOURCES, allowed="x+y")
    with pytest.raises(ConfigError, match="give one of them"):
        predictor.predict(SOURCES, matching="x", one_of=["x"])
    with pytest.raises(TypeError, match="one_of='x': must be a list of texts"):
        predictor.predict(SOURCES, one_of="x")
    with pytest.raises(TypeError, match="matching=5: must be a regular expression"):
        predictor.predict(SOURCES, matching=5)
    with pytest.raises(ConfigError, match="max_length=1: the shortest output that is allowed has 2 symbols"):
        predictor.predict(SOURCES, one_of=["xy"], max_length=1)
    assert predictor.predict(SOURCES, n_best=3) == predictor.predict(SOURCES, n_best=3, beam=3)
    with pytest.raises(ConfigError, match="max_length=0: must be a whole number of symbols"):
        predictor.predict(SOURCES, max_length=0)
    with pytest.raises(TypeError, match=r"text=\['a', 'b'\]: must be a text; .* call predict\(texts\)"):
        predictor(["a", "b"])


def test_progress_counts_to_the_end():
    told = []
    predictor = make_predictor()
    predictor.answers(SOURCES * 2_000, AnswerOptions(), told.append)
    assert told == sorted(told)
    assert told[-1] == 6 * 2_000
    assert len(told) > 5


def test_an_evaluation_counts_what_was_cut_and_what_no_answer_reaches():
    predictor = make_predictor()  # an answer has at most 10 symbols
    pairs = [Pair("ab", "x" * 10), Pair("ba", "x" * 11), Pair("ba", "y" * 12), Pair("a", "x" * 11), Pair("a", "x")]
    evaluation = evaluate(predictor, pairs, detailed=True)
    assert evaluation.unreachable == 1  # "ba"; "a" has a target that is short enough
    assert evaluate(predictor, pairs, detailed=True, max_length=11).unreachable == 0
    assert evaluation.cut == sum(
        "limit" in answer.flags for answer in predictor.predict(["ab", "ba", "a"], scores=True)
    )
    assert evaluation.answers == [answer.text for answer in evaluation.detailed]
    assert evaluate(predictor, pairs, detailed=True, max_length=1).cut > 0
    assert evaluate(predictor, pairs).detailed is None

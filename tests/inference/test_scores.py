import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from doldari.data.pairs import Pair
from doldari.inference.metrics import Evaluation, nearest_target
from doldari.inference.scores import Measure, ratio, resampled_sums, scores, with_intervals


def evaluation(kind, answers):
    """Make the evaluation of answers, each with all of its targets."""
    nearest = [nearest_target(answer, targets, kind) for answer, *targets in answers]
    return Evaluation(
        kind,
        [Pair(str(index), target) for index, (target, _, _) in enumerate(nearest)],
        [targets for _, *targets in answers],
        [answer for answer, *_ in answers],
        [edits for _, edits, _ in nearest],
        [length for _, _, length in nearest],
    )


def values(kind, *answers):
    return {name: score.value for name, score in scores(evaluation(kind, answers)).items()}


def test_by_hand():
    """One answer right, one with a phone left out, one with a phone changed and one too many."""
    phones = values("whitespace", ("k a̠ː t", "k  a̠ː t"), ("d ɡ", "d o ɡ"), ("n i s", "m i"))
    assert phones["accuracy"] == pytest.approx(1 / 3)
    assert phones["WER"] == pytest.approx(2 / 3)
    assert phones["PER"] == pytest.approx(3 / 8)
    assert "CER" not in phones
    assert values("characters", ("kitten", "sitting"), ("abc", "abc")) == {
        "accuracy": 0.5,
        "WER": 0.5,
        "CER": pytest.approx(3 / 10),
    }
    assert values("characters", ("", "abcd"), ("abcdefgh", "ab"))["CER"] == pytest.approx(10 / 6)


def test_errors_are_counted_in_what_is_read():
    """However a text is normalised: in syllables, clusters and characters that are composed where they can be."""
    jamo = "\u1112\u1161\u11ab\u1100\u116e\u11a8"
    assert values("characters", (jamo, "한국"))["CER"] == 0
    assert values("characters", (jamo, "한군"))["CER"] == 1 / 2
    assert values("graphemes", ("e\u0301🇰🇷", "é🇩🇪"))["CER"] == 1 / 2
    assert values("words", ("a  b, c", "a b, cd"))["CER"] == pytest.approx(1 / 7)
    assert values("words", ("a  b, c", "a b, c"))["accuracy"] == 1


def test_the_nearest_of_several_targets_counts():
    several = values("characters", ("abc", "xyz", "abd", "abc!"), ("a", "bbbbb", "a"))
    assert several["accuracy"] == 0.5
    assert several["CER"] == pytest.approx(1 / 4)


@given(st.lists(st.tuples(st.text("ab", max_size=4), st.text("ab", min_size=1, max_size=4)), min_size=1, max_size=6))
def test_no_error_means_all_right(answers):
    found = values("characters", *answers)
    assert found["WER"] == pytest.approx(1 - found["accuracy"])
    assert (found["CER"] == 0) == (found["accuracy"] == 1)


def test_interval_of_a_share():
    """Of 400 answers half right, the normal approximation is 1.96 sqrt(0.25 / 400) = 4.9 points to either side."""
    score = scores(evaluation("characters", [("a", "a"), ("a", "b")] * 200))["accuracy"]
    assert score.value == 0.5
    assert score.low == pytest.approx(0.451, abs=0.008)
    assert score.high == pytest.approx(0.549, abs=0.008)
    assert score.interval == f"{score.low:.2%} to {score.high:.2%}"
    assert str(score) == "50.00%"


def test_interval_of_a_ratio():
    """Errors that come with their length always have one ratio; a single example has no spread."""
    lengths = np.arange(1.0, 50.0)
    interval = with_intervals({"x": Measure(np.stack([lengths / 4, lengths], 1), ratio)}, np.random.default_rng(0))
    assert (interval["x"].low, interval["x"].high) == pytest.approx((0.25, 0.25))
    alone = scores(evaluation("characters", [("ab", "abc")]))["CER"]
    assert (alone.low, alone.high) == pytest.approx((1 / 3, 1 / 3))


def test_samples_are_drawn_with_replacement_and_by_the_seed():
    statistics = np.stack([np.ones(30), np.arange(30.0) == 7], axis=1)
    sums = resampled_sums(statistics, np.random.default_rng(0), samples=4_000)
    assert set(sums[:, 0]) == {30.0}
    assert np.mean(sums[:, 1] == 0) == pytest.approx((29 / 30) ** 30, abs=0.03)
    np.testing.assert_array_equal(sums[:9], resampled_sums(statistics, np.random.default_rng(0), samples=9))
    some = evaluation("characters", [("a", "a"), ("a", "b"), ("ab", "b")] * 20)
    assert scores(some) == scores(some) != scores(some, seed=1)


def test_bleu_and_chrf_are_sacrebleus():
    sacrebleu = pytest.importorskip("sacrebleu.metrics")
    rng = np.random.default_rng(0)
    words = np.array(["the", "a", "cat", "dog", "sat", "on", "mat", "runs"])
    targets = [" ".join(rng.choice(words, 8)) + "." for _ in range(200)]
    answers = [" ".join(word if rng.random() < 0.8 else "x" for word in target.split()) for target in targets]
    found = scores(evaluation("words", list(zip(answers, targets, strict=True))))
    assert list(found) == ["accuracy", "WER", "CER", "BLEU", "chrF"]
    for name, metric in (("BLEU", sacrebleu.BLEU()), ("chrF", sacrebleu.CHRF())):
        theirs = metric.corpus_score(answers, [targets], n_bootstrap=1_000)
        assert found[name].value == pytest.approx(theirs.score)
        assert (found[name].high - found[name].low) / 2 == pytest.approx(theirs._ci, rel=0.15)
        assert found[name].low < theirs.score < found[name].high
    assert str(found["BLEU"]) == f"{found['BLEU'].value:.2f}"


def test_bleu_takes_any_number_of_targets():
    pytest.importorskip("sacrebleu")
    found = values("words", ("a b c d", "x", "a b c d"), ("e f g h", "e f g h"))
    assert found["BLEU"] == pytest.approx(100)


def test_without_sacrebleu(monkeypatch):
    monkeypatch.setitem(sys.modules, "sacrebleu", None)
    monkeypatch.setitem(sys.modules, "sacrebleu.metrics.bleu", None)
    assert list(values("words", ("a", "a"))) == ["accuracy", "WER", "CER"]

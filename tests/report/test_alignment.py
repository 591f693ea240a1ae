from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz.distance import Levenshtein

from doldari.data.pairs import Pair
from doldari.inference.metrics import Evaluation
from doldari.report.alignment import (
    Share,
    Step,
    align,
    alignments,
    confusions,
    in_groups,
    right_by_length,
    right_by_position,
)


@given(
    st.lists(st.sampled_from(["a", "b", "tʰ"]), max_size=8), st.lists(st.sampled_from(["a", "b", "tʰ"]), max_size=8)
)
def test_an_alignment_holds_both_and_as_few_edits_as_there_are(target, answer):
    steps = align(target, answer)
    assert [step.target for step in steps if step.target] == target
    assert [step.answer for step in steps if step.answer] == answer
    assert sum(not step.right for step in steps) == Levenshtein.distance(target, answer)


def make_evaluation(kind, *rows):
    pairs = [Pair(str(index), target) for index, (target, _) in enumerate(rows)]
    answers = [answer for _, answer in rows]
    return Evaluation(kind, pairs, [[pair.target] for pair in pairs], answers, [0] * len(rows), [0] * len(rows))


def test_units():
    assert alignments(make_evaluation("whitespace", ("k a̠ː", "k")))[0] == [Step("k", "k"), Step("a̠ː", "")]
    assert alignments(make_evaluation("characters", ("é", "e\u0301x")))[0] == [Step("é", "é"), Step("", "x")]
    words = alignments(make_evaluation("subwords", ("Oh, no", "Oh no")))[0]
    assert words == [Step("Oh", "Oh"), Step(",", ""), Step("no", "no")]


def test_right_by_position():
    """Of abcd, abxd and ab: the third symbol is wrong once, and what is put in has no position."""
    aligned = [align("abcd", "abcd"), align("abcd", "abxd"), align("ab", "ab!")]
    assert right_by_position(aligned) == {1: Share(3, 3), 2: Share(3, 3), 3: Share(1, 2), 4: Share(2, 2)}


def test_right_by_length():
    assert right_by_length([2, 5, 2], [True, False, False]) == {2: Share(1, 2), 5: Share(0, 1)}


def test_groups():
    shares = {number: Share(1, 2) for number in (1, 2, 3, 4, 7)}
    assert in_groups(shares, 7) == {str(number): Share(1, 2) for number in (1, 2, 3, 4, 7)}
    assert in_groups(shares, 3) == {"1-3": Share(3, 6), "4-6": Share(1, 2), "7-9": Share(1, 2)}
    assert in_groups({0: Share(0, 1), 1: Share(1, 1)}, 5) == {"1": Share(1, 2)}
    assert in_groups({}, 3) == {}


def test_confusions():
    aligned = [align("abc", "axc"), align("abc", "ax"), align("a", "ay")]
    assert confusions(aligned) == [(Step("b", "x"), 2), (Step("", "y"), 1), (Step("c", ""), 1)]

"""Members of different kinds vote on whole texts: the rules by members with fixed answers, the rest by models."""

import dataclasses

import numpy as np
import pytest
from predictors import SOURCES, make_predictor

from doldari import ConfigError, Predictor
from doldari.data.vocabulary import PADDING, START
from doldari.errors import UnknownSymbolError
from doldari.inference.answering import AnswerOptions
from doldari.inference.answers import Answer
from doldari.inference.explanation import explain
from doldari.inference.voting import Kind, Voting
from doldari.models.joining import join


class Fixed:
    """A member that proposes the same texts for everything, and scores texts by a table."""

    def __init__(self, proposed, scores):
        self.proposed, self.scores, self.asked = proposed, scores, []

    def answers(self, texts, options, progress=None):
        self.asked.append(options)
        return [[Answer(text, self.scores[text]) for text in self.proposed[: options.n_best]] for _ in texts]

    def score(self, pairs, *, unknown="error", progress=None):
        return [self.scores[target] for _, target in pairs]


def elect(members, rule, **options):
    voting = Voting([Kind(member, [member]) for member in members], rule, lambda text: not text)
    return voting.answers(["asked"], AnswerOptions(**options))[0]


ONE = Fixed(["a", "b"], {"a": -1.0, "b": -2.0, "c": -9.0})
TWO = Fixed(["a", "c"], {"a": -6.0, "b": -2.0, "c": -3.0})
THREE = Fixed(["c", "b"], {"a": -8.0, "b": -2.0, "c": -1.0})


def test_the_highest_mean_log_probability():
    """b is nobody's best answer, and everybody's second; by greedy search nobody proposes it."""
    assert elect([ONE, TWO, THREE], "log-probability", beam=2) == [Answer("b", -2.0)]
    assert elect([ONE, TWO, THREE], "log-probability") == [Answer("c", -13 / 3)]
    best = elect([ONE, TWO, THREE], "log-probability", n_best=3)
    assert [one.text for one in best] == ["b", "c", "a"]
    assert [one.score for one in best] == [-2.0, -13 / 3, -5.0]


def test_the_answer_of_most_members():
    assert elect([ONE, TWO, THREE], "majority") == [Answer("a", -5.0)]
    assert [one.text for one in elect([ONE, TWO, THREE], "majority", n_best=3)] == ["a", "c", "b"]


def test_ties_are_broken_by_the_mean():
    """a and c have a vote each, and c the higher mean; which comes first is no matter."""
    for members in ([ONE, THREE], [THREE, ONE]):
        assert elect(members, "majority") == [Answer("a", -4.5)]
    scores = {"a": -1.0, "b": -2.0, "c": -2.0}
    for first, second in (("a", "b"), ("b", "a")):
        members = [Fixed([first], scores), Fixed([second], scores)]
        assert elect(members, "majority")[0].text == "a"
    assert elect([Fixed(["b"], scores), Fixed(["c"], scores)], "majority")[0].text == "b"  # proposed first
    assert elect([Fixed(["c"], scores), Fixed(["b"], scores)], "log-probability")[0].text == "c"


def test_a_kind_proposes_together_but_its_members_vote_and_score_alone():
    together = Fixed(["b", "a"], {"a": 0.0, "b": 0.0})
    kinds = [Kind(together, [ONE, TWO]), Kind(THREE, [THREE])]
    by_mean = Voting(kinds, "log-probability", lambda text: False).answers(["asked"], AnswerOptions(n_best=3))[0]
    assert [(one.text, one.score) for one in by_mean] == [("b", -2.0), ("c", -13 / 3), ("a", -5.0)]
    by_votes = Voting(kinds, "majority", lambda text: False).answers(["asked"], AnswerOptions())[0]
    assert by_votes == [Answer("a", -5.0)]


def test_what_is_asked_of_a_proposer():
    member = Fixed(["a"], {"a": -1.0})
    elect([member], "majority", beam=7, n_best=2, min_probability=0.9)
    elect([member], "majority")
    assert [(one.beam, one.n_best, one.min_probability) for one in member.asked] == [(7, 7, None), (1, 1, None)]


def test_improbable_answers_are_left_empty():
    found = elect([ONE, TWO, THREE], "log-probability", beam=2, min_probability=0.2)
    assert found == [Answer("", -2.0, ("abstained",))]


def test_texts_that_differ_only_in_form_are_one():
    scores = {"é": -2.0, "e\u0301": -2.0, "o": -1.0}
    assert elect([Fixed(["é"], scores), Fixed(["e\u0301"], scores), Fixed(["o"], scores)], "majority")[0].text == "é"


def test_progress_ends_at_the_number_of_texts():
    told = []
    model = mixed()
    found = model.answers(SOURCES, AnswerOptions(), told.append)
    assert told == sorted(told)
    assert (told[-1], len(found)) == (len(SOURCES), len(SOURCES))


def written_backwards(text_model):
    return text_model._replace(
        config=dataclasses.replace(text_model.config, right_to_left=True),
        target=dataclasses.replace(text_model.target, right_to_left=True),
    )


def mixed(vote="log-probability"):
    """Two attention decoders, a pointer, and a peeky decoder that writes from right to left."""
    attention = make_predictor(ensemble=True).text_model
    two = attention._replace(config=dataclasses.replace(attention.config, ensemble=2))
    two.model.members.pop()
    pointer = make_predictor(decoder="pointer").text_model
    pointer.model.decoder.copies = pointer.target.ids_of(pointer.source)
    peeky = make_predictor(decoder="peeky").text_model
    return Predictor(join([two, pointer, written_backwards(peeky)], vote=vote))


def test_scores_are_the_means_of_all_members():
    model = mixed()
    two, pointer, peeky = map(Predictor, model.text_model.kinds)
    first, second = (
        Predictor(
            two.text_model._replace(model=member, config=dataclasses.replace(two.text_model.config, ensemble=1))
        )
        for member in two.text_model.model.members
    )
    pairs = [("ab", "xy"), ("abba", ""), ("c", "zzy")]
    every = [one.score(pairs) for one in (first, second, pointer, peeky)]
    assert model.score(pairs) == [sum(scores) / 4 for scores in zip(*every, strict=True)]
    best = model.predict(SOURCES, n_best=2)
    for source, answers in zip(SOURCES, best, strict=True):
        assert [one.score for one in answers] == pytest.approx(model.score([(source, one.text) for one in answers]))


def test_transducers_of_both_directions():
    """The same weights, written from right to left, are the mirror image: of sources too, which are then read so."""
    attention, forwards = make_predictor().text_model, make_predictor(decoder="transducer").text_model
    forwards.model.decoder.copies = None  # a is copied as x, b as y, c as z
    model = Predictor(join([attention, forwards, written_backwards(forwards)]))
    assert [kind.config.reads_backwards for kind in model.text_model.kinds] == [False, False, True]
    pairs = [("ab", "xy"), ("abba", ""), ("cab", "zzyx")]
    mirrored = [(source[::-1], target[::-1]) for source, target in pairs]
    by_attention, by_transducer = Predictor(attention).score(pairs), Predictor(forwards).score(pairs)
    every = zip(by_attention, by_transducer, Predictor(forwards).score(mirrored), strict=True)
    assert model.score(pairs) == pytest.approx([sum(scores) / 3 for scores in every])
    backwards = Predictor(model.text_model.kinds[2])
    answers = [text[::-1] for text in Predictor(forwards).predict([source[::-1] for source in SOURCES])]
    assert backwards.predict(SOURCES) == answers != Predictor(forwards).predict(SOURCES)
    for source, (answer,) in zip(SOURCES, model.predict(SOURCES, n_best=1), strict=True):
        assert answer.score == pytest.approx(model.score([(source, answer.text)])[0])


@pytest.mark.parametrize("vote", ["log-probability", "majority"])
def test_answers_do_not_depend_on_the_batch(vote):
    model = mixed(vote)
    assert model.predict([*SOURCES, "", " "]) == [*[model(source) for source in SOURCES], "", ""]
    assert model.predict(SOURCES[::-1]) == model.predict(SOURCES)[::-1]


def test_a_majority_is_a_majority():
    model = mixed("majority")
    kinds = [Predictor(kind) for kind in model.text_model.kinds]
    two = [
        Predictor(kinds[0].text_model._replace(model=member)).predict(SOURCES, beam_size=4)
        for member in kinds[0].text_model.model.members
    ]
    every = [*two, *(kind.predict(SOURCES, beam_size=4) for kind in kinds[1:])]
    votes = [[answers[place] for answers in every] for place in range(len(SOURCES))]
    for answer, given in zip(model.predict(SOURCES, beam_size=4), votes, strict=True):
        assert given.count(answer) == max(map(given.count, given))


def test_constraints_hold_for_all_kinds():
    model = mixed()
    assert {*model.predict(SOURCES, one_of=["xy", "zzz"])} <= {"xy", "zzz"}
    compiled = model.allowing("x+y?")
    assert {*model.predict(SOURCES, allowed=compiled)} <= {"x", "xy", "xx", "xxy", "xxx", "xxxy", *"x" * 9}
    with pytest.raises(ConfigError, match="allowed: made for another model"):
        Predictor(model.text_model.kinds[0]).predict(SOURCES, allowed=compiled)


def test_unknown_symbols():
    model = mixed()
    with pytest.raises(UnknownSymbolError, match="'q'"):
        model.predict(["abq"])
    with pytest.raises(UnknownSymbolError, match="'q'"):
        model.score([("abq", "x")])
    assert isinstance(model.predict(["abq"], unknown="unknown")[0], str)
    assert (model.knows("abq"), model.knows("q")) == (True, False)


def test_another_rule():
    model = mixed()
    assert model.voting("majority").predict(SOURCES) == mixed("majority").predict(SOURCES)
    with pytest.raises(ConfigError, match="vote='toss': must be one of log-probability, majority"):
        model.voting("toss")
    with pytest.raises(ConfigError, match="vote=majority: needs an ensemble of different kinds of models"):
        make_predictor().voting("majority")


def test_attention_is_that_of_the_first_kind_while_it_writes_the_answer():
    model = mixed()
    turned = Predictor(model.text_model.with_kinds(model.text_model.kinds[::-1]))  # peeky, the pointer, attention
    for predictor, kind in ((model, 0), (turned, 1)):
        single = predictor.text_model.kinds[kind]
        for source in SOURCES:
            shown = predictor.attention(source)
            assert shown.text == "".join(shown.answer[:-1]) == predictor(source)
            read = [START, *single.target.encode(shown.text)]
            xs = [single.source.encode(source)]
            np.testing.assert_array_equal(shown.weights, single.model.attention(xs, [read])[0])
    with pytest.raises(ConfigError, match="decoder=peeky: a model without attention"):
        Predictor(turned.text_model.kinds[0]).attention("ab")


def test_an_explanation_has_the_answers_and_how_the_first_kind_writes_them():
    model = mixed()
    for source in SOURCES:
        found = explain(model.text_model, source, beam=3)
        voted = model.predict([source], n_best=3)[0]
        assert [one["text"] for one in found["n_best"]] == [one.text for one in voted]
        assert found["answer"] == found["n_best"][0]
        assert "".join(step["output"]["symbol"] for step in found["steps"][:-1]) == voted[0].text
        assert not any(step["forced"] for step in found["steps"])
        alone = explain(model.text_model.kinds[0], source, beam=3)
        assert found["tree"] == alone["tree"]
        forced = [step["output"]["id"] for step in found["steps"][:1]]
        assert explain(model.text_model, source, forced=forced) == explain(
            model.text_model.kinds[0], source, forced=forced
        )


def test_different_kinds_sample_nothing_together():
    with pytest.raises(ConfigError, match="sampling: not possible with an ensemble of 3 kinds of models"):
        mixed().sample(SOURCES)


def test_one_kind_answers_as_before():
    """Averaging symbol by symbol, to the bit: no vote is taken where there is one kind."""
    alone = make_predictor(ensemble=True).text_model
    joined = join([alone._replace(model=member) for member in alone.model.members])
    assert not joined.others
    ours, theirs = Predictor(joined), Predictor(alone)
    assert ours.predict(SOURCES, n_best=3) == theirs.predict(SOURCES, n_best=3)
    assert np.array_equal(
        joined.model.generate([[3, 4, PADDING]], 1, 5), alone.model.generate([[3, 4, PADDING]], 1, 5)
    )

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doldari import ConfigError, DataError, LongSourceWarning, Predictor, Seq2seq, UnknownSymbolError, eval_seq2seq
from doldari.config import Config, ModelConfig
from doldari.data.pairs import Pair
from doldari.data.vocabulary import PADDING, START, UNKNOWN, Vocabulary
from doldari.inference import answering
from doldari.inference.batching import batches_by_length
from doldari.inference.explanation import explain
from doldari.inference.metrics import evaluate
from doldari.inference.questions import Questions
from doldari.models.model_file import TextModel, build_model
from doldari.training.run import Run


def make_predictor(**settings):
    config = ModelConfig(hidden_size=8, embedding_size=4, **settings)
    source, target = Vocabulary("characters", tuple("abc")), Vocabulary("characters", tuple("xyz"))
    model = build_model(config, source, target, rng=np.random.default_rng(0))
    # Weights by which the answers to short sources differ, also in length.
    model.parameters.values[...] = 2 * np.random.default_rng(22).standard_normal(model.parameters.values.size)
    return Predictor(TextModel(model, config, source, target, longest_source=8, longest_target=5))


@settings(max_examples=30, deadline=None)
@given(texts=st.lists(st.text("abc", max_size=8), max_size=20), reverse=st.booleans(), symbols=st.integers(1, 50))
def test_each_answer_is_as_if_alone(texts, reverse, symbols):
    predictor = make_predictor(reverse=reverse)
    alone = [predictor(text) for text in texts]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(answering, "GREEDY_SYMBOLS", symbols)
        assert predictor.predict(texts) == alone


def test_reversed_models_read_backwards():
    forwards, backwards = make_predictor(reverse=False), make_predictor(reverse=True)
    assert forwards("abbc") == backwards("cbba") != forwards("cbba")


def test_unknown_symbols_and_long_sources():
    predictor = make_predictor()
    with pytest.raises(UnknownSymbolError, match=r"'q' \(U\+0071\)"):
        predictor("aq")
    assert isinstance(predictor.predict(["aq"], unknown="unknown")[0], str)
    for choice in ("error", "unknown", "copy"):
        with pytest.raises(UnknownSymbolError, match="'qq'"):
            predictor.predict(["ab", "qq"], unknown=choice)
    with pytest.raises(ConfigError, match="unknown=True: must be one of error, unknown, copy"):
        predictor.predict(["aq"], unknown=True)
    with pytest.warns(
        LongSourceWarning, match="13 symbols, the longest in training had 8; its prediction is unsafe$"
    ):
        predictor("a" * 13)
    with pytest.warns(LongSourceWarning, match=r"14 symbols.*\(and 1 more source\)"):
        predictor.predict(["a" * 13, "a", "a" * 14])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        predictor("a" * 12)


def test_who_is_told_of_a_long_source():
    """The warning points at the line that asks, whatever is asked."""
    predictor, text = make_predictor(), "a" * 13
    for ask in (
        lambda: predictor(text),
        lambda: predictor.predict([text], beam=2),
        lambda: predictor.sample([text]),
        lambda: predictor.score([(text, "x")]),
        lambda: predictor.attention(text),
    ):
        with pytest.warns(LongSourceWarning) as told:
            ask()
        assert [warning.filename for warning in told] == [__file__]


def test_unknown_symbols_are_copied_in_order(monkeypatch):
    predictor = make_predictor()
    answer = [3, UNKNOWN, START, UNKNOWN, UNKNOWN, 0]
    monkeypatch.setattr(Seq2seq, "generate", lambda *_: np.array([answer]))
    assert predictor.predict(["qab가"], unknown="copy") == ["xq\ufffd가\ufffd"]
    assert predictor.predict(["qab가"], unknown="unknown") == ["x\ufffd\ufffd\ufffd\ufffd"]
    assert predictor.predict(["ab"], unknown="copy") == ["x\ufffd\ufffd\ufffd\ufffd"]


@pytest.mark.parametrize("right_to_left", [False, True])
def test_a_copying_decoder_also_copies_unknown_symbols_but_no_features(right_to_left, monkeypatch):
    config = ModelConfig(hidden_size=8, embedding_size=4, decoder="transducer", right_to_left=right_to_left)
    source = Vocabulary("characters", tuple("abc"), ("N", "V"))
    target = Vocabulary("characters", tuple("abcd"), right_to_left=right_to_left)
    model = build_model(config, source, target, rng=np.random.default_rng(0))
    model.decoder.moves.b.value[:] = 20.0, -20.0  # it copies wherever it can, never goes back,
    model.decoder.affine.b.value[0] = 20.0  # and ends
    predictor = Predictor(TextModel(model, config, source, target, longest_source=8, longest_target=5))
    texts = ["aqb가\tV", "aqb가\tX", "b\tX;N;Y"]
    assert predictor.predict(texts, unknown="unknown") == ["aqb가", "aqb가", "b"]
    assert predictor.predict(texts, unknown="copy", beam_size=2) == ["aqb가", "aqb가", "b"]
    with monkeypatch.context() as patch:
        patch.setattr(type(model), "generate", lambda *_: np.array([[UNKNOWN, 3, UNKNOWN, UNKNOWN, 3, UNKNOWN, 0]]))
        assert predictor.predict(["qa가\tV"], unknown="unknown") == ["qa가qa가"]
    explained = predictor.text_model, texts[1]
    assert [explain(*explained, unknown="unknown")[key] for key in ("unknown", "source")] == [[0, 2, 4], [*"Xaqb가"]]
    with pytest.raises(UnknownSymbolError, match="the feature 'X'"):
        predictor(texts[2])
    only_text = Predictor(predictor.text_model._replace(target=Vocabulary("graphemes", tuple("abcd"))))
    assert set(only_text.predict(["aq\tV"], unknown="unknown")[0]) <= set("abcd")  # its letters are not the source's


@pytest.mark.parametrize(
    "settings",
    [{"decoder": "pointer"}, {"decoder": "transducer"}, {"model": "transformer", "decoder": "pointer", "heads": 2}],
)
def test_a_feature_never_seen_changes_nothing_where_features_are_read_apart(settings):
    config = ModelConfig(hidden_size=8, embedding_size=4, **settings)
    source, target = Vocabulary("characters", tuple("abc"), ("N", "V")), Vocabulary("characters", tuple("abcd"))
    model = build_model(config, source, target, rng=np.random.default_rng(0))
    model.parameters.values[...] = np.random.default_rng(1).standard_normal(model.parameters.values.size)
    predictor = Predictor(TextModel(model, config, source, target, longest_source=8, longest_target=5))
    known, unknown = predictor.score([("aqb\tV", "aqb"), ("aqb\tV;X", "aqb")], unknown="unknown")
    assert unknown == pytest.approx(known, abs=1e-5)
    assert predictor.score([("aqb\tN", "aqb")], unknown="unknown") != pytest.approx([known], abs=1e-3)


@pytest.mark.parametrize("decoder", ["transducer", "attention"])
def test_a_rare_feature_is_trained_on_as_it_is_asked_for(decoder):
    """Left out where features are read apart, otherwise unknown, before the rare letter, which is unknown anyway."""
    pairs = [Pair("aab\tN", "aab"), Pair("aab\tN", "aab"), Pair("aac\tX;N", "aac")]
    config = Config().replace(decoder=decoder, hidden_size=4, embedding_size=4, min_count=2)
    run = Run.prepare(config, pairs, pairs)
    source = run.predictor.text_model.source
    first = PADDING if decoder == "transducer" else UNKNOWN
    assert run.x[2].tolist() == [first, *source.encode("aa\tN"), UNKNOWN]
    assert Questions.of(run.predictor.text_model, [pairs[2].source], "unknown").encoded == [run.x[2].tolist()]


def test_sources_of_only_unknown_symbols_are_wrong_in_an_evaluation():
    predictor = make_predictor()
    pairs = [Pair("ab", predictor("ab")), Pair("가", "x"), Pair("가b", "x" * 9)]
    assert evaluate(predictor, pairs, unknown="unknown").right == [True, False, False]
    with pytest.raises(UnknownSymbolError):
        evaluate(predictor, pairs)


def test_no_pairs_are_no_evaluation():
    with pytest.raises(DataError, match="no pairs to evaluate with"):
        evaluate(make_predictor(), [])


def test_canonically_equal_answers_are_right(monkeypatch):
    predictor = make_predictor()
    monkeypatch.setattr(predictor, "predict", lambda texts, **_: ["e\u0301", "한", "ﬁ"])
    pairs = [Pair("a", "\u00e9"), Pair("b", "\u1112\u1161\u11ab"), Pair("c", "fi")]
    assert evaluate(predictor, pairs).right == [True, True, False]


def test_evaluate_counts_exact_matches():
    predictor = make_predictor()
    answer = predictor("ab")
    other = predictor("ba")
    evaluation = evaluate(predictor, [Pair("ab", answer), Pair("ba", other + "x"), Pair("a", predictor("a"))])
    assert evaluation.right == [True, False, True]
    assert evaluation.accuracy == pytest.approx(2 / 3)
    assert evaluation.edits == [0, 1, 0]
    assert evaluation.lengths[1] == len(other) + 1


def test_a_source_with_several_targets_is_one_example():
    predictor = make_predictor()
    answer = predictor("ab")
    pairs = [Pair("ab", answer + "xx"), Pair("ba", "?"), Pair("ab", answer), Pair("ab", answer + "xx")]
    evaluation = evaluate(predictor, pairs)
    assert evaluation.right == [True, False]
    assert evaluation.pairs == [Pair("ab", answer), Pair("ba", "?")]
    assert evaluation.targets == [[answer + "xx", answer, answer + "xx"], ["?"]]
    nearest = evaluate(predictor, [pairs[0], Pair("ab", answer + "x")])
    assert (nearest.edits, nearest.lengths) == ([1], [len(answer) + 1])


def test_eval_seq2seq(capsys):
    model = Seq2seq(4, 3, 5, rng=np.random.default_rng(0))
    question = np.array([[0, 1]])
    answer = model.generate(question, 2, 3)
    correct = np.array([[2, *answer[0]]])
    letters = dict(enumerate("abcd"))
    assert eval_seq2seq(model, question, correct, letters) == 1
    assert capsys.readouterr().out == ""
    wrong = correct.copy()
    wrong[0, -1] = (wrong[0, -1] + 1) % 4
    assert eval_seq2seq(model, question, wrong, letters, verbose=True, is_reverse=True) == 0
    shown = capsys.readouterr().out.splitlines()
    spelled = "".join(letters[id] for id in answer[0].tolist())
    assert shown[0] == "Q ba"
    assert shown[2:] == [f"✗ {spelled}", "---"]


def test_a_batch_takes_bounded_memory():
    encoded = [[0] * length for length in (3, 60_000, 1, 9_000, 2)]
    batches = list(batches_by_length(encoded, 16384))
    assert batches == [[1], [3], [0, 4, 2]]
    sizes = [8 * len(batch) for batch in batches_by_length([[0] * 7] * 5000, 16384)]
    assert sum(sizes) == 8 * 5000
    assert max(sizes) <= 16384
    assert max(map(len, batches_by_length([[]] * 50, 16))) == 16
    assert list(batches_by_length([], 16384)) == []


def test_one_text_is_not_a_list_of_texts():
    with pytest.raises(TypeError, match=r"call model\(text\)"):
        make_predictor().predict("ab")

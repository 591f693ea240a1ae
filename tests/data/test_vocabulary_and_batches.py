import sys
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from doldari import ConfigError, DataError, MissingPackageError, UnknownSymbolError
from doldari.data.batches import pad, shuffled_batches, without_common_padding
from doldari.data.vocabulary import PADDING, UNKNOWN, Vocabulary, split_features


@given(st.lists(st.text(), min_size=1))
def test_characters_there_and_back(texts):
    vocabulary = Vocabulary.build(texts, "characters")
    assert [vocabulary.decode(vocabulary.encode(text)) for text in texts] == texts
    assert vocabulary == Vocabulary.build(reversed(texts), "characters")


def test_whitespace_symbols():
    vocabulary = Vocabulary.build(["k a̠ː  ɡ", "a̠ː e̞"], "whitespace")
    assert len(vocabulary) == 3 + 4
    assert vocabulary.decode([*vocabulary.encode(" ɡ\ta̠ː "), PADDING, 5]) == "ɡ a̠ː"


def test_unknown_symbols():
    vocabulary = Vocabulary.build(["ab"], "characters")
    with pytest.raises(UnknownSymbolError, match=r"'가' \(U\+AC00\) was not seen"):
        vocabulary.encode("a가b")
    ids = vocabulary.encode("a가b", unknown=True)
    assert ids[1] == UNKNOWN
    assert vocabulary.decode(ids) == "a\ufffdb"
    assert vocabulary.unknown_symbols("a가\tb나") == ["가", "\t", "나"]


def test_jamo_are_learnt_and_syllables_written():
    """Of 각, 난 and 달 as jamo, 갈 can be read and written, which no text held."""
    vocabulary = Vocabulary.build(["각난", "달"], "characters", normalization="NFD")
    assert len(vocabulary.symbols) == 3 + 1 + 3
    assert vocabulary.decode(vocabulary.encode("갈")) == "갈"
    assert vocabulary.encode("갈") == vocabulary.encode(unicodedata.normalize("NFD", "갈"))
    assert len(vocabulary.encode("갈")) == 3
    with pytest.raises(UnknownSymbolError):
        Vocabulary.build(["각난", "달"], "characters").encode("갈")


@given(st.lists(st.text(), min_size=1), st.sampled_from(["NFC", "NFD"]), st.sampled_from(["NFC", "NFD"]))
def test_answers_are_written_as_the_texts_were(texts, stored, normalization):
    texts = [unicodedata.normalize(stored, text) for text in texts]
    vocabulary = Vocabulary.build(texts, "characters", normalization=normalization)
    assert [vocabulary.decode(vocabulary.encode(text)) for text in texts] == texts


def test_features_are_no_letters():
    vocabulary = Vocabulary.build(["VP"], "characters", features=[["V", "PST"], ["PST"]])
    assert vocabulary.features == ("PST", "V")
    ids = vocabulary.encode("VP\tV; PST;")
    assert len({*ids}) == len(ids) == 4
    assert ids == [*vocabulary.encode("\tV;PST"), *vocabulary.encode("VP\tPST")[1:]]
    assert max(ids) < len(vocabulary)
    for text in ("VP", "VP\t", "VP\t;"):
        with pytest.raises(DataError, match="'VP': no features; expected: text, tab, features"):
            vocabulary.encode(text)
    with pytest.raises(UnknownSymbolError, match="the feature 'P' was not seen"):
        vocabulary.encode("VP\tV;P")
    assert vocabulary.encode("VP\tP", unknown=True)[0] == UNKNOWN
    assert vocabulary.unknown_symbols("xVP y\tV;FUT") == ["x", " ", "y"]


def test_parts_of_a_feature_are_features():
    """As UniMorph writes IN+ESS; but a model that knows such features keeps them."""
    vocabulary = Vocabulary.build(["a"], "characters", features=[split_features("a\tN; IN+ESS ;C++")[1]])
    assert vocabulary.features == ("C", "ESS", "IN", "N")
    assert vocabulary.encode("a\tESS+IN") == vocabulary.encode("a\tESS;IN")
    assert vocabulary.spell("a\tIN+ESS") == ["IN", "ESS", "a"]
    older = Vocabulary.build(["a"], "characters", features=[["N", "IN+ESS"]])
    assert older.spell("a\tN;IN+ESS") == ["N", "IN+ESS", "a"]
    assert UNKNOWN not in older.encode("a\tN;IN+ESS")


def test_rare_symbols_become_unknown():
    vocabulary = Vocabulary.build(["aab", "abc"], "characters", features=[["V", "X"], ["V"]], min_count=2)
    assert (vocabulary.symbols, vocabulary.features) == (("a", "b"), ("V",))
    with pytest.raises(ConfigError, match="min_count=4: leaves no symbol; the most frequent one occurs 3 times"):
        Vocabulary.build(["aab", "abc"], "characters", min_count=4)


def test_subwords():
    texts = ["the lower house", "the low houses", "lowest of the low"] * 3
    vocabulary = Vocabulary.build(texts, "subwords", subword_count=40)
    assert len(vocabulary.symbols) <= 40
    assert [vocabulary.decode(vocabulary.encode(text)) for text in texts] == texts
    assert len(vocabulary.encode("the low")) == 2
    assert vocabulary.decode(vocabulary.encode("the  slow")) == "the slow"
    with pytest.raises(UnknownSymbolError, match="'가'"):
        vocabulary.encode("the 가")
    assert vocabulary.unknown_symbols("q the 가\ufffd") == ["q", "가", "\ufffd"]
    assert vocabulary == Vocabulary.build(reversed(texts), "subwords", subword_count=40)
    rare = Vocabulary.build([*texts, "q"], "subwords", subword_count=40, min_count=2)
    assert rare.unknown_symbols("q") == ["q"]


def test_subwords_need_a_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'doldari\[subwords\]'"):
        Vocabulary.build(["a"], "subwords")


def test_common_padding_is_dropped():
    ids = np.array([[0, 0, 3, 4, 0, 0, 0], [0, 5, 6, 0, 0, 0, 0]])
    assert without_common_padding(ids, 0).tolist() == [[0, 3, 4], [5, 6, 0]]
    assert without_common_padding(ids, 0, keep=1).tolist() == [[0, 3, 4, 0], [5, 6, 0, 0]]
    assert without_common_padding(ids, None) is ids
    assert without_common_padding(np.zeros((2, 3)), 0, keep=1).shape == (2, 1)


def test_an_epoch_of_batches_has_every_example_once():
    x = pad([[n] * (n % 4 + 1) for n in range(1, 11)], 0)
    t = x * 10
    batches = list(shuffled_batches(x, t, 4, 0, np.random.default_rng(0)))
    assert [len(batch_x) for batch_x, _ in batches] == [4, 4, 2]
    assert sorted(row[0] for batch_x, _ in batches for row in batch_x.tolist()) == list(range(1, 11))
    for batch_x, batch_t in batches:
        width = batch_x.shape[1]
        np.testing.assert_array_equal(batch_x * 10, batch_t[:, :width])


def test_batches_are_shuffled_anew_and_answers_keep_their_end():
    x = np.arange(1, 21).reshape(20, 1)
    t = np.hstack([x, x, np.zeros((20, 2), int)])
    rng = np.random.default_rng(0)
    epochs = [np.concatenate([batch for batch, _ in shuffled_batches(x, t, 6, 0, rng)]).tolist() for _ in range(2)]
    assert epochs[0] != epochs[1] != sorted(epochs[1])
    for _, batch_t in shuffled_batches(x, t, 6, 0, rng):
        assert batch_t.shape[1] == 3
        assert not batch_t[:, -1].any()


def ragged(count, seed=0):
    """Questions of 1 to 30 symbols, and answers up to 3 longer, all of them with the example's number."""
    rng = np.random.default_rng(seed)
    x = [[number, *[1] * rng.integers(0, 30)] for number in range(1, count + 1)]
    t = [[1, *question, *[1] * rng.integers(0, 4)] for question in x]
    return pad(x, 0), pad(t, 0)


def padding_in(batches):
    return sum(int((batch == 0).sum()) for pair in batches for batch in pair)


def test_bucketing_saves_padding():
    x, t = ragged(3000)
    plain, bucketed = (
        list(shuffled_batches(x, t, 32, 0, np.random.default_rng(0), bucketing)) for bucketing in (False, True)
    )
    assert padding_in(bucketed) < 0.15 * padding_in(plain)


@pytest.mark.parametrize("count, pad_id", [(1, 0), (100, 0), (1777, 0), (100, None)])
def test_bucketed_batches_have_every_example_once(count, pad_id):
    x, t = ragged(count)
    batches = list(shuffled_batches(x, t, 16, pad_id, np.random.default_rng(0), bucketing=True))
    assert sorted(row[0] for batch_x, _ in batches for row in batch_x.tolist()) == list(range(1, count + 1))
    assert all((batch_x[:, 0] == batch_t[:, 1]).all() for batch_x, batch_t in batches)
    sizes = sorted(len(batch_x) for batch_x, _ in batches)
    assert sizes[1:] == [16] * (len(batches) - 1)
    assert len(batches) == -(-count // 16)


def test_bucketed_batches_are_random_and_follow_the_seed():
    x, t = ragged(500)

    def epoch(rng):
        return [batch_x[:, 0].tolist() for batch_x, _ in shuffled_batches(x, t, 16, 0, rng, bucketing=True)]

    rng = np.random.default_rng(3)
    first, second = epoch(rng), epoch(rng)
    assert first == epoch(np.random.default_rng(3)) != second
    widths = [batch_x.shape[1] for batch_x, _ in shuffled_batches(x, t, 16, 0, rng, bucketing=True)]
    assert widths != sorted(widths)
    assert not {tuple(sorted(batch)) for batch in first} & {tuple(sorted(batch)) for batch in second}


@pytest.mark.parametrize("stored, other", [("NFC", "NFD"), ("NFD", "NFC")])
@pytest.mark.parametrize("kind", ["characters", "graphemes", "whitespace", "words"])
def test_a_canonical_equivalent_of_known_symbols_is_what_is_read(stored, other, kind):
    texts = [unicodedata.normalize(stored, text) for text in ("más", "각 해")]
    vocabulary = Vocabulary.build(texts, kind)
    for text in texts:
        given = unicodedata.normalize(other, text)
        assert given != text
        assert vocabulary.encode(given) == vocabulary.encode(text)
        assert vocabulary.spell(given) == vocabulary.spell(text)
        assert vocabulary.unknown_symbols(given) == []
    mixed = Vocabulary.build(["más", "ma\u0301s"], "characters")
    assert mixed.decode(mixed.encode("ma\u0301s")) == "ma\u0301s"
    with pytest.raises(UnknownSymbolError, match="ñ"):
        vocabulary.encode("ñ más")


def test_blank_texts():
    plain, with_features = (Vocabulary.build(["ab"], "characters", features=features) for features in ([], [["N"]]))
    for text in ("", " ", "\u3000", "\t", " \r"):
        assert plain.is_blank(text)
    assert with_features.is_blank(" \tN")
    assert not with_features.is_blank("a\tN")
    assert not plain.is_blank("\tN")


def test_messages_show_eighty_symbols_at_most():
    vocabulary = Vocabulary.build(["ab"], "whitespace")
    with pytest.raises(UnknownSymbolError) as caught:
        vocabulary.encode("가" * 100_000)
    assert len(str(caught.value)) < 400
    assert "'" + "가" * 80 + "' ... (100,000 characters)" in str(caught.value)

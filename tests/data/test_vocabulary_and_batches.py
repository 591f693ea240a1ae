import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from doldari import UnknownSymbolError
from doldari.data.batches import pad, shuffled_batches, without_common_padding
from doldari.data.vocabulary import PADDING, UNKNOWN, Vocabulary


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
    with pytest.raises(UnknownSymbolError, match=r"'가' \(U\+AC00\) was never seen"):
        vocabulary.encode("a가b")
    ids = vocabulary.encode("a가b", unknown=True)
    assert ids[1] == UNKNOWN
    assert vocabulary.decode(ids) == "a\ufffdb"


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

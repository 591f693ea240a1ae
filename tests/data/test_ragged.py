import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from doldari.data.batches import LONG, MOST_PADDED, pad, padded_batches, shuffled_batches
from doldari.data.ragged import Ragged

sequences = st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=9), min_size=1, max_size=40)


def test_sequences_side_by_side():
    ragged = Ragged.of([[3, 4], [], [5]], 256)
    assert (len(ragged), ragged.longest, ragged.lengths.tolist()) == (3, 2, [2, 0, 1])
    assert [row.tolist() for row in ragged] == [[3, 4], [], [5]]
    assert ragged[-1].dtype == np.int32
    assert [row.tolist() for row in ragged[1:]] == [[], [5]]
    assert ragged.padded(0).tolist() == [[3, 4], [0, 0], [5, 0]]
    assert ragged.padded(0, np.array([2, 1]), keep=1).tolist() == [[5, 0], [0, 0]]
    assert Ragged.of([], 3).padded(0).shape == (0, 0)


@pytest.mark.parametrize("size, bytes_an_id", [(256, 1), (257, 2), (65_536, 2), (65_537, 4)])
def test_ids_take_no_more_bytes_than_they_need(size, bytes_an_id):
    ragged = Ragged.of([[size - 1] * 3] * 1000, size)
    assert ragged.nbytes == 3000 * bytes_an_id + 1001 * 4
    assert ragged[7].tolist() == [size - 1] * 3


@given(sequences, st.integers(1, 7), st.booleans())
def test_batches_are_those_of_padded_arrays(questions, batch_size, bucketing):
    """In the same order, of the same width, to the last id: a training does not know the difference."""
    answers = [[1, *question[::-1]] for question in questions]
    padded = pad(questions, 0), pad(answers, 0, max(map(len, answers)) + 1)
    ragged = Ragged.of(questions, 10), Ragged.of(answers, 10)
    for batches in (
        lambda x, t: shuffled_batches(x, t, batch_size, 0, np.random.default_rng(5), bucketing),
        lambda x, t: padded_batches(x, t, np.arange(len(x))[::-1], 0),
    ):
        for ours, theirs in zip(batches(*ragged), batches(*padded), strict=True):
            for batch, other in zip(ours, theirs, strict=True):
                assert batch.dtype == np.int32
                np.testing.assert_array_equal(batch, other)


@pytest.mark.parametrize("bucketing", [False, True])
def test_one_long_text_pads_no_batch(bucketing):
    questions = [[number % 9 + 1] * (number % 5 + 1) for number in range(500)]
    questions[77] = [9] * (MOST_PADDED // 16)
    x, t = Ragged.of(questions, 10), Ragged.of([[1, 2]] * 500, 10)
    batches = list(shuffled_batches(x, t, 64, 0, np.random.default_rng(0), bucketing))
    assert sorted(len(batch_x) for batch_x, _ in batches)[0] == 1
    assert sum(len(batch_x) for batch_x, _ in batches) == 500
    assert sum(batch_x.size for batch_x, _ in batches) < MOST_PADDED // 16 + 500 * 5
    assert sorted(row[0] for batch_x, _ in batches for row in batch_x.tolist()) == sorted(q[0] for q in questions)
    alone = list(shuffled_batches(x, t, 1, 0, np.random.default_rng(0), bucketing))
    assert len(alone) == 500


def test_texts_of_about_one_length_stay_together():
    """However long they are: what is set apart is long beside the others of its batch."""
    x = Ragged.of([[1] * (MOST_PADDED // 8), *[[2] * (MOST_PADDED // 8 // LONG + 1)] * 15], 10)
    t = Ragged.of([[1, 2]] * 16, 10)
    assert [len(batch_x) for batch_x, _ in padded_batches(x, t, np.arange(16), 0)] == [16]


def test_sequences_of_different_lengths_need_padding():
    ragged = Ragged.of([[1], [1, 2]], 10)
    with pytest.raises(ValueError, match="need a pad_id"):
        list(padded_batches(ragged, ragged, np.arange(2), None))

import numpy as np
import pytest

from doldari import DataError
from doldari.data import sequence
from doldari.data.addition import addition_pairs
from doldari.data.formats import chapter_lines


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "addition.txt"
    path.write_text("\n".join(chapter_lines(lambda: addition_pairs(205))))
    return path


def test_shapes_and_contents(file):
    (x_train, t_train), (x_test, t_test) = sequence.load_data(file)
    assert [a.shape for a in (x_train, t_train, x_test, t_test)] == [(185, 7), (185, 5), (20, 7), (20, 5)]
    char_to_id, id_to_char = sequence.get_vocab()
    lines = file.read_text().splitlines()
    in_order = list(dict.fromkeys("".join(lines)))
    assert list(char_to_id) == in_order
    assert list(char_to_id.values()) == list(range(len(in_order)))
    rows = np.hstack([np.vstack([x_train, x_test]), np.vstack([t_train, t_test])])
    texts = ["".join(id_to_char[id] for id in row) for row in rows.tolist()]
    order = np.arange(205)
    np.random.RandomState(1984).shuffle(order)
    assert texts == [lines[index] for index in order]


def test_unshuffled_and_reloaded(file, tmp_path):
    sequence.load_data(file)
    other = tmp_path / "other.txt"
    other.write_text("ab_c\r\nba_ \r\nbb_c\r\n")
    (x, t), (x_test, t_test) = sequence.load_data(other, seed=None)
    assert x.tolist() == [[0, 1], [1, 0]]
    assert t.tolist() == [[2, 3], [2, 4]]
    assert (x_test.tolist(), t_test.tolist()) == ([[1, 1]], [[2, 3]])
    assert sequence.get_vocab()[1] == {0: "a", 1: "b", 2: "_", 3: "c", 4: " "}


@pytest.mark.parametrize(
    "content, message",
    [
        ("1+1_2 \n1+12_3 \n", ":2: 4 and 2 characters"),
        ("1+1_2\n1+1 2\n", ":2: no _"),
        ("1+1_2\n", "1 lines; at least 2"),
    ],
)
def test_bad_files(tmp_path, content, message):
    path = tmp_path / "bad.txt"
    path.write_text(content)
    with pytest.raises(DataError, match=message):
        sequence.load_data(path)


def test_the_books_file_is_made_where_there_is_none(tmp_path):
    path = tmp_path / "addition.txt"
    sequence.make_data(path)
    (x_train, t_train), (x_test, t_test) = sequence.load_data(path)
    assert [a.shape for a in (x_train, t_train, x_test, t_test)] == [(45_000, 7), (45_000, 5), (5_000, 7), (5_000, 5)]
    assert path.read_text() == "".join(f"{line}\n" for line in chapter_lines(addition_pairs))
    path.write_text("ab_c\nba_c\n")
    sequence.make_data(path)
    assert path.read_text() == "ab_c\nba_c\n"

"""The chapter's `sequence` module: its fixed-width file of `question_answer` lines as arrays of ids (7.2.4).

>>> make_data("addition.txt")  # if it is not there
>>> (x_train, t_train), (x_test, t_test) = load_data("addition.txt")
>>> char_to_id, id_to_char = get_vocab()

Padding is a character like any other here, the blank; give its id to `Seq2seq(pad_id=...)` to have it masked.
"""

from os import PathLike
from pathlib import Path

import numpy as np

from doldari.arrays import Ids
from doldari.data.addition import addition_pairs
from doldari.data.formats import chapter_lines
from doldari.data.lines import read_lines
from doldari.errors import DataError

_char_to_id: dict[str, int] = {}


def make_data(path: str | PathLike[str]) -> None:
    """Write 50,000 additions as in the book's file, as `doldari generate chapter` does, unless there is a file."""
    if not Path(path).exists():
        pairs = addition_pairs()
        Path(path).write_text("".join(f"{line}\n" for line in chapter_lines(lambda: pairs)), "utf-8")


def load_data(path: str | PathLike[str], seed: int | None = 1984) -> tuple[tuple[Ids, Ids], tuple[Ids, Ids]]:
    """Load, shuffle and split the file: (x_train, t_train), (x_test, t_test), a tenth of it being the test.

    x (N, question width) and t (N, answer width, with its `_`) are int32 ids, numbered in the order in which the
    characters first appear.  The shuffle is that of NumPy's legacy generator, as in the book; None leaves the order.
    """
    path = Path(path)
    questions: list[str] = []
    answers: list[str] = []
    for number, line in read_lines(path):
        question, underscore, answer = line.partition("_")
        if not underscore:
            raise DataError(f"{path}:{number}: no _ between question and answer")
        if questions and (len(question), len(answer)) != (len(questions[0]), len(answers[0]) - 1):
            raise DataError(
                f"{path}:{number}: {len(question)} and {len(answer)} characters before and after the _, on the lines "
                f"above {len(questions[0])} and {len(answers[0]) - 1}; pad every line with blanks to the same widths"
            )
        questions.append(question)
        answers.append("_" + answer)
    if len(questions) < 2:
        raise DataError(
            f"{path}: {len(questions)} lines; at least 2 are needed, one to train on and one to test with"
        )

    _char_to_id.clear()
    for question, answer in zip(questions, answers, strict=True):
        for char in question + answer:
            _char_to_id.setdefault(char, len(_char_to_id))
    x = np.array([[_char_to_id[char] for char in question] for question in questions], np.int32)
    t = np.array([[_char_to_id[char] for char in answer] for answer in answers], np.int32)

    order = np.arange(len(x))
    if seed is not None:
        np.random.RandomState(seed).shuffle(order)
    x, t = x[order], t[order]
    split_at = len(x) - max(1, len(x) // 10)
    return (x[:split_at], t[:split_at]), (x[split_at:], t[split_at:])


def get_vocab() -> tuple[dict[str, int], dict[int, str]]:
    """Return char_to_id and id_to_char of the file that was loaded last."""
    return dict(_char_to_id), {id: char for char, id in _char_to_id.items()}

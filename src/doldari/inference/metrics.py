"""How many answers are right."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from doldari.data.pairs import Pair
from doldari.data.symbols import cut, normalize
from doldari.data.vocabulary import Unknown
from doldari.inference.predictor import Predictor
from doldari.models import Seq2seq


@dataclass(frozen=True)
class Evaluation:
    """Pairs, the answers that a model gave, and which are right: the same symbols as the target."""

    pairs: Sequence[Pair]
    answers: Sequence[str]
    right: Sequence[bool]

    @property
    def accuracy(self) -> float:
        """The share of right answers, in [0, 1]."""
        return sum(self.right) / len(self.right)


def evaluate(model: Predictor, pairs: Sequence[Pair], *, unknown: Unknown = "error") -> Evaluation:
    """Ask every source of pairs and compare with its target; unknown is as in `Predictor.predict`.

    A source of only unknown symbols is not asked, and its answer empty, unless such symbols are refused.
    """
    answers = [""] * len(pairs)
    asked = [index for index, pair in enumerate(pairs) if unknown == "error" or model.knows(pair.source)]
    for index, answer in zip(asked, model.predict([pairs[i].source for i in asked], unknown=unknown), strict=True):
        answers[index] = answer
    kind = model.text_model.target.kind
    right = [
        compared(answer, kind) == compared(pair.target, kind) for answer, pair in zip(answers, pairs, strict=True)
    ]
    return Evaluation(pairs, answers, right)


def compared(text: str, kind: str) -> Sequence[str]:
    """Cut a text into the symbols that are compared: those of its kind, or characters where these are words or parts.

    Canonically equal texts are equal, however a model normalises them.
    """
    text = normalize(text, "NFC")
    if kind in ("words", "subwords"):
        return " ".join(text.split())
    return cut(text, kind)


def eval_seq2seq(
    model: Seq2seq,
    question: ArrayLike,
    correct: ArrayLike,
    id_to_char: Mapping[int, str],
    verbose: bool = False,
    is_reverse: bool = False,
) -> int:
    """Ask one question, ids (1, S), and compare with its answer, ids (1, T), as the chapter does: 1 if right, else 0.

    With verbose, question, target and answer are printed; is_reverse says that the question is written backwards.
    """
    question = np.asarray(question)
    start_id, *target = np.asarray(correct).ravel().tolist()
    answer = model.generate(question.reshape(1, -1), start_id, len(target))[0].tolist()
    right = answer == target
    if verbose:
        asked = question.ravel()[::-1] if is_reverse else question.ravel()
        print("Q", spell(asked.tolist(), id_to_char))
        print("T", spell(target, id_to_char))
        print("✓" if right else "✗", spell(answer, id_to_char))
        print("---")
    return int(right)


def spell(ids: Sequence[int], id_to_char: Mapping[int, str]) -> str:
    """Write ids as text."""
    return "".join(id_to_char[id] for id in ids)

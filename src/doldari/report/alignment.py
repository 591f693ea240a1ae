"""Targets and answers side by side, symbol by symbol, and what is taken for what."""

from collections import Counter
from collections.abc import Sequence
from itertools import zip_longest
from typing import NamedTuple

from rapidfuzz.distance import Levenshtein

from doldari.data.symbols import cut, normalize
from doldari.inference.metrics import Evaluation, compared


class Step(NamedTuple):
    """A symbol of the target and the symbol of the answer in its place; empty where there is none."""

    target: str
    answer: str

    @property
    def right(self) -> bool:
        """Whether they are the same."""
        return self.target == self.answer


def align(target: Sequence[str], answer: Sequence[str]) -> list[Step]:
    """Align a target's symbols and an answer's with as few edits as there can be (Levenshtein 1966)."""
    steps = []
    for run in Levenshtein.opcodes(target, answer):
        both = zip_longest(target[run.src_start : run.src_end], answer[run.dest_start : run.dest_end], fillvalue="")
        steps += [Step(*symbols) for symbols in both]
    return steps


def alignments(evaluation: Evaluation) -> list[list[Step]]:
    """Align every example's target and answer: in words where the symbols are words or their parts."""
    kind = evaluation.kind

    def units(text: str) -> Sequence[str]:
        if kind in ("words", "subwords"):
            return [word.strip(" ") for word in cut(normalize(text, "NFC"), "words")]
        return compared(text, kind)

    both = zip(evaluation.pairs, evaluation.answers, strict=True)
    return [align(units(pair.target), units(answer)) for pair, answer in both]


class Share(NamedTuple):
    """How many of how many are right."""

    right: int
    all: int


def right_by_position(aligned: Sequence[Sequence[Step]]) -> dict[int, Share]:
    """Count for every position in the targets, from 1, how many symbols there are answered right."""
    right, there = Counter[int](), Counter[int]()
    for steps in aligned:
        inside = (step for step in steps if step.target)
        for position, step in enumerate(inside, start=1):
            there[position] += 1
            right[position] += step.right
    return {position: Share(right[position], there[position]) for position in sorted(there)}


def right_by_length(lengths: Sequence[int], right: Sequence[bool]) -> dict[int, Share]:
    """Count for every length how many answers are right."""
    there = Counter(lengths)
    good = Counter(length for length, is_right in zip(lengths, right, strict=True) if is_right)
    return {length: Share(good[length], there[length]) for length in sorted(there)}


def in_groups(shares: dict[int, Share], most: int) -> dict[str, Share]:
    """Join neighbours, as 1-3, 4-6, until there are at most that many groups of one width."""
    width = max(1, -(-max(shares, default=1) // most))
    groups: dict[int, list[Share]] = {}
    for number, share in shares.items():
        groups.setdefault(max(number - 1, 0) // width, []).append(share)
    return {
        str(group + 1) if width == 1 else f"{group * width + 1}-{(group + 1) * width}": Share(
            sum(share.right for share in members), sum(share.all for share in members)
        )
        for group, members in groups.items()
    }


def confusions(aligned: Sequence[Sequence[Step]]) -> list[tuple[Step, int]]:
    """Count the steps that are not right, the most frequent first."""
    counts = Counter(step for steps in aligned for step in steps if not step.right)
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))

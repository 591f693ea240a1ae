"""Ensembles of different kinds of members: what their model file and their arrays have beside one kind's.

The members of one kind share settings and vocabularies, and are a `TextModel` of their own.  A mixed ensemble is the
first kind's `TextModel` with the other kinds in `others`; so is its description, whose `others` are theirs, and its
arrays: the first kind's have their own names, those of the second are `kind-2.encoder.embed.W` and so on.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

from numpy.typing import NDArray

from doldari.errors import brief

# How different kinds agree (inference/voting.py).
Vote = Literal["log-probability", "majority"]
VOTE: Vote = "log-probability"
Arrays = Mapping[str, NDArray[Any]]


def arrays_together(kinds: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Put the named arrays of all kinds into one mapping."""
    first, *others = kinds
    together = dict(first)
    for number, arrays in enumerate(others, start=2):
        together |= {f"kind-{number}.{name}": array for name, array in arrays.items()}
    return together


def arrays_apart(arrays: Arrays, kinds: int) -> list[dict[str, NDArray[Any]]]:
    """Take apart what `arrays_together` put together; names that belong to no kind are left to the first."""
    apart: list[dict[str, NDArray[Any]]] = [{} for _ in range(kinds)]
    prefixes = {f"kind-{number}": number - 1 for number in range(2, kinds + 1)}
    for name, array in arrays.items():
        prefix, _, own = name.partition(".")
        kind = prefixes.get(prefix, 0)
        apart[kind][own if kind else name] = array
    return apart


def descriptions_of(description: Any) -> tuple[list[Any], Vote]:
    """Take the description of each kind, the first one's first, and the vote; ValueError where they are none."""
    if not isinstance(description, dict) or not description.keys() & {"others", "vote"}:
        return [description], VOTE
    first = {name: value for name, value in description.items() if name not in ("others", "vote")}
    others, vote = description.get("others"), description.get("vote")
    if not isinstance(others, list) or not 1 <= len(others) < 1_000:
        raise ValueError(f"others {brief(others)}: must be the descriptions of further members")
    for known in get_args(Vote):
        if vote == known:
            return [first, *others], known
    raise ValueError(f"vote {brief(vote)}: must be one of {', '.join(get_args(Vote))}")

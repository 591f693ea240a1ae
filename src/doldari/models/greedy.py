"""Greedy search: at every step the id with the highest score."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from doldari.arrays import Floats, Ids

State = TypeVar("State")


def greedy(
    step: Callable[[Ids, State], tuple[Floats, State]],
    select: Callable[[State, NDArray[np.intp]], State],
    state: State,
    N: int,
    start_id: int,
    pad_id: int | None,
    steps: int,
    never: Sequence[int] = (),
) -> Ids:
    """Let a model read its own choices -> ids (N, steps).

    step takes the last ids (R,) and the state to the scores (R, V) of what follows and the next state; select takes
    some rows of a state.  The lowest of ids with equal scores is taken, those of `never` never.  With pad_id, an
    answer ends at its first padding, and padding follows.
    """
    answers = np.full((N, steps), 0 if pad_id is None else pad_id, np.int32)
    ids, unended = np.full(N, start_id, np.int32), np.arange(N)
    for t in range(steps):
        if len(unended) == 0:
            break
        scores, state = step(ids, state)
        scores[:, list(never)] = -np.inf
        ids = scores.argmax(axis=1).astype(np.int32)
        answers[unended, t] = ids
        going = np.flatnonzero(ids != pad_id)
        if len(going) < len(ids):
            ids, unended, state = ids[going], unended[going], select(state, going)
    return answers

"""Greedy search: at every step the id with the highest score."""

from collections.abc import Callable
from typing import TypeVar

import numpy as np

from doldari.arrays import Floats, Ids

State = TypeVar("State")


def greedy(
    step: Callable[[Ids, State], tuple[Floats, State]],
    state: State,
    N: int,
    start_id: int,
    pad_id: int | None,
    steps: int,
) -> Ids:
    """Let a model read its own choices -> ids (N, steps).

    step takes the last ids (N,) and the state to the scores (N, V) of what follows and the next state.  The lowest of
    ids with equal scores is taken.  With pad_id, an answer ends at its first padding, and padding follows.
    """
    answers = np.empty((N, steps), np.int32)
    ids, ended = np.full(N, start_id, np.int32), np.zeros(N, np.bool_)
    for t in range(steps):
        scores, state = step(ids, state)
        ids = scores.argmax(axis=1).astype(np.int32)
        if pad_id is not None:
            ids[ended] = pad_id
            ended |= ids == pad_id
        answers[:, t] = ids
        if ended.all():
            answers[:, t:] = ids[:, None]
            break
    return answers

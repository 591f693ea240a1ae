"""The beam search of one question as a tree, to be drawn: plain, and recorded as it goes.

It keeps what `beam.beam_search` says it keeps: in every step the `width` most probable continuations of the
unfinished hypotheses, one fewer for each that has ended.  That one is fast and leaves out what can no longer win;
this one leaves out nothing, and is for one short text at a time.
"""

from typing import NamedTuple

import numpy as np

from doldari.arrays import Ids
from doldari.inference.search import Bounds, likeliest
from doldari.models.inference_model import InferenceModel

MOST_NODES = 2_000


class Node(NamedTuple):
    """A symbol that a hypothesis wrote after that of the node `parent`, -1 for the start.

    log_probability, in nats, is that of the path to it; rank, from 1, is that of the finished answer which ends here.
    """

    parent: int
    id: int
    probability: float
    log_probability: float
    rank: int | None


def beam_tree(model: InferenceModel, xs: Ids, start_id: int, pad_id: int, bounds: Bounds, width: int) -> list[Node]:
    """Search the answer to one question xs (1, S), and list every hypothesis that was kept, parents first."""
    longest = int(bounds.longest[0])
    if width > 1 and bounds.usual is not None:
        longest = int(bounds.usual[0])
    nodes: list[Node] = []
    ended: dict[int, float] = {}  # node of an end -> log-probability per symbol
    leaves, scores, slots = np.array([-1]), np.zeros(1), width
    ids, state, at = np.array([start_id], np.int32), model.encode(xs), np.zeros(1, np.int32)
    t = 0
    while len(leaves) > 0 and slots > 0 and len(nodes) < MOST_NODES:
        raw, state = model.step(ids, state)
        left = np.full(len(leaves), longest - t, np.int32)
        found = likeliest(raw, scores, at, left, pad_id, bounds, slots)
        order = np.argsort(-found.scores, axis=None, kind="stable")[:slots]
        rows, columns = np.unravel_index(order, found.scores.shape)
        real = found.scores[rows, columns] > -np.inf
        rows, columns = rows[real], columns[real]
        going = []
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
            id, score = int(found.ids[row, column]), float(found.scores[row, column])
            nodes.append(node(int(leaves[row]), id, score, float(scores[row])))
            if id == pad_id:
                ended[len(nodes) - 1] = score / (t + 1)
            else:
                going.append((len(nodes) - 1, row, id, score))
        slots -= len(rows) - len(going)
        leaves, rows = np.array([one[0] for one in going], np.intp), np.array([one[1] for one in going], np.intp)
        ids, scores = np.array([one[2] for one in going], np.int32), np.array([one[3] for one in going])
        state = model.select(state, rows) if going else state
        if bounds.automaton is not None and going:
            at = bounds.automaton.next(at[rows], ids)
        else:
            at = np.zeros(len(going), np.int32)
        t += 1
    return ranked(nodes, ended)


def node(parent: int, id: int, score: float, before: float) -> Node:
    """Make a node of its path's log-probability and that of its parent's."""
    return Node(parent, id, float(f"{np.exp(score - before):.6g}"), round(score, 6), None)


def ranked(nodes: list[Node], ended: dict[int, float]) -> list[Node]:
    """Number the ends by log-probability per symbol, the best first."""
    for rank, index in enumerate(sorted(ended, key=lambda index: -ended[index]), start=1):
        nodes[index] = nodes[index]._replace(rank=rank)
    return nodes

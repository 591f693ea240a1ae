"""A finite automaton over the ids of a vocabulary: which ids may follow, and the same from right to left."""

import numpy as np
from numpy.typing import NDArray

from doldari.arrays import Ids, Mask
from doldari.data.vocabulary import PADDING
from doldari.errors import ConfigError

NEVER = np.int64(1 << 40)  # symbols, more than any answer has
MOST_STATES = 50_000  # of a pattern followed from right to left


class Automaton:
    """States 0 (the start) to Q - 1; accepting (Q,) says where an answer may end.

    An edge leads from a state by an id, below V, to another state: edges (E,) are state * V + id, ascending, and
    targets (E,) where they lead.  State Q is where what has no edge leads to, and nothing leads out of.  longest: so
    many symbols an answer may have, however short they are otherwise.  others: the same constraint for the further
    kinds of members of a mixed ensemble, whose ids are others.
    """

    others: "tuple[Automaton, ...]" = ()

    def __init__(
        self,
        edges: NDArray[np.int64],
        targets: NDArray[np.int64],
        accepting: NDArray[np.bool_],
        V: int,
        longest: int = 0,
    ) -> None:
        self.V, self.Q, self.longest = V, len(accepting), longest
        self.edges, self.targets = (
            np.append(edges, (self.Q + 1) * V),
            np.append(targets, self.Q),
        )  # one after the last
        self.accepting = np.append(accepting, False)
        self.first = np.searchsorted(edges, np.arange(self.Q + 2) * V)  # of each state's edges
        sources = edges // V
        self.distance = np.where(self.accepting, 0, NEVER)  # symbols that are still to come, at least
        while True:
            nearer = self.distance.copy()
            np.minimum.at(nearer, sources, self.distance[targets] + 1)
            if np.array_equal(nearer, self.distance):
                break
            self.distance = nearer

    def of_kind(self, number: int) -> "Automaton":
        """Return the automaton for one kind of members, counted from 0."""
        return (self, *self.others)[number]

    def allowed(self, states: Ids, left: Ids, pad_id: int = PADDING) -> Mask:
        """Return which ids may follow in states (R,) if `left` (R,) more symbols, then pad_id, may come: (R, V)."""
        may = np.zeros((len(states), self.V), np.bool_)
        counts = self.first[states + 1] - self.first[states]
        row = np.repeat(np.arange(len(states)), counts)  # of every edge out of each state
        edge = np.arange(len(row)) + np.repeat(self.first[states + 1] - counts.cumsum(), counts)
        may[row, self.edges[edge] % self.V] = self.distance[self.targets[edge]] < left[row]
        may[:, pad_id] = self.accepting[states]
        return may

    def next(self, states: Ids, ids: Ids) -> Ids:
        """Go on from states (R,) by ids (R,)."""
        wanted = states.astype(np.int64) * self.V + ids
        edge = np.searchsorted(self.edges, wanted)
        return np.where(self.edges[edge] == wanted, self.targets[edge], self.Q).astype(np.int32)


def backwards(automaton: Automaton) -> Automaton:
    """Return the automaton of the same answers with their ids reversed.

    Its states are sets of states (the subset construction, Rabin and Scott 1959): those from which what has been
    written, reversed, leads to an end.  ConfigError where these are more than MOST_STATES.
    """
    into: dict[int, list[tuple[int, int]]] = {}  # a state -> ids that lead to it, and from where
    for edge, target in zip(automaton.edges[:-1].tolist(), automaton.targets[:-1].tolist(), strict=True):
        into.setdefault(target, []).append((edge % automaton.V, edge // automaton.V))
    start = frozenset(np.flatnonzero(automaton.accepting).tolist())
    places, edges, targets = {start: 0}, [], []
    for states in (waiting := [start]):  # which grows as sets are found
        before: dict[int, set[int]] = {}
        for state in states:
            for id, origin in into.get(state, ()):
                before.setdefault(id, set()).add(origin)
        for id in sorted(before):
            then = frozenset(before[id])
            if then not in places:
                places[then] = len(places)
                waiting.append(then)
            edges.append(places[states] * automaton.V + id)
            targets.append(places[then])
        if len(places) > MOST_STATES:
            raise ConfigError("the pattern cannot be followed by a model that writes right to left: too many states")
    accepting = np.array([0 in states for states in places])
    return Automaton(
        np.array(edges, np.int64), np.array(targets, np.int64), accepting, automaton.V, automaton.longest
    )

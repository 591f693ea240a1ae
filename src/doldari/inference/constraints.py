"""What an answer may be: a finite automaton over the ids of a vocabulary, from a regular expression or a list.

A search follows the automaton along each answer and writes only what can still be finished as allowed, within the
steps that are left; so a date is always well formed, and an answer always one of the list.
"""

import re
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from doldari.arrays import Ids, Mask
from doldari.data.vocabulary import PADDING, SPECIALS, Vocabulary
from doldari.errors import ConfigError, MissingPackageError

NEVER = np.iinfo(np.int32).max


class Automaton:
    """States 0 (the start) to Q - 1; transitions (Q, V) from a state by an id to a state, or -1; accepting (Q,)."""

    def __init__(self, transitions: NDArray[np.int32], accepting: NDArray[np.bool_]) -> None:
        Q = len(transitions)
        # Row Q, which -1 finds too, is where nothing leads out of.
        self.transitions = np.vstack([transitions, np.full((1, transitions.shape[1]), -1, np.int32)])
        self.accepting = np.append(accepting, False)
        self.distance = np.full(Q + 1, NEVER, np.int64)  # symbols that are still to come, at least
        self.distance[:Q][accepting] = 0
        while True:
            through = self.distance[self.transitions].min(axis=1)
            nearer = np.minimum(self.distance, np.where(through < NEVER, through + 1, NEVER))
            if np.array_equal(nearer, self.distance):
                break
            self.distance = nearer

    def allowed(self, states: Ids, left: Ids) -> Mask:
        """Tell which ids may follow in states (R,) if `left` (R,) more symbols may come: (R, V)."""
        may = self.distance[self.transitions[states]] < left[:, None]
        may[:, PADDING] = self.accepting[states]
        return may

    def next(self, states: Ids, ids: Ids) -> Ids:
        """Go on from states (R,) by ids (R,)."""
        return self.transitions[states, ids]


def one_of(outputs: Iterable[str], vocabulary: Vocabulary, longest: int) -> Automaton:
    """Allow the texts of a list; ConfigError if none of them can be spelled in at most `longest` symbols."""
    nodes: list[dict[int, int]] = [{}]
    ends: set[int] = set()
    for output in outputs:
        ids = [vocabulary.ids.get(symbol) for symbol in vocabulary.cut(output)]
        if None in ids or not ids:
            continue
        node = 0
        for id in ids:
            assert id is not None
            if id not in nodes[node]:
                nodes[node][id] = len(nodes)
                nodes.append({})
            node = nodes[node][id]
        ends.add(node)
    transitions = np.full((len(nodes), len(vocabulary)), -1, np.int32)
    for node, edges in enumerate(nodes):
        transitions[node, list(edges)] = list(edges.values())
    accepting = np.isin(np.arange(len(nodes)), list(ends))
    return possible(Automaton(transitions, accepting), "the list", longest)


def matching(pattern: str, vocabulary: Vocabulary, longest: int) -> Automaton:
    """Allow the texts that a regular expression, in Python's syntax, matches whole.

    ConfigError if it does not compile, if nothing of at most `longest` symbols matches, or if answers are not the
    vocabulary's symbols side by side, so that what matches them need not match the text.
    """
    composed = vocabulary.normalization in ("NFD", "NFKD") and vocabulary.written == "NFC"
    if vocabulary.kind in ("words", "subwords") or (composed and not all(map(str.isascii, vocabulary.symbols))):
        what = vocabulary.kind if vocabulary.kind in ("words", "subwords") else f"{vocabulary.normalization} letters"
        raise ConfigError(f"{pattern!r}: a model that writes {what} cannot follow a pattern; give a list of answers")
    try:
        import interegular
    except ImportError as error:
        raise MissingPackageError(
            "regular expressions need interegular: pip install 'doldari[constraints]'"
        ) from error
    try:
        re.compile(pattern)
    except re.error as error:
        raise ConfigError(f"{pattern!r}: not a regular expression: {error}") from error
    try:
        machine = interegular.parse_pattern(pattern).to_fsm()
    except Exception as error:  # its parser's errors have no base of their own
        raise ConfigError(
            f"{pattern!r}: not a regular expression that can be used: {error} (whole answers are matched, so that "
            "^ and $ are not needed)"
        ) from error

    edges: dict[Any, dict[Any, Any]] = machine.map

    def walk(state: Any, text: str) -> int:
        for letter in text:
            state = edges.get(state, {}).get(machine.alphabet[letter])
        return number.get(state, -1)

    # State 0 stands for the start before any symbol: no separator comes before the first one.
    number: dict[Any, int] = {state: index for index, state in enumerate(machine.states, start=1)}
    between = " " if vocabulary.kind == "whitespace" else ""
    transitions = np.full((len(number) + 1, len(vocabulary)), -1, np.int32)
    transitions[0, SPECIALS:] = [walk(machine.initial, symbol) for symbol in vocabulary.symbols]
    for state, row in number.items():
        transitions[row, SPECIALS:] = [walk(state, between + symbol) for symbol in vocabulary.symbols]
    accepting = np.array([machine.initial in machine.finals, *(state in machine.finals for state in number)])
    return possible(Automaton(transitions, accepting), f"{pattern!r}", longest)


def possible(automaton: Automaton, what: str, longest: int) -> Automaton:
    """Refuse an automaton that allows nothing."""
    if automaton.distance[0] > longest:
        raise ConfigError(f"{what}: allows nothing that the model could write in its {longest} symbols at most")
    return automaton

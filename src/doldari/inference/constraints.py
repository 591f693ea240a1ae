"""Constraints on outputs: a finite automaton over the ids of a vocabulary, from a regular expression or a list.

A search follows the automaton along each answer and writes only what can still be finished as allowed, within the
steps that are left; so a date is always well-formed, and an output always in the list.
"""

import re
import unicodedata
import warnings
from collections.abc import Iterable, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from doldari.data.symbols import IN_WORD, normalize
from doldari.data.vocabulary import SPECIALS, Vocabulary
from doldari.errors import ConfigError, MissingPackageError, and_more, brief, level_of_caller, quoted
from doldari.inference.arguments import checked_texts
from doldari.inference.automaton import Automaton, backwards

MOST_REPEATS = 1_000  # that a pattern may count: an automaton has a state for each
ESCAPED = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)  # of a pattern, with its sets of letters
# What the automaton's package takes for something else, or does not take.
UNUSABLE = re.compile(r"\(\?(?:[=!>#]|<[=!])|[*+?}]\+")


# A regular expression that answers match whole, or the list of them; or what `automaton_of` made of that.
Allowed = str | Sequence[str] | Automaton


def chosen_constraint(allowed: Allowed | None, one_of: Sequence[str] | None, matching: str | None) -> Allowed | None:
    """Return the constraint, which is given in one of three ways or not at all."""
    given = [way for way in (allowed, one_of, matching) if way is not None]
    if len(given) > 1:
        raise ConfigError("matching, one_of, allowed: give one of them")
    if matching is not None and not isinstance(matching, str):
        raise TypeError(f"matching={brief(matching)}: must be a regular expression, a text")
    return checked_texts("one_of", one_of) if one_of is not None else next(iter(given), None)


def automata_of(allowed: Allowed, kinds: Sequence[tuple[Vocabulary, int]]) -> Automaton:
    """Compile a constraint for each kind of members, its vocabulary and longest output: the first with the others."""
    if isinstance(allowed, Automaton):
        if len(allowed.others) != len(kinds) - 1:
            raise ConfigError("allowed: made for another model")
        given: Sequence[Allowed] = (allowed, *allowed.others)
    else:
        given = [allowed] * len(kinds)
    first, *others = (automaton_of(one, *kind) for one, kind in zip(given, kinds, strict=True))
    first.others = tuple(others)
    return first


def automaton_of(allowed: Allowed, vocabulary: Vocabulary, longest: int) -> Automaton:
    """Compile a constraint for outputs of at most `longest` symbols; ConfigError where it allows nothing."""
    if isinstance(allowed, str):
        return matching(allowed, vocabulary, longest)
    if not isinstance(allowed, Automaton):
        return one_of(checked_texts("allowed", allowed), vocabulary)
    if len(vocabulary) != allowed.V:
        raise ConfigError(f"allowed: made for a model of {allowed.V} target symbols; this one has {len(vocabulary)}")
    return allowed


def one_of(outputs: Iterable[str], vocabulary: Vocabulary) -> Automaton:
    """Allow the texts of a list, however long.

    One with a symbol that no target in training had can never be written: a warning says how many there are, and if
    there are no others ConfigError is raised.  The automaton is the tree of their beginnings, made a level at a time.
    """
    outputs = list(outputs)
    spelled = [[vocabulary.ids.get(symbol, 0) for symbol in vocabulary.cut(output)] for output in outputs]
    unspelled = [output for output, ids in zip(outputs, spelled, strict=True) if 0 in ids]
    if unspelled:
        others = and_more(len(unspelled) - 1, "output")
        symbol = next(symbol for symbol in vocabulary.cut(unspelled[0]) if symbol not in vocabulary.ids)
        why = f"the symbol {quoted(symbol)} was in no training target"
        what = f"{quoted(unspelled[0])}{others} cannot be predicted: {why}"
        if len(unspelled) == len(outputs):
            raise ConfigError(f"the list allows nothing: {what}")
        warnings.warn(f"of the {len(outputs):,} allowed outputs {what}", stacklevel=level_of_caller())
    spelled = [ids[::-1] if vocabulary.right_to_left else ids for ids in spelled if 0 not in ids]
    V, lengths = len(vocabulary), np.array([len(ids) for ids in spelled], np.int64)
    flat, first = np.array([id for ids in spelled for id in ids], np.int64), lengths.cumsum() - lengths
    node, nodes = np.zeros(len(spelled), np.int64), 1  # where each text has got to
    edges = [np.zeros(0, np.int64)]
    for t in range(int(lengths.max(initial=0))):
        going = np.flatnonzero(lengths > t)
        level, child = np.unique(node[going] * V + flat[first[going] + t], return_inverse=True)
        node[going] = nodes + child
        nodes += len(level)
        edges.append(level)
    accepting = np.zeros(nodes, np.bool_)
    accepting[node] = True
    if len(spelled) == 0:
        raise ConfigError("the list allows nothing: it is empty")
    return Automaton(np.concatenate(edges), np.arange(1, nodes), accepting, V, int(lengths.max()))


def matching(pattern: str, vocabulary: Vocabulary, longest: int) -> Automaton:
    """Allow the texts that a regular expression, in Python's syntax, matches whole.

    ConfigError if it does not compile, if nothing of at most `longest` symbols matches, or if symbols change when
    written side by side, as jamo do, so that what matches them need not match the text.
    """
    if not all(stays(symbol, vocabulary.written) for symbol in vocabulary.symbols):
        what = f"{vocabulary.normalization} letters"
        raise ConfigError(f"{pattern!r}: a model that predicts {what} cannot follow a pattern; give a list")
    machine = compiled(pattern)
    start = Place(machine.initial, machine.initial in machine.finals)
    places, edges, targets = {start: 0}, [], []
    for place in (waiting := [start]):  # which grows as places are found
        for id, symbol in enumerate(vocabulary.symbols, start=SPECIALS):
            then = write(symbol, place, vocabulary.kind, machine)
            if then.state is None and not then.accepts:
                continue
            if then not in places:
                places[then] = len(places)
                waiting.append(then)
            edges.append(places[place] * len(vocabulary) + id)
            targets.append(places[then])
    accepting = np.array([place.accepts for place in places])
    automaton = Automaton(np.array(edges, np.int64), np.array(targets, np.int64), accepting, len(vocabulary))
    if automaton.distance[0] > longest:
        raise ConfigError(f"{pattern!r} allows nothing that the model could predict in at most {longest} symbols")
    return backwards(automaton) if vocabulary.right_to_left else automaton


def stays(symbol: str, written: str) -> bool:
    """Return whether a symbol is written as it stands after any other: it begins with no mark or jamo that joins."""
    first = symbol[:1] or " "
    joins = unicodedata.category(first).startswith("M") or "\u1160" <= first <= "\u11ff"
    return written == "none" or (normalize(symbol, written) == symbol and not joins)


def compiled(pattern: str) -> Any:
    """Compile a regular expression to a finite state machine of `interegular`."""
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
    bare = ESCAPED.sub("_", pattern)
    unusable = UNUSABLE.search(bare)
    if unusable:
        raise ConfigError(
            f"{pattern!r}: {unusable[0]!r} cannot be used: no lookaheads, lookbehinds, comments, atomic groups or "
            "possessive repeats"
        )
    counts = re.findall(r"\d+", " ".join(re.findall(r"\{[\d,]+\}", bare)))
    if any(int(count) > MOST_REPEATS for count in counts):
        raise ConfigError(f"{pattern!r}: repeats something more than {MOST_REPEATS:,} times")
    try:
        return interegular.parse_pattern(pattern).to_fsm()
    except Exception as error:  # its parser's errors have no base of their own
        raise ConfigError(
            f"{pattern!r}: not a regular expression that can be used: {error} (whole answers are matched, so that "
            "^ and $ are not needed)"
        ) from error


class Place(NamedTuple):
    """Where in a pattern the text of some symbols ends: in the machine's state, or None if it leads nowhere.

    accepts says whether an answer may end here, without the blanks that it ends in; last is the last symbol's kind.
    """

    state: Any
    accepts: bool
    last: Literal["none", "word", "other"] = "none"


def write(symbol: str, place: Place, kind: str, machine: Any) -> Place:
    """Go on by one symbol, written after the others as `join` does."""
    text = symbol.replace("▁", " ") if kind == "subwords" else symbol
    last: Literal["word", "other"] = "word" if kind == "words" and IN_WORD.match(symbol[-1:]) else "other"
    if (kind == "whitespace" and place.last != "none") or (place.last == "word" and IN_WORD.match(symbol)):
        text = " " + text
    if kind not in ("words", "subwords"):
        state = walk(machine, place.state, text)
        return Place(state, state in machine.finals, last)
    text = text if place.last != "none" else text.lstrip(" ")
    seen = text.rstrip(" ")
    state = walk(machine, place.state, seen)
    accepts = state in machine.finals if seen else place.accepts
    return Place(walk(machine, state, text[len(seen) :]), accepts, last if text else place.last)


def walk(machine: Any, state: Any, text: str) -> Any:
    """Follow a text from a state of a machine; None if there is no way."""
    for letter in text:
        state = machine.map.get(state, {}).get(machine.alphabet[letter])
    return state

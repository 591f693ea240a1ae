"""The loop over the steps of a greedy search, as `inference.search` and `models.greedy` have it."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from doldari.data.vocabulary import PADDING
from doldari.export.onnx.graph import BOOL, FLOAT, INT64, Graph, tensor
from doldari.export.onnx.member import Member, Step


class Search(NamedTuple):
    """What does not change from step to step: the number of target symbols, those that stand in no answer, the
    temperature; of each row how many symbols its answer may have, (N,), and whether it is blank, (N,); each member's
    memory.
    """

    V: int
    never: tuple[int, ...]
    temperature: float
    limits: str
    blank: str
    memories: Sequence[list[str]]


class Decoded(NamedTuple):
    """What the loop gives: ids (T, N), attention (T, N, S) if any, scores (N,), log-probabilities (N, V), states."""

    ids: str
    attention: str | None
    scores: str
    logs: str
    states: list[list[str]]


def decode(
    g: Graph, members: Sequence[Member], search: Search, states: list[list[str]], read: str, steps: str
) -> Decoded:
    """Take at most so many steps, until every answer has ended; read (N,) are the ids to begin with."""
    flat = [array for state in states for array in state]
    body = g.within()
    t, going = body.new_name("t"), body.new_name("going")
    names = ["read", "score", "ended", "logs", *(f"state_{n}" for n in range(len(flat)))]
    kinds = [INT64, FLOAT, BOOL, FLOAT] + [FLOAT] * len(flat)
    before = [body.new_name(name) for name in names]
    after, kept = one_step(body, members, search, t, before)
    unended = body.op("Cast", body.op("Not", after[2]), to=INT64)
    more = body.op("Cast", body.op("ReduceMax", unended, keepdims=0), to=BOOL)
    inputs = [tensor(t, INT64, []), tensor(going, BOOL, []), *map(tensor, before, kinds)]
    outputs = [tensor(more, BOOL, []), *map(tensor, after, kinds), *map(tensor, kept, [INT64, FLOAT])]
    N = g.size(read, 0)
    first = [read, g.zeros(FLOAT, N), search.blank, g.zeros(FLOAT, N, g.ints(search.V)), *flat]
    found = g.ops(
        "Loop",
        len(first) + len(kept),
        *(steps, g.constant(np.array(True)), *first),
        body=body.proto("step", inputs, outputs),
    )
    _, score, _, logs, *last = found[: len(first)]
    ids, *attention = found[len(first) :]
    return Decoded(ids, attention[0] if attention else None, score, logs, in_members(members, last))


def in_members(members: Sequence[Member], flat: Sequence[str]) -> list[list[str]]:
    """Give each member the arrays of its state."""
    arrays = iter(flat)
    return [[next(arrays) for _ in range(member.states + member.lattices)] for member in members]


def one_step(
    g: Graph, members: Sequence[Member], search: Search, t: str, before: list[str]
) -> tuple[list[str], list[str]]:
    """Write the body of the loop: what is carried on, and what is kept of every step."""
    read, score, ended, _, *flat = before
    taken = [
        member.step(g, read, state, memory)
        for member, state, memory in zip(members, in_members(members, flat), search.memories, strict=True)
    ]
    logs = log_probabilities(g, taken, search.temperature)
    ids = chosen(g, search, logs, g.op("GreaterOrEqual", t, search.limits), ended)
    log = g.op("Squeeze", g.op("GatherElements", logs, g.op("Unsqueeze", ids, g.ints(1)), axis=1), g.ints(1))
    score = g.op("Add", score, g.op("Where", ended, g.real(0.0), log))
    ended = g.op("Or", ended, g.op("Equal", ids, g.integer(PADDING)))
    looked = [step.looked for step in taken if step.looked is not None]
    kept = [g.op("Identity", ids)] + ([g.op("Mean", *looked)] if looked else [])
    return [ids, score, ended, logs, *(array for step in taken for array in step.state)], kept


def log_probabilities(g: Graph, taken: Sequence[Step], temperature: float) -> str:
    """Make of the members' scores the log-probabilities of what follows, (N, V)."""
    scores = taken[0].scores
    if len(taken) > 1:
        scores = g.op("Mean", *(g.op("LogSoftmax", step.scores, axis=1) for step in taken))
    if temperature != 1.0:
        scores = g.op("Div", scores, g.real(temperature))
    return g.op("LogSoftmax", scores, axis=1)


def chosen(g: Graph, search: Search, logs: str, over: str, ended: str) -> str:
    """Choose the likeliest id that may stand in an answer; where one is over or has ended, the end."""
    never = np.zeros(search.V, np.float32)
    never[list(search.never)] = -np.inf
    ids = g.op("ArgMax", g.op("Add", logs, g.constant(never)), axis=1, keepdims=0)
    return g.op("Where", g.op("Or", over, ended), g.integer(PADDING), ids)

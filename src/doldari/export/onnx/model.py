"""A whole model as one ONNX file, which reads sources and answers them greedily, or takes a step at a time.

Inputs; all but the source may be left out:

    source        (N, S) int64   ids of the sources; 0 is padding, anywhere
    steps         ()     int64   how many symbols to write at most; left out, as many as `doldari predict` would
    past_state    (N, K)         to go on from the state of an earlier call, rather than from the start; with
    past_memory   (N, S, M)      the memory that came with it, of models with attention, and
    read          (N,)   int64   the symbol that was chosen last for each row

Outputs:

    answer        (N, T) int64   ids of the answers; 0 is the end, and follows it
    score         (N,)           log-probabilities of the answers, in nats, their end included
    log_probabilities  (N, V)    of what may follow, at the last step
    attention     (N, T, S)      where it looked at each step, of models with attention
    state         (N, K)         after the last step
    memory        (N, S, M)      of models with attention

The metadata `doldari` are JSON, as in a model file: settings, vocabularies, lengths.
"""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from doldari.data.vocabulary import START
from doldari.errors import ConfigError
from doldari.export.onnx.graph import FLOAT, INT64, Graph, tensor
from doldari.export.onnx.loop import Decoded, Search, decode
from doldari.export.onnx.member import Member
from doldari.export.onnx.source import Sources, limits, symbols_first
from doldari.export.refusal import OF_ONNX, refuse_unknown
from doldari.export.weights import Quantized, Weights
from doldari.models.model_file import TextModel, describe

MOST_BYTES = 2_000_000_000  # of a protobuf message
DESCRIPTION = "doldari"  # the metadata's key
FOREVER = 1 << 40


def onnx_model(model: TextModel, weights: Weights, title: str) -> bytes:
    """Write the file of a model; ConfigError where it cannot be one."""
    refuse_unknown(model.config, "an ONNX file", OF_ONNX)
    size = sum(one.numbers.nbytes if isinstance(one, Quantized) else one.nbytes for one in weights.values())
    if size > MOST_BYTES:
        raise ConfigError(f"weights of {size / 1e9:.1f} GB: an ONNX file has at most 2 GB; use --int8")
    g = Graph()
    ensemble, H = model.config.ensemble, model.config.hidden_size
    prefixes = [""] if ensemble == 1 else [f"{number}." for number in range(ensemble)]
    members = [Member(g, model.config, weights, prefix) for prefix in prefixes]
    sources = symbols_first(g, "source", model.config.reads_backwards)
    inputs = {"source": tensor("source", INT64, ("N", "S"))} | past_inputs(g, members, H)
    state, memory, read = began(g, members, sources)
    search = Search(
        len(model.target),
        model.temperature,
        limits(g, sources.lengths, model),
        g.op("Equal", sources.lengths, g.integer(0)),
        parts(g, memory, [member.memories for member in members], axis=2),
        sources.padding,
    )
    steps = g.op("Min", "steps", g.op("Add", g.op("ReduceMax", search.limits, keepdims=0), g.integer(1)))
    states = parts(g, state, [member.states for member in members], axis=1)
    found = decode(g, members, search, states, read, steps)
    outputs = named_outputs(g, found, sources, memory)
    about = json.dumps(describe(model) | {"title": title}, ensure_ascii=False)
    return g.model("doldari", list(inputs.values()), outputs, {DESCRIPTION: about})


def past_inputs(g: Graph, members: Sequence[Member], H: int) -> dict[str, Any]:
    """Declare the inputs that may be left out, each with the constant that then stands for it."""
    K, M = H * sum(member.states for member in members), H * sum(member.memories for member in members)
    defaults: dict[str, tuple[NDArray[Any], int, tuple[int | str, ...]]] = {
        "steps": (np.array(FOREVER, np.int64), INT64, ()),
        "past_state": (np.zeros((0, K), np.float32), FLOAT, ("P", K)),
        "past_memory": (np.zeros((0, 0, M), np.float32), FLOAT, ("P", "Q", M)),
        "read": (np.zeros(0, np.int64), INT64, ("P",)),
    }
    if M == 0:
        del defaults["past_memory"]
    for name, (default, _, _) in defaults.items():
        g.constant(default, name)
    return {name: tensor(name, kind, shape) for name, (_, kind, shape) in defaults.items()}


def began(g: Graph, members: Sequence[Member], sources: Sources) -> tuple[str, str, str]:
    """Take state, memory ("" if there is none) and the ids to read from an earlier call; or read the sources."""
    remembers = any(member.memories for member in members)
    past = ["past_state", "read"] + ["past_memory"] * remembers
    kinds = [FLOAT, INT64, FLOAT]

    going_on = g.within()
    earlier = [going_on.op("Identity", name) for name in past]
    reading = g.within()
    encoded = [member.encode(reading, sources.read) for member in members]
    fresh = [
        reading.op("Concat", *(array for state, _ in encoded for array in state), axis=1),
        reading.op("Expand", reading.integer(START), reading.size(sources.read.ids, 0)),
    ]
    if remembers:
        fresh.append(reading.op("Concat", *(array for _, memory in encoded for array in memory), axis=2))
    outputs = g.ops(
        "If",
        len(past),
        g.op("Greater", g.op("Squeeze", g.size("past_state", 0)), g.integer(0)),
        then_branch=going_on.proto("going_on", [], [*map(tensor, earlier, kinds)]),
        else_branch=reading.proto("reading", [], [*map(tensor, fresh, kinds)]),
    )
    return outputs[0], outputs[2] if remembers else "", outputs[1]


def parts(g: Graph, whole: str, counts: Sequence[int], axis: int) -> list[list[str]]:
    """Split what stands side by side along an axis: for each member as many arrays as it has, all of one size."""
    if sum(counts) == 0:
        return [[] for _ in counts]
    arrays = iter(g.ops("Split", sum(counts), whole, axis=axis))
    return [[next(arrays) for _ in range(count)] for count in counts]


def named_outputs(g: Graph, found: Decoded, sources: Sources, memory: str) -> list[Any]:
    """Name and declare the outputs."""
    state = g.op("Concat", *(array for state in found.states for array in state), axis=1)
    outputs = {
        "answer": (g.op("Transpose", found.ids, perm=[1, 0]), INT64, ("N", "T")),
        "score": (found.scores, FLOAT, ("N",)),
        "log_probabilities": (found.logs, FLOAT, ("N", "V")),
        "state": (state, FLOAT, ("N", None)),
    }
    if found.attention is not None:
        by_row = g.op("Transpose", found.attention, perm=[1, 0, 2])
        places = g.op("Unsqueeze", sources.places, g.ints(1))
        places = g.op("Expand", places, g.op("Shape", by_row))
        looked = g.op("GatherElements", by_row, places, axis=2)
        outputs["attention"] = (looked, FLOAT, ("N", "T", "S"))
        outputs["memory"] = (memory, FLOAT, ("N", "S", None))
    return [tensor(g.name(value, name), kind, shape) for name, (value, kind, shape) in outputs.items()]

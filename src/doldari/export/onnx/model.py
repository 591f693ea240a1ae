"""A whole model as one ONNX file, which reads sources and answers them greedily, or takes a step at a time.

Inputs; all but the source may be left out:

    source        (N, S) int64   ids of the sources; 0 is padding, anywhere
    steps         ()     int64   how many symbols to write at most; left out, as many as `doldari predict` would
    past_state    (N, K)         to go on from the state of an earlier call, rather than from the start; with
    past_memory   (N, S, M)      the memory that came with it, of models with attention and transducers, and
    read          (N,)   int64   the symbol that was chosen last for each row

Outputs:

    answer        (N, T) int64   ids of the answers; 0 is the end, and follows it
    score         (N,)           log-probabilities of the answers, in nats, their end included
    log_probabilities  (N, V)    of what may follow, at the last step
    attention     (N, T, S)      where it looked at each step, of models with attention and transducers
    state         (N, K)         after the last step
    memory        (N, S, M)      of models with attention; of transducers (N, S + 1, M), and their K grows with S

A model that writes from right to left has the last symbol of an answer first.
The metadata `doldari` are JSON, as in a model file: settings, vocabularies, lengths.
"""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from doldari.data.vocabulary import START
from doldari.errors import ConfigError
from doldari.export.onnx.graph import FLOAT, INT64, Dimensions, Graph, tensor
from doldari.export.onnx.loop import Decoded, Search, decode
from doldari.export.onnx.member import Member
from doldari.export.onnx.source import Sources, limits, symbols_first
from doldari.export.onnx.transducer import TransducerMember, lattice
from doldari.export.refusal import refuse_unknown
from doldari.export.weights import Quantized, Weights
from doldari.inference.questions import never_written
from doldari.models import Seq2seq, TransducerDecoder
from doldari.models.ensemble import Ensemble
from doldari.models.model_file import TextModel, describe

MOST_BYTES = 2_000_000_000  # of a protobuf message
DESCRIPTION = "doldari"  # the metadata's key
FOREVER = 1 << 40


def onnx_model(model: TextModel, weights: Weights, title: str) -> bytes:
    """Write the file of a model; ConfigError where it cannot be one."""
    refuse_unknown(model.config, "an ONNX file")
    size = sum(one.numbers.nbytes if isinstance(one, Quantized) else one.nbytes for one in weights.values())
    if size > MOST_BYTES:
        raise ConfigError(f"weights of {size / 1e9:.1f} GB: an ONNX file has at most 2 GB; use --int8")
    g = Graph()
    features = model.source.features if model.config.copies else ()
    first_feature = len(model.source) - len(features) if features else None
    sources = symbols_first(g, "source", model.config.reads_backwards, first_feature)
    members = members_of(g, model, weights, sources)
    inputs = {"source": tensor("source", INT64, ("N", "S"))} | past_inputs(g, members, model.config.hidden_size)
    state, memory, read = began(g, members, sources)
    search = Search(
        len(model.target),
        never_written(model, "unknown"),
        model.temperature,
        limits(g, sources.lengths, model),
        g.op("Equal", sources.symbols, g.integer(0)),
        parts(g, memory, [member.memories for member in members], axis=2),
    )
    steps = g.op("Min", "steps", g.op("Add", g.op("ReduceMax", search.limits, keepdims=0), g.integer(1)))
    found = decode(g, members, search, unpacked(g, members, search.V, state), read, steps)
    outputs = named_outputs(g, members, found, sources, memory)
    about = json.dumps(describe(model) | {"title": title}, ensure_ascii=False)
    return g.model("doldari", list(inputs.values()), outputs, {DESCRIPTION: about})


def members_of(g: Graph, model: TextModel, weights: Weights, sources: Sources) -> list[Member]:
    """Make the parts of an ensemble, or of any other model the only one."""
    config = model.config
    prefixes = [""] if config.ensemble == 1 else [f"{number}." for number in range(config.ensemble)]
    if config.decoder != "transducer":
        return [Member(g, config, weights, prefix, sources) for prefix in prefixes]
    first = model.model.members[0] if isinstance(model.model, Ensemble) else model.model
    assert isinstance(first, Seq2seq) and isinstance(first.decoder, TransducerDecoder)
    assert first.decoder.copies is not None
    places = lattice(g, sources, first.decoder.copies, len(model.target))
    return [TransducerMember(g, config, weights, prefix, sources, places) for prefix in prefixes]


def past_inputs(g: Graph, members: Sequence[Member], H: int) -> dict[str, Any]:
    """Declare the inputs that may be left out, each with the constant that then stands for it."""
    K, M = H * sum(member.states for member in members), H * sum(member.memories for member in members)
    grows = any(member.lattices for member in members)
    defaults: dict[str, tuple[NDArray[Any], int, Dimensions]] = {
        "steps": (np.array(FOREVER, np.int64), INT64, ()),
        "past_state": (np.zeros((0, K), np.float32), FLOAT, ("P", None if grows else K)),
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
    encoded = [member.encode(reading) for member in members]
    fresh = [
        packed(reading, members, [state for state, _ in encoded]),
        reading.op("Expand", reading.integer(START), reading.size(sources.ids, 0)),
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


def packed(g: Graph, members: Sequence[Member], states: Sequence[list[str]]) -> str:
    """Put the arrays of all states side by side, (N, K): those (N, H) first, then those of lattices, made flat."""
    usual = [array for member, state in zip(members, states, strict=True) for array in state[: member.states]]
    others = [array for member, state in zip(members, states, strict=True) for array in state[member.states :]]
    return g.op("Concat", *usual, *(g.op("Flatten", array, axis=1) for array in others), axis=1)


def unpacked(g: Graph, members: Sequence[Member], V: int, state: str) -> list[list[str]]:
    """Take a state (N, K) apart again."""
    usual, lattices = sum(member.states for member in members), sum(member.lattices for member in members)
    if lattices == 0:
        return parts(g, state, [member.states for member in members], axis=1)
    H, after, columns = members[0].config.hidden_size, g.ints(np.iinfo(np.int64).max), g.ints(1)
    first = g.op("Slice", state, g.ints(0), g.ints(usual * H), columns)
    rest = g.op("Slice", state, g.ints(usual * H), after, columns)
    rest = g.op("Reshape", rest, g.ints(0, lattices, -1, V))
    layers = parts(g, first, [member.states for member in members], axis=1)
    arrivals = parts(g, rest, [member.lattices for member in members], axis=1)
    return [
        own + [g.op("Squeeze", one, g.ints(1)) for one in more] for own, more in zip(layers, arrivals, strict=True)
    ]


def parts(g: Graph, whole: str, counts: Sequence[int], axis: int) -> list[list[str]]:
    """Split what stands side by side along an axis: for each member as many arrays as it has, all of one size."""
    if sum(counts) == 0:
        return [[] for _ in counts]
    arrays = iter(g.ops("Split", sum(counts), whole, axis=axis))
    return [[next(arrays) for _ in range(count)] for count in counts]


def named_outputs(g: Graph, members: Sequence[Member], found: Decoded, sources: Sources, memory: str) -> list[Any]:
    """Name and declare the outputs."""
    state = packed(g, members, found.states)
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
        outputs["memory"] = (memory, FLOAT, ("N", None, None))
    return [tensor(g.name(value, name), kind, shape) for name, (value, kind, shape) in outputs.items()]

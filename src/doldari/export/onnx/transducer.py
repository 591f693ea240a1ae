"""A transducer as ONNX operators: it walks along the source, as `models.transducer_decoder` has it.

Beside the layers' states it carries the arrivals (N, S + 1, V) of the step before: with what probability each symbol
was written next, and it then stood at each place of the source.  The last place is the end; padding is behind it.
"""

from typing import NamedTuple

import numpy as np

from doldari.arrays import Ids
from doldari.config import ModelConfig
from doldari.data.vocabulary import PADDING, START
from doldari.export.onnx.graph import DOUBLE, FLOAT, Graph, tensor
from doldari.export.onnx.layers import affine
from doldari.export.onnx.member import Member, Step
from doldari.export.onnx.source import Sources
from doldari.export.weights import Weights
from doldari.kernels.reference.transducer import LEAST, LEAST_REST


class Lattice(NamedTuple):
    """What a step needs to know of the places (N, S + 1) of the sources, the same for all members.

    first (S + 1,), at_end and symbols (N, S + 1) are 1 at the first place, the end, and those before it, or else 0.
    impossible (N, S + 1, V + 2) is 0 or -inf, of inserting each symbol, copying, deleting; copied (N, S + 1, V) is 1
    for the symbol that copying at the place before writes.
    """

    first: str
    at_end: str
    symbols: str
    impossible: str
    copied: str


def lattice(g: Graph, sources: Sources, copies: Ids, V: int) -> Lattice:
    """Lay out the places of sources; copies (source's V,) is the id that copying each id writes, -1 for none."""
    size, lengths = g.op("Add", g.size(sources.ids, 1), g.ints(1)), g.op("Unsqueeze", sources.symbols, g.ints(1))
    places = g.op("Range", g.integer(0), g.op("Squeeze", size), g.integer(1))
    at_end, is_symbol = g.op("Equal", places, lengths), g.op("Less", places, lengths)
    written = g.op("Gather", g.constant(copies.astype(np.int64)), sources.ids, axis=0)
    column = g.op("Expand", g.integer(-1), g.op("Concat", g.size(written, 0), g.ints(1), axis=0))
    own = g.op("Where", is_symbol, g.op("Concat", written, column, axis=1), g.integer(-1))
    before = g.op("Concat", column, g.op("Slice", own, g.ints(0), g.ints(-1), g.ints(1)), axis=1)
    ends = np.arange(V) == PADDING
    never = [
        g.op("And", g.op("Unsqueeze", g.op("Not", at_end), g.ints(2)), g.constant(ends)),
        g.op("Unsqueeze", g.op("Less", own, g.integer(0)), g.ints(2)),
        g.op("Unsqueeze", g.op("And", at_end, g.op("Equal", places, g.integer(0))), g.ints(2)),
    ]
    symbols = g.constant(np.arange(V))
    return Lattice(
        g.op("Cast", g.op("Equal", places, g.integer(0)), to=FLOAT),
        g.op("Cast", at_end, to=FLOAT),
        g.op("Cast", is_symbol, to=FLOAT),
        g.op("Where", g.op("Concat", *never, axis=2), g.real(-np.inf), g.real(0.0)),
        g.op("Cast", g.op("Equal", g.op("Unsqueeze", before, g.ints(2)), symbols), to=FLOAT),
    )


class TransducerMember(Member):
    """A transducer, or one of an ensemble; its memory has values and keys of all places."""

    lattices = 1

    def __init__(
        self, graph: Graph, config: ModelConfig, weights: Weights, prefix: str, sources: Sources, places: Lattice
    ) -> None:
        super().__init__(graph, config, weights, prefix, sources)
        self.places, self.memories, self.features = places, 2, None
        self.V = len(weights[f"{prefix}decoder.affine.b"])
        if sources.features is not None:
            of_each = graph.op("Gather", self.encoder.value("embed.W"), sources.features, axis=0)
            are_there = graph.op("Greater", graph.op("Unsqueeze", sources.features, graph.ints(2)), graph.integer(0))
            of_each = graph.op("Where", are_there, of_each, graph.real(0.0))
            self.features = graph.op("ReduceSum", of_each, graph.ints(1), keepdims=0)

    def encode(self, g: Graph) -> tuple[list[str], list[str]]:
        """Read the sources: the state before the first step, at the first place; values and keys of the places."""
        state, hs = self.read(g)
        at_end = g.op("Unsqueeze", self.places.at_end, g.ints(2))
        nothing = g.zeros(FLOAT, g.size(hs, 0), g.ints(1), g.size(hs, 2))
        ends = g.op("Mul", g.op("Concat", nothing, hs, axis=1), at_end)  # the end has the value of the last symbol
        values = g.op("Add", g.op("Concat", hs, nothing, axis=1), ends)
        keys = g.op("MatMul", values, self.decoder.rows("joint.W", 0, self.config.hidden_size))
        keys = g.op("Add", keys, g.op("Mul", at_end, self.decoder.value("joint.end")))
        start = g.constant((np.arange(self.V) == START).astype(np.float32))
        arrivals = g.op("Mul", g.op("Unsqueeze", self.places.first, g.ints(1)), start)
        shape = g.op("Concat", g.size(hs, 0), g.op("Shape", arrivals), axis=0)
        return [*state, g.op("Expand", arrivals, shape)], [values, keys]

    def step(self, g: Graph, ids: str, state: list[str], memory: list[str]) -> Step:
        """Read one more id each, ids (N,): go on from where each of them may have been written."""
        (values, keys), (*layers, arrivals) = memory, state
        stands = self.standing(g, ids, arrivals)
        average = g.op("Squeeze", g.op("MatMul", g.op("Unsqueeze", stands, g.ints(1)), values), g.ints(1))
        given = [] if self.features is None else [self.features]
        x = g.op("Concat", *given, g.op("Gather", self.decoder.value("embed.W"), ids, axis=0), average, axis=1)
        x, layers = self.recur(g, x, layers)
        query = g.op("Concat", x, *given, axis=1) if given else x
        query = g.op("MatMul", query, self.decoder.rows("joint.W", self.config.hidden_size))
        query = g.op("Unsqueeze", g.op("Add", query, self.decoder.value("joint.b")), g.ints(1))
        z = g.op("Tanh", g.op("Add", query, keys))
        scores = g.op("Concat", *(affine(g, self.decoder, name, z) for name in ("affine", "moves")), axis=2)
        logs, arrivals, looked = self.transduce(g, scores, stands)
        return Step(logs, [*layers, arrivals], looked)

    def standing(self, g: Graph, ids: str, arrivals: str) -> str:
        """Say with what probability it stands at each place once ids (N,) are written: (N, S + 1)."""
        shape = g.op("Concat", g.op("Shape", arrivals, start=0, end=2), g.ints(1), axis=0)
        wanted = g.op("Expand", g.op("Unsqueeze", ids, g.ints(1, 2)), shape)
        chosen = g.op("Squeeze", g.op("GatherElements", arrivals, wanted, axis=2), g.ints(2))
        total = g.op("ReduceSum", chosen, g.ints(1), keepdims=1)
        return g.op("Div", chosen, g.op("Max", total, g.real(float(np.finfo(np.float32).tiny))))

    def transduce(self, g: Graph, scores: str, places: str) -> tuple[str, str, str]:
        """Sum up the ways to each next symbol, as `layers.TimeTransducer`: log P (N, V), arrivals, where (N, S)."""
        actions = g.op("Softmax", g.op("Add", scores, self.places.impossible), axis=2)
        insert, copy, delete = g.ops("Split", 3, actions, g.ints(self.V, 1, 1), axis=2)
        copy, delete = (g.op("Squeeze", one, g.ints(2)) for one in (copy, delete))
        reached = self.reached(g, places, delete)
        arrivals = g.op("Mul", g.op("Unsqueeze", reached, g.ints(2)), insert)
        copying = g.op("Slice", g.op("Mul", reached, copy), g.ints(0), g.ints(-1), g.ints(1))
        nothing = g.zeros(FLOAT, g.size(copying, 0), g.ints(1))
        moved_on = g.op("Unsqueeze", g.op("Concat", nothing, copying, axis=1), g.ints(2))
        arrivals = g.op("Add", arrivals, g.op("Mul", moved_on, self.places.copied))
        P = g.op("ReduceSum", arrivals, g.ints(1), keepdims=0)
        written = g.op("Mul", g.op("Mul", reached, g.op("Sub", g.real(1.0), delete)), self.places.symbols)
        looked = g.op("Slice", written, g.ints(0), g.ints(-1), g.ints(1))
        return g.op("Log", g.op("Max", P, g.real(LEAST))), arrivals, looked

    def reached(self, g: Graph, places: str, delete: str) -> str:
        """Sum up, over all that may be deleted first, with what probability it is at each place: (N, S + 1).

        straight is that without going back from the end, and ways that of deleting all before a place.
        """
        places, delete, at_end = (g.op("Cast", one, to=DOUBLE) for one in (places, delete, self.places.at_end))
        body = g.within()
        come, way, place, leaves = names = [body.new_name(name) for name in ("come", "way", "place", "leaves")]
        here = body.op("Add", come, place)
        carried = [body.op("Mul", here, leaves), body.op("Mul", way, leaves)]
        vectors = [tensor(name, DOUBLE, ["N"]) for name in (*names, *carried, here, body.op("Identity", way))]
        N, one = g.size(places, 0), g.constant(np.array(1.0))
        _, _, straight, ways = g.ops(
            "Scan",
            4,
            *(g.zeros(DOUBLE, N), g.op("Expand", one, N), places, delete),
            body=body.proto("place", vectors[:4], vectors[4:]),
            num_scan_inputs=2,
            scan_input_axes=[1, 1],
            scan_output_axes=[1, 1],
        )

        def end(values: str) -> str:  # what they are there
            return g.op("ReduceSum", g.op("Mul", values, at_end), g.ints(1), keepdims=1)

        once = g.op("Sub", one, end(g.op("Mul", ways, delete)))
        again = g.op("Div", end(g.op("Mul", straight, delete)), g.op("Max", once, g.constant(np.array(LEAST_REST))))
        reached = g.op("Add", straight, g.op("Mul", again, ways))
        there = g.op("Add", self.places.symbols, self.places.at_end)
        return g.op("Mul", g.op("Cast", reached, to=FLOAT), there)

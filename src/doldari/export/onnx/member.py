"""One encoder-decoder as ONNX operators: what it reads of the source, and a step of its decoder."""

from typing import NamedTuple

from doldari.config import ModelConfig
from doldari.export.onnx.graph import INT32, Graph
from doldari.export.onnx.layers import Parameters, affine, attend, recurrent
from doldari.export.onnx.source import Sources
from doldari.export.weights import Weights


class Step(NamedTuple):
    """What a step gives: scores (N, V), the next state, and where it looked (N, S), if anywhere."""

    scores: str
    state: list[str]
    looked: str | None


class Member:
    """A model, or one of an ensemble.

    Its state is a list of arrays (N, H): of every layer h, and of an LSTM c; and what a peeky decoder peeks at.  A
    transducer has one of another shape besides.
    """

    lattices = 0  # arrays (N, S + 1, V) of the state

    def __init__(self, graph: Graph, config: ModelConfig, weights: Weights, prefix: str, sources: Sources) -> None:
        self.config, self.sources = config, sources
        self.encoder = Parameters(graph, weights, f"{prefix}encoder.")
        self.decoder = Parameters(graph, weights, f"{prefix}decoder.")
        self.carried = config.layers * (2 if config.cell == "lstm" else 1)  # arrays that change from step to step
        self.states = self.carried + (config.decoder == "peeky")
        self.memories = (
            0 if config.decoder != "attention" else 2 if "attention.W" in self.decoder else 1
        )  # arrays (N, S, H): values, and keys unless they are the values

    def encode(self, g: Graph) -> tuple[list[str], list[str]]:
        """Read the sources: the state before the first step, and the arrays of the memory."""
        state, values = self.read(g)
        if self.config.decoder == "peeky":
            state.append(state[self.carried - self.carried // self.config.layers])  # the top layer's h
        if self.memories < 2:
            return state, [values] * self.memories
        keys = g.op("MatMul", values, g.op("Transpose", self.decoder.value("attention.W"), perm=[1, 0]))
        return state, [values, keys]

    def read(self, g: Graph) -> tuple[list[str], str]:
        """Run the encoder: each layer's last h, and c of an LSTM, as a decoder starts from them; hs (N, S, H)."""
        cell, H, ids = self.config.cell, self.config.hidden_size, self.sources.ids
        lengths = g.op("Cast", self.sources.symbols, to=INT32)
        xs = g.op("Gather", self.encoder.value("embed.W"), g.op("Transpose", ids, perm=[1, 0]), axis=0)
        state = []
        for number in range(self.config.layers):
            name = cell if number == 0 else f"{cell}.{number + 1}"
            names = [f"{name}.ahead", f"{name}.back"] if self.config.bidirectional else [name]
            hs, last = recurrent(g, self.encoder, names, cell, H // len(names), xs, lengths)
            xs = g.op("Reshape", g.op("Transpose", hs, perm=[0, 2, 1, 3]), g.ints(0, 0, H))
            h = g.op("Reshape", g.op("Transpose", last[0], perm=[1, 0, 2]), g.ints(0, H))
            state += [h] if cell == "gru" else [h, g.op("Sub", h, h)]  # with nothing in the cell
        return state, g.op("Transpose", xs, perm=[1, 0, 2])

    def step(self, g: Graph, ids: str, state: list[str], memory: list[str]) -> Step:
        """Read one more id each, ids (N,), with the state and the memory that `encode` gave."""
        x, peeked = g.op("Gather", self.decoder.value("embed.W"), ids, axis=0), state[self.carried :]
        x, layers = self.recur(g, g.op("Concat", *peeked, x, axis=1) if peeked else x, state[: self.carried])
        looked = None
        if memory:
            values, keys = memory[0], memory[-1]
            context, looked = attend(g, x, keys, values, self.sources.padding)
            x = g.op("Tanh", affine(g, self.decoder, "combine", g.op("Concat", context, x, axis=1)))
        return Step(self.scores(g, x, peeked), layers + peeked, looked)

    def recur(self, g: Graph, x: str, state: list[str]) -> tuple[str, list[str]]:
        """Take one step of the recurrent layers: the top one's h (N, H), the next state of all."""
        cell, H = self.config.cell, self.config.hidden_size
        next_state: list[str] = []
        per_layer = self.carried // self.config.layers
        for number in range(self.config.layers):
            before = state[number * per_layer : (number + 1) * per_layer]
            name = cell if number == 0 else f"{cell}.{number + 1}"
            _, last = recurrent(g, self.decoder, [name], cell, H, g.op("Unsqueeze", x, g.ints(0)), first=before)
            next_state += [g.op("Squeeze", one, g.ints(0)) for one in last]
            x = next_state[number * per_layer]
        return x, next_state

    def scores(self, g: Graph, x: str, peeked: list[str]) -> str:
        """Score every symbol: features x (N, H) -> (N, V)."""
        if self.config.tie:
            W = g.op("Transpose", self.decoder.value("embed.W"), perm=[1, 0])
            return g.op("Add", g.op("MatMul", x, W), self.decoder.value("affine.b"))
        return affine(g, self.decoder, "affine", g.op("Concat", *peeked, x, axis=1) if peeked else x)

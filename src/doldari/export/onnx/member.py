"""One encoder-decoder as ONNX operators: what it reads of the source, and a step of its decoder."""

from typing import NamedTuple

from doldari.config import ModelConfig
from doldari.export.onnx.graph import Graph
from doldari.export.onnx.layers import Parameters, affine, attend, recurrent
from doldari.export.weights import Weights


class Source(NamedTuple):
    """Sources without the padding between their symbols: ids (N, S), padding at the end; and lengths (N,) int32."""

    ids: str
    lengths: str


class Memory(NamedTuple):
    """What attention looks at: values and keys (N, S, H), the same for the dot score; padding (N, S): -1e30 or 0."""

    values: str
    keys: str
    padding: str


class Step(NamedTuple):
    """What a step gives: scores (N, V), the next state, and the weights of attention (N, S)."""

    scores: str
    state: list[str]
    looked: str | None


class Member:
    """A model, or one of an ensemble.

    Its state is a list of arrays (N, H): of every layer h, and of an LSTM c; and what a peeky decoder peeks at.
    """

    def __init__(self, graph: Graph, config: ModelConfig, weights: Weights, prefix: str) -> None:
        self.config = config
        self.encoder = Parameters(graph, weights, f"{prefix}encoder.")
        self.decoder = Parameters(graph, weights, f"{prefix}decoder.")
        self.carried = config.layers * (2 if config.cell == "lstm" else 1)  # arrays that change from step to step
        self.states = self.carried + (config.decoder == "peeky")
        self.memories = (
            0 if config.decoder != "attention" else 2 if "attention.W" in self.decoder else 1
        )  # arrays (N, S, H): values, and keys unless they are the values

    def encode(self, g: Graph, source: Source) -> tuple[list[str], list[str]]:
        """Read sources: the state before the first step, and the arrays of the memory."""
        cell, H = self.config.cell, self.config.hidden_size
        xs = g.op("Gather", self.encoder.value("embed.W"), g.op("Transpose", source.ids, perm=[1, 0]), axis=0)
        state = []
        for number in range(self.config.layers):
            name = cell if number == 0 else f"{cell}.{number + 1}"
            names = [f"{name}.ahead", f"{name}.back"] if self.config.bidirectional else [name]
            hs, last = recurrent(g, self.encoder, names, cell, H // len(names), xs, source.lengths)
            xs = g.op("Reshape", g.op("Transpose", hs, perm=[0, 2, 1, 3]), g.ints(0, 0, H))
            h = g.op("Reshape", g.op("Transpose", last[0], perm=[1, 0, 2]), g.ints(0, H))
            state += [h] if cell == "gru" else [h, g.op("Sub", h, h)]  # with nothing in the cell
        if self.config.decoder == "peeky":
            state.append(h)
        if self.memories == 0:
            return state, []
        values = g.op("Transpose", xs, perm=[1, 0, 2])
        if self.memories == 1:
            return state, [values]
        keys = g.op("MatMul", values, g.op("Transpose", self.decoder.value("attention.W"), perm=[1, 0]))
        return state, [values, keys]

    def step(self, g: Graph, ids: str, state: list[str], memory: list[str], padding: str) -> Step:
        """Read one more id each, ids (N,), with the state and the memory that `encode` gave."""
        cell, H = self.config.cell, self.config.hidden_size
        x, peeked = g.op("Gather", self.decoder.value("embed.W"), ids, axis=0), state[self.carried :]
        next_state: list[str] = []
        per_layer = self.carried // self.config.layers
        for number in range(self.config.layers):
            before = state[number * per_layer : (number + 1) * per_layer]
            name = cell if number == 0 else f"{cell}.{number + 1}"
            inputs = g.op("Concat", *peeked, x, axis=1) if number == 0 and peeked else x
            xs = g.op("Unsqueeze", inputs, g.ints(0))
            _, last = recurrent(g, self.decoder, [name], cell, H, xs, first=before)
            next_state += [g.op("Squeeze", one, g.ints(0)) for one in last]
            x = next_state[number * per_layer]
        looked = None
        if memory:
            values, keys = memory[0], memory[-1]
            context, looked = attend(g, x, keys, values, padding)
            x = g.op("Tanh", affine(g, self.decoder, "combine", g.op("Concat", context, x, axis=1)))
        return Step(self.scores(g, x, peeked), next_state + peeked, looked)

    def scores(self, g: Graph, x: str, peeked: list[str]) -> str:
        """Score every symbol: features x (N, H) -> (N, V)."""
        if self.config.tie:
            W = g.op("Transpose", self.decoder.value("embed.W"), perm=[1, 0])
            return g.op("Add", g.op("MatMul", x, W), self.decoder.value("affine.b"))
        return affine(g, self.decoder, "affine", g.op("Concat", *peeked, x, axis=1) if peeked else x)

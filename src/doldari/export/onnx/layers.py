"""The layers of a model as ONNX operators; doldari.layers has the formulas, under the same names."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from doldari.export.onnx.graph import Graph
from doldari.export.weights import Float32, Quantized, Weights

# Of the gates f, g, i, o and r, z, n, in the order in which ONNX has them: i, o, f, c (our g) and z, r, h (our n).
Number = TypeVar("Number", np.int8, np.float32)
GATES = {"lstm": (2, 3, 0, 1), "gru": (1, 0, 2)}


class Parameters:
    """The weights of one part of a model, by the names that they have there, as values of the outermost graph."""

    def __init__(self, graph: Graph, weights: Weights, prefix: str) -> None:
        self.graph, self.weights, self.prefix = graph.root, weights, prefix

    def __contains__(self, name: str) -> bool:
        return f"{self.prefix}{name}" in self.weights

    def value(self, name: str) -> str:
        """Take a weight as it is; quantized, it is made float32 when the model runs."""
        one = self.weights[f"{self.prefix}{name}"]
        if not isinstance(one, Quantized):
            return self.graph.constant(one, f"{self.prefix}{name}")
        return self.dequantized(name, one.numbers, one.scales, axis=1)

    def rows(self, name: str, start: int, stop: int | None = None) -> str:
        """Take some rows of a matrix, once for the whole model."""
        key, one = ("rows", f"{self.prefix}{name}", start, stop), self.weights[f"{self.prefix}{name}"]
        if key not in self.graph.known:
            stop = len(one.numbers if isinstance(one, Quantized) else one) if stop is None else stop
            edges = self.graph.ints(start), self.graph.ints(stop), self.graph.ints(0)
            self.graph.known[key] = self.graph.op("Slice", self.value(name), *edges)
        return self.graph.known[key]

    def gates(self, name: str, cell: str) -> str:
        """Take Wx or Wh (K, G) as ONNX has them, (1, G, K), with the gates in its order."""
        one = self.weights[f"{self.prefix}{name}"]
        if not isinstance(one, Quantized):
            return self.graph.constant(reordered(one, cell).T[None], f"{self.prefix}{name}")
        numbers, scales = reordered(one.numbers, cell).T[None], reordered(one.scales, cell)
        return self.dequantized(name, numbers, scales, axis=1)

    def biases(self, name: str, cell: str) -> str:
        """Take b (G,) as ONNX has it, (1, 2G): it adds a second bias, which is 0 here."""
        b = self.weights[f"{self.prefix}{name}"]
        assert not isinstance(b, Quantized)
        both = np.concatenate([reordered(b, cell), np.zeros_like(b)])[None]
        return self.graph.constant(both, f"{self.prefix}{name}")

    def dequantized(self, name: str, numbers: NDArray[np.int8], scales: Float32, axis: int) -> str:
        """Multiply whole numbers by the scale of their place along an axis, once for the whole model."""
        key = ("dequantized", f"{self.prefix}{name}")
        if key not in self.graph.known:
            inputs = [
                self.graph.constant(array, f"{self.prefix}{name}{ending}")
                for array, ending in ((numbers, ""), (scales, ".scale"))
            ]
            self.graph.known[key] = self.graph.op("DequantizeLinear", *inputs, axis=axis)
        return self.graph.known[key]


def reordered(array: NDArray[Number], cell: str) -> NDArray[Number]:
    """Put the gates, which stand side by side along the last axis, into ONNX's order."""
    blocks = np.split(array, len(GATES[cell]), axis=-1)
    return np.concatenate([blocks[gate] for gate in GATES[cell]], axis=-1)


def recurrent(
    graph: Graph,
    parameters: Parameters,
    names: Sequence[str],
    cell: str,
    H: int,
    xs: str,
    lengths: str = "",
    first: Sequence[str] = (),
) -> tuple[str, list[str]]:
    """Run an LSTM or a GRU over xs (S, N, D): hs (S, directions, N, H), and the last state, each (directions, N, H).

    names has one prefix of Wx, Wh and b, or, for both directions, two; lengths (N,) int32 are those of the symbols
    before padding; first, of one direction, is h (N, H), and c of an LSTM.
    """

    def both(parts: list[str]) -> str:
        return parts[0] if len(parts) == 1 else parameters.graph.op("Concat", *parts, axis=0)

    W = both([parameters.gates(f"{name}.Wx", cell) for name in names])
    R = both([parameters.gates(f"{name}.Wh", cell) for name in names])
    B = both([parameters.biases(f"{name}.b", cell) for name in names])
    first = [graph.op("Unsqueeze", state, graph.ints(0)) for state in first]
    states = 2 if cell == "lstm" else 1
    hs, *last = graph.ops(
        cell.upper(),
        1 + states,
        *(xs, W, R, B, lengths, *first),
        hidden_size=H,
        direction="bidirectional" if len(names) == 2 else "forward",
        **({} if cell == "lstm" else {"linear_before_reset": 1}),
    )
    return hs, last


def affine(graph: Graph, parameters: Parameters, name: str, x: str) -> str:
    """Take x W + b, x (..., K), of a peeky decoder with what it peeks at before it."""
    return graph.op("Add", graph.op("MatMul", x, parameters.value(f"{name}.W")), parameters.value(f"{name}.b"))


def attend(graph: Graph, query: str, keys: str, values: str, padding: str) -> tuple[str, str]:
    """Look for a query (N, H) among keys (N, S, H): context (N, H), weights (N, S); padding (N, S) is -inf or 0.

    Where all is padding, the weights are 0.
    """
    column = graph.op("Unsqueeze", query, graph.ints(2))
    scores = graph.op("Squeeze", graph.op("MatMul", keys, column), graph.ints(2))
    weights = graph.op("Softmax", graph.op("Add", scores, padding), axis=1)
    row = graph.op("Unsqueeze", weights, graph.ints(1))
    return graph.op("Squeeze", graph.op("MatMul", row, values), graph.ints(1)), weights

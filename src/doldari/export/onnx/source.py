"""Sources as they come, with padding anywhere, made ready for the encoder; and how long their answers may be."""

from typing import NamedTuple

from doldari.export.onnx.graph import INT64, Graph
from doldari.export.onnx.member import Source
from doldari.models.model_file import ROOM, TextModel

INT32, NO_WEIGHT = 6, -1e30  # TensorProto.INT32; a score whose softmax is exactly 0 beside any other


class Sources(NamedTuple):
    """Sources with their symbols first; places (N, S), where each position of the original is now; and padding (N, S)
    as attention reads it.
    """

    read: Source
    places: str
    padding: str
    lengths: str  # (N,) int64


def symbols_first(g: Graph, source: str, reverse: bool) -> Sources:
    """Move padding in source (N, S) to the end, the symbols in their order, or reversed."""
    N, S = g.size(source, 0), g.size(source, 1)
    is_symbol = g.op("Cast", g.op("Not", g.op("Equal", source, g.integer(0))), to=INT64)
    places = g.op("Range", g.integer(0), g.op("Squeeze", S), g.integer(1))
    after = g.op("Neg", g.op("Add", places, g.integer(1)))  # of padding: negative, so that it comes last
    first = g.op("Add", places, g.integer(1)) if reverse else g.op("Sub", S, places)
    rank = g.op("Where", g.op("Equal", is_symbol, g.integer(1)), first, after)
    _, order = g.ops("TopK", 2, rank, S, axis=1)
    ids = g.op("GatherElements", source, order, axis=1)
    now = g.op("Expand", places, g.op("Concat", N, S, axis=0))
    back = g.op("ScatterElements", g.op("Sub", order, order), order, now, axis=1)
    lengths = g.op("ReduceSum", is_symbol, g.ints(1), keepdims=0)
    padding = g.op("Where", g.op("Equal", ids, g.integer(0)), g.real(NO_WEIGHT), g.real(0.0))
    return Sources(Source(ids, g.op("Cast", lengths, to=INT32)), back, padding, lengths)


def limits(g: Graph, lengths: str, model: TextModel) -> str:
    """Say how many symbols the answers to sources of lengths (N,) may have, as `TextModel.limit` does: (N,)."""
    longest_source, longest_target = max(1, model.longest_source), model.longest_target
    over = g.op("Sub", lengths, g.integer(model.longest_source))
    more = g.op("Add", g.op("Mul", over, g.integer(longest_target)), g.integer(longest_source - 1))
    if_longer = g.op("Add", g.integer(longest_target), g.op("Div", more, g.integer(longest_source)))
    usual = g.integer(longest_target)
    if model.longer is not None:
        usual = g.op("Min", usual, g.op("Add", lengths, g.integer(model.longer)))
    is_over = g.op("Greater", over, g.integer(0))
    return g.op("Mul", g.integer(ROOM), g.op("Where", is_over, if_longer, usual))

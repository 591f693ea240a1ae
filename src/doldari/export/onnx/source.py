"""Sources as they come, with padding anywhere, made ready for the encoder; and how long their answers may be."""

from typing import NamedTuple

from doldari.export.onnx.graph import INT64, Graph
from doldari.models.model_file import ROOM, TextModel

NO_WEIGHT = -1e30  # a score whose softmax is exactly 0 beside any other


class Sources(NamedTuple):
    """Sources with their symbols first: ids (N, S), and how many they are, symbols (N,) int64.

    places (N, S) says where each position of the original is now; padding (N, S) is what attention adds to its
    scores; lengths (N,) count features too.  Where these are read apart, features (N, S) are their ids, 0 for none.
    """

    ids: str
    symbols: str
    places: str
    padding: str
    lengths: str
    features: str | None


def symbols_first(g: Graph, source: str, reverse: bool, first_feature: int | None) -> Sources:
    """Move padding in source (N, S) to the end, the symbols in their order, or reversed.

    So are features, whose ids are from first_feature on, if they are read apart.
    """
    N, S, none = g.size(source, 0), g.size(source, 1), g.integer(0)
    lengths = g.op("ReduceSum", g.op("Cast", g.op("Greater", source, none), to=INT64), g.ints(1), keepdims=0)
    features = None
    if first_feature is not None:
        is_feature = g.op("GreaterOrEqual", source, g.integer(first_feature))
        features = g.op("Where", is_feature, source, none)
        source = g.op("Where", is_feature, none, source)
    is_symbol = g.op("Greater", source, none)
    places = g.op("Range", none, g.op("Squeeze", S), g.integer(1))
    after = g.op("Neg", g.op("Add", places, g.integer(1)))  # of padding: negative, so that it comes last
    first = g.op("Add", places, g.integer(1)) if reverse else g.op("Sub", S, places)
    _, order = g.ops("TopK", 2, g.op("Where", is_symbol, first, after), S, axis=1)
    ids = g.op("GatherElements", source, order, axis=1)
    now = g.op("Expand", places, g.op("Concat", N, S, axis=0))
    back = g.op("ScatterElements", g.op("Sub", order, order), order, now, axis=1)
    symbols = g.op("ReduceSum", g.op("Cast", is_symbol, to=INT64), g.ints(1), keepdims=0)
    padding = g.op("Where", g.op("Equal", ids, none), g.real(NO_WEIGHT), g.real(0.0))
    return Sources(ids, symbols, back, padding, lengths, features)


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

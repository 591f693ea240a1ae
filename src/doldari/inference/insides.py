"""What goes on inside the recurrent layers while they read: states and gates, position by position, for pictures.

The kernels keep gates for the way back in a layout of their own; here they are computed once more by the reference
kernel, from what the layer was given.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from doldari.arrays import Floats, Ids
from doldari.data.batches import pad
from doldari.data.vocabulary import PADDING
from doldari.kernels import reference
from doldari.kernels.reference.recurrent import cache_width, divide_cache
from doldari.layers import TimeBidirectional, TimeLSTM
from doldari.layers.gated import GatedCache
from doldari.layers.stack import StackCache, TimeStack
from doldari.models.seq2seq import Seq2seq

MOST_UNITS = 64  # whose values are told; of more, so many at even distances


def encoder_insides(model: Seq2seq, xs: Ids, order: Sequence[str]) -> dict[str, Any]:
    """Tell how the encoder reads one question xs (1, S), whose symbols are `order`, without padding."""
    encoded, cache = model.encoder.forward(xs, model.read(xs))
    return insides(model.encoder.stack, cache.stack, encoded.hs[0], np.zeros_like(encoded.hs[0, 0]), order)


def decoder_insides(model: Seq2seq, xs: Ids, read: Sequence[int], order: Sequence[str]) -> dict[str, Any]:
    """Tell how the decoder reads the ids `read`, start symbol first, whose symbols are `order`, after xs (1, S)."""
    state = model.encode(xs)
    _, _, cache = model.decoder.forward(pad([read], PADDING), state)
    stack = model.decoder.stack_cache(cache)
    _, hs = gates_and_states(model.decoder.stack.layers[-1], stack.layers[-1])
    return insides(model.decoder.stack, stack, hs, state.layers[-1].h[0], order)


def insides(stack: TimeStack, cache: StackCache, hs: Floats, first: Floats, order: Sequence[str]) -> dict[str, Any]:
    """Tell of a stack how its top's state moved from first (H,) through hs (T, H), and every layer's mean gates."""
    H = hs.shape[1]
    before = np.concatenate([first[None], hs[:-1]])
    shown = np.unique(np.linspace(0, H - 1, min(H, MOST_UNITS)).astype(int))
    return {
        "order": list(order),
        "change": rounded(np.linalg.norm(hs - before, axis=1)),
        "states": rounded(hs[:, shown]),
        "units": H,
        "gates": [
            gates
            for number, pair in enumerate(zip(stack.layers, cache.layers, strict=True), start=1)
            for gates in gates_of(str(number), *pair)
        ],
    }


def gates_of(name: str, layer: Any, cache: Any) -> Iterator[dict[str, Any]]:
    """Tell a layer's mean gates at each position; a bidirectional one's for each direction."""
    if isinstance(layer, TimeBidirectional):
        yield from gates_of(f"{name} →", layer.ahead, cache.ahead)
        for gates in gates_of(f"{name} ←", layer.back, cache.back):
            yield {key: value if key == "layer" else value[::-1] for key, value in gates.items()}
        return
    gates, _ = gates_and_states(layer, cache)
    yield {"layer": name} | {gate: rounded(values.mean(axis=1)) for gate, values in gates.items()}


def gates_and_states(layer: Any, cache: GatedCache[Any]) -> tuple[dict[str, Floats], Floats]:
    """Run a layer once more over one sequence: its gates and its states, each (T, H)."""
    (_, T), H = cache.rows.shape, len(layer.Wh.value)
    dtype = layer.Wh.value.dtype
    products, context = layer.input_products(cache.table, cache.constant)
    hs, steps = np.empty((1, T, H), dtype), np.empty((1, T, layer.KEPT * cache_width(H)), dtype)
    given = (products, cache.rows, context, layer.Wh.value, cache.mask)
    if isinstance(layer, TimeLSTM):
        h, c = (None, None) if cache.first is None else cache.first
        reference.lstm_forward(*given, h, c, hs, np.empty((1, H), dtype), steps)
        f, _, i, o, *_ = divide_cache(steps, layer.KEPT, H)
        return {"f": f[:, 0], "i": i[:, 0], "o": o[:, 0]}, hs[0]
    reference.gru_forward(*given, None if cache.first is None else cache.first.h, hs, steps)
    r, z, *_ = divide_cache(steps, layer.KEPT, H)
    return {"r": r[:, 0], "z": z[:, 0]}, hs[0]


def rounded(values: Floats) -> list[Any]:
    """List numbers to three places."""
    listed: list[Any] = np.round(values.astype(np.float64), 3).tolist()
    return listed

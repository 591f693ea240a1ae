"""The transformer of `doldari.models` on PyTorch: the same weights by the same names, PyTorch's own attention."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from doldari.arrays import Floats
from doldari.engines.torch.layers import attend, dropped, place_vectors, point
from doldari.engines.torch.parameters import Named
from doldari.engines.torch.seq2seq import Memory, TorchSeq2seq, copied_ids, drawn_rows
from doldari.layers import TimeDropout
from doldari.models import PointerTransformer, Transformer
from doldari.models.inference_model import Rows


class KeysValues(NamedTuple):
    """What every head looks at: keys and values (Q, heads, S, E)."""

    keys: Tensor
    values: Tensor

    def taken(self, rows: Tensor | None) -> "KeysValues":
        """Take some rows; None takes all."""
        return self if rows is None else KeysValues(self.keys[rows], self.values[rows])

    def joined(self, other: "KeysValues", dim: int) -> "KeysValues":
        """Put others behind these: dim 0 more rows, dim 2 more positions."""
        return KeysValues(torch.cat([self.keys, other.keys], dim), torch.cat([self.values, other.values], dim))


class TransformerState(NamedTuple):
    """What the decoder carries from step to step, as `doldari.models.transformer_decoder.TransformerState`.

    Every layer's keys and values of what was read, and of the source, in which mask (Q, S) is False at padding.
    """

    layers: tuple[KeysValues, ...]
    source: tuple[KeysValues, ...]
    mask: Tensor | None
    rows: Tensor | None
    copied: Memory | None = None  # what a pointer looks at

    def select(self, rows: Rows) -> "TransformerState":
        """Take some rows, any of them as often as wanted; the source itself stays where it is."""
        index = torch.as_tensor(rows, dtype=torch.long, device=self.layers[0].keys.device)
        layers = tuple(layer.taken(index) for layer in self.layers)
        return self._replace(layers=layers, rows=self.every_row()[index])

    def join(self, other: "TransformerState") -> "TransformerState":
        """Put the rows of another state, of the same sources and as many ids, below its own."""
        layers = tuple(mine.joined(others, 0) for mine, others in zip(self.layers, other.layers, strict=True))
        return self._replace(layers=layers, rows=torch.cat([self.every_row(), other.every_row()]))

    def every_row(self) -> Tensor:
        """Say which source each row looks at."""
        keys = self.layers[0].keys
        return torch.arange(len(keys), device=keys.device) if self.rows is None else self.rows


class TorchTransformer(TorchSeq2seq):
    """A `Transformer`, computed by PyTorch with the weights in `named`; sequences are padded on the right."""

    def __init__(
        self, model: Transformer, named: dict[str, Tensor], device: torch.device, bf16: bool = False
    ) -> None:
        self.device, self.bf16, self.attends = device, bf16, True
        self.smoothing, self.rate = model.loss.smoothing, model.encoder.embed.dropout.rate
        self.encoder, self.decoder = Named(named, "encoder."), Named(named, "decoder.")
        self.dtype = model.parameters.values.dtype
        self.heads, self.count = model.encoder.layers[0].attention.heads, len(model.encoder.layers)
        self.copies = copied_ids(model, device) if isinstance(model, PointerTransformer) else None

    def encode(  # type: ignore[override]
        self, x: Tensor, lengths: Tensor | None, scales: Iterator[Tensor] | None = None
    ) -> TransformerState:
        """Read questions x (N, S) of those lengths (N,) -> the decoder's state before its first step."""
        mask = None if lengths is None else torch.arange(x.shape[1], device=x.device) < lengths[:, None]
        xs = self.embedded(self.encoder, x, scales)
        for layer in self.layers(self.encoder):
            normed = normalized(xs, layer.part("attention_norm"))
            own = self.keys_values(normed, layer.part("attention"), 0)
            xs = xs + dropped(self.attend(normed, layer.part("attention"), own, visible(mask), 0), scales)
            xs = self.fed_forward(xs, layer, scales)
        xs = normalized(xs, self.encoder.part("norm"))
        xs = xs if mask is None else xs * mask[:, :, None]
        source = tuple(self.keys_values(xs, layer.part("cross")) for layer in self.layers(self.decoder))
        nothing = source[0].keys[:, :, :0]
        copied = self.remember(xs, x, lengths)
        return TransformerState((KeysValues(nothing, nothing),) * self.count, source, mask, None, copied)

    def remember(self, hs: Tensor, x: Tensor, lengths: Tensor | None) -> Memory | None:
        """Make what a pointer looks at of the encoder's vectors hs (N, S, D) of questions x, if there is one."""
        if self.copies is None:
            return None
        ids = self.copies[x]
        mask = ids >= 0
        if lengths is not None:
            mask = mask & (torch.arange(x.shape[1], device=x.device) < lengths[:, None])
        places = (mask.cumsum(dim=1) - 1).clamp(min=0)
        keys = torch.cat(
            [hs @ self.decoder["attention.W"].t(), place_vectors(places, self.decoder["attention.U"])], dim=2
        )
        return Memory(hs, keys, mask, ids=ids.clamp(min=0))

    def decode(  # type: ignore[override]
        self, ids: Tensor, state: TransformerState, scales: Iterator[Tensor] | None = None
    ) -> tuple[Tensor, TransformerState]:
        """Read the ids before each position, (N, T) -> scores (N, T, V), state after the last."""
        xs, state, _ = self.read(ids, state, scales)
        xs = normalized(xs, self.decoder.part("norm"))
        W = self.decoder["affine.W"] if "affine.W" in self.decoder else self.decoder["embed.W"].t()
        scores = xs @ W + self.decoder["affine.b"]
        if state.copied is not None:
            contexts, weights = self.look(xs, state)
            gates = torch.cat([contexts, xs], dim=2) @ self.decoder["gate.W"] + self.decoder["gate.b"]
            scores = point(scores, gates, weights, state.copied._replace(rows=state.rows).copied())
        return scores, state

    def look(self, xs: Tensor, state: TransformerState) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        """Look from xs (N, T, D) for what to copy: contexts (N, T, D), weights (N, T, S).

        state is the one after the last of xs.
        """
        assert state.copied is not None
        U, T, read = self.decoder["attention.U"], xs.shape[1], state.layers[0].keys.shape[2]
        places = torch.arange(read - T, read, device=xs.device)
        asked = (place_vectors(places, U) @ U).expand(len(xs), -1, -1)
        memory = state.copied._replace(rows=state.rows)
        return attend(torch.cat([xs, asked], dim=2), *memory.looked_at())

    def attention(self, ids: Tensor, state: TransformerState) -> Tensor:  # type: ignore[override]
        """Tell where the last layer looks, averaged over its heads, or what a pointer would copy: (N, T, S)."""
        xs, state, queries = self.read(ids, state)
        if state.copied is not None:
            return self.look(normalized(xs, self.decoder.part("norm")), state)[1]
        keys, mask = state.source[-1].keys, state.mask
        if state.rows is not None:
            keys, mask = keys[state.rows], None if mask is None else mask[state.rows]
        scores = queries @ keys.transpose(2, 3) * keys.shape[3] ** -0.5
        if mask is not None:
            scores = scores.masked_fill(~mask[:, None, None], torch.finfo(scores.dtype).min)
        weights: Tensor = scores.softmax(dim=3).mean(dim=1)
        return weights if mask is None else weights * mask[:, None]

    def read(
        self, ids: Tensor, state: TransformerState, scales: Iterator[Tensor] | None = None
    ) -> tuple[Tensor, TransformerState, Tensor]:
        """Run the decoder's layers over ids (N, T) -> xs (N, T, D), state after, the last one's queries across."""
        xs, before, layers = self.embedded(self.decoder, ids, scales), state.layers[0].keys.shape[2], []
        T = ids.shape[1]
        # A query sees its own position and those before it; a single one is the last, and sees all.
        past = None if T == 1 else torch.ones(T, before + T, dtype=torch.bool, device=ids.device).tril(before)
        mask = visible(state.mask if state.mask is None or state.rows is None else state.mask[state.rows])
        for layer, own, source in zip(self.layers(self.decoder), state.layers, state.source, strict=True):
            normed = normalized(xs, layer.part("attention_norm"))
            own = own.joined(self.keys_values(normed, layer.part("attention"), before), 2)
            layers.append(own)
            xs = xs + dropped(self.attend(normed, layer.part("attention"), own, past, before), scales)
            normed = normalized(xs, layer.part("cross_norm"))
            xs = xs + dropped(self.attend(normed, layer.part("cross"), source.taken(state.rows), mask), scales)
            xs = self.fed_forward(xs, layer, scales)
        return xs, state._replace(layers=tuple(layers)), self.by_head(normed @ layer["cross.Wq"])

    def embedded(self, side: Named, ids: Tensor, scales: Iterator[Tensor] | None) -> Tensor:
        """Look up ids (N, T), scaled, with dropout: (N, T, D)."""
        W = side["embed.W"]
        return dropped(functional.embedding(ids, W) * W.shape[1] ** 0.5, scales)

    def layers(self, side: Named) -> list[Named]:
        """List the weights of a side's layers."""
        return [side.part(str(number)) for number in range(1, self.count + 1)]

    def keys_values(self, xs: Tensor, weights: Named, first: int | None = None) -> KeysValues:
        """Make of xs (N, S, D) what is looked at; keys are turned by their positions, if the first is given."""
        keys, values = (self.by_head(part) for part in (xs @ weights["Wkv"]).chunk(2, dim=2))
        return KeysValues(keys if first is None else turned(keys, first), values)

    def attend(
        self, xs: Tensor, weights: Named, memory: KeysValues, mask: Tensor | None, first: int | None = None
    ) -> Tensor:
        """Look from xs (N, T, D) at the memory, where mask (N, 1, 1, S) or (T, S) is True: (N, T, D).

        Queries are turned as keys in `keys_values`.
        """
        queries = self.by_head(xs @ weights["Wq"])
        queries = queries if first is None else turned(queries, first)
        contexts: Tensor = functional.scaled_dot_product_attention(queries, *memory, attn_mask=mask)
        return contexts.transpose(1, 2).flatten(2) @ weights["Wo"]

    def fed_forward(self, xs: Tensor, layer: Named, scales: Iterator[Tensor] | None) -> Tensor:
        """Add to xs (N, T, D) what the feed-forward network makes of them."""
        weights, inputs = layer.part("feed_forward"), normalized(xs, layer.part("feed_forward_norm"))
        hidden = functional.relu(inputs @ weights["W1"] + weights["b1"])
        return xs + dropped(hidden @ weights["W2"] + weights["b2"], scales)

    def by_head(self, xs: Tensor) -> Tensor:
        """View vectors (N, T, D) as those of their heads, (N, heads, T, E)."""
        return xs.reshape(*xs.shape[:2], self.heads, -1).transpose(1, 2)

    def draw_scales(self, N: int, rows: range, lengths: tuple[int, int], rng: np.random.Generator) -> list[Floats]:
        """Draw dropout for rows of a batch of N as the NumPy model does, in its order: a scale (n, 1, D) each."""
        if self.rate == 0.0:
            return []
        D = self.encoder["embed.W"].shape[1]
        draws = [drawn_rows(N, D, rows, rng) for _ in range(2 + 5 * self.count)]
        return [TimeDropout(self.rate).scales(draw, self.dtype) for draw in draws]


def normalized(xs: Tensor, weights: Named) -> Tensor:
    """Normalise vectors xs (N, T, D)."""
    return functional.layer_norm(xs, xs.shape[2:], weights["g"], weights["b"])


def turned(xs: Tensor, first: int) -> Tensor:
    """Turn the heads' vectors xs (N, heads, T, E) by their positions, of which the first is given."""
    T, E = xs.shape[2:]
    positions = torch.arange(first, first + T, device=xs.device, dtype=torch.float64)
    rates = 10_000.0 ** (-torch.arange(0, E, 2, device=xs.device, dtype=torch.float64) / E)
    angles = positions[:, None] * rates
    cos, sin = angles.cos().to(xs.dtype), angles.sin().to(xs.dtype)
    ahead, back = xs.chunk(2, dim=3)
    return torch.cat([ahead * cos - back * sin, ahead * sin + back * cos], dim=3)


def visible(mask: Tensor | None) -> Tensor | None:
    """Say where attention may look, (N, 1, 1, S): at symbols (N, S), or, where none is one, at zeros."""
    return None if mask is None else (mask | ~mask.any(dim=1, keepdim=True))[:, None, None]

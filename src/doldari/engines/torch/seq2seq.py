"""The models of `doldari.models` on PyTorch: an encoder, a decoder of each type, and the loss."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from doldari.arrays import Floats
from doldari.engines.torch.batch import Batch, to_device
from doldari.engines.torch.layers import (
    CELLS,
    State,
    TimeReader,
    attend,
    dropped,
    place_vectors,
    placed,
    point,
    summed_loss,
)
from doldari.engines.torch.parameters import Named
from doldari.layers import TimeDropout
from doldari.models import Seq2seq
from doldari.models.inference_model import Rows
from doldari.models.pointer_decoder import PointerDecoder
from doldari.models.transducer_decoder import TransducerDecoder
from doldari.models.transformer_pointer import PointerTransformerDecoder


class Memory(NamedTuple):
    """What attention looks at: values and keys (Q, S, H), mask (Q, S) or None; row p looks at memory rows[p].

    rows None: each at its own.  ids (Q, S) are what a pointer copies from there, None without one.
    """

    values: Tensor
    keys: Tensor
    mask: Tensor | None
    rows: Tensor | None = None
    ids: Tensor | None = None

    def looked_at(self) -> tuple[Tensor, Tensor, Tensor | None]:
        """Give keys, values and mask for every row."""
        if self.rows is None:
            return self.keys, self.values, self.mask
        return self.keys[self.rows], self.values[self.rows], None if self.mask is None else self.mask[self.rows]

    def copied(self) -> Tensor:
        """Give the ids that a pointer copies from, for every row."""
        assert self.ids is not None
        return self.ids if self.rows is None else self.ids[self.rows]


class DecoderState(NamedTuple):
    """What a decoder carries from step to step, as `doldari.models.decoder.DecoderState`."""

    layers: tuple[State, ...]
    peeked: Tensor | None
    memory: Any  # a `Memory`, or what a transducer walks along
    place: Tensor  # how many symbols each row (N,) has read
    arrivals: Tensor | None = None  # of a transducer

    def select(self, rows: Rows) -> "DecoderState":
        """Take some rows, any of them as often as wanted; the memory itself stays where it is."""
        index = torch.as_tensor(rows, dtype=torch.long, device=self.layers[0].h.device)
        memory = self.memory
        if memory is not None:
            memory = memory._replace(rows=index if memory.rows is None else memory.rows[index])
        peeked = None if self.peeked is None else self.peeked[index]
        layers = tuple(layer.select(index) for layer in self.layers)
        arrivals = None if self.arrivals is None else self.arrivals[index]
        return DecoderState(layers, peeked, memory, self.place[index], arrivals)

    def join(self, other: "DecoderState") -> "DecoderState":
        """Put the rows of another state, with the same memory, below its own."""
        layers = tuple(mine.join(others) for mine, others in zip(self.layers, other.layers, strict=True))
        peeked, memory = self.peeked, self.memory
        if peeked is not None and other.peeked is not None:
            peeked = torch.cat([peeked, other.peeked])
        if memory is not None and other.memory is not None:
            memory = memory._replace(rows=torch.cat([rows_of(memory), rows_of(other.memory)]))
        arrivals = self.arrivals
        if arrivals is not None and other.arrivals is not None:
            arrivals = torch.cat([arrivals, other.arrivals])
        return DecoderState(layers, peeked, memory, torch.cat([self.place, other.place]), arrivals)


def rows_of(memory: Any) -> Tensor:
    """Return which memory each row looks at."""
    return torch.arange(len(memory.values), device=memory.values.device) if memory.rows is None else memory.rows


class TorchSeq2seq:
    """A `Seq2seq`, plain, peeky or with attention, computed by PyTorch with the weights in `named`.

    Sequences are padded on the right, as in layers.py.
    """

    def __init__(self, model: Seq2seq, named: dict[str, Tensor], device: torch.device, bf16: bool = False) -> None:
        self.device, self.bf16 = device, bf16
        self.smoothing, self.rate = model.loss.smoothing, model.encoder.stack.dropout.rate
        self.encoder, self.decoder = Named(named, "encoder."), Named(named, "decoder.")
        self.peeks, self.attends = model.decoder.peeks, "combine.W" in self.decoder
        self.first_feature = model.vocab_size - model.features if model.features else None
        self.places, self.each_step = model.places, model.each_step
        self.copies = copied_ids(model, device) if isinstance(model.decoder, PointerDecoder) else None
        self.dtype = model.parameters.values.dtype
        cell, layers = model.encoder.cell, len(model.encoder.stack.layers)
        parts = [cell, *(f"{cell}.{number}" for number in range(2, layers + 1))]
        self.readers = [TimeReader(cell, self.encoder.part(part)) for part in parts]
        self.writers = [CELLS[cell](self.decoder.part(part)) for part in parts]

    def mean_loss(self, batch: Batch) -> Tensor:
        """Mean loss, in nats, over the positions that count; of a part of a batch its share in the whole's mean."""
        scales = iter(batch.scales)
        with self.in_precision():
            state = self.encode(batch.x, batch.lengths, scales)
            scores, _ = self.decode(batch.read, state, scales)
        return batch.share * summed_loss(scores.to(batch.share.dtype), batch.targets, self.smoothing)

    def in_precision(self) -> AbstractContextManager[None]:
        """Compute products in bfloat16, if so configured."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16)

    def encode(self, x: Tensor, lengths: Tensor | None, scales: Iterator[Tensor] | None = None) -> "DecoderState":
        """Read questions x (N, S) of those lengths (N,) -> the decoder's state before its first step."""
        hs, lasts = self.embed(x, self.encoder["embed.W"]), []
        for reader in self.readers:
            hs, last = reader.forward(dropped(hs, scales), lengths)
            lasts.append(last)
        hs = dropped(hs, scales) if self.each_step else hs
        layers = tuple(writer.state(last) for writer, last in zip(self.writers, lasts, strict=True))
        peeked = lasts[-1] if self.peeks else self.sum_features(x)
        place = torch.zeros(len(x), dtype=torch.long, device=x.device)
        return DecoderState(layers, peeked, self.remember(hs, x, lengths), place)

    def embed(self, ids: Tensor, W: Tensor, before: Tensor | None = None) -> Tensor:
        """Look up ids (N, T), of which `before` (N,) came before, with their places if the model wants them."""
        vectors = functional.embedding(ids, W)
        if not self.places:
            return vectors
        places = torch.arange(ids.shape[1], device=ids.device)
        places = places if before is None else places + before[:, None]
        return vectors + placed(places, W)

    def sum_features(self, x: Tensor) -> Tensor | None:
        """Sum up the vectors of the features of questions x (N, S): (N, D), if the model has any."""
        if self.first_feature is None:
            return None
        vectors = functional.embedding(x, self.encoder["embed.W"])
        return (vectors * (x >= self.first_feature)[:, :, None]).sum(dim=1)

    def remember(self, hs: Tensor, x: Tensor, lengths: Tensor | None) -> Any:
        """Make attention's memory of the encoder's hs (N, S, H) of questions x, if the decoder has attention."""
        if not self.attends:
            return None
        mask = None if lengths is None else torch.arange(hs.shape[1], device=hs.device) < lengths[:, None]
        keys = hs @ self.decoder["attention.W"].t() if "attention.W" in self.decoder else hs
        if "attention.U" in self.decoder:
            places = torch.arange(hs.shape[1], device=hs.device).expand(hs.shape[:2])
            keys = torch.cat([keys, place_vectors(places, self.decoder["attention.U"])], dim=2)
        return Memory(hs, keys, mask, ids=None if self.copies is None else self.copies[x])

    def decode(
        self, ids: Tensor, state: DecoderState, scales: Iterator[Tensor] | None = None
    ) -> tuple[Tensor, DecoderState]:
        """Read the ids before each position, (N, T) -> scores (N, T, V), state after the last."""
        features, state = self.write(ids, state, scales)
        if state.memory is not None:
            features, weights = self.look(features, state)
        features = dropped(features, scales)
        if self.peeks and state.peeked is not None:
            features = torch.cat([at_every_step(state.peeked, ids), features], dim=2)
        W = self.decoder["affine.W"] if "affine.W" in self.decoder else self.decoder["embed.W"].t()
        scores = features @ W + self.decoder["affine.b"]
        if state.memory is not None and state.memory.ids is not None:
            gates = features @ self.decoder["gate.W"] + self.decoder["gate.b"]
            scores = point(scores, gates, weights, state.memory.copied())
        return scores, state

    def write(
        self, ids: Tensor, state: DecoderState, scales: Iterator[Tensor] | None = None
    ) -> tuple[Tensor, DecoderState]:
        """Run the decoder's recurrent layers over ids (N, T) -> the top's hs (N, T, H), state after the last."""
        hs, lasts = self.embed(ids, self.decoder["embed.W"], state.place), []
        for number, (writer, first) in enumerate(zip(self.writers, state.layers, strict=True)):
            hs = dropped(hs, scales)
            if number == 0 and state.peeked is not None:
                hs = torch.cat([at_every_step(state.peeked, ids), hs], dim=2)
            hs, last = writer.forward(hs, first)
            lasts.append(last)
        return hs, state._replace(layers=tuple(lasts), place=state.place + ids.shape[1])

    def look(self, hs: Tensor, state: DecoderState) -> tuple[Tensor, Tensor]:
        """Attend to the memory: the features that are scored of hs (N, T, H), and the weights (N, T, S).

        state is the one after the last of hs.
        """
        assert state.memory is not None
        queries = hs
        if "attention.U" in self.decoder:
            U, T = self.decoder["attention.U"], hs.shape[1]
            places = state.place[:, None] - T + torch.arange(T, device=hs.device)
            queries = torch.cat([hs, place_vectors(places, U) @ U], dim=2)
        contexts, weights = attend(queries, *state.memory.looked_at())
        combined = torch.cat([contexts, hs], dim=2) @ self.decoder["combine.W"] + self.decoder["combine.b"]
        return torch.tanh(combined), weights

    def attention(self, ids: Tensor, state: DecoderState) -> Tensor:
        """Tell where it looks while it reads ids (N, T): weights (N, T, S)."""
        hs, state = self.write(ids, state)
        assert state.memory is not None
        return self.look(hs, state)[1]

    def draw_scales(self, N: int, rows: range, lengths: tuple[int, int], rng: np.random.Generator) -> list[Floats]:
        """Draw dropout for rows of a batch of N as the NumPy model does, in its order: a scale (n, 1, D) each.

        lengths, of questions and of what the decoder reads, matter only where dropout differs from step to step.
        """
        if self.rate == 0.0:
            return []
        D, H = self.encoder["embed.W"].shape[1], self.writers[0].Wh.shape[0]
        inputs = [D, *[H] * (len(self.writers) - 1)]
        features = self.decoder["combine.W"].shape[1] if "combine.W" in self.decoder else H
        draws = [drawn_rows(N, size, rows, rng) for size in (*inputs, *inputs, features)]
        return [TimeDropout(self.rate).scales(draw, self.dtype) for draw in draws]


def copied_ids(model: Seq2seq, device: torch.device) -> Tensor:
    """Bring what a pointer copies each of the source's ids as to the device."""
    can_copy = PointerDecoder | TransducerDecoder | PointerTransformerDecoder
    copies = model.decoder.copies if isinstance(model.decoder, can_copy) else None
    return to_device(np.arange(model.vocab_size) if copies is None else copies, device)


def at_every_step(h: Tensor, ids: Tensor) -> Tensor:
    """Repeat h (N, H) at every step of ids (N, T): (N, T, H)."""
    return h[:, None].expand(-1, ids.shape[1], -1)


def drawn_rows(N: int, size: int, rows: range, rng: np.random.Generator) -> Floats:
    """Take rows of rng.random((N, 1, size)) in float32, and leave the generator as that would.

    Two numbers take one step of PCG64, and steps may be skipped: a process does not draw what is of the others.
    """
    generator = rng.bit_generator
    if len(rows) == N or size % 2 or not isinstance(generator, np.random.PCG64) or generator.state["has_uint32"]:
        return rng.random((N, 1, size), np.float32)[rows.start : rows.stop]
    generator.advance(rows.start * size // 2)
    drawn = rng.random((len(rows), 1, size), np.float32)
    generator.advance((N - rows.stop) * size // 2)
    return drawn

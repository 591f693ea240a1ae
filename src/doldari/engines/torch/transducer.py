"""The transducer of `doldari.models.transducer_decoder` on PyTorch.

In logarithms, one step after another: that of reached_s, a sum over all places before s, is one cumulated sum.
"""

import math
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from doldari.arrays import Floats
from doldari.engines.torch.layers import dropped
from doldari.engines.torch.seq2seq import DecoderState, TorchSeq2seq, copied_ids, drawn_rows
from doldari.kernels.reference.transducer import COPY, DELETE, LEAST, LEAST_REST
from doldari.layers import TimeDropout
from doldari.models import Seq2seq

NEVER = -1e9  # the logarithm of 0: without infinities there is no infinity less infinity


class Walk(NamedTuple):
    """What it walks along: values (Q, S, H), keys (Q, S, J), lengths (Q,), copies (Q, S), as in the NumPy `Walk`.

    Row p is of source rows[p].
    """

    values: Tensor
    keys: Tensor
    lengths: Tensor
    copies: Tensor
    rows: Tensor

    def of_rows(self) -> "Walk":
        """Give every row its source."""
        values, keys, lengths, copies = (part[self.rows] for part in self[:-1])
        return Walk(values, keys, lengths, copies, self.rows)


class Actions(NamedTuple):
    """Log-probabilities in the cells of one step: of inserting (N, S, V), copying (N, S), deleting (N, S)."""

    insert: Tensor
    copy: Tensor
    delete: Tensor


class TorchTransducer(TorchSeq2seq):
    """A `TransducerSeq2seq` computed by PyTorch."""

    def __init__(self, model: Seq2seq, named: dict[str, Tensor], device: torch.device, bf16: bool = False) -> None:
        super().__init__(model, named, device, bf16)
        self.attends = True
        self.copies, self.end_id = copied_ids(model, device), model.pad_id

    def remember(self, hs: Tensor, x: Tensor, lengths: Tensor | None) -> Walk:
        """Take the encoder's hs (N, S, H) of questions x to walk along."""
        assert self.copies is not None
        N, S, H = hs.shape
        lengths = torch.full((N,), S, device=x.device) if lengths is None else lengths
        places = torch.arange(S + 1, device=x.device)
        ends, inside = places == lengths[:, None], places < lengths[:, None]
        at_last = (lengths - 1).clamp(min=0)[:, None, None].expand(-1, 1, H)
        last = hs.gather(1, at_last) * (lengths > 0)[:, None, None]
        values = functional.pad(hs, (0, 0, 0, 1)) * inside[:, :, None] + ends[:, :, None] * last
        joint = self.decoder.part("joint")
        keys = values @ joint["W"][:H] + ends[:, :, None] * joint["end"]
        copies = torch.where(inside, functional.pad(self.copies[x], (0, 1)), -1)
        return Walk(values, keys, lengths + 1, copies, torch.arange(N, device=x.device))

    def decode(
        self, ids: Tensor, state: DecoderState, scales: Iterator[Tensor] | None = None
    ) -> tuple[Tensor, DecoderState]:
        """Read the ids before each position, (N, T) -> log-probabilities (N, T, V), state after the last."""
        assert isinstance(state.memory, Walk)
        walk, logs = state.memory.of_rows(), []
        of_features, of_steps = (None, None) if self.rate == 0.0 or scales is None else self.taken(scales)
        if of_features is not None and state.peeked is not None:
            state = state._replace(peeked=state.peeked * of_features[:, 0])
        for t in range(ids.shape[1]):
            places = self.placed(ids[:, t], state.arrivals, walk)
            drawn = None if of_steps is None else of_steps[:, t : t + 1]
            actions, state = self.act(ids[:, t : t + 1], state, walk, places, drawn)
            arrivals = arrive(self.reached(places, actions.delete, walk), actions, walk)
            state = state._replace(arrivals=arrivals)
            logs.append(arrivals.logsumexp(dim=1))
        return torch.stack(logs, dim=1).clamp(min=LOWEST), state

    def act(
        self, read: Tensor, state: DecoderState, walk: Walk, places: Tensor, scales: Tensor | None
    ) -> tuple[Actions, DecoderState]:
        """Read one id each, (N, 1), at places (N, S), dropout's scales (N, 1, K) -> actions in every cell, state."""
        symbols = self.embed(read, self.decoder["embed.W"], state.place)
        D, H = symbols.shape[2], walk.values.shape[2]
        sizes = [D, *[H] * (len(self.writers) + 1)]
        drawn = None if scales is None else iter(torch.split(scales, sizes, dim=2))
        hs, lasts = torch.cat([dropped(symbols, drawn), places.exp()[:, None] @ walk.values], dim=2), []
        if state.peeked is not None:
            hs = torch.cat([state.peeked[:, None], hs], dim=2)
        for writer, first in zip(self.writers, state.layers, strict=True):
            hs, last = writer.forward(hs, first)
            hs = dropped(hs, drawn)
            lasts.append(last)
        joint = self.decoder.part("joint")
        if state.peeked is not None:
            hs = torch.cat([hs, state.peeked[:, None]], dim=2)
        zs = dropped(torch.tanh(hs @ joint["W"][H:] + joint["b"] + walk.keys), drawn)
        inserts = zs @ self.decoder["affine.W"] + self.decoder["affine.b"]
        moves = zs @ self.decoder["moves.W"] + self.decoder["moves.b"]
        scores = torch.cat([inserts, moves], dim=2).to(walk.keys.dtype)
        logs = (scores + self.impossible(walk, scores)).log_softmax(dim=2)
        state = state._replace(layers=tuple(lasts), place=state.place + 1)
        return Actions(logs[..., :-2], logs[..., COPY - 2], logs[..., DELETE - 2]), state

    def taken(self, scales: Iterator[Tensor]) -> tuple[Tensor | None, Tensor | None]:
        """Take dropout's scales of the features, (N, 1, D), and of the decoder's steps, (N, T, K)."""
        of_features = None if self.first_feature is None else next(scales, None)
        return of_features, next(scales, None)

    def draw_scales(self, N: int, rows: range, lengths: tuple[int, int], rng: np.random.Generator) -> list[Floats]:
        """Draw dropout for rows of a batch of N as the NumPy model does, in its order.

        (n, S, D or H) for all that the encoder reads and what it makes, (n, 1, D) for features, (n, T, K) for steps.
        """
        if self.rate == 0.0:
            return []
        (S, T), D, H = lengths, self.encoder["embed.W"].shape[1], self.writers[0].Wh.shape[0]
        dropout, layers = TimeDropout(self.rate), len(self.writers)
        draw = partial(dropout.draw, N, rng=rng, dtype=self.dtype, rows=rows)
        scales = [draw(S, size) for size in (D, *[H] * layers)]
        if self.first_feature is not None:
            scales.append(dropout.scales(drawn_rows(N, D, rows, rng), self.dtype))
        return [*scales, draw(T, D + (layers + 1) * H)]

    def impossible(self, walk: Walk, scores: Tensor) -> Tensor:
        """Give what is added to scores of actions, (N, S, V + 2): NEVER where an action cannot be, else 0."""
        S, A = scores.shape[1:]
        at_end = torch.arange(S, device=scores.device) == walk.lengths[:, None] - 1
        never = torch.zeros((*at_end.shape, A), dtype=walk.keys.dtype, device=scores.device)
        if self.end_id is not None:
            never[..., self.end_id].masked_fill_(~at_end, NEVER)
        never[..., A - 2 + DELETE].masked_fill_(at_end & (walk.lengths[:, None] == 1), NEVER)
        never[..., A - 2 + COPY].masked_fill_(at_end | (walk.copies < 0), NEVER)
        return never

    def placed(self, read: Tensor, arrivals: Tensor | None, walk: Walk) -> Tensor:
        """Say where each row stands, (N, S), after it read (N,)."""
        if arrivals is None:
            first = torch.arange(walk.keys.shape[1], device=read.device) == 0
            return torch.where(first, 0.0, NEVER).to(walk.keys.dtype).expand(len(read), -1)
        chosen = arrivals.gather(2, read[:, None, None].expand(-1, arrivals.shape[1], 1)).squeeze(2)
        return (chosen - chosen.logsumexp(dim=1, keepdim=True).clamp(min=LOWEST)).clamp(min=NEVER)

    def reached(self, places: Tensor, delete: Tensor, walk: Walk) -> Tensor:
        """Say where each row may be, (N, S), having deleted what it likes from its places (N, S) on.

        First what reaches the end and goes back to the first place, after any number of rounds.
        """
        ways = functional.pad(delete[:, :-1].clamp(min=-1e4), (1, 0)).cumsum(dim=1)
        end = walk.lengths[:, None] - 1
        to_end = ways.gather(1, end)
        back = delete.gather(1, end)
        at_end = (ways + torch.logcumsumexp(places - ways, dim=1)).gather(1, end)
        rest = (1.0 - (to_end + back).exp()).clamp(min=LEAST_REST)
        again = (at_end + back - rest.log()).clamp(min=NEVER)
        first = torch.logaddexp(places[:, :1], again)
        reached = ways + torch.logcumsumexp(torch.cat([first, places[:, 1:]], dim=1) - ways, dim=1)
        there = torch.arange(places.shape[1], device=places.device) <= end
        return torch.where(there, reached.clamp(min=NEVER), NEVER)

    def attention(self, ids: Tensor, state: DecoderState) -> Tensor:
        """Tell where each next symbol is inserted or copied while it reads ids (N, T): weights (N, T, S)."""
        assert isinstance(state.memory, Walk)
        walk, weights = state.memory.of_rows(), []
        last = torch.arange(walk.keys.shape[1], device=ids.device) >= walk.lengths[:, None] - 1
        for t in range(ids.shape[1]):
            places = self.placed(ids[:, t], state.arrivals, walk)
            actions, state = self.act(ids[:, t : t + 1], state, walk, places, None)
            reached = self.reached(places, actions.delete, walk)
            state = state._replace(arrivals=arrive(reached, actions, walk))
            here = reached.exp() * (1.0 - actions.delete.exp())
            weights.append(here.masked_fill(last, 0.0)[:, :-1])
        return torch.stack(weights, dim=1)


LOWEST = math.log(LEAST)


def arrive(reached: Tensor, actions: Actions, walk: Walk) -> Tensor:
    """Say where each next symbol leads, (N, S, V): inserted it stays at the place, copied it moves on."""
    here = reached[:, :, None] + actions.insert
    copied = torch.full_like(here, NEVER)
    ids = walk.copies[:, :-1, None]
    ahead = torch.where(ids < 0, NEVER, (reached + actions.copy)[:, :-1, None])
    copied[:, 1:] = copied[:, 1:].scatter(2, ids.clamp(min=0), ahead)
    return torch.logaddexp(here, copied)

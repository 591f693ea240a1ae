"""The layers of `doldari.layers` on PyTorch: the same weights by the same names, gradients by autograd.

Sequences are padded on the right: `lengths` (N,) says how long each is, None that all are as long as the batch.
The recurrent kernels are PyTorch's own (cuDNN's on NVIDIA's GPUs).
"""

from collections.abc import Iterator
from typing import NamedTuple, Self

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from doldari.engines.torch.parameters import Named
from doldari.layers.places import LONGEST, SCALE, SHORTEST


class State(NamedTuple):
    """What a recurrent layer carries from step to step: h (N, H), and an LSTM its cell c (N, H)."""

    h: Tensor
    c: Tensor | None = None

    def select(self, rows: Tensor) -> Self:
        """Take some rows."""
        return type(self)(self.h[rows], None if self.c is None else self.c[rows])

    def join(self, other: Self) -> Self:
        """Put the rows of another state below its own."""
        c = None if self.c is None or other.c is None else torch.cat([self.c, other.c])
        return type(self)(torch.cat([self.h, other.h]), c)


class TimeLSTM:
    """An LSTM with weights Wx (D, 4H), Wh (H, 4H), b (4H,); gates f, g, i, o.  PyTorch's second bias stays 0."""

    def __init__(self, weights: Named) -> None:
        self.Wx, self.Wh, self.b = weights["Wx"], weights["Wh"], weights["b"]
        self.second_bias = torch.zeros_like(self.b)

    def state(self, h: Tensor) -> State:
        """Make a state of a hidden state (N, H), with an empty cell."""
        return State(h, torch.zeros_like(h))

    def forward(self, xs: Tensor, first: State | None = None) -> tuple[Tensor, State]:
        """Run over time: xs (N, T, D), first state (zeros if None) -> hs (N, T, H), last state."""
        h, c = self.state(xs.new_zeros(len(xs), self.Wh.shape[0])) if first is None else first
        assert c is not None
        weights = [*map(pytorch_gates, (self.Wx, self.Wh, self.b)), self.second_bias]
        training = torch.is_grad_enabled()
        with torch.autocast("cpu", enabled=False):  # of a CPU only: not every one has an LSTM in bf16
            if xs.device.type == "cpu":
                xs, h, c = (x.to(self.Wh.dtype) for x in (xs, h, c))
            hs, h, c = torch.lstm(xs, (h[None], c[None]), weights, True, 1, 0.0, training, False, True)
        return hs, State(h.squeeze(0), c.squeeze(0))


class TimeGRU:
    """A GRU with weights Wx (D, 3H), Wh (H, 3H), b (3H,); gates r, z, n.  PyTorch's second bias stays 0."""

    def __init__(self, weights: Named) -> None:
        self.Wx, self.Wh, self.b = weights["Wx"], weights["Wh"], weights["b"]
        self.second_bias = torch.zeros_like(self.b)

    def state(self, h: Tensor) -> State:
        """Make a state of a hidden state (N, H)."""
        return State(h)

    def forward(self, xs: Tensor, first: State | None = None) -> tuple[Tensor, State]:
        """Run over time: xs (N, T, D), first state (zeros if None) -> hs (N, T, H), last state."""
        h = xs.new_zeros(len(xs), self.Wh.shape[0]) if first is None else first.h
        weights = [self.Wx.t(), self.Wh.t(), self.b, self.second_bias]
        hs, h = torch.gru(xs, h[None], weights, True, 1, 0.0, torch.is_grad_enabled(), False, True)
        return hs, State(h.squeeze(0))


CELLS: dict[str, type[TimeLSTM] | type[TimeGRU]] = {"lstm": TimeLSTM, "gru": TimeGRU}


def pytorch_gates(weights: Tensor) -> Tensor:
    """Bring an LSTM's weights (..., 4H), gates f, g, i, o, into PyTorch's layout: (4H, ...), gates i, f, g, o."""
    f, g, i, o = weights.t().chunk(4)
    return torch.cat([i, f, g, o])


def last_h(hs: Tensor, last: State, lengths: Tensor | None) -> Tensor:
    """Take the hidden states after the last symbols, of hs (N, T, H): (N, H), 0 where there was no symbol.

    last is the state after the last position.
    """
    if lengths is None:
        return last.h
    h = hs.gather(1, (lengths - 1).clamp(min=0)[:, None, None].expand(-1, 1, hs.shape[2]))[:, 0]
    return h * (lengths > 0)[:, None]


def reverse_time(xs: Tensor, lengths: Tensor | None) -> Tensor:
    """Turn the symbols of xs (N, T, D) around, and leave padding where it is."""
    if lengths is None:
        return xs.flip(1)
    t = torch.arange(xs.shape[1], device=xs.device)
    index = torch.where(t < lengths[:, None], lengths[:, None] - 1 - t, t)
    return xs.gather(1, index[:, :, None].expand(-1, -1, xs.shape[2]))


class TimeReader:
    """An encoder's layer, in one direction, or in both where its weights are named `ahead` and `back`."""

    def __init__(self, cell: str, weights: Named) -> None:
        one_way = "Wx" in weights
        self.ahead = CELLS[cell](weights if one_way else weights.part("ahead"))
        self.back = None if one_way else CELLS[cell](weights.part("back"))

    def forward(self, xs: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor]:
        """Run over xs (N, S, D) -> hs (N, S, H), h after the last symbol of each direction (N, H)."""
        ahead, end = self.ahead.forward(xs)
        if self.back is None:
            return ahead, last_h(ahead, end, lengths)
        back, start = self.back.forward(reverse_time(xs, lengths))
        last = torch.cat([last_h(ahead, end, lengths), last_h(back, start, lengths)], dim=1)
        return torch.cat([ahead, reverse_time(back, lengths)], dim=2), last


def attend(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
    """Look for queries (N, T, H) by keys (N, S, H) -> contexts (N, T, M) of values (N, S, M), weights (N, T, S).

    Where mask (N, S) is False, at padding, weights are exactly 0.
    """
    scores = queries @ keys.transpose(1, 2)
    if mask is None:
        weights = scores.softmax(dim=2)
    else:
        scores = scores.masked_fill(~mask[:, None], torch.finfo(scores.dtype).min)
        weights = scores.softmax(dim=2) * mask[:, None]  # where all is padding, nothing is looked at
    return weights @ values, weights


def placed(places: Tensor, W: Tensor) -> Tensor:
    """Make the vectors (..., D) of places (...) that are added to those of an embedding W (V, D), as `sinusoids`."""
    D = W.shape[1]
    wavelengths = 1e4 ** (-torch.arange(0, D, 2, dtype=torch.float64, device=W.device) / D)
    angles = places[..., None] * wavelengths
    return (SCALE * torch.cat([angles.sin(), angles.cos()], dim=-1)[..., :D]).to(W.dtype)


def place_vectors(places: Tensor, U: Tensor) -> Tensor:
    """Make vectors (..., K) of places (...), as those that U (K, K) compares, and the NumPy function of that name."""
    waves = torch.from_numpy(np.geomspace(SHORTEST, LONGEST, len(U) // 2)).to(U.device)
    angles = places[..., None] * (2 * np.pi / waves)
    return torch.cat([angles.sin(), angles.cos()], dim=-1).to(U.dtype)


def point(scores: Tensor, gates: Tensor, weights: Tensor, ids: Tensor) -> Tensor:
    """Mix scores (N, T, V), by gates (N, T, 1), with attention's weights (N, T, S) of ids (N, S): log P (N, T, V)."""
    scores, gates = scores.to(weights.dtype), gates.to(weights.dtype)  # bfloat16 is too coarse for logarithms
    places = ids[:, None].expand_as(weights)
    copied = torch.zeros_like(scores).scatter_add(2, places, weights).clamp(min=torch.finfo(scores.dtype).tiny)
    return torch.logaddexp(
        functional.logsigmoid(gates) + scores.log_softmax(dim=2), functional.logsigmoid(-gates) + copied.log()
    )


def dropped(xs: Tensor, scales: Iterator[Tensor] | None) -> Tensor:
    """Multiply xs (N, T, D) by the next of dropout's scales (N, 1, D); without any, leave them as they are."""
    scale = None if scales is None else next(scales, None)
    return xs if scale is None else xs * scale


def summed_loss(scores: Tensor, targets: Tensor, smoothing: float) -> Tensor:
    """Sum up the cross-entropy, in nats, of scores (N, T, V) at targets (N, T), but where these are -100."""
    return functional.cross_entropy(
        scores.flatten(0, 1),
        targets.flatten(),
        ignore_index=-100,
        label_smoothing=smoothing,
        reduction="sum",
    )

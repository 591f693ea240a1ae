"""The pre-norm transformer with rotary positions as a good PyTorch user writes it: scaled_dot_product_attention."""

import torch
from torch import nn
from torch.nn.functional import cross_entropy, relu, scaled_dot_product_attention


class Attention(nn.Module):
    """Attention with heads, without biases; with angles, queries and keys are turned by their positions."""

    def __init__(self, D, heads):
        super().__init__()
        self.heads = heads
        self.query, self.both, self.out = (nn.Linear(D, width, bias=False) for width in (D, 2 * D, D))

    def forward(self, xs, seen, mask=None, causal=False, angles=None):
        queries, keys, values = (self.by_head(part) for part in (self.query(xs), *self.both(seen).chunk(2, dim=2)))
        if angles is not None:
            queries, keys = turned(queries, angles), turned(keys, angles)
        contexts = scaled_dot_product_attention(queries, keys, values, attn_mask=mask, is_causal=causal)
        return self.out(contexts.transpose(1, 2).flatten(2))

    def by_head(self, xs):
        return xs.unflatten(2, (self.heads, -1)).transpose(1, 2)


def turned(xs, angles):
    """Turn vectors (N, heads, T, E) by their positions."""
    cos, sin = (part[: xs.shape[2]] for part in angles)
    ahead, back = xs.chunk(2, dim=3)
    return torch.cat((ahead * cos - back * sin, ahead * sin + back * cos), dim=3)


class Layer(nn.Module):
    """Self-attention, attention to the source if it `crosses`, and the feed-forward network, each behind a norm."""

    def __init__(self, D, H, heads, dropout, crosses):
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(D) for _ in range(3))
        self.own, self.cross = Attention(D, heads), Attention(D, heads) if crosses else None
        self.first, self.second = nn.Linear(D, H), nn.Linear(H, D)
        self.dropout = nn.Dropout(dropout)

    def forward(self, xs, angles, mask, source=None):
        normed = self.norms[0](xs)
        own_mask = mask if source is None else None
        xs = xs + self.dropout(self.own(normed, normed, own_mask, causal=source is not None, angles=angles))
        if self.cross is not None:
            xs = xs + self.dropout(self.cross(self.norms[1](xs), source, mask))
        return xs + self.dropout(self.second(relu(self.first(self.norms[2](xs)))))


class TorchTransformer(nn.Module):
    """Encoder and decoder; padding stands on the right."""

    def __init__(self, V, D, H, pad_id, heads, layers, dropout=0.0, smoothing=0.0, longest=512):
        super().__init__()
        self.pad_id, self.smoothing, self.scale = pad_id, smoothing, D**0.5
        self.encoder_embed, self.decoder_embed = nn.Embedding(V, D), nn.Embedding(V, D)
        self.encoder = nn.ModuleList(Layer(D, H, heads, dropout, crosses=False) for _ in range(layers))
        self.decoder = nn.ModuleList(Layer(D, H, heads, dropout, crosses=True) for _ in range(layers))
        self.norms, self.affine = nn.ModuleList(nn.LayerNorm(D) for _ in range(2)), nn.Linear(D, V)
        self.dropout = nn.Dropout(dropout)
        E = D // heads
        angles = torch.arange(longest)[:, None] * 10_000.0 ** (-torch.arange(0, E, 2) / E)
        self.angles = angles.cos(), angles.sin()
        self.optimizer = torch.optim.Adam(self.parameters(), lr=1e-3, eps=1e-7, fused=True)

    def forward(self, x, read):
        """Read questions x (N, S) and what stands before each position, read (N, T) -> scores (N, T, V)."""
        mask = (x != self.pad_id)[:, None, None]
        xs = self.dropout(self.encoder_embed(x) * self.scale)
        for layer in self.encoder:
            xs = layer(xs, self.angles, mask)
        source, ys = self.norms[0](xs), self.dropout(self.decoder_embed(read) * self.scale)
        for layer in self.decoder:
            ys = layer(ys, self.angles, mask, source)
        return self.affine(self.norms[1](ys))

    def step(self, x, t, max_grad=5.0):
        """Train on one batch; return its loss."""
        x, t = (torch.from_numpy(ids).long() for ids in (x, t))
        read = t[:, :-1]
        targets = t[:, 1:].masked_fill(read == self.pad_id, -100)
        scores = self(x, read)
        loss = cross_entropy(scores.flatten(0, 1), targets.flatten(), label_smoothing=self.smoothing)
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters(), max_grad)
        self.optimizer.step()
        return loss.item()

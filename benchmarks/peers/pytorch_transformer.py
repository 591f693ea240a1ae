"""The pre-norm transformer with rotary positions as a good PyTorch user writes it: scaled_dot_product_attention."""

import torch
from torch import nn
from torch.nn.functional import cross_entropy, relu, scaled_dot_product_attention

from benchmarks.peers.pytorch_attention import put


class Attention(nn.Module):
    """Attention with heads, without biases; with angles, queries and keys are turned by their positions."""

    def __init__(self, D, heads):
        super().__init__()
        self.heads = heads
        self.query, self.both, self.out = (nn.Linear(D, width, bias=False) for width in (D, 2 * D, D))

    def remember(self, seen, angles=None):
        """Make keys and values (N, heads, S, E) of what is looked at, (N, S, D)."""
        keys, values = (self.by_head(part) for part in self.both(seen).chunk(2, dim=2))
        return keys if angles is None else turned(keys, angles), values

    def forward(self, xs, memory, mask=None, causal=False, angles=None):
        queries = self.by_head(self.query(xs))
        queries = queries if angles is None else turned(queries, angles)
        contexts = scaled_dot_product_attention(queries, *memory, attn_mask=mask, is_causal=causal)
        return self.out(contexts.transpose(1, 2).flatten(2))

    def by_head(self, xs):
        return xs.unflatten(2, (self.heads, -1)).transpose(1, 2)


def turned(xs, angles):
    """Turn vectors (N, heads, T, E) by their positions."""
    cos, sin = (part[: xs.shape[2]] for part in angles)
    ahead, back = xs.chunk(2, dim=3)
    return torch.cat((ahead * cos - back * sin, ahead * sin + back * cos), dim=3)


def put_norm(norm, weights, name):
    """Take a norm's weights."""
    put(norm.weight, weights[f"{name}.g"])
    put(norm.bias, weights[f"{name}.b"])


class Layer(nn.Module):
    """Self-attention, attention to the source if it `crosses`, and the feed-forward network, each behind a norm."""

    def __init__(self, D, H, heads, dropout, crosses):
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(D) for _ in range(3))  # the second where it crosses
        self.own, self.cross = Attention(D, heads), Attention(D, heads) if crosses else None
        self.first, self.second = nn.Linear(D, H), nn.Linear(H, D)
        self.dropout = nn.Dropout(dropout)

    def forward(self, xs, angles, mask, source=None, before=None):
        """Run over xs (N, T, D); a decoder's layer also gives the keys and values of all positions so far."""
        normed, crosses = self.norms[0](xs), self.cross is not None
        own = self.own.remember(normed, angles)
        own = own if before is None else tuple(torch.cat(pair, dim=2) for pair in zip(before, own, strict=True))
        ys = self.own(normed, own, None if crosses else mask, crosses and before is None, angles)
        xs = xs + self.dropout(ys)
        if crosses:
            xs = xs + self.dropout(self.cross(self.norms[1](xs), source, mask))
        return xs + self.dropout(self.second(relu(self.first(self.norms[2](xs))))), own

    def load(self, weights, name):
        """Take the weights of the doldari layer of that name."""
        attentions = {"attention": self.own} | ({"cross": self.cross} if self.cross is not None else {})
        for part, attention in attentions.items():
            for matrix, linear in (("Wq", attention.query), ("Wkv", attention.both), ("Wo", attention.out)):
                put(linear.weight, weights[f"{name}.{part}.{matrix}"].T)
        for number, linear in enumerate((self.first, self.second), start=1):
            put(linear.weight, weights[f"{name}.feed_forward.W{number}"].T)
            put(linear.bias, weights[f"{name}.feed_forward.b{number}"])
        put_norm(self.norms[0], weights, f"{name}.attention_norm")
        put_norm(self.norms[2], weights, f"{name}.feed_forward_norm")
        if self.cross is not None:
            put_norm(self.norms[1], weights, f"{name}.cross_norm")


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

    def encode(self, x):
        """Read questions x (N, S) -> every layer's keys and values of them, and their mask."""
        mask = (x != self.pad_id)[:, None, None]
        xs = self.dropout(self.encoder_embed(x) * self.scale)
        for layer in self.encoder:
            xs, _ = layer(xs, self.angles, mask)
        xs = self.norms[0](xs)
        return [layer.cross.remember(xs) for layer in self.decoder], mask

    def decode(self, read, source, mask, before=None):
        """Read what stands before each position, read (N, T) -> scores (N, T, V), keys and values of all so far."""
        ys, kept = self.dropout(self.decoder_embed(read) * self.scale), []
        past = 0 if before is None else before[0][0].shape[2]
        angles = [part[past:] for part in self.angles]
        for number, layer in enumerate(self.decoder):
            own_before = None if before is None else before[number]
            ys, own = layer(ys, angles, mask, source[number], own_before)
            kept.append(own)
        return self.affine(self.norms[1](ys)), kept

    @torch.inference_mode()
    def generate(self, x, start_id, steps):
        """Answer questions x (N, S) greedily: ids (N, steps)."""
        self.eval()
        source, mask = self.encode(torch.from_numpy(x).long())
        ids, before, answers = torch.full((len(x), 1), start_id), None, []
        for _ in range(steps):
            scores, before = self.decode(ids, source, mask, before)
            ids = scores.argmax(dim=2)
            answers.append(ids)
        return torch.cat(answers, dim=1)

    def step(self, x, t, max_grad=5.0):
        """Train on one batch; return its loss."""
        x, t = (torch.from_numpy(ids).long() for ids in (x, t))
        read = t[:, :-1]
        targets = t[:, 1:].masked_fill(read == self.pad_id, -100)
        scores, _ = self.decode(read, *self.encode(x))
        loss = cross_entropy(scores.flatten(0, 1), targets.flatten(), label_smoothing=self.smoothing)
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters(), max_grad)
        self.optimizer.step()
        return loss.item()

    @torch.no_grad()
    def load(self, weights):
        """Take the weights of a doldari `Transformer`, arrays by name."""
        sides = (("encoder", self.encoder, self.encoder_embed), ("decoder", self.decoder, self.decoder_embed))
        for number, (side, layers, embed) in enumerate(sides):
            put(embed.weight, weights[f"{side}.embed.W"])
            put_norm(self.norms[number], weights, f"{side}.norm")
            for place, layer in enumerate(layers, start=1):
                layer.load(weights, f"{side}.{place}")
        put(self.affine.weight, weights["decoder.affine.W"].T)
        put(self.affine.bias, weights["decoder.affine.b"])

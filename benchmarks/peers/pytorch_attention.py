"""Attention over a bidirectional encoder as a good PyTorch user writes it: one nn.LSTM or nn.GRU a side, packed."""

import numpy as np
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


class TorchWords(nn.Module):
    """Layers of LSTM or GRU, the encoder in both directions, with or without attention; padding stands on the right.

    Attention is of the general score; dropout is of embeddings, between layers, and of the features that are scored.
    """

    def __init__(
        self, V, D, H, pad_id, cell="lstm", layers=1, attention=True, dropout=0.0, smoothing=0.0, device="cpu"
    ):
        super().__init__()
        self.pad_id, self.smoothing = pad_id, smoothing
        self.encoder_embed, self.decoder_embed = nn.Embedding(V, D), nn.Embedding(V, D)
        kind = {"lstm": nn.LSTM, "gru": nn.GRU}[cell]
        between = dropout if layers > 1 else 0.0
        self.encoder = kind(D, H // 2, layers, batch_first=True, bidirectional=True, dropout=between)
        self.decoder = kind(D, H, layers, batch_first=True, dropout=between)
        self.attention = nn.Linear(H, H, bias=False) if attention else None
        self.combine = nn.Linear(2 * H, H) if attention else None
        self.affine = nn.Linear(H, V)
        self.dropout = nn.Dropout(dropout)
        self.to(device)
        self.device = device
        self.optimizer = torch.optim.Adam(self.parameters(), lr=1e-3, eps=1e-7, fused=True)

    def encode(self, x):
        """Read x (N, S) -> values and keys (N, S, H) and mask (N, S) of what is looked at, decoder's first state."""
        mask = x != self.pad_id
        xs = self.dropout(self.encoder_embed(x))
        packed = pack_padded_sequence(xs, mask.sum(dim=1).cpu(), batch_first=True, enforce_sorted=False)
        packed, last = self.encoder(packed)
        h = last[0] if isinstance(last, tuple) else last
        h = torch.cat((h[0::2], h[1::2]), dim=2)
        state = (h, torch.zeros_like(h)) if isinstance(last, tuple) else h
        if self.attention is None:
            return None, state
        values, _ = pad_packed_sequence(packed, batch_first=True, total_length=x.shape[1])
        return (values, self.attention(values), mask), state

    def features(self, hs, memory):
        """What is scored of the decoder's hs (N, T, H)."""
        if memory is not None:
            values, keys, mask = memory
            scores = (hs @ keys.transpose(1, 2)).masked_fill(~mask[:, None], -torch.inf)
            contexts = scores.softmax(dim=2) @ values
            hs = torch.tanh(self.combine(torch.cat((contexts, hs), dim=2)))
        return self.dropout(hs)

    def step(self, x, t, max_grad=5.0):
        """Train on one batch; return its loss."""
        x, t = (torch.from_numpy(ids).long().to(self.device) for ids in (x, t))
        read = t[:, :-1]
        targets = t[:, 1:].masked_fill(read == self.pad_id, -100)
        memory, state = self.encode(x)
        hs, _ = self.decoder(self.dropout(self.decoder_embed(read)), state)
        scores = self.affine(self.features(hs, memory))
        loss = nn.functional.cross_entropy(scores.flatten(0, 1), targets.flatten(), label_smoothing=self.smoothing)
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters(), max_grad)
        self.optimizer.step()
        return loss.item()

    @torch.inference_mode()
    def generate(self, x, start_id, steps):
        """Answer questions x (N, S) greedily: ids (N, steps)."""
        memory, state = self.encode(torch.from_numpy(x).long().to(self.device))
        ids = torch.full((len(x), 1), start_id, device=self.device)
        answers = []
        for _ in range(steps):
            hs, state = self.decoder(self.decoder_embed(ids), state)
            ids = self.affine(self.features(hs, memory)).argmax(dim=2)
            answers.append(ids)
        return torch.cat(answers, dim=1)

    @torch.no_grad()
    def load(self, weights):
        """Take the weights of a doldari model of the same kind, arrays by name."""
        put(self.encoder_embed.weight, weights["encoder.embed.W"])
        put(self.decoder_embed.weight, weights["decoder.embed.W"])
        put(self.affine.weight, weights["decoder.affine.W"].T)
        put(self.affine.bias, weights["decoder.affine.b"])
        if self.attention is not None:
            put(self.attention.weight, weights["decoder.attention.W"])
            put(self.combine.weight, weights["decoder.combine.W"].T)
            put(self.combine.bias, weights["decoder.combine.b"])
        both = {"ahead.": "", "back.": "_reverse"}
        for side, recurrent, directions in (("encoder", self.encoder, both), ("decoder", self.decoder, {"": ""})):
            cell = recurrent.mode.lower()
            for layer in range(recurrent.num_layers):
                for direction, suffix in directions.items():
                    theirs, name = f"l{layer}{suffix}", f"{side}.{cell}." + f"{layer + 1}." * (layer > 0) + direction
                    put(getattr(recurrent, f"weight_ih_{theirs}"), in_order(weights[f"{name}Wx"], cell).T)
                    put(getattr(recurrent, f"weight_hh_{theirs}"), in_order(weights[f"{name}Wh"], cell).T)
                    put(getattr(recurrent, f"bias_ih_{theirs}"), in_order(weights[f"{name}b"], cell))
                    getattr(recurrent, f"bias_hh_{theirs}").zero_()


def put(tensor, array):
    """Copy an array into a parameter."""
    tensor.copy_(torch.from_numpy(np.ascontiguousarray(array)))


def in_order(array, cell):
    """Bring the gates, the last axis, of an LSTM from f, g, i, o into PyTorch's order; a GRU's stand in it."""
    if cell == "gru":
        return array
    f, g, i, o = np.split(array, 4, axis=-1)
    return np.concatenate((i, f, g, o), axis=-1)

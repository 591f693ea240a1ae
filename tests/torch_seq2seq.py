"""The same models as a PyTorch user would write them: nn.LSTM over packed sequences, cross-entropy, autograd."""

import numpy as np
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

torch.set_num_threads(1)  # at these sizes more threads are slower, and much slower on a busy machine


def to_torch_gates(array):
    """Reorder the last axis from f, g, i, o to PyTorch's i, f, g, o."""
    f, g, i, o = np.split(array, 4, axis=-1)
    return np.concatenate([i, f, g, o], axis=-1)


def from_torch_gates(array):
    """Reorder the last axis from PyTorch's i, f, g, o to f, g, i, o."""
    i, f, g, o = np.split(array, 4, axis=-1)
    return np.concatenate([f, g, i, o], axis=-1)


class TorchSeq2seq(nn.Module):
    """The plain or peeky encoder-decoder with the weights of a doldari model; padding stands on the right."""

    def __init__(self, model):
        super().__init__()
        self.pad_id, self.peeky = model.pad_id, model.decoder.peeks
        values = {name: parameter.value for name, parameter in model.parameters.items()}
        dtype = torch.from_numpy(model.parameters.values).dtype
        V, D = values["encoder.embed.W"].shape
        W, H = values["decoder.affine.W"], values["encoder.lstm.Wh"].shape[0]
        self.encoder_embed, self.decoder_embed = (
            nn.Embedding(V, D, dtype=dtype),
            nn.Embedding(W.shape[1], D, dtype=dtype),
        )
        self.encoder_lstm = nn.LSTM(D, H, batch_first=True, dtype=dtype)
        self.decoder_lstm = nn.LSTM(values["decoder.lstm.Wx"].shape[0], H, batch_first=True, dtype=dtype)
        self.affine = nn.Linear(*W.shape, dtype=dtype)
        self.ours = {}
        for side in ("encoder", "decoder"):
            embed, lstm = getattr(self, f"{side}_embed"), getattr(self, f"{side}_lstm")
            self.ours |= {
                f"{side}.embed.W": (embed.weight, lambda a: a, lambda a: a),
                f"{side}.lstm.Wx": (
                    lstm.weight_ih_l0,
                    lambda a: to_torch_gates(a).T,
                    lambda a: from_torch_gates(a.T),
                ),
                f"{side}.lstm.Wh": (
                    lstm.weight_hh_l0,
                    lambda a: to_torch_gates(a).T,
                    lambda a: from_torch_gates(a.T),
                ),
                f"{side}.lstm.b": (lstm.bias_ih_l0, to_torch_gates, from_torch_gates),
            }
            nn.init.zeros_(lstm.bias_hh_l0)
            lstm.bias_hh_l0.requires_grad_(False)
        self.ours["decoder.affine.W"] = (self.affine.weight, np.transpose, np.transpose)
        self.ours["decoder.affine.b"] = (self.affine.bias, lambda a: a, lambda a: a)
        with torch.no_grad():
            for name, (tensor, there, _) in self.ours.items():
                tensor.copy_(torch.from_numpy(np.ascontiguousarray(there(values[name]))))

    def forward(self, x, t):
        x, t = torch.from_numpy(x).long(), torch.from_numpy(t).long()
        decoder_x, target = t[:, :-1], t[:, 1:]
        embedded = self.encoder_embed(x)
        if self.pad_id is not None:
            lengths = (x != self.pad_id).sum(dim=1)
            embedded = pack_padded_sequence(embedded, lengths, batch_first=True, enforce_sorted=False)
        _, (h, _) = self.encoder_lstm(embedded)
        vectors = self.decoder_embed(decoder_x)
        everywhere = h[0][:, None].expand(-1, vectors.shape[1], -1)
        if self.peeky:
            vectors = torch.cat([everywhere, vectors], dim=2)
        hs, _ = self.decoder_lstm(vectors, (h, torch.zeros_like(h)))
        scores = self.affine(torch.cat([everywhere, hs], dim=2) if self.peeky else hs)
        counts = torch.ones_like(target, dtype=torch.bool) if self.pad_id is None else decoder_x != self.pad_id
        return nn.functional.cross_entropy(scores[counts], target[counts])

    def gradient(self, name):
        tensor, _, back = self.ours[name]
        return back(tensor.grad.numpy())

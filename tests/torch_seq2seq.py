"""The same models as a PyTorch user would write them: nn.LSTM or nn.GRU over packed sequences, autograd."""

import numpy as np
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from doldari.layers import TimeBidirectional

torch.set_num_threads(1)  # at these sizes more threads are slower, and much slower on a busy machine


def to_torch_gates(array):
    """Reorder the last axis, of an LSTM, from f, g, i, o to PyTorch's i, f, g, o."""
    f, g, i, o = np.split(array, 4, axis=-1)
    return np.concatenate([i, f, g, o], axis=-1)


def from_torch_gates(array):
    """Reorder the last axis, of an LSTM, from PyTorch's i, f, g, o to f, g, i, o."""
    i, f, g, o = np.split(array, 4, axis=-1)
    return np.concatenate([f, g, i, o], axis=-1)


def same(array):
    """Leave as it is: a GRU's gates stand in PyTorch's order."""
    return array


class TorchSeq2seq(nn.Module):
    """The encoder-decoder with the weights of a doldari model; padding stands on the right."""

    def __init__(self, model):
        super().__init__()
        self.pad_id, self.peeky = model.pad_id, model.decoder.peeks
        self.features = model.vocab_size - model.features if model.features else None  # the first of them
        self.rate, self.smoothing = model.encoder.stack.dropout.rate, model.loss.smoothing
        self.dtype = torch.from_numpy(model.parameters.values).dtype
        self.values = {name: parameter.value for name, parameter in model.parameters.items()}
        self.ours = {}
        self.tensors = nn.ParameterDict()
        for name in self.values:
            if (
                "embed" in name
                or "affine" in name
                or "attention" in name
                or "combine" in name
                or "gate" in name
                or "joint" in name
                or "moves" in name
            ):
                self.tensors[name.replace(".", "_")] = tensor = nn.Parameter(torch.empty(self.values[name].shape))
                tensor.data = tensor.data.to(self.dtype)
                self.ours[name] = (tensor, same, same)
        self.encoder_layers = self.layers("encoder", model.encoder)
        self.decoder_layers = self.layers("decoder", model.decoder)
        with torch.no_grad():
            for name, (tensor, there, _) in self.ours.items():
                tensor.copy_(torch.from_numpy(np.ascontiguousarray(there(self.values[name]))))

    def layers(self, side, part):
        layers = nn.ModuleList()
        kind = {"lstm": nn.LSTM, "gru": nn.GRU}[part.cell]
        there, back = (to_torch_gates, from_torch_gates) if part.cell == "lstm" else (same, same)
        for number, ours in enumerate(part.stack.layers, start=1):
            both = isinstance(ours, TimeBidirectional)
            D, H = (ours.ahead if both else ours).Wx.value.shape[0], (ours.ahead if both else ours).Wh.value.shape[0]
            layer = kind(D, H, batch_first=True, bidirectional=both, dtype=self.dtype)
            name = f"{side}.{part.cell}." + (f"{number}." if number > 1 else "")
            for direction, suffix in [("ahead.", ""), ("back.", "_reverse")] if both else [("", "")]:
                for weight, torchs in [("Wx", "weight_ih_l0"), ("Wh", "weight_hh_l0")]:
                    tensor = getattr(layer, torchs + suffix)
                    self.ours[name + direction + weight] = (
                        tensor,
                        lambda a: there(a).T,
                        lambda a: back(a.T),
                    )
                self.ours[name + direction + "b"] = (getattr(layer, "bias_ih_l0" + suffix), there, back)
                second_bias = getattr(layer, "bias_hh_l0" + suffix)
                nn.init.zeros_(second_bias)
                second_bias.requires_grad_(False)
            layers.append(layer)
        return layers

    def tensor(self, name):
        return self.tensors[name.replace(".", "_")] if name in self.values else None

    def places(self, length):
        waves = torch.tensor([4 * 50 ** (k / 15) for k in range(16)], dtype=torch.float64)
        angles = 2 * torch.pi * torch.arange(length, dtype=torch.float64)[:, None] / waves
        return torch.cat([angles.sin(), angles.cos()], dim=1).to(self.dtype)

    def placed(self, xs):
        if "decoder.gate.W" not in self.values:
            return xs
        xs = xs.clone()
        for t in range(xs.shape[1]):
            for d in range(xs.shape[2]):
                half = (xs.shape[2] + 1) // 2
                angle = t / 1e4 ** (2 * (d % half) / xs.shape[2])
                xs[:, t, d] += 2**0.5 * (np.sin(angle) if d < half else np.cos(angle))
        return xs

    def drop(self, xs, rng):
        if rng is None or self.rate == 0.0:
            return xs
        kept = rng.random((xs.shape[0], 1, xs.shape[2]), np.float32) >= self.rate
        return xs * torch.from_numpy(kept).to(self.dtype) / (1.0 - self.rate)

    def drop_each_step(self, shape, rng):
        """Scales of dropout that differ from step to step, each row's from a generator of its own."""
        if rng is None or self.rate == 0.0:
            return torch.ones(shape, dtype=self.dtype)
        seeds = rng.integers(1 << 63, size=shape[0])
        drawn = np.stack([np.random.default_rng(seed).random(shape[1:], np.float32) for seed in seeds])
        return torch.from_numpy(drawn >= self.rate).to(self.dtype) / (1.0 - self.rate)

    def encode(self, x, rng):
        transduces = "decoder.joint.W" in self.values
        hs, lasts = self.placed(self.tensor("encoder.embed.W")[x]), []
        lengths = torch.full((len(x),), x.shape[1]) if self.pad_id is None else (x != self.pad_id).sum(dim=1)
        for layer in self.encoder_layers:
            hs = hs * self.drop_each_step(hs.shape, rng) if transduces else self.drop(hs, rng)
            packed = pack_padded_sequence(hs, lengths, batch_first=True, enforce_sorted=False)
            hs, last = layer(packed)
            hs, _ = pad_packed_sequence(hs, batch_first=True, total_length=x.shape[1])
            h = last[0] if isinstance(last, tuple) else last
            lasts.append(torch.cat(list(h), dim=1))
        return hs * self.drop_each_step(hs.shape, rng) if transduces else hs, lasts

    def forward(self, x, t, rng=None):
        x, t = torch.from_numpy(x).long(), torch.from_numpy(t).long()
        bag = None
        if self.features:  # a set of its own; what is left of the source moves up
            bag = torch.stack([self.tensor("encoder.embed.W")[row[row >= self.features]].sum(dim=0) for row in x])
            rows = [row[(row < self.features) & (row != self.pad_id)] for row in x]
            x = nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=self.pad_id)
        decoder_x, target = t[:, :-1], t[:, 1:]
        memory, lasts = self.encode(x, rng)
        if "decoder.joint.W" in self.values:
            return self.loss(self.transduced(x, decoder_x, memory, lasts, bag, rng), decoder_x, target)
        hs = self.placed(self.tensor("decoder.embed.W")[decoder_x])
        everywhere = lasts[-1][:, None].expand(-1, hs.shape[1], -1)
        for number, (layer, h) in enumerate(zip(self.decoder_layers, lasts, strict=True)):
            hs = self.drop(hs, rng)
            if self.peeky and number == 0:
                hs = torch.cat([everywhere, hs], dim=2)
            if bag is not None and number == 0:
                hs = torch.cat([bag[:, None].expand(-1, hs.shape[1], -1), hs], dim=2)
            h = h[None].contiguous()
            hs, _ = layer(hs, (h, torch.zeros_like(h)) if isinstance(layer, nn.LSTM) else h)
        if "decoder.combine.W" in self.values:
            W = self.tensor("decoder.attention.W")
            scores = (hs if W is None else hs @ W) @ memory.transpose(1, 2)
            U = self.tensor("decoder.attention.U")
            if U is not None:
                scores = scores + self.places(hs.shape[1]) @ U @ self.places(x.shape[1]).T
            if self.pad_id is not None:
                scores = scores.masked_fill((x == self.pad_id)[:, None], -torch.inf)
            weights = scores.softmax(dim=2)
            contexts = weights @ memory
            combined = torch.cat([contexts, hs], dim=2) @ self.tensor("decoder.combine.W")
            hs = torch.tanh(combined + self.tensor("decoder.combine.b"))
        hs = self.drop(hs, rng)
        W = self.tensor("decoder.affine.W")
        W = self.tensor("decoder.embed.W").T if W is None else W
        scores = (torch.cat([everywhere, hs], dim=2) if self.peeky else hs) @ W + self.tensor("decoder.affine.b")
        if "decoder.gate.W" in self.values:
            p = torch.sigmoid(hs @ self.tensor("decoder.gate.W") + self.tensor("decoder.gate.b"))
            copied = torch.einsum("nts,nsv->ntv", weights, nn.functional.one_hot(x, scores.shape[2]).to(self.dtype))
            scores = torch.log(p * scores.softmax(dim=2) + (1 - p) * copied)
        return self.loss(scores, decoder_x, target)

    def loss(self, scores, decoder_x, target):
        counts = torch.ones_like(target, dtype=torch.bool) if self.pad_id is None else decoder_x != self.pad_id
        return nn.functional.cross_entropy(scores[counts], target[counts], label_smoothing=self.smoothing)

    def transduced(self, x, read, memory, lasts, bag, rng):
        """Log-probabilities of a transducer: for each row by itself, every place after the other."""
        D, H = self.tensor("decoder.embed.W").shape[1], len(self.tensor("decoder.joint.b"))
        if bag is not None:
            bag = self.drop(bag[:, None], rng)[:, 0]
        layers = len(self.decoder_layers)
        drawn = self.drop_each_step((len(x), read.shape[1], D + (layers + 1) * H), rng)
        symbol_scale, *scales, joint_scale = drawn.split([D, *[H] * (layers + 1)], dim=2)
        rows = []
        for n in range(len(x)):
            here = torch.ones(len(x[n]), dtype=torch.bool) if self.pad_id is None else x[n] != self.pad_id
            symbols, values = x[n][here].tolist(), memory[n, : len(x[n])][here]
            values = torch.cat([values, values[-1:]])  # the end
            W, first = self.tensor("decoder.joint.W"), values.shape[1]
            keys = torch.cat([values[:-1] @ W[:first], values[-1:] @ W[:first] + self.tensor("decoder.joint.end")])
            states = [
                (h[n][None, None], torch.zeros_like(h[n])[None, None])
                if isinstance(layer, nn.LSTM)
                else h[n][None, None]
                for layer, h in zip(self.decoder_layers, lasts, strict=True)
            ]
            places = torch.zeros(len(values), dtype=self.dtype)
            places[0], logs, arrive = 1.0, [], None
            for t in range(read.shape[1]):
                if t > 0:
                    places = arrive[:, read[n, t]] / arrive[:, read[n, t]].sum()
                parts = [self.tensor("decoder.embed.W")[read[n, t]] * symbol_scale[n, t], places @ values]
                h = torch.cat(parts if bag is None else [bag[n], *parts])[None, None]
                for number, layer in enumerate(self.decoder_layers):
                    h, states[number] = layer(h, states[number])
                    h = h * scales[number][n, t]
                h = h if bag is None else torch.cat([h, bag[n][None, None]], dim=2)
                zs = torch.tanh(keys + h[0] @ W[first:] + self.tensor("decoder.joint.b")) * joint_scale[n, t]
                inserts = zs @ self.tensor("decoder.affine.W") + self.tensor("decoder.affine.b")
                moves = zs @ self.tensor("decoder.moves.W") + self.tensor("decoder.moves.b")
                may = torch.ones((len(values), inserts.shape[1] + 2), dtype=torch.bool)
                if self.pad_id is not None:
                    may[:-1, self.pad_id] = False
                may[-1, -2] = False
                may[-1, -1] = len(values) > 1  # at the end it goes back
                p = torch.cat([inserts, moves], dim=1).masked_fill(~may, -torch.inf).softmax(dim=1)
                moves_on = torch.diag(p[:, -1]).roll(1, dims=1)
                reached = torch.linalg.solve((torch.eye(len(values), dtype=self.dtype) - moves_on).T, places)
                arrive = reached[:, None] * p[:, :-2]
                for s, symbol in enumerate(symbols):
                    copied = torch.zeros_like(arrive)
                    copied[s + 1, symbol] = reached[s] * p[s, -2]
                    arrive = arrive + copied
                logs.append(arrive.sum(dim=0).log())
            rows.append(torch.stack(logs))
        return torch.stack(rows)

    def gradient(self, name):
        tensor, _, back = self.ours[name]
        return back(tensor.grad.numpy())

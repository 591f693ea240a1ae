"""A pointer-generator for inflection as a PyTorch user would write it (See et al. 2017; Sharma et al. 2018).

An LSTM in both directions reads the lemma and its features as one string; a decoder LSTM is fed the context of the
step before (Luong et al. 2015, section 3.3), attends, and writes or copies.  Sizes are those of doldari's recipe
`inflection`: embedding 128, hidden size 200; 3,000 steps of 16 pairs, Adam with a cosine from 2e-3, dropout 0.3,
label smoothing 0.1, averaged weights.

python -m benchmarks.peers.pytorch_pointer TRAIN DEV [TEST] [--seed N]     files of lemma, form, features
"""

import argparse
import math
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from doldari.data import load_pairs
from doldari.data.formats import Columns, Reading

PAD, START, UNKNOWN = 0, 1, 2
D, H, BATCH, STEPS, RATE, SMOOTHING, EMA = 128, 200, 16, 3_000, 2e-3, 0.1, 0.99


class PointerGenerator(nn.Module):
    """Log-probabilities of the next symbol, of symbols that both sides share."""

    def __init__(self, size: int, dropout: float) -> None:
        super().__init__()
        self.embed = nn.Embedding(size, D, padding_idx=PAD)
        self.encoder = nn.LSTM(D, H // 2, batch_first=True, bidirectional=True)
        self.decoder = nn.LSTMCell(D + H, H)
        self.attention = nn.Linear(H, H, bias=False)
        self.combine = nn.Linear(2 * H, H)
        self.affine, self.gate = nn.Linear(H, size), nn.Linear(H, 1)
        self.dropout = nn.Dropout(dropout)

    def encode(self, x):
        xs = nn.utils.rnn.pack_padded_sequence(
            self.dropout(self.embed(x)), (x != PAD).sum(1), batch_first=True, enforce_sorted=False
        )
        hs, (last, _) = self.encoder(xs)
        hs, _ = nn.utils.rnn.pad_packed_sequence(hs, batch_first=True)
        h = torch.cat([last[0], last[1]], dim=1)
        return hs, (h, torch.zeros_like(h), torch.zeros_like(h))

    def step(self, read, hs, x, state):
        h, c, context = state
        inputs = torch.cat([self.dropout(self.embed(read)), self.dropout(context)], dim=1)
        h, c = self.decoder(inputs, (h, c))
        scores = torch.einsum("nsh,nh->ns", self.attention(hs), h).masked_fill(x == PAD, -1e9)
        weights = scores.softmax(dim=1)
        context = torch.einsum("ns,nsh->nh", weights, hs)
        features = self.dropout(torch.tanh(self.combine(torch.cat([context, h], dim=1))))
        p = torch.sigmoid(self.gate(features))
        copied = torch.zeros(len(x), self.affine.out_features).scatter_add(1, x, weights)
        return torch.log(p * self.affine(features).softmax(dim=1) + (1 - p) * copied + 1e-12), (h, c, context)

    def loss(self, x, t):
        hs, state = self.encode(x)
        logs = []
        for read in t[:, :-1].T:
            log, state = self.step(read, hs, x, state)
            logs.append(log)
        logs, counts = torch.stack(logs, dim=1), t[:, :-1] != PAD
        return functional.cross_entropy(logs[counts], t[:, 1:][counts], label_smoothing=SMOOTHING)

    @torch.inference_mode()
    def generate(self, x, steps):
        hs, state = self.encode(x)
        read, ended = torch.full((len(x),), START), torch.zeros(len(x), dtype=torch.bool)
        answers = []
        for _ in range(steps):
            log, state = self.step(read, hs, x, state)
            read = log.argmax(dim=1).masked_fill(ended, PAD)
            ended |= read == PAD
            answers.append(read)
        return torch.stack(answers, dim=1)


class Words:
    """Pairs as ids: a lemma with its features behind it, and the form."""

    def __init__(self, path, ids=None):
        self.pairs = list(load_pairs([path], Reading(Columns(1, 2, 3))))
        cut = [
            ([*lemma, *features.split(";")], list(pair.target))
            for pair in self.pairs
            for lemma, _, features in [pair.source.partition("\t")]
        ]
        self.ids = ids or {s: n for n, s in enumerate(sorted({s for x, t in cut for s in [*x, *t]}), start=3)}
        known = [([self.ids.get(s, UNKNOWN) for s in side] for side in pair) for pair in cut]
        self.x, self.t = zip(*[(x, [START, *t, PAD]) for x, t in known], strict=True)

    def batch(self, rows):
        return [
            nn.utils.rnn.pad_sequence([torch.tensor(side[row]) for row in rows], batch_first=True, padding_value=PAD)
            for side in (self.x, self.t)
        ]


def accuracy(model, words):
    """Measure greedy accuracy in per cent; what has a symbol never seen is wrong."""
    model.eval()
    right = 0
    for start in range(0, len(words.x), 250):
        rows = range(start, min(start + 250, len(words.x)))
        x, t = words.batch(rows)
        answers = model.generate(x, 2 * t.shape[1])
        answers = functional.pad(answers, (0, max(0, t.shape[1] - 1 - answers.shape[1])))
        same = (answers[:, : t.shape[1] - 1] == t[:, 1:]).all(1) & (answers[:, t.shape[1] - 1 :] == PAD).all(1)
        right += int((same & ~(t == UNKNOWN).any(1)).sum())
    model.train()
    return 100 * right / len(words.x)


def main() -> None:
    """Train a model and print its accuracy."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("train"), parser.add_argument("dev"), parser.add_argument("test", nargs="?")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dropout", type=float, default=0.3)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    rng, words = np.random.default_rng(options.seed), Words(options.train)
    dev, test = Words(options.dev, words.ids), options.test and Words(options.test, words.ids)
    model = PointerGenerator(len(words.ids) + 3, options.dropout)
    average = torch.optim.swa_utils.AveragedModel(model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(EMA))
    optimizer, start, order = torch.optim.Adam(model.parameters(), RATE), time.time(), []
    for step in range(STEPS):
        if not order:
            order = np.array_split(rng.permutation(len(words.x)), math.ceil(len(words.x) / BATCH))
        warm = min(1.0, (step + 1) / (0.05 * STEPS))
        optimizer.param_groups[0]["lr"] = RATE * warm * 0.5 * (1 + math.cos(math.pi * step / STEPS))
        loss = model.loss(*words.batch(order.pop()))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        average.update_parameters(model)
        if (step + 1) % (STEPS // 6) == 0:
            print(
                f"step {step + 1:,}  dev {accuracy(average.module, dev):.1f} %  {time.time() - start:.0f} s",
                flush=True,
            )
    if test:
        print(f"test {accuracy(average.module, test):.1f} %")


if __name__ == "__main__":
    main()

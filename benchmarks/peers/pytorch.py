"""The encoder-decoder as a good PyTorch user writes it: nn.LSTM, packed where padding is masked, fused Adam."""

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence


class TorchSeq2seq(nn.Module):
    """The chapter's model, plain or peeky, with its training step and batched greedy answers."""

    def __init__(self, V, D, H, peeky, pad_id=None, device="cpu"):
        super().__init__()
        self.peeky, self.pad_id = peeky, pad_id
        C = H if peeky else 0
        self.encoder_embed, self.decoder_embed = nn.Embedding(V, D), nn.Embedding(V, D)
        self.encoder, self.decoder = nn.LSTM(D, H, batch_first=True), nn.LSTM(C + D, H, batch_first=True)
        self.affine = nn.Linear(C + H, V)
        self.to(device)
        self.device = device
        self.optimizer = torch.optim.Adam(self.parameters(), lr=1e-3, eps=1e-7, fused=True)

    def encode(self, x):
        xs = self.encoder_embed(x)
        if self.pad_id is not None:
            lengths = (x != self.pad_id).sum(dim=1).cpu()
            xs = pack_padded_sequence(xs, lengths, batch_first=True, enforce_sorted=False)
        return self.encoder(xs)[1][0]

    def decode(self, ids, h, state):
        xs = self.decoder_embed(ids)
        if self.peeky:
            everywhere = h[0][:, None].expand(-1, xs.shape[1], -1)
            xs = torch.cat((everywhere, xs), dim=2)
        hs, state = self.decoder(xs, state)
        return self.affine(torch.cat((everywhere, hs), dim=2) if self.peeky else hs), state

    def step(self, x, t, max_grad=5.0):
        """Train on one batch; return its loss."""
        x, t = (torch.from_numpy(ids).long().to(self.device) for ids in (x, t))
        read, targets = t[:, :-1], t[:, 1:]
        h = self.encode(x)
        scores, _ = self.decode(read, h, (h, torch.zeros_like(h)))
        if self.pad_id is not None:
            targets = targets.masked_fill(read == self.pad_id, -100)
        loss = nn.functional.cross_entropy(scores.flatten(0, 1), targets.flatten())
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters(), max_grad)
        self.optimizer.step()
        return loss.item()

    @torch.inference_mode()
    def generate(self, x, start_id, steps):
        """Answer questions x (N, S) greedily: ids (N, steps)."""
        h = self.encode(torch.from_numpy(x).long().to(self.device))
        state = (h, torch.zeros_like(h))
        ids = torch.full((len(x), 1), start_id, device=self.device)
        answers = []
        for _ in range(steps):
            scores, state = self.decode(ids, h, state)
            ids = scores.argmax(dim=2)
            answers.append(ids)
        return torch.cat(answers, dim=1).cpu().numpy()

"""Beam search as a good PyTorch user writes it: whole batches, the beams of a question side by side."""

import torch


@torch.inference_mode()
def beam_search(model, x, start_id, width, longest):
    """Answer words x (N, S) -> for each the ids of its best answer by mean log-probability, its end counted.

    A finished hypothesis keeps its place in the beam.  An answer has at most `longest` (N,) ids before its end.
    """
    N, K, pad_id = len(x), width, model.pad_id
    longest = torch.from_numpy(longest)
    memory, state = model.encode(torch.from_numpy(x).long())
    questions = torch.arange(N)[:, None]
    state = select(state, questions.expand(N, K).flatten())
    ids = torch.full((N, K), start_id)
    scores = torch.full((N, K), -torch.inf)  # of no hypothesis
    scores[:, 0] = 0.0
    written = torch.empty((N, K, 0), dtype=torch.long)
    finished = [[] for _ in range(N)]
    count = torch.zeros(N, dtype=torch.long)
    for t in range(int(longest.max()) + 1):
        raw, state = decoder_step(model, ids, state, memory)
        totals = scores[:, :, None] + raw.log_softmax(dim=2)
        over = t >= longest
        if over.any():
            totals.masked_fill_(over[:, None, None] & (torch.arange(totals.shape[2]) != pad_id), -torch.inf)
        V = totals.shape[2]
        scores, chosen = totals.flatten(1).topk(K, dim=1)
        parents, ids = chosen // V, chosen % V
        written = written.gather(1, parents[:, :, None].expand(-1, -1, t))
        scores[torch.arange(K) >= K - count[:, None]] = -torch.inf  # the places of finished hypotheses
        ended = (ids == pad_id) & (scores > -torch.inf)
        for n, k in ended.nonzero().tolist():
            finished[n].append((scores[n, k].item() / (t + 1), written[n, k].tolist()))
        count += ended.sum(dim=1)
        scores[ended] = -torch.inf
        if (count == K).all():
            break
        written = torch.cat((written, ids[:, :, None]), dim=2)
        state = select(state, (questions * K + parents).flatten())
    return [max(hypotheses, key=lambda hypothesis: hypothesis[0])[1] for hypotheses in finished]


def select(state, rows):
    """Take rows of the state of an LSTM or a GRU."""
    if isinstance(state, tuple):
        return tuple(part.index_select(1, rows) for part in state)
    return state.index_select(1, rows)


def decoder_step(model, ids, state, memory):
    """Read one more id for each hypothesis, ids (N, K) -> scores (N, K, V) of what follows, next state."""
    N, K = ids.shape
    hs, state = model.decoder(model.decoder_embed(ids.reshape(N * K, 1)), state)
    return model.affine(model.features(hs.reshape(N, K, -1), memory)), state

"""Words and how they are said, drawn from a seed, and the sections `models` and `beam`, measured on them."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from benchmarks.measure import interleaved
from benchmarks.sides import NATIVE, TORCH, Step
from doldari import Adam, AttentionSeq2seq, Predictor, Seq2seq, Trainer
from doldari.arrays import Ids
from doldari.config import ModelConfig
from doldari.data.batches import pad
from doldari.data.vocabulary import PADDING, SPECIALS, START, Vocabulary
from doldari.models.model_file import TextModel

OURS = "doldari" if NATIVE else "doldari, reference kernels"
V, H, N = 60, 256, 64
LETTERS, LONGEST, BEAM = V - SPECIALS, 22, 5
VOCABULARY = Vocabulary("characters", tuple(chr(ord("A") + number) for number in range(LETTERS)))  # and of phones


def drawn_words(count: int, seed: int) -> list[tuple[list[int], list[int]]]:
    """Draw words and how they are said, as ids.

    Lengths are those of grapheme-to-phoneme data: 2 to 22 letters, 8.5 on average (standard deviation 3); 8 phones.
    Every letter stands for a phone, one in eight for none, one in twenty for two; one time in eight it is said in
    another way.
    """
    rng = np.random.default_rng(seed)
    spread = np.sqrt(np.log(1 + (3 / 8.5) ** 2))
    lengths = np.clip(np.rint(rng.lognormal(np.log(8.5) - spread**2 / 2, spread, count)), 2, LONGEST).astype(int)
    words = []
    for length in lengths:
        letters = rng.integers(LETTERS, size=length)
        phones: list[int] = []
        for letter, otherwise in zip(letters.tolist(), (rng.random(length) < 1 / 8).tolist(), strict=True):
            phone = SPECIALS + (letter * 7 + 3 * otherwise) % LETTERS
            phones += [phone] * (0 if letter % 8 == 7 and phones else 2 if letter % 20 == 0 else 1)
        words.append(([SPECIALS + letter for letter in letters.tolist()], phones[:LONGEST]))
    return words


def word_batches(count: int, batch_size: int = N, seed: int = 0) -> list[tuple[Ids, Ids]]:
    """Make batches of words x (N, S) and how they are said t (N, T), start symbol first, padding on the right."""
    words = drawn_words(count, seed)
    parts = [words[at : at + batch_size] for at in range(0, count, batch_size)]
    return [
        (pad([x for x, _ in part], PADDING), pad([[START, *t, PADDING] for _, t in part], PADDING)) for part in parts
    ]


def models(rounds: int, say: Callable[[str], None]) -> list[dict]:
    """Time a training step, the mean of 16 batches of 64 words, with label smoothing 0.1."""
    kinds = {
        "attention, LSTM": {},
        "attention, GRU": {"cell": "gru"},
        "attention, LSTM, two layers": {"layers": 2},
        "plain, LSTM": {"attention": False},
    }
    batches = word_batches(16 * N)
    rows = []
    for kind, settings in kinds.items():
        for dropout in (0.0, 0.3):
            name = f"{kind}, dropout {dropout}"
            say(f"models: {name}")
            steps = word_steps(**settings, dropout=dropout, smoothing=0.1)
            sides = {side: (lambda step=step: [step(x, t) for x, t in batches]) for side, step in steps.items()}
            times = interleaved(sides, rounds)
            rows.append({"model": name} | {side: seconds / len(batches) for side, seconds in times.items()})
    return rows


def word_model(
    cell: str = "lstm",
    layers: int = 1,
    attention: bool = True,
    dropout: float = 0.0,
    smoothing: float = 0.0,
    size: int = H,
) -> Seq2seq:
    """Make doldari's model, its encoder in both directions, of `size` units and a quarter as many in an embedding."""
    return (AttentionSeq2seq if attention else Seq2seq)(
        V,
        size // 4,
        size,
        pad_id=PADDING,
        cell=cell,
        layers=layers,
        bidirectional=True,
        dropout=dropout,
        label_smoothing=smoothing,
        rng=np.random.default_rng(0),
    )


def word_steps(**settings: Any) -> dict[str, Step]:
    """Make every side's training step; the settings are those of `word_model`."""
    trainer = Trainer(word_model(**settings), Adam(), dropout_rng=np.random.default_rng(1))
    sides: dict[str, Step] = {OURS: partial(trainer.step, max_grad=5.0)}
    if TORCH:
        sides |= on_threads(lambda: torch_words(**settings).step)
    return sides


def torch_words(size: int = H, **settings: Any) -> Any:
    """Make PyTorch's model; the settings are those of `word_model`."""
    from benchmarks.peers.pytorch_attention import TorchWords

    return TorchWords(V, size // 4, size, PADDING, **settings)


def on_threads(make: Callable[[], Callable[..., object]]) -> dict[str, Callable[..., object]]:
    """Let PyTorch do what `make` makes, anew for each, with one thread and with two."""
    import torch

    def on(threads: int, work: Callable[..., object]) -> Callable[..., object]:
        def side(*inputs: object) -> object:
            torch.set_num_threads(threads)
            return work(*inputs)

        return side

    return {f"PyTorch, {threads} thread{'s' * (threads > 1)}": on(threads, make()) for threads in (1, 2)}


def beam(rounds: int, say: Callable[[str], None], count: int = 10_000) -> list[dict]:
    """Time how words are answered with a beam of 5, by a model that has hardly begun to learn and one that is done.

    What can no longer win is left out, so that the speed depends on how sure the model is.  3,000 steps are those of
    a training for which nothing else is said.  One phone in eight is drawn: no model is ever quite sure.
    """
    texts = [VOCABULARY.decode(word) for word, _ in drawn_words(count, seed=2)]
    rows = []
    for steps in (250, 3_000):
        say(f"beam: a model to ask, {steps} steps")
        predictor = taught_predictor(word_model(), steps, 3e-3)
        say("beam")
        row: dict[str, Any] = {"words": count, "beam": BEAM, "steps of training": steps}
        sides: dict[str, Callable[[], object]] = {
            OURS: lambda predictor=predictor: predictor.predict(texts, beam=BEAM)
        }
        if TORCH:
            row["same answers"] = round(count * same_answers(predictor, texts))
            sides |= on_threads(
                lambda predictor=predictor: partial(torch_beam, torch_twin(predictor), predictor, texts)
            )
        rows.append(row | interleaved(sides, rounds))
    return rows


def same_answers(predictor: Predictor, texts: list[str]) -> float:
    """Check that both sides find the same; return the share of words for which they do.

    An answer may be another where two scores are nearly equal, or where ours is the better one.
    """
    theirs = torch_beam(torch_twin(predictor), predictor, texts)
    share = sum(map(str.__eq__, predictor.predict(texts, beam=BEAM), theirs)) / len(texts)
    if share < 0.99:
        raise RuntimeError(f"beam: only {share:.1%} of the words are answered alike, expected at least 99 %")
    return share


def taught_predictor(model: Seq2seq, steps: int, learning_rate: float) -> Predictor:
    """Train a model on words for a few steps: it knows most of the phones, and is not sure of them."""
    trainer, longer = Trainer(model, Adam(learning_rate)), 0
    for x, t in word_batches(steps * N, seed=1):
        trainer.step(x, t, max_grad=1.0)
        longer = max(longer, int(((t != PADDING).sum(axis=1) - 1 - (x != PADDING).sum(axis=1)).max()))
    return Predictor(TextModel(model, ModelConfig(), VOCABULARY, VOCABULARY, LONGEST, LONGEST, longer))


def torch_twin(predictor: Predictor) -> Any:
    """Make PyTorch's model with the weights of an attention model of one layer."""
    model = predictor.text_model.model
    twin = torch_words(size=model.encoder.embed.W.value.shape[1] * 4)
    twin.load({name: parameter.value for name, parameter in model.parameters.items()})
    return twin.eval()


def torch_beam(twin: Any, predictor: Predictor, texts: list[str]) -> list[str]:
    """Answer words with PyTorch, as text, in batches of 64 of about one length; 16, 256 and 1,000 were slower.

    An answer may have as many phones as ours.
    """
    from benchmarks.peers.pytorch_beam import beam_search

    encoded = [VOCABULARY.encode(text) for text in texts]
    order = sorted(range(len(texts)), key=lambda index: len(encoded[index]))
    answers = [""] * len(texts)
    for at in range(0, len(texts), 64):
        batch = order[at : at + 64]
        xs = pad([encoded[index] for index in batch], PADDING)
        longest = np.minimum(LONGEST, (xs != PADDING).sum(axis=1) + predictor.text_model.longer)
        found = beam_search(twin, xs, START, BEAM, longest)
        for index, ids in zip(batch, found, strict=True):
            answers[index] = VOCABULARY.decode(ids)
    return answers

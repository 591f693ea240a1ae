"""The section `transformers`: a training step and greedy answers of transformers, ours and a plain PyTorch loop's."""

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.measure import interleaved
from benchmarks.sides import TORCH
from benchmarks.words import LONGEST, OURS, V, on_threads, word_batches
from doldari import Adam, Trainer, Transformer
from doldari.arrays import Ids
from doldari.data.vocabulary import PADDING, START

SIZES = {
    "1 layer, D 64, H 256, batch 64": (64, 256, 1, 64),
    "2 layers, D 128, H 512, batch 64": (128, 512, 2, 64),
    "2 layers, D 128, H 512, batch 400": (128, 512, 2, 400),
    "4 layers, D 256, H 1024, batch 400 (recipe)": (256, 1024, 4, 400),
}


def transformers(rounds: int, say: Callable[[str], None], most: int | None = None) -> list[dict]:
    """Time a step of words, of words that are all 12 letters long, so that nothing is padding, and greedy answers."""
    rows = []
    for name, (D, H, layers, N) in list(SIZES.items())[:most]:
        words = word_batches(2 * N, N)
        kinds = {
            "a step": {"batches": words, "dropout": 0.3},
            "a step without padding": {"batches": unpadded(words), "dropout": 0.3},
            "greedy answers": {"batches": words, "answers": True},
        }
        for kind, settings in kinds.items():
            say(f"transformers: {name}, {kind}")
            batches = settings["batches"]
            times = interleaved(sides(D, H, layers, **settings), rounds)
            rows.append({"model": name, "what": kind} | {side: s / len(batches) for side, s in times.items()})
    return rows


def unpadded(batches: list[tuple[Ids, Ids]]) -> list[tuple[Ids, Ids]]:
    """Draw batches of as many words, of 12 letters and 11 phones each."""
    rng = np.random.default_rng(0)
    shapes = [(len(x), length) for x, _ in batches for length in (12, 12)]
    drawn = iter([rng.integers(START + 2, V, shape).astype(np.int32) for shape in shapes])
    pairs = [(next(drawn), next(drawn)) for _ in batches]
    return [(x, np.hstack([np.full((len(t), 1), START, np.int32), t])) for x, t in pairs]


def sides(
    D: int, H: int, layers: int, batches: list[tuple[Ids, Ids]], dropout: float = 0.0, answers: bool = False
) -> dict[str, Callable[[], object]]:
    """Make what every side does with all batches: a training step each, or greedy answers of full length."""
    ours = transformer(D, H, layers, dropout=dropout, smoothing=0.1)
    ours.parameters["decoder.affine.b"].value[PADDING] = -10.0 if answers else 0.0  # nobody gets away early
    trainer = Trainer(ours, Adam(), dropout_rng=np.random.default_rng(1))

    def work(step: Callable[..., object], generate: Callable[..., object]) -> Callable[[], object]:
        if answers:
            return lambda: [generate(x, START, LONGEST) for x, _ in batches]
        return lambda: [step(x, t, max_grad=5.0) for x, t in batches]

    every = {OURS: work(trainer.step, ours.generate)}
    if TORCH:

        def theirs() -> Callable[[], object]:
            model = torch_transformer(D, H, layers, dropout=dropout, smoothing=0.1)
            return work(model.step, model.generate)

        every |= on_threads(theirs)
    return every


def transformer(D: int, H: int, layers: int, dropout: float = 0.0, smoothing: float = 0.0) -> Transformer:
    """Make doldari's model."""
    settings = {"layers": layers, "dropout": dropout, "label_smoothing": smoothing}
    return Transformer(V, D, H, pad_id=PADDING, rng=np.random.default_rng(0), **settings)


def torch_transformer(D: int, H: int, layers: int, **settings: Any) -> Any:
    """Make PyTorch's model, of 4 heads like ours."""
    from benchmarks.peers.pytorch_transformer import TorchTransformer

    return TorchTransformer(V, D, H, PADDING, heads=4, layers=layers, **settings)

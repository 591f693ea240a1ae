"""Whether one model is better than another, or was lucky with the examples: a paired bootstrap (Koehn 2004)."""

from collections.abc import Sequence

import numpy as np

SAMPLES = 10_000


def paired_bootstrap(better: Sequence[float], other: Sequence[float], seed: int = 0) -> float:
    """Compute in which share of samples of the examples the better one is not better: p, one-sided, in [0, 1].

    Both are scores of the same N examples, such as 1 for a right answer and 0 for a wrong one, or the mean of several
    seeds.  Each of the 10,000 samples draws N examples with replacement, the same for both.

    Koehn, "Statistical Significance Tests for Machine Translation Evaluation", EMNLP 2004.
    """
    differences = np.subtract(better, other, dtype=float)
    # How often a sample has each different value is multinomial: no example needs to be drawn by itself.
    values, counts = np.unique(differences.round(12), return_counts=True)
    drawn = np.random.default_rng(seed).multinomial(len(differences), counts / counts.sum(), SAMPLES)
    return float((drawn @ values <= 1e-9 * len(differences)).mean())

"""The metrics of an evaluation, each with a 95 % interval: accuracy, WER, PER or CER, and for words BLEU and chrF.

The intervals are percentiles of a bootstrap (Efron 1979): the measure over 1,000 samples, each as many examples drawn
with replacement as there are.  All measures are ratios, or functions, of sums over examples, so a sample needs only
its sums.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from doldari.data.symbols import normalize
from doldari.errors import MissingPackageError
from doldari.inference.metrics import Evaluation
from doldari.percent import percent

SAMPLES = 1_000

Sums = NDArray[np.float64]


@dataclass(frozen=True)
class Score:
    """A measure's value and the ends of its interval: a share in [0, 1], or points from 0 to 100."""

    value: float
    low: float
    high: float
    unit: str = "share"

    def __str__(self) -> str:
        return self.shown(self.value)

    @property
    def interval(self) -> str:
        """The interval as text."""
        return f"{self.shown(self.low)} to {self.shown(self.high)}"

    def shown(self, value: float) -> str:
        """Write a value of this measure: a share as per cent."""
        return percent(value) if self.unit == "share" else f"{value:.2f}"


@dataclass(frozen=True)
class Measure:
    """A measure before its interval: sums over examples (K,) -> value, from statistics of each example (N, K)."""

    statistics: Sums
    of_sums: Callable[[Sums], float]
    unit: str = "share"


def scores(evaluation: Evaluation, seed: int = 0) -> dict[str, Score]:
    """Compute the metrics that suit the target's symbols.

    accuracy   share of sources answered exactly
    WER        the share that is not: word error rate in the sense of the G2P literature, where a source is a word
    PER, CER   Levenshtein distances over target lengths, summed over all examples, in symbols (PER, phone error rate,
               of symbols between white space) or else in characters (CER)
    BLEU, chrF of symbols that are words or parts of words (Papineni et al. 2002; Popović 2015), if sacrebleu is there
    """
    wrong = np.array([not right for right in evaluation.right], np.float64)
    ones = np.ones_like(wrong)
    edits, lengths = np.array(evaluation.edits, np.float64), np.array(evaluation.lengths, np.float64)
    measures = {
        "accuracy": Measure(np.stack([1 - wrong, ones], axis=1), ratio),
        "WER": Measure(np.stack([wrong, ones], axis=1), ratio),
        "PER" if evaluation.kind == "whitespace" else "CER": Measure(np.stack([edits, lengths], axis=1), ratio),
    }
    if evaluation.kind in ("whitespace", "words", "subwords"):
        with suppress(MissingPackageError):
            measures |= translation_measures(evaluation)
    return with_intervals(measures, np.random.default_rng(seed))


def with_intervals(measures: dict[str, Measure], rng: np.random.Generator) -> dict[str, Score]:
    """Compute measures of the same examples and, over the same samples of them, their intervals."""
    statistics = np.concatenate([measure.statistics for measure in measures.values()], axis=1)
    widths = [measure.statistics.shape[1] for measure in measures.values()]
    ends = np.cumsum(widths)
    samples = resampled_sums(statistics, rng)
    result = {}
    for (name, measure), end, width in zip(measures.items(), ends, widths, strict=True):
        values = [measure.of_sums(sums) for sums in samples[:, end - width : end]]
        low, high = np.percentile(values, [2.5, 97.5]).tolist()
        result[name] = Score(measure.of_sums(measure.statistics.sum(axis=0)), low, high, measure.unit)
    return result


def resampled_sums(statistics: Sums, rng: np.random.Generator, samples: int = SAMPLES) -> Sums:
    """Sum statistics (N, K) over samples of N examples, drawn with replacement -> (samples, K)."""
    N, K = statistics.shape
    sums = np.empty((samples, K))
    for sample in sums:
        sample[:] = np.bincount(rng.integers(N, size=N), minlength=N) @ statistics
    return sums


def ratio(sums: Sums) -> float:
    """Divide the first sum by the second."""
    return float(sums[0] / max(sums[1], 1.0))


def translation_measures(evaluation: Evaluation) -> dict[str, Measure]:
    """Make BLEU and chrF; MissingPackageError without sacrebleu.

    Words and subwords are joined into text and cut by sacrebleu's own rule (13a), so that figures can be compared;
    symbols between white space are taken as they are.
    """
    try:
        from sacrebleu.metrics.bleu import BLEU
        from sacrebleu.metrics.chrf import CHRF
    except ImportError as error:
        raise MissingPackageError("BLEU and chrF need sacrebleu: pip install 'doldari[metrics]'") from error
    answers = [normalize(answer, "NFC") for answer in evaluation.answers]
    most = max(map(len, evaluation.targets))
    references = [
        [normalize(targets[n], "NFC") if n < len(targets) else None for targets in evaluation.targets]
        for n in range(most)
    ]
    metrics: dict[str, Any] = {
        "BLEU": BLEU(tokenize="none" if evaluation.kind == "whitespace" else "13a", force=True),
        "chrF": CHRF(),
    }
    # What sacrebleu itself resamples by; its own interval is symmetric, and takes 1,000 times the examples in memory.
    return {
        name: Measure(
            np.array(metric._extract_corpus_statistics(answers, references), np.float64),
            partial(score_of_sums, metric),
            "points",
        )
        for name, metric in metrics.items()
    }


def score_of_sums(metric: Any, sums: Sums) -> float:
    """Let a metric of sacrebleu compute its score, from 0 to 100, from sums of its statistics."""
    return float(metric._compute_score_from_stats(sums.tolist()).score)

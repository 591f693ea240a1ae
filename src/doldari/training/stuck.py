"""A model that has learned nothing after a third of its training: that is said once, with what to try.

It has learned nothing if it is right no more often than one constant answer, and if its loss on validation pairs is
either no better than that of guessing symbols by their frequency, or hardly depends on the source: with the sources
of other pairs it is the same.  Then the decoder has learned what targets look like, and nothing else.
"""

from collections import Counter
from collections.abc import Iterator

import numpy as np

from doldari.data.ragged import Ragged
from doldari.data.traits import traits
from doldari.data.vocabulary import PADDING, START
from doldari.recipes.choice import LOW, copies
from doldari.training.run import Run
from doldari.training.suitability import FEW, say
from doldari.training.validation import mean_loss

WHEN, LEAST = 1 / 3, 100  # of the training; and steps, before which no model has learned much
PROBED = 500  # pairs
DEPENDS = 0.02  # share of the loss by which the right sources must be better than others


def warn_if_stuck(run: Run) -> None:
    """Warn if nothing is learned when the first epoch after a third ends; the model has the weights of validation."""
    early = run.progress() < WHEN or run.position.steps < LEAST
    if run.looked_at or run.over or early or len(run.validation) < FEW:
        return
    run.looked_at = True
    accuracy = max(epoch.accuracy for epoch in run.history)
    if accuracy > constant_accuracy(run):
        return
    reason = why_stuck(run)
    if reason:
        epochs = f"after {len(run.history)} of {run.epochs} epochs the model has learned nothing"
        say(f"{epochs}: accuracy {accuracy:.1%}, {reason}; try {', '.join(remedies(run))}")


def constant_accuracy(run: Run) -> float:
    """Tell how often the most frequent target of the validation pairs is right, if it is the answer to everything."""
    return Counter(pair.target for pair in run.validation).most_common(1)[0][1] / len(run.validation)


def why_stuck(run: Run) -> str:
    """Say what shows that nothing is learned; nothing if something is."""
    loss, guessing = run.history[-1].validation_loss, unigram_loss(run)
    if not loss < guessing:
        return f"loss {loss:.2f}, where guessing symbols by their frequency has {guessing:.2f}"
    x, t = run.validation_arrays
    some = range(min(PROBED, len(x)))
    if len(some) < FEW:
        return ""
    size = len(run.predictor.text_model.source)
    right, others = (
        mean_loss(
            run.learner,
            Ragged.of([x[(row + far) % len(some)].tolist() for row in some], size),
            Ragged.of([t[row].tolist() for row in some], len(run.predictor.text_model.target)),
            run.config.training.batch_size,
        )
        for far in (0, len(some) // 2)
    )
    same = f"predictions hardly depend on the source (loss {right:.2f}, with the sources of other pairs {others:.2f})"
    return same if right > (1 - DEPENDS) * others else ""


def unigram_loss(run: Run) -> float:
    """Compute the least loss, in nats a symbol, that one distribution has for all symbols of the training targets.

    Label smoothing is in it, as in every loss of the run: the distribution is the smoothed one of the frequencies.
    """
    V, smoothing = len(run.predictor.text_model.target), run.config.training.label_smoothing
    counts = np.bincount(run.t.ids, minlength=V).astype(float)
    counts[START] = 0  # is read, never written
    counts[PADDING] = len(run.t)  # ends each target
    asked_for = (1 - smoothing) * counts / counts.sum() + smoothing / V
    written = asked_for[asked_for > 0]
    return float(-(written * np.log(written)).sum())


def remedies(run: Run) -> Iterator[str]:
    """Name what is likely to help, the likeliest first."""
    model, settings = run.config.model, run.config.training
    if model.model == "transformer":
        yield "--model recurrent"
    elif not model.copies and copies(traits(run.validation)):
        few = len(run.t) < LOW and bool(run.predictor.text_model.source.features)
        yield "--recipe inflection-low" if few else "--recipe inflection"
    elif model.decoder in ("plain", "peeky"):
        yield "--decoder attention"
    if settings.dropout > 0.3:
        yield "--dropout 0.2"
    if settings.learning_rate > 1e-3:
        yield f"a lower learning rate (--lr {settings.learning_rate / 3:.1g})"
    yield "smaller batches or more epochs (--batch-size, --epochs)"
    yield "another seed (--seed)"

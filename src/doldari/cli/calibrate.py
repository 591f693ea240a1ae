"""doldari calibrate."""

from typing import TYPE_CHECKING

from doldari.cli.arguments import (
    DataArgument,
    FeaturesColumnOption,
    FormatOption,
    ModelArgument,
    SourceColumnOption,
    TargetColumnOption,
)
from doldari.cli.console import stdout, warn, working
from doldari.cli.reading import is_training_data, read_shown, reading_for
from doldari.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from doldari.data.pairs import Pairs
    from doldari.inference.calibration import Bin
    from doldari.inference.predictor import Predictor


def calibrate(
    model: ModelArgument,
    data: DataArgument,
    source_column: SourceColumnOption = None,
    target_column: TargetColumnOption = None,
    features_column: FeaturesColumnOption = None,
    format: FormatOption = None,
) -> None:
    """Calibrate the predicted probabilities by temperature scaling.

    DATA are validation pairs, used neither for training nor for testing.  One temperature (Guo et al. 2017) is fitted
    and saved in the model file; greedy predictions stay the same.  It is not saved if it does not lower the
    calibration error.  For a built-in task, the tenth that training holds out is used.
    """
    from doldari.inference.calibration import ROUNDS, reason_to_refuse, shown_error
    from doldari.inference.predictor import load
    from doldari.models.joining import refuse_mixed
    from doldari.models.model_file import model_file

    predictor = load(model)
    refuse_mixed(predictor.text_model, "calibrate")
    pairs = validation_pairs(predictor, model, data, (source_column, target_column, features_column), format)
    with working("calibrating", (ROUNDS + 2) * len(pairs)) as progress:
        calibrated, before, after = fitted(predictor, pairs, progress)
    old, new = predictor.text_model.temperature, calibrated.text_model.temperature
    reason = reason_to_refuse(new, before, after)
    if reason:
        raise DataError(f"{' and '.join(data)}: not calibrated, the temperature stays {old:.3g}: {reason}")
    file = model_file(model)
    calibrated.save(file)
    stdout.print(f"temperature {old:.3g} -> {new:.3g}, kept in {file}")
    stdout.print(f"calibration error (ECE) on these pairs: {shown_error(before)} -> {shown_error(after)}")


def validation_pairs(
    predictor: "Predictor",
    model: "Path",
    data: list[str],
    columns: tuple[str | None, str | None, str | None],
    format: FormatOption,
) -> "Pairs":
    """Read the pairs to calibrate with; warn if they are the training pairs."""
    from doldari.data import TASKS
    from doldari.data.pairs import split_pairs

    every = read_shown(data, reading_for(predictor, model, data, columns, format))
    if data[0] in TASKS:
        return split_pairs(every)[1]
    if is_training_data(model, every):
        warn(f"{' and '.join(data)}: the model was trained on these pairs; calibrate with pairs it has not seen")
    return every


def fitted(
    predictor: "Predictor", pairs: "Pairs", progress: "Callable[[int], None]"
) -> tuple["Predictor", "list[Bin]", "list[Bin]"]:
    """Fit a temperature: the calibrated predictor, and the bins of the reliability diagram before and after.

    progress is called with the number of predictions made so far.
    """
    from doldari.inference import metrics
    from doldari.inference.calibration import ROUNDS, after_rounds, fitted_temperature, reliability
    from doldari.inference.predictor import Predictor

    N = len(pairs)
    before = metrics.evaluate(predictor, pairs, unknown="unknown", detailed=True, progress=progress)
    known = [index for index, pair in enumerate(before.pairs) if predictor.knows(pair.source)]
    texts, right = [before.pairs[index].source for index in known], [before.right[index] for index in known]
    temperature = fitted_temperature(predictor.text_model, texts, right, "unknown", after_rounds(N, progress))
    calibrated = Predictor(predictor.text_model._replace(temperature=temperature))
    last = after_rounds((1 + ROUNDS) * N, progress)
    after = metrics.evaluate(calibrated, pairs, unknown="unknown", detailed=True, progress=last)
    return calibrated, reliability(before.probabilities, before.right), reliability(after.probabilities, after.right)

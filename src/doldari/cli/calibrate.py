"""doldari calibrate."""

from typing import TYPE_CHECKING

from doldari.cli.arguments import (
    DataArgument,
    FeaturesColumnOption,
    FormatOption,
    ModelArgument,
    SourceColumnOption,
    TargetColumnOption,
    features_column_of,
    reading_of,
)
from doldari.cli.console import stdout, working
from doldari.cli.evaluation import sized_as_in_training
from doldari.percent import percent

if TYPE_CHECKING:
    from doldari.inference.metrics import Evaluation


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
    and saved in the model file; greedy predictions stay the same.  For a built-in task, the tenth that training holds
    out is used.
    """
    from doldari.data import TASKS, load_pairs
    from doldari.data.pairs import split_pairs
    from doldari.inference import metrics
    from doldari.inference.calibration import fitted_temperature
    from doldari.inference.predictor import Predictor, load
    from doldari.models.model_file import model_file

    predictor = load(model)
    features = features_column_of(predictor, model, features_column)
    reading = reading_of(source_column, target_column, features, format)
    if data[0] in TASKS:
        reading = sized_as_in_training(model, data[0], reading)
    with working(f"reading {' and '.join(data)}"):
        every = load_pairs(data, reading)
        pairs = split_pairs(every)[1] if data[0] in TASKS else every
    with working("answering"):
        before = metrics.evaluate(predictor, pairs, unknown="unknown", detailed=True)
    known = [index for index, pair in enumerate(before.pairs) if predictor.knows(pair.source)]
    texts, right = [before.pairs[index].source for index in known], [before.right[index] for index in known]
    with working("fitting the temperature"):
        temperature = fitted_temperature(predictor.text_model, texts, right, "unknown")
        calibrated = Predictor(predictor.text_model._replace(temperature=temperature))
        after = metrics.evaluate(calibrated, pairs, unknown="unknown", detailed=True)
    file = model_file(model)
    calibrated.save(file)
    stdout.print(f"temperature {predictor.text_model.temperature:.3g} -> {temperature:.3g}, kept in {file}")
    stdout.print(f"calibration error (ECE) on these pairs: {error_of(before)} -> {error_of(after)}")


def error_of(evaluation: "Evaluation") -> str:
    """Tell the calibration error as per cent."""
    from doldari.inference.calibration import calibration_error, reliability

    return percent(calibration_error(reliability(evaluation.probabilities, evaluation.right)))

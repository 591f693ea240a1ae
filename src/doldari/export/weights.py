"""The weights of an exported file: float32 as they are, or int8, a quarter of the size."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from doldari.models.model_file import TextModel, describe, described_model

Float32 = NDArray[np.float32]


class Quantized(NamedTuple):
    """A matrix (K, M) as whole numbers from -127 to 127, and a scale (M,) for each column: numbers * scales."""

    numbers: NDArray[np.int8]
    scales: Float32

    @property
    def values(self) -> Float32:
        """What they stand for."""
        return self.numbers * self.scales


Weights = Mapping[str, Float32 | Quantized]


def exported_weights(text_model: TextModel, int8: bool) -> Weights:
    """Take a model's weights by name, in float32; with int8 the matrices are quantized, and vectors stay."""
    arrays = {name: np.asarray(one.value, np.float32) for name, one in text_model.model.weights().items()}
    return {name: quantized(array) if int8 and array.ndim == 2 else array for name, array in arrays.items()}


def quantized(matrix: Float32) -> Quantized:
    """Round a matrix (K, M) to int8, symmetrically about 0, each column by the largest of its numbers."""
    largest = np.abs(matrix).max(axis=0, initial=0)
    scales = np.where(largest > 0, largest / np.float32(127), np.float32(1)).astype(np.float32)
    return Quantized(np.rint(matrix / scales).astype(np.int8), scales)


def with_weights(text_model: TextModel, weights: Weights) -> TextModel:
    """Make the model that computes with exported weights."""
    arrays = {name: one.values if isinstance(one, Quantized) else one for name, one in weights.items()}
    return described_model(describe(text_model), arrays)

"""The hot loops behind one door: layers and optimizers call `kernels.<function>` and know no more."""

from doldari.kernels.reference import (
    adam,
    clip_gradients,
    lstm_backward,
    lstm_forward,
    lstm_greedy,
    scatter_rows,
    softmax_loss,
)

__all__ = [
    "adam",
    "clip_gradients",
    "lstm_backward",
    "lstm_forward",
    "lstm_greedy",
    "scatter_rows",
    "softmax_loss",
]

"""The chapter's layers, one a file: NumPy in, NumPy out, every backward written by hand.

`forward` returns its results and a cache; `backward` takes the results' gradients and the cache, adds to the
gradients of the parameters, and returns the gradients of the inputs.  Layers keep no state of their own.
"""

from doldari.layers.affine import TimeAffine
from doldari.layers.embedding import TimeEmbedding
from doldari.layers.gru import GRUState, TimeGRU
from doldari.layers.lstm import LSTMState, TimeLSTM
from doldari.layers.parameters import Parameter, Parameters
from doldari.layers.softmax_loss import TimeSoftmaxWithLoss

__all__ = [
    "GRUState",
    "LSTMState",
    "Parameter",
    "Parameters",
    "TimeAffine",
    "TimeEmbedding",
    "TimeGRU",
    "TimeLSTM",
    "TimeSoftmaxWithLoss",
]

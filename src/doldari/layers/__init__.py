"""The chapter's layers and those of real tasks, one a file: NumPy in, NumPy out, every backward written by hand.

`forward` returns its results and a cache; `backward` takes the results' gradients and the cache, adds to the
gradients of the parameters, and returns the gradients of the inputs.  Layers keep no state of their own.

Read them in the chapter's order: embedding.py, lstm.py, affine.py, softmax_loss.py; then gru.py, attention.py,
bidirectional.py, stack.py, dropout.py, pointer.py, bag.py, places.py; for a transducer fed.py and transducer.py; and
for a transformer layer_norm.py, multi_head_attention.py, feed_forward.py, which work on the vectors of all positions
but padding (layout.py).  What they share is in recurrent.py (the simple path, and the table form that models take),
gated.py, positions.py, parameters.py and arguments.py.
"""

from doldari.layers.affine import TimeAffine, TimeTiedAffine
from doldari.layers.attention import TimeAttention
from doldari.layers.bag import EmbeddingBag
from doldari.layers.bidirectional import TimeBidirectional
from doldari.layers.dropout import TimeDropout
from doldari.layers.embedding import TimeEmbedding
from doldari.layers.fed import TimeFed
from doldari.layers.feed_forward import TimeFeedForward
from doldari.layers.gru import GRUState, TimeGRU
from doldari.layers.layer_norm import TimeLayerNorm
from doldari.layers.lstm import LSTMState, TimeLSTM
from doldari.layers.multi_head_attention import TimeMultiHeadAttention
from doldari.layers.parameters import Optimizer, Parameter, Parameters
from doldari.layers.places import PlacedAttention, PlacedEmbedding
from doldari.layers.pointer import TimePointer
from doldari.layers.softmax_loss import TimeSoftmaxWithLoss
from doldari.layers.stack import TimeStack
from doldari.layers.transducer import TimeJoint, TimeTransducer
from doldari.layers.walk import TimeWalk

__all__ = [
    "EmbeddingBag",
    "GRUState",
    "LSTMState",
    "Optimizer",
    "Parameter",
    "Parameters",
    "PlacedAttention",
    "PlacedEmbedding",
    "TimeAffine",
    "TimeAttention",
    "TimeBidirectional",
    "TimeDropout",
    "TimeEmbedding",
    "TimeFed",
    "TimeFeedForward",
    "TimeGRU",
    "TimeJoint",
    "TimeLSTM",
    "TimeLayerNorm",
    "TimeMultiHeadAttention",
    "TimePointer",
    "TimeSoftmaxWithLoss",
    "TimeStack",
    "TimeTiedAffine",
    "TimeTransducer",
    "TimeWalk",
]

"""The layers and `BaseModel` with the interface of the chapter's listings, over doldari's own layers.

>>> from doldari.chapter import BaseModel, TimeAffine, TimeEmbedding, TimeLSTM, TimeSoftmaxWithLoss

The classes of the chapter, typed in with only these import lines changed, run on them: `examples/chapter_classes.py`.
"""

from doldari.chapter.base_model import BaseModel
from doldari.chapter.time_layers import TimeAffine, TimeEmbedding, TimeLSTM, TimeSoftmaxWithLoss

__all__ = ["BaseModel", "TimeAffine", "TimeEmbedding", "TimeLSTM", "TimeSoftmaxWithLoss"]

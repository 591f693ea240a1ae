"""The hot loops in NumPy: the definition that every other implementation is checked against.

Written as the papers' equations, to be read; begin with `lstm_step` in lstm.py.  To see a change here, run with
DOLDARI_KERNELS=reference (CONTRIBUTING.md).

The caller allocates what a function writes to, since the native kernels are the same functions; nothing here keeps
state.  Shapes: N batch, T time, H hidden size, R rows of the input table, V vocabulary.  Gates stand side by side: an
LSTM's in the order f, g, i, o, a GRU's in the order r, z, n.

The input at a position is a row of a table of ready input products, `table[rows[n, t]]`.  With ids over
a small vocabulary the table has a row for each symbol; with arbitrary vectors it has a row for each position.

What a forward leaves for its backward is in one array, the cache, made as wide as `cache_width(H)` numbers for each
vector that is kept of a position.  How it lies there is each implementation's own business.
"""

from doldari.kernels.reference.adam import adam, clip_gradients
from doldari.kernels.reference.attention import attend, attend_backward
from doldari.kernels.reference.greedy import lstm_greedy
from doldari.kernels.reference.gru import gru_backward, gru_forward
from doldari.kernels.reference.heads import attend_heads, attend_heads_backward, rotate
from doldari.kernels.reference.lstm import lstm_backward, lstm_forward
from doldari.kernels.reference.norm import layer_norm, layer_norm_backward
from doldari.kernels.reference.products import add_product, affine, scatter_rows
from doldari.kernels.reference.recurrent import cache_width as cache_width
from doldari.kernels.reference.scores import likeliest, softmax_loss
from doldari.kernels.reference.transducer import meet, meet_backward, transduce, transduce_backward
from doldari.kernels.reference.walk import walk_backward, walk_forward

__all__ = [
    "adam",
    "add_product",
    "affine",
    "attend",
    "attend_backward",
    "attend_heads",
    "attend_heads_backward",
    "clip_gradients",
    "get_num_threads",
    "gru_backward",
    "gru_forward",
    "layer_norm",
    "layer_norm_backward",
    "likeliest",
    "lstm_backward",
    "lstm_forward",
    "lstm_greedy",
    "meet",
    "meet_backward",
    "rotate",
    "scatter_rows",
    "set_num_threads",
    "softmax_loss",
    "transduce",
    "transduce_backward",
    "walk_backward",
    "walk_forward",
    "work_alone",
]


def set_num_threads(threads: int) -> None:
    """Do nothing but check: the threads of these kernels are those of NumPy's BLAS."""
    if threads < 1:
        raise ValueError(f"threads={threads}: expected at least 1")


def get_num_threads() -> int:
    """Return 1: the reference starts no threads of its own."""
    return 1


def work_alone() -> None:
    """Let the kernels share out nothing, from now on, of what the calling thread asks for: it is one of several."""

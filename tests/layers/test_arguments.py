"""Wrong arguments to layers: each is refused by name, with what was expected and what came."""

import re

import numpy as np
import pytest

from doldari.layers import (
    GRUState,
    LSTMState,
    Parameter,
    TimeAffine,
    TimeAttention,
    TimeBidirectional,
    TimeDropout,
    TimeEmbedding,
    TimeGRU,
    TimeLSTM,
    TimeSoftmaxWithLoss,
    TimeStack,
    TimeTiedAffine,
)
from doldari.layers.arguments import parsed

N, T, D, H, V = 2, 3, 5, 4, 7


def zeros(*shape, dtype=np.float32):
    return np.zeros(shape, dtype)


def P(*shape, dtype=np.float32):  # noqa: N802
    return Parameter(zeros(*shape, dtype=dtype))


def lstm(size=D):
    return TimeLSTM(P(size, 4 * H), P(H, 4 * H), P(4 * H))


def gru():
    return TimeGRU(P(D, 3 * H), P(H, 3 * H), P(3 * H))


F8 = np.float64
CONSTRUCTIONS = [
    (lambda: TimeLSTM(1, 2, 3), TypeError, "TimeLSTM: Wx must be a Parameter of shape (C + D, 4H), got int 1"),
    (
        lambda: TimeLSTM(P(5, 12), zeros(3, 12), P(12)),
        TypeError,
        "TimeLSTM: Wh must be a Parameter of shape (H, 4H), got an array of float32, shape (3, 12)",
    ),
    (
        lambda: TimeLSTM(P(5, 12), P(3, 10), P(12)),
        ValueError,
        "TimeLSTM: Wh must have shape (H, 4H) with H = 3, got (3, 10)",
    ),
    (
        lambda: TimeLSTM(P(5, 10), P(3, 12), P(12)),
        ValueError,
        "TimeLSTM: Wx must have shape (C + D, 4H) with C + D = 5, got (5, 10)",
    ),
    (lambda: TimeLSTM(P(5, 12), P(3, 12), P(12, 1)), ValueError, "TimeLSTM: b must have shape (4H,) with H = 3, got"),
    (
        lambda: TimeLSTM(P(5, 12), P(3, 12, dtype=F8), P(12)),
        TypeError,
        "TimeLSTM: Wh must be of float32, as Wx is, got float64",
    ),
    (
        lambda: TimeGRU(P(5, 9), P(3, 12), P(9)),
        ValueError,
        "TimeGRU: Wh must have shape (H, 3H) with H = 3, got (3, 12)",
    ),
    (
        lambda: TimeGRU(None, P(3, 9), P(9)),
        TypeError,
        "TimeGRU: Wx must be a Parameter of shape (C + D, 3H), got None",
    ),
    (
        lambda: TimeEmbedding(zeros(V, D)),
        TypeError,
        "TimeEmbedding: W must be a Parameter of shape (V, D), got an array",
    ),
    (lambda: TimeEmbedding(P(V)), ValueError, "TimeEmbedding: W must have shape (V, D), got (7,)"),
    (lambda: TimeAffine(P(H, V), 0), TypeError, "TimeAffine: b must be a Parameter of shape (V,), got int 0"),
    (lambda: TimeAffine(P(H, V), P(6)), ValueError, "TimeAffine: b must have shape (V,) with V = 7, got (6,)"),
    (
        lambda: TimeTiedAffine(P(V, D), P(D)),
        ValueError,
        "TimeTiedAffine: b must have shape (V,) with V = 7, got (5,)",
    ),
    (lambda: TimeAttention("W"), TypeError, "TimeAttention: W must be a Parameter of shape (H, M), got str 'W'"),
    (lambda: TimeDropout("a"), TypeError, "TimeDropout: rate must be a number in [0, 1), got str 'a'"),
    (lambda: TimeDropout(1.0), ValueError, "TimeDropout: rate must be in [0, 1), got 1.0"),
    (lambda: TimeDropout(float("nan")), ValueError, "TimeDropout: rate must be in [0, 1), got nan"),
    (lambda: TimeSoftmaxWithLoss(-0.1), ValueError, "TimeSoftmaxWithLoss: smoothing must be in [0, 1), got -0.1"),
    (
        lambda: TimeSoftmaxWithLoss(True),
        TypeError,
        "TimeSoftmaxWithLoss: smoothing must be a number in [0, 1), got bool",
    ),
    (lambda: TimeStack([]), ValueError, "TimeStack: layers must be at least one, got none"),
    (lambda: TimeStack([lstm(), 3]), TypeError, "TimeStack: layers must be recurrent layers, got int 3"),
    (lambda: TimeStack([lstm()], 2), ValueError, "TimeDropout: rate must be in [0, 1), got 2"),
    (lambda: TimeBidirectional(lstm(), 1), TypeError, "TimeBidirectional: back must be a recurrent layer, got int 1"),
    (
        lambda: TimeBidirectional(lstm(), gru()),
        TypeError,
        "TimeBidirectional: ahead and back must be of one kind, got TimeLSTM and TimeGRU",
    ),
    (lambda: Parameter([1.0]), TypeError, "Parameter: value must be an array of float32 or float64, got list"),
    (
        lambda: Parameter(np.zeros(3, int)),
        TypeError,
        "value must be an array of float32 or float64, got an array of int64",
    ),
    (
        lambda: Parameter.normal(0, (2,), 1.0),
        TypeError,
        "Parameter.normal: rng must be a numpy.random.Generator, got int 0",
    ),
    (
        lambda: Parameter.zeros((2,), "float16"),
        TypeError,
        "Parameter.zeros: dtype must be float32 or float64, got float16",
    ),
]


@pytest.mark.parametrize("make, error, message", CONSTRUCTIONS, ids=[case[2][:60] for case in CONSTRUCTIONS])
def test_wrong_construction(make, error, message):
    with pytest.raises(error, match=re.escape(message)):
        make()


def ids(*shape, dtype=np.int32):
    return np.zeros(shape, dtype)


xs = zeros(N, T, D)
affine, tied, embedding = TimeAffine(P(H, V), P(V)), TimeTiedAffine(P(V, H), P(V)), TimeEmbedding(P(V, D))
attention, loss = TimeAttention(P(H, 6)), TimeSoftmaxWithLoss()
memory = attention.remember(zeros(N, T, 6))
CALLS = [
    (
        lambda: lstm().forward([1]),
        TypeError,
        "TimeLSTM.forward: xs must be an array of float32, shape (N, T, D), got list",
    ),
    (
        lambda: lstm().forward(zeros(N, T, D, dtype=F8)),
        TypeError,
        "TimeLSTM.forward: xs must be an array of float32, shape (N, T, D), got an array of float64, shape (2, 3, 5)",
    ),
    (
        lambda: lstm().forward(zeros(N, T, 6)),
        ValueError,
        "TimeLSTM.forward: xs must have shape (N, T, D) with N = 2, T = 3, D = 5, got (2, 3, 6)",
    ),
    (
        lambda: lstm().forward(zeros(T, D)),
        ValueError,
        "TimeLSTM.forward: xs must have shape (N, T, D) with D = 5, got (3, 5)",
    ),
    (
        lambda: lstm().forward(xs, mask=np.ones((N, T), np.int32)),
        TypeError,
        "TimeLSTM.forward: mask must be an array of bool, shape (N, T), got an array of int32, shape (2, 3)",
    ),
    (
        lambda: lstm().forward(xs, mask=np.ones((N, 4), np.bool_)),
        ValueError,
        "TimeLSTM.forward: mask must have shape (N, T) with N = 2, T = 3, got (2, 4)",
    ),
    (
        lambda: lstm().forward(xs, constant=zeros(N, 1)),
        ValueError,
        "TimeLSTM.forward: xs must have shape (N, T, D) with N = 2, T = 3, D = 4, got (2, 3, 5)",
    ),
    (
        lambda: lstm().forward(xs, zeros(N, H)),
        TypeError,
        "TimeLSTM.forward: first must be of LSTMState or None, got an array",
    ),
    (
        lambda: lstm().forward(xs, LSTMState(zeros(N, H), zeros(N, 3))),
        ValueError,
        "TimeLSTM.forward: first.c must have shape (N, H) with N = 2, H = 4, got (2, 3)",
    ),
    (
        lambda: lstm().backward(zeros(N, 4, H), lstm().forward(xs)[2]),
        ValueError,
        "TimeLSTM.backward: dhs must have shape (N, T, H) with N = 2, T = 3, H = 4, got (2, 4, 4)",
    ),
    (lambda: gru().forward(zeros(N, T, 1)), ValueError, "TimeGRU.forward: xs must have shape (N, T, D) with N = 2"),
    (
        lambda: gru().forward(xs, GRUState(zeros(1, H))),
        ValueError,
        "TimeGRU.forward: first.h must have shape (N, H) with N = 2, H = 4, got (1, 4)",
    ),
    (
        lambda: TimeBidirectional(lstm(), lstm()).forward(zeros(N, T, 1)),
        ValueError,
        "TimeLSTM.forward: xs must have shape (N, T, D) with N = 2, T = 3, D = 5, got (2, 3, 1)",
    ),
    (
        lambda: TimeBidirectional(lstm(), lstm()).forward(xs, 1),
        TypeError,
        "TimeBidirectional.forward: first must be a state",
    ),
    (
        lambda: embedding.forward(ids(N, T, dtype=np.int64)),
        TypeError,
        "TimeEmbedding.forward: ids must be an array of int32, shape (N, T), got an array of int64, shape (2, 3)",
    ),
    (lambda: embedding.forward(ids(N)), ValueError, "TimeEmbedding.forward: ids must have shape (N, T), got (2,)"),
    (
        lambda: embedding.forward(ids(N, T) - 1),
        ValueError,
        "TimeEmbedding.forward: ids must be from 0 to 6, got -1 to -1",
    ),
    (lambda: embedding.forward_table([[1]]), TypeError, "TimeEmbedding.forward_table: ids must be an array of int32"),
    (
        lambda: embedding.backward(zeros(N, T, 6), ids(N, T)),
        ValueError,
        "TimeEmbedding.backward: dxs must have shape (N, T, D) with N = 2, T = 3, D = 5, got (2, 3, 6)",
    ),
    (
        lambda: affine.forward(zeros(N, T, 3)),
        ValueError,
        "TimeAffine.forward: xs must have shape (N, T, H) with N = 2, T = 3, H = 4, got (2, 3, 3)",
    ),
    (
        lambda: affine.forward(zeros(N, T, H), zeros(N, 1)),
        ValueError,
        "TimeAffine.forward: xs must have shape (N, T, H) with N = 2, T = 3, H = 3, got (2, 3, 4)",
    ),
    (
        lambda: affine.backward(zeros(N, T, 6), affine.forward(zeros(N, T, H))[1]),
        ValueError,
        "TimeAffine.backward: dys must have shape (N, T, V) with N = 2, T = 3, V = 7, got (2, 3, 6)",
    ),
    (
        lambda: tied.forward(zeros(N, T, D)),
        ValueError,
        "TimeTiedAffine.forward: xs must have shape (N, T, H) with N = 2",
    ),
    (
        lambda: tied.forward(zeros(N, T, H), zeros(N, 1)),
        TypeError,
        "TimeTiedAffine.forward: constant must be None, got an",
    ),
    (
        lambda: tied.backward(zeros(N, T, 6), tied.forward(zeros(N, T, H))[1]),
        ValueError,
        "TimeTiedAffine.backward: dys must have shape (N, T, V) with N = 2, T = 3, V = 7, got (2, 3, 6)",
    ),
    (
        lambda: attention.remember(zeros(N, T, H)),
        ValueError,
        "TimeAttention.remember: values must have shape (N, S, M) with N = 2, S = 3, M = 6, got (2, 3, 4)",
    ),
    (
        lambda: attention.remember(zeros(N, T, 6), np.ones((N, 9), np.bool_)),
        ValueError,
        "TimeAttention.remember: mask must have shape (N, S) with N = 2, S = 3, got (2, 9)",
    ),
    (
        lambda: attention.forward(zeros(N, 6), memory),
        ValueError,
        "TimeAttention.forward: queries must have shape (P, H) with P = 2, H = 4, got (2, 6)",
    ),
    (
        lambda: attention.forward(zeros(N, H), zeros(N, T, 6)),
        TypeError,
        "TimeAttention.forward: memory must be a Memory",
    ),
    (
        lambda: TimeDropout(0.5).forward(xs, 3),
        TypeError,
        "TimeDropout.forward: rng must be a numpy.random.Generator, got int 3",
    ),
    (
        lambda: TimeDropout(0.5).forward(zeros(N, D), np.random.default_rng()),
        ValueError,
        "TimeDropout.forward: xs must have shape (N, T, D), got (2, 5)",
    ),
    (
        lambda: loss.forward(zeros(N, T, V), ids(N, 4)),
        ValueError,
        "TimeSoftmaxWithLoss.forward: targets must have shape (N, T) with N = 2, T = 3, got (2, 4)",
    ),
    (
        lambda: loss.forward(zeros(N, T, V), ids(N, T, dtype=np.int64)),
        TypeError,
        "TimeSoftmaxWithLoss.forward: targets must be an array of int32, shape (N, T), got an array of int64",
    ),
    (
        lambda: loss.forward(ids(N, T, V), ids(N, T)),
        TypeError,
        "scores must be an array of float32 or float64, shape (N, T, V)",
    ),
    (
        lambda: loss.forward(zeros(N, T, V), ids(N, T), 1),
        TypeError,
        "TimeSoftmaxWithLoss.forward: mask must be an array of bool",
    ),
]


@pytest.mark.usefixtures("implementation")
@pytest.mark.parametrize("call, error, message", CALLS, ids=[case[2][:60] for case in CALLS])
def test_wrong_call(call, error, message):
    with pytest.raises(error, match=re.escape(message)):
        call()


def test_shapes_are_read():
    assert parsed("(C + D, 4H)") == ((1, "C + D"), (4, "H"))
    assert parsed("(V,)") == ((1, "V"),)

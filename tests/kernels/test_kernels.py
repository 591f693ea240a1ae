"""Every kernel, in every implementation, against the reference, against finite differences, and against misuse."""

import copy
import multiprocessing
import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_checks import BAD, F4, F8, TOLERANCE, assert_close, native, needs_native, read_only

from doldari import kernels
from doldari.kernels import reference

IMPLEMENTATIONS = {"reference": reference} | ({"native": native} if native else {})


@pytest.fixture(params=IMPLEMENTATIONS)
def implementation(request):
    return IMPLEMENTATIONS[request.param]


@pytest.fixture(autouse=True)
def same_threads_after():
    before = kernels.get_num_threads()
    yield
    kernels.set_num_threads(before)


def test_native_is_there_where_it_must_be():
    """A build server sets DOLDARI_KERNELS=native, so that a build that quietly fell back fails."""
    assert os.environ.get("DOLDARI_KERNELS") != "native" or kernels.name == "native"


class Problem:
    """Random arguments for every kernel; the same seed gives the same ones."""

    def __init__(self, N=3, T=4, H=7, R=5, seed=0, dtype=F4, masked=False, peeky=False, first=True):
        rng = np.random.default_rng(seed)

        def draw(*shape):
            return rng.standard_normal(shape).astype(dtype)

        self.shape, self.dtype = (N, T, H, R), dtype
        self.table, self.rows = draw(R, 4 * H), rng.integers(0, R, (N, T)).astype(np.int32)
        self.context = draw(N, 4 * H) if peeky else None
        self.Wh = draw(H, 4 * H) * dtype(H**-0.5)
        self.mask = rng.random((N, T)) < 0.6 if masked else None
        if masked and N > 1:
            self.mask[0] = False
        self.h0, self.c0 = draw(N, H), draw(N, H)
        self.first = first  # whether the recurrent layers begin in h0 and c0, or in zeros
        self.dhs, self.dh, self.dc, self.dWh = draw(N, T, H), draw(N, H), draw(N, H), draw(H, 4 * H)
        self.dtable, self.dcontext = draw(R, 4 * H), draw(N, 4 * H) if peeky else None
        # For the GRU, which has three gates to the LSTM's four:
        for name in ("table", "context", "Wh", "dWh", "dtable", "dcontext"):
            array = getattr(self, name)
            setattr(self, f"gru_{name}", None if array is None else array[:, : 3 * H].copy())
        self.dxs = draw(N, T, 4 * H)
        self.W, self.bias = draw(H, R), draw(N, R)
        self.scores = draw(N, T, R) * 5
        self.keys, self.found = draw(R, T + 3, H), draw(R, T + 3, H + 2)
        self.real = rng.random((R, T + 3)) < 0.6 if masked else None
        if masked:
            self.real[0] = False
        self.looked = rng.integers(0, R, N + T).astype(np.int32)
        self.queries, self.dlooked = draw(N + T, H), draw(N + T, H + 2)
        self.dweights = draw(N + T, T + 3)
        self.allowed = rng.random((N, R)) < 0.6 if masked else None
        self.values, self.gradients, self.m, self.v = draw(4, 5000 + H)
        self.v **= 2
        self.big = draw(300, 280), draw(600, 280)
        # For greedy answers with attention, in which every row has a memory of its own:
        self.Wq, self.bq, self.W_found = draw(H, H + 2), draw(H + 2), draw(H + 2, R)
        self.own_keys, self.own_values = draw(N, T + 3, H), draw(N, T + 3, H + 2)
        self.own_mask = rng.random((N, T + 3)) < 0.6 if masked else None
        if masked and N > 0:
            self.own_mask[0] = False

    def forward(self, k):
        N, T, H, _ = self.shape
        hs, c, cache = (np.full(shape, np.nan, self.dtype) for shape in ((N, T, H), (N, H), (N, T, 6 * padded(H))))
        h0, c0 = (self.h0, self.c0) if self.first else (None, None)
        k.lstm_forward(self.table, self.rows, self.context, self.Wh, self.mask, h0, c0, hs, c, cache)
        return hs, c, cache

    def backward(self, k, cache, dhs=True):
        dh, dc, dWh, dtable = map(np.copy, (self.dh, self.dc, self.dWh, self.dtable))
        dcontext = None if self.dcontext is None else self.dcontext.copy()
        h0, c0 = (self.h0, self.c0) if self.first else (None, None)
        k.lstm_backward(
            dtable, self.rows, dcontext, self.Wh, self.mask, h0, c0, cache, self.dhs if dhs else None, dh, dc, dWh
        )
        return *([dh, dc] if self.first else []), dWh, dtable, *([] if dcontext is None else [dcontext])

    def gru_forward(self, k):
        N, T, H, _ = self.shape
        hs, cache = (np.full(shape, np.nan, self.dtype) for shape in ((N, T, H), (N, T, 5 * padded(H))))
        h0 = self.h0 if self.first else None
        k.gru_forward(self.gru_table, self.rows, self.gru_context, self.gru_Wh, self.mask, h0, hs, cache)
        return hs, cache

    def gru_backward(self, k, cache, dhs=True):
        dh, dWh, dtable = map(np.copy, (self.dh, self.gru_dWh, self.gru_dtable))
        dcontext = None if self.gru_dcontext is None else self.gru_dcontext.copy()
        h0, dhs = self.h0 if self.first else None, self.dhs if dhs else None
        k.gru_backward(dtable, self.rows, dcontext, self.gru_Wh, self.mask, h0, cache, dhs, dh, dWh)
        return *([dh] if self.first else []), dWh, dtable, *([] if dcontext is None else [dcontext])

    def greedy(self, k, pad_id=None, attends=False):
        N, T, _, _ = self.shape
        answers = np.full((N, T), -1, np.int32)
        look, W = (None,) * 5, self.W
        if attends:
            look, W = (self.own_keys, self.own_values, self.own_mask, self.Wq, self.bq), self.W_found
        k.lstm_greedy(self.table, self.context, self.Wh, *look, W, self.bias, self.h0, self.c0, 0, pad_id, answers)
        return answers

    def attend(self, k):
        P, S, M = len(self.queries), self.found.shape[1], self.found.shape[2]
        weights, contexts = np.full((P, S), np.nan, self.dtype), np.full((P, M), np.nan, self.dtype)
        k.attend(self.keys, self.found, self.real, self.queries, self.looked, weights, contexts)
        return weights, contexts

    def attend_backward(self, k, pointed=False):
        inputs = self.keys, self.found, self.real, self.queries, self.looked, self.attend(reference)[0], self.dlooked
        gradients = tuple(np.full_like(array, np.nan) for array in (self.queries, self.keys, self.found))
        k.attend_backward(*inputs, self.dweights if pointed else None, *gradients)
        return gradients

    def likeliest(self, k, K=4):
        N = self.shape[0]
        ids, logs = np.full((N, K), -1, np.int32), np.full((N, K), np.nan)
        k.likeliest(self.bias * 3, self.allowed, ids, logs)
        return np.where(logs > -np.inf, ids, 0), np.exp(logs)

    def everything(self, k):
        states, backward = [], []
        for dhs in (True, False):
            for run, run_backward in ((self.forward, self.backward), (self.gru_forward, self.gru_backward)):
                *new, cache = run(k)
                states += new
                backward += run_backward(k, cache, dhs)
        dtable = self.dtable.copy()
        k.scatter_rows(dtable, self.rows, self.dxs)
        dscores = np.full_like(self.scores, np.nan)
        loss = k.softmax_loss(self.scores, self.rows, self.mask, 0.0, dscores)
        smooth = np.full_like(self.scores, np.nan)
        smooth_loss = k.softmax_loss(self.scores, self.rows, self.mask, 0.2, smooth)
        values, gradients, m, v = (x.copy() for x in (self.values, self.gradients, self.m, self.v))
        norm = k.adam(values, gradients, m, v, 1e-2, 0.9, 0.999, 1e-8, 3, 1.0)
        clipped = self.gradients.copy()
        norms = [norm, k.clip_gradients(clipped, 2.0)]
        small, big = np.ones((self.Wh.shape[1], self.W.shape[1]), self.dtype), np.ones((300, 600), self.dtype)
        k.add_product(self.Wh.T, self.W, small)
        k.add_product(self.big[0], self.big[1].T, big)
        scores = np.full_like(self.bias, np.nan)
        k.affine(self.h0, self.W, self.values[: scores.shape[1]], scores)
        return (
            small, big, scores, *states, *backward, dtable, np.array([loss, smooth_loss]), dscores, smooth,
            values, gradients, m, v, clipped, np.array(norms), self.greedy(k), self.greedy(k, pad_id=1),
            self.greedy(k, attends=True), self.greedy(k, pad_id=1, attends=True),
            *self.attend(k), *self.attend_backward(k), *self.attend_backward(k, pointed=True), *self.likeliest(k),
        )  # fmt: skip


def padded(H):
    return -(-H // 32) * 32


problems = st.builds(
    Problem,
    N=st.integers(0, 30),
    T=st.integers(0, 6),
    H=st.sampled_from([1, 2, 7, 8, 16, 31, 64, 130]),
    R=st.sampled_from([1, 3, 13, 16, 300]),
    seed=st.integers(0, 2**32 - 1),
    dtype=st.sampled_from([F4, F8]),
    masked=st.booleans(),
    peeky=st.booleans(),
    first=st.booleans(),
)


@needs_native
@settings(max_examples=150, deadline=None)
@given(problems)
def test_native_agrees_with_reference(problem):
    assert_close(problem.everything(native), problem.everything(reference), TOLERANCE[problem.dtype])


@needs_native
@pytest.mark.parametrize("dtype", [F4, F8])
@pytest.mark.parametrize("shape", [(128, 5, 128, 13), (67, 3, 70, 300), (5, 90, 50, 13)])
def test_same_bits_for_any_number_of_threads(shape, dtype):
    for problem in (
        Problem(*shape, dtype=dtype, masked=True, peeky=True),
        Problem(*shape, dtype=dtype, masked=True, first=False),
    ):
        results = {}
        for threads in (1, 2, 5):
            native.set_num_threads(threads)
            results[threads] = [array.tobytes() for array in problem.everything(native)]
        assert results[1] == results[2] == results[5]


@needs_native
@pytest.mark.parametrize("dtype", [F4, F8])
@pytest.mark.parametrize("H", [7, 32, 130])
def test_a_row_alone_has_the_bits_that_it_has_among_others(H, dtype):
    """For a single row weights are not packed."""
    problem = Problem(N=9, T=5, H=H, R=13, dtype=dtype, peeky=True)
    alone = copy.copy(problem)
    alone.shape = 1, *problem.shape[1:]
    for n in range(9):
        for name in ["rows", "context", "gru_context", "h0", "c0", "bias", "own_keys", "own_values"]:
            setattr(alone, name, getattr(problem, name)[n : n + 1])
        for run in (Problem.forward, Problem.gru_forward):
            for mine, among_others in zip(run(alone, native)[:-1], run(problem, native)[:-1], strict=True):
                np.testing.assert_array_equal(mine[0], among_others[n])
        for attends in (False, True):
            answer = alone.greedy(native, attends=attends)
            np.testing.assert_array_equal(answer[0], problem.greedy(native, attends=attends)[n])


@needs_native
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("N, T, H", [(128, 7, 33), (40, 5, 16), (7, 9, 8)])
def test_rows_that_begin_alike_are_still_each_their_own(N, T, H, masked):
    """Without a first state they share what they have in common; the reference shares nothing."""
    problem = Problem(N, T, H, R=3, dtype=F8, masked=masked, first=False)
    problem.rows[1], problem.rows[2, : T // 2] = problem.rows[0], problem.rows[0, : T // 2]
    if masked:
        problem.mask[5] = [t >= T // 3 for t in range(T)]  # the same symbols at other places
        problem.mask[6] = [t < T - T // 3 for t in range(T)]
        problem.rows[6, : T - T // 3] = problem.rows[5, T // 3 :]
    assert_close(problem.everything(native), problem.everything(reference), TOLERANCE[F8])


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("N, T, H", [(3, 4, 7), (2, 1, 1), (1, 3, 33), (14, 2, 5)])
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_gradients_agree_with_finite_differences(implementation, cell, N, T, H, masked):
    problem = Problem(N, T, H, dtype=F8, masked=masked, peeky=True)
    rng = np.random.default_rng(1)

    def value():
        hs, *cs, _ = problem.forward(implementation) if cell == "lstm" else problem.gru_forward(implementation)
        last = sum((c * problem.dc).sum() for c in cs)
        return (hs * problem.dhs).sum() + (hs[:, -1] * problem.dh).sum() + last

    if cell == "lstm":
        dh, dc, dWh, dtable, dcontext = problem.backward(implementation, problem.forward(implementation)[-1])
        gradients, prefix = {"h0": dh, "c0": dc}, ""
    else:
        dh, dWh, dtable, dcontext = problem.gru_backward(implementation, problem.gru_forward(implementation)[-1])
        gradients, prefix = {"h0": dh}, "gru_"
    for name, gradient in {"Wh": dWh, "table": dtable, "context": dcontext}.items():
        gradients[prefix + name] = gradient - getattr(problem, f"{prefix}d{name}")
    for name, gradient in gradients.items():
        array = getattr(problem, name)
        direction = rng.standard_normal(array.shape)
        right, eps = array.copy(), 1e-6
        array += eps * direction
        above = value()
        array[...] = right - eps * direction
        below = value()
        array[...] = right
        assert (gradient * direction).sum() == pytest.approx((above - below) / (2 * eps), rel=1e-6, abs=1e-8), name


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_loss_gradient_agrees_with_finite_differences(implementation, smoothing):
    problem = Problem(dtype=F8, masked=True)
    dscores, scratch = np.empty_like(problem.scores), np.empty_like(problem.scores)
    implementation.softmax_loss(problem.scores, problem.rows, problem.mask, smoothing, dscores)
    direction = np.random.default_rng(1).standard_normal(problem.scores.shape)
    above, below = (
        implementation.softmax_loss(problem.scores + eps * direction, problem.rows, problem.mask, smoothing, scratch)
        for eps in (1e-6, -1e-6)
    )
    assert (dscores * direction).sum() == pytest.approx((above - below) / 2e-6, rel=1e-7)


@pytest.mark.parametrize("shape", [(0, 3, 2), (3, 0, 2), (3, 2, 0), (1, 1, 1), (7, 13, 5), (13, 600, 300)])
def test_products_take_any_view(implementation, shape):
    M, N, K = shape
    rng = np.random.default_rng(0)
    for a in (
        rng.standard_normal((M, K)),
        rng.standard_normal((K, M)).T,
        rng.standard_normal((2 * M, 3 * K))[::2, ::-3],
    ):
        for b in rng.standard_normal((K, N)), rng.standard_normal((N, K)).T:
            out = rng.standard_normal((M, N))
            expected = out + a @ b
            implementation.add_product(a, b, out)
            np.testing.assert_allclose(out, expected, rtol=0, atol=1e-12)
            for bias in None, rng.standard_normal(N):
                out = np.full((M, N), np.nan)
                implementation.affine(a, b, bias, out)
                np.testing.assert_allclose(out, a @ b + (0 if bias is None else bias), rtol=0, atol=1e-12)


def test_padding_passes_state_through_and_gets_no_gradient(implementation):
    problem = with_row_for_each_position(Problem(N=20, R=80, masked=True))
    hs, c, cache = problem.forward(implementation)
    gru_hs, gru_cache = problem.gru_forward(implementation)
    assert not problem.mask[0].any()
    for states in hs, gru_hs:
        np.testing.assert_array_equal(states[0], np.broadcast_to(problem.h0[0], states[0].shape))
    np.testing.assert_array_equal(c[0], problem.c0[0])
    dh, dc, _, dtable = problem.backward(implementation, cache, dhs=False)
    gru_dh, _, gru_dtable = problem.gru_backward(implementation, gru_cache, dhs=False)
    for gradient in dh, gru_dh:
        np.testing.assert_array_equal(gradient[0], problem.dh[0])
    np.testing.assert_array_equal(dc[0], problem.dc[0])
    for gradient in dtable, gru_dtable:
        of_position = gradient.reshape(20, 4, -1)
        assert not of_position[~problem.mask].any()
        assert of_position[problem.mask].all()


def with_row_for_each_position(problem):
    """Make it the table of arbitrary vectors: rows are 0, 1, 2, ..., and the table's gradient is the gates' own."""
    problem.rows = np.arange(problem.rows.size, dtype=np.int32).reshape(problem.rows.shape)
    problem.dtable[:] = problem.gru_dtable[:] = 0
    return problem


def test_first_state_may_be_a_slice_of_hidden_states(implementation):
    problem = Problem(N=9)
    expected = problem.everything(implementation)
    problem.h0 = np.stack([problem.c0, problem.h0], axis=1)[:, 1]
    problem.c0 = np.stack([problem.c0, problem.dh], axis=1)[:, 0]
    assert not problem.h0.flags.c_contiguous
    for result, right in zip(problem.everything(implementation), expected, strict=True):
        np.testing.assert_array_equal(result, right)


@needs_native
@pytest.mark.parametrize("first", [False, True])
def test_one_row_to_each_position(first):
    problem = with_row_for_each_position(Problem(N=4, T=5, H=16, R=20, first=first))
    assert_close(problem.everything(native), problem.everything(reference), TOLERANCE[F4])


def test_attention_to_nothing_but_padding_is_nothing(implementation):
    problem = Problem(N=20, masked=True)
    weights, contexts = problem.attend(implementation)
    real = problem.real[problem.looked]
    assert not weights[~real].any()
    np.testing.assert_allclose(weights.sum(axis=1), real.any(axis=1), rtol=1e-6)
    assert not contexts[problem.looked == 0].any()


def test_a_row_attends_alike_whatever_the_others(implementation):
    problem = Problem(N=20, H=40, masked=True)
    weights, contexts = problem.attend(implementation)
    problem.queries, problem.looked = problem.queries[7:8], problem.looked[7:8]
    np.testing.assert_array_equal(problem.attend(implementation)[0][0], weights[7])
    np.testing.assert_allclose(problem.attend(implementation)[1][0], contexts[7], rtol=1e-5, atol=1e-6)


def test_the_likeliest_in_order(implementation):
    scores = np.log(np.array([[1, 3, 2, 3, 1]], F8))
    allowed = np.array([[True, True, False, True, False]])
    ids, logs = np.empty((1, 4), np.int32), np.empty((1, 4))
    implementation.likeliest(scores, allowed, ids, logs)
    assert ids[0, :3].tolist() == [1, 3, 0]
    np.testing.assert_allclose(np.exp(logs), [[0.3, 0.3, 0.1, 0]], rtol=1e-12)
    implementation.likeliest(scores, None, ids, logs)
    assert ids.tolist() == [[1, 3, 2, 0]]
    implementation.likeliest(np.zeros((1, 3)), None, ids, logs)
    np.testing.assert_allclose(np.exp(logs), [[1 / 3, 1 / 3, 1 / 3, 0]], rtol=1e-12)


@needs_native
def test_a_thread_may_work_alone():
    seen = []

    def alone():
        native.work_alone()
        seen.append(native.get_num_threads())

    native.set_num_threads(3)
    thread = threading.Thread(target=alone)
    thread.start()
    thread.join()
    assert (seen, native.get_num_threads()) == ([1], 3)


def test_greedy_takes_the_lowest_of_equals(implementation):
    problem = Problem(R=5)
    problem.W[:], problem.bias[:] = 0, [1, 3, 2, 3, 3]
    assert (problem.greedy(implementation) == 1).all()


def test_greedy_ends_at_padding(implementation):
    problem = Problem(N=40, T=12, R=4, peeky=True)
    free, ended = problem.greedy(implementation), problem.greedy(implementation, pad_id=2)
    for row, right in zip(ended, free, strict=True):
        stop = list(row).index(2) + 1 if 2 in row else len(row)
        np.testing.assert_array_equal(row[:stop], right[:stop])
        assert (row[stop:] == 2).all()
    assert 0 < (ended == 2).sum() < ended.size


@needs_native
@pytest.mark.parametrize("name", ["values", "mask", "Wq", "bq"])
def test_greedy_without_keys_takes_nothing_to_look_at(name):
    arguments = arguments_of("lstm_greedy")
    nothing = dict.fromkeys(["keys", "values", "mask", "Wq", "bq"])
    with pytest.raises(TypeError, match=f"^{name}: expected None"):
        native.lstm_greedy(**arguments | nothing | {name: arguments[name]})


@pytest.mark.parametrize("dtype", [F4, F8])
@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf])
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_what_is_not_a_number_reaches_the_loss(implementation, dtype, poison):
    """Divergence must be seen: a clamp that swallows NaN would train on, on nothing."""
    problem = Problem(N=20, H=40, dtype=dtype)
    problem.scores[3, 1, 2] = poison
    loss = implementation.softmax_loss(problem.scores, problem.rows, None, 0.0, np.empty_like(problem.scores))
    assert np.isnan(loss) == (poison != -np.inf)
    problem.h0[3, 1] = poison
    problem.Wh[1] = np.abs(problem.Wh[1])
    hs, c, _ = problem.forward(implementation)
    gru_hs, _ = problem.gru_forward(implementation)
    if np.isnan(poison):
        assert np.isnan(hs[3]).all() and np.isnan(c[3]).all() and np.isnan(gru_hs[3]).all()
    for states in hs, gru_hs:
        assert np.isfinite(states[:3]).all() and np.isfinite(states[4:]).all()
    problem.greedy(implementation)
    problem.gradients[7] = poison
    assert not np.isfinite(implementation.clip_gradients(problem.gradients, 1.0))


@needs_native
def test_activations_are_accurate():
    """The rational tanh, over its whole range: h of an LSTM whose only input is the table."""
    xs = np.concatenate([np.linspace(-20, 20, 200001), np.logspace(-30, 0, 1000), [-1e30, 1e30, 0, -0.0]]).astype(F4)
    rows = np.arange(xs.size, dtype=np.int32)[:, None]
    zero = np.zeros((xs.size, 1), F4)
    x = xs.astype(F8)

    def cell(f, g, i, c0):
        """Run one step whose gates have these inputs: the cell."""
        table = np.stack(np.broadcast_arrays(f, g, i, np.float32(0), xs)[:4], axis=1).astype(F4)
        hs, c, cache = np.empty((xs.size, 1, 1), F4), zero.copy(), np.empty((xs.size, 1, 6 * 32), F4)
        native.lstm_forward(table, rows, None, np.zeros((1, 4), F4), None, zero, c0, hs, c, cache)
        return c[:, 0]

    tanh = 2 * cell(f=0, g=xs, i=0, c0=zero)  # sigmoid(0) is exactly a half
    np.testing.assert_allclose(tanh, np.tanh(x), rtol=0, atol=3e-7)
    np.testing.assert_allclose(cell(f=xs, g=0, i=0, c0=zero + 1), 0.5 * np.tanh(0.5 * x) + 0.5, rtol=0, atol=2e-7)
    small = np.abs(x) < 1
    np.testing.assert_allclose(tanh[small], np.tanh(x[small]), rtol=4e-7)


ARRAYS = {
    "lstm_forward": "table rows context Wh mask h0 c0 hs c cache",
    "lstm_backward": "dtable rows dcontext Wh mask h0 c0 cache dhs dh dc dWh",
    "lstm_greedy": "table context Wh keys values mask Wq bq W bias h0 c0 answers",
    "gru_forward": "table rows context Wh mask h0 hs cache",
    "gru_backward": "dtable rows dcontext Wh mask h0 cache dhs dh dWh",
    "attend": "keys values mask queries rows weights contexts",
    "attend_backward": "keys values mask queries rows weights dcontexts dweights dqueries dkeys dvalues",
    "likeliest": "scores allowed ids logs",
    "add_product": "a b out",
    "affine": "a b bias out",
    "scatter_rows": "dtable rows dxs",
    "softmax_loss": "scores targets mask dscores",
    "adam": "values gradients m v",
    "clip_gradients": "gradients",
}
WRITTEN = {"out", "dcontext", "hs", "c", "cache", "dh", "dc", "dWh", "answers", "dtable", "dscores"}
WRITTEN |= {"values", "gradients", "m", "v", "weights", "contexts", "ids", "logs"}
WRITTEN |= {"dqueries", "dkeys", "dvalues"}
READ_ONLY_FINE = {(function, "values") for function in ("attend", "attend_backward", "lstm_greedy")}
READ_ONLY_FINE |= {("attend_backward", "weights")}
EVERY_ARRAY = [(function, name) for function, names in ARRAYS.items() for name in names.split()]


def arguments_of(function):
    N, T, H, R = 3, 4, 8, 5
    problem = Problem(N, T, H, R, masked=True, peeky=True)
    arrays = vars(problem) | {
        "hs": np.ones((N, T, H), F4), "c": np.ones((N, H), F4), "answers": np.ones((N, T), np.int32),
        "cache": np.ones((N, T, (5 if function.startswith("gru") else 6) * padded(H)), F4),
        "a": problem.h0, "b": problem.W, "out": np.ones((N, R), F4), "targets": problem.rows,
        "dscores": np.ones((N, T, R), F4),
    }  # fmt: skip
    if function == "lstm_greedy":
        arrays |= {
            "keys": problem.own_keys,
            "values": problem.own_values,
            "mask": problem.own_mask,
            "W": problem.W_found,
        }
    if function.startswith("attend"):
        arrays |= {
            "values": problem.found,
            "mask": problem.real,
            "rows": problem.looked,
            "dcontexts": problem.dlooked,
        }
        arrays["weights"], arrays["contexts"] = problem.attend(reference)
        arrays["dqueries"], arrays["dkeys"], arrays["dvalues"] = problem.attend_backward(reference)
    if function == "likeliest":
        arrays |= {"scores": problem.bias, "ids": np.ones((N, 2), np.int32), "logs": np.ones((N, 2))}
    if function.startswith("gru"):
        for name in ("table", "context", "Wh", "dWh", "dtable", "dcontext"):
            arrays[name] = arrays[f"gru_{name}"]
    numbers = {
        "lstm_greedy": {"start_id": 0, "pad_id": None},
        "affine": {"bias": problem.scores[0, 0]},
        "softmax_loss": {"smoothing": 0.1},
        "adam": dict(learning_rate=0.1, beta1=0.9, beta2=0.9, eps=1e-8, step=1, max_grad=None),
        "clip_gradients": {"max_grad": None},
    }
    return {name: arrays[name] for name in ARRAYS[function].split()} | numbers.get(function, {})


ANY_LENGTH = {
    ("lstm_forward", "table"),
    ("lstm_backward", "dtable"),
    ("gru_forward", "table"),
    ("gru_backward", "dtable"),
    ("scatter_rows", "dtable"),
    ("clip_gradients", "gradients"),
}
# The shapes follow from the first of the arrays that could say: then it is another that does not fit.
LEADS = {(f"{cell}_{way}", "rows") for cell in ("lstm", "gru") for way in ("forward", "backward")}
LEADS |= {
    ("lstm_greedy", "table"),
    ("lstm_greedy", "context"),
    ("scatter_rows", "rows"),
    ("softmax_loss", "scores"),
    ("adam", "values"),
    ("attend", "keys"),
    ("attend", "queries"),
    ("attend_backward", "keys"),
    ("attend_backward", "queries"),
    ("likeliest", "scores"),
    ("add_product", "a"),
    ("affine", "a"),
}


@needs_native
@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("function, name", EVERY_ARRAY)
def test_wrong_arrays_are_refused_by_name(function, name, bad):
    arguments = arguments_of(function)
    getattr(native, function)(**arguments)
    if bad == "swapped bytes" and name in ("mask", "allowed"):
        pytest.skip("a byte has no order")
    if bad == "one more row" and (function, name) in ANY_LENGTH:
        pytest.skip("any number will do")
    if bad == "every second" and (function, name) in {(f, ab) for f in ("add_product", "affine") for ab in "ab"}:
        pytest.skip("any strides will do")
    arguments[name] = BAD[bad](arguments[name])
    pattern = r"^\w+: " if bad == "one more row" and (function, name) in LEADS else f"^{name}: "
    with pytest.raises((TypeError, ValueError), match=pattern):
        getattr(native, function)(**arguments)


@needs_native
@pytest.mark.parametrize("function, name", [pair for pair in EVERY_ARRAY if pair[1] in WRITTEN])
def test_read_only_results_are_refused_by_name(function, name):
    arguments = arguments_of(function)
    arguments[name] = read_only(arguments[name])
    if (function, name) in READ_ONLY_FINE:
        getattr(native, function)(**arguments)
        return
    with pytest.raises(ValueError, match=f"^{name}: is read-only"):
        getattr(native, function)(**arguments)


@needs_native
@pytest.mark.parametrize(
    "function, name",
    [(function, name) for function, name in EVERY_ARRAY if name in ("rows", "targets")],
)
@pytest.mark.parametrize("wrong", [-1, 5])
def test_ids_outside_the_table_are_refused(function, name, wrong):
    arguments = arguments_of(function)
    arguments[name].flat[-1] = wrong
    with pytest.raises(ValueError, match=f"^{name}: expected ids from 0 to 4, got {wrong}"):
        getattr(native, function)(**arguments)


@needs_native
@pytest.mark.parametrize("start_id", [-1, 5])
def test_start_outside_the_table_is_refused(start_id):
    with pytest.raises(ValueError, match="start_id"):
        native.lstm_greedy(**arguments_of("lstm_greedy") | {"start_id": start_id})


@needs_native
def test_works_in_many_python_threads_at_once():
    native.set_num_threads(2)
    problem = Problem(N=100, T=5, H=64)
    right = [array.tobytes() for array in problem.everything(native)]
    results = []

    def run():
        for _ in range(5):
            results.append([array.tobytes() for array in problem.everything(native)] == right)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 20


def _forked(problem, right, results):
    results.put([array.tobytes() for array in problem.everything(native)] == right)


@needs_native
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_works_after_fork():
    """The child has none of the pool's threads; it must not wait for them."""
    native.set_num_threads(2)
    problem = Problem(N=100, T=5, H=64)
    right = [array.tobytes() for array in problem.everything(native)]
    context = multiprocessing.get_context("fork")
    results = context.SimpleQueue()
    child = context.Process(target=_forked, args=(problem, right, results))
    child.start()
    child.join(60)
    assert child.exitcode == 0
    assert results.get()


def run_python(code, **environment):
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code], env=os.environ | environment, capture_output=True, text=True
    )


@pytest.mark.parametrize("name", IMPLEMENTATIONS)
def test_environment_chooses(name):
    result = run_python("from doldari import kernels; print(kernels.name)", DOLDARI_KERNELS=name)
    assert (result.stdout, result.stderr) == (f"{name}\n", "")


@pytest.mark.parametrize(
    "variable, value",
    [("DOLDARI_KERNELS", "fast"), ("DOLDARI_NUM_THREADS", "0"), ("DOLDARI_NUM_THREADS", "many")],
)
def test_environment_with_junk_is_refused(variable, value):
    result = run_python("import doldari.kernels", **{variable: value})
    assert result.returncode == 1
    assert f"{variable}='{value}': expected" in result.stderr


@needs_native
def test_native_demanded_but_missing():
    code = "import sys; sys.modules['doldari.kernels._native'] = None; import doldari.kernels"
    result = run_python(code, DOLDARI_KERNELS="native")
    assert "install a C++ compiler" in result.stderr
    result = run_python(code + "; print(doldari.kernels.name)", DOLDARI_KERNELS="")
    assert (result.stdout, result.stderr) == ("reference\n", "")


@needs_native
def test_number_of_threads():
    result = run_python(
        "from doldari.kernels import get_num_threads; print(get_num_threads())",
        DOLDARI_KERNELS="native",
        DOLDARI_NUM_THREADS="3",
    )
    assert result.stdout == "3\n"


def test_number_of_threads_is_positive(implementation):
    with pytest.raises(ValueError, match="threads=0"):
        implementation.set_num_threads(0)

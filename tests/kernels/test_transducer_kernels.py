"""The kernels of a transducer: native against the reference, the same bits over threads, misuse refused by name."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_checks import BAD, F4, F8, TOLERANCE, assert_close, native, needs_native, read_only

from doldari import kernels
from doldari.kernels import reference

pytestmark = needs_native


class Problem:
    """Random arguments for every kernel, by name in their order; the same seed gives the same ones."""

    def __init__(self, Q=3, T=3, S=5, V=7, J=9, end_id=0, scaled=False, seed=0, dtype=F4):
        rng = np.random.default_rng(seed)

        def draw(*shape):
            return rng.standard_normal(shape).astype(dtype)

        def empty(*shape):
            return np.full(shape, np.nan, dtype)

        self.dtype = dtype
        lengths = rng.integers(1, S + 1, Q).astype(np.int32)
        rows = np.repeat(np.arange(Q), rng.integers(0, T + 1, Q)).astype(np.int32)
        P, M = len(rows), int(lengths[rows].sum())
        cells = {"rows": rows, "lengths": lengths}
        scales = np.where(rng.random((Q, J)) < 0.5, 0.0, 2.0).astype(dtype) if scaled else None
        self.meet = {"queries": draw(P, J), "keys": draw(Q, S, J), **cells, "scales": scales, "zs": empty(M, J)}
        reference.meet(**self.meet)
        self.meet_backward = {
            "dzs": draw(M, J),
            "zs": self.meet["zs"],
            "dqueries": empty(P, J),
            "dkeys": draw(Q, S, J),
        }
        self.meet_backward |= {**cells, "scales": scales}
        copies = rng.integers(-1, V, (Q, S)).astype(np.int32)
        places = np.where(np.arange(S) < lengths[rows, None], rng.random((P, S)), 0.0)
        places = (places / places.sum(axis=1, keepdims=True)).astype(dtype)
        walk = {"copies": copies, "lengths": lengths, "rows": rows}
        self.transduce = {"inserted": draw(M, V), "moved": draw(M, 2), **walk, "end_id": end_id, "places": places}
        self.transduce |= {"reached": empty(P, S), "arrivals": empty(P, S, V), "logs": empty(P, V)}
        done = {name: x.copy() if isinstance(x, np.ndarray) else x for name, x in self.transduce.items()}
        reference.transduce(**done)
        del done["end_id"]
        self.transduce_backward = done | {"dlogs": draw(P, V), "written": rng.integers(0, V, P).astype(np.int32)}
        self.transduce_backward |= {"garrivals": draw(P, S), "dinserted": empty(M, V), "dmoved": empty(M, 2)}
        self.transduce_backward["gplaces"] = empty(P, S)

    def everything(self, k):
        """Run every kernel on copies: all arrays afterwards."""
        arrays = []
        for name, arguments in vars(self).items():
            if name != "dtype":
                copies = {key: x.copy() if isinstance(x, np.ndarray) else x for key, x in arguments.items()}
                getattr(k, name)(**copies)
                arrays += [x for x in copies.values() if isinstance(x, np.ndarray)]
        return arrays


problems = st.builds(
    Problem,
    Q=st.integers(0, 6),
    T=st.integers(0, 5),
    S=st.integers(1, 7),
    V=st.sampled_from([2, 3, 8, 17, 34]),
    J=st.sampled_from([1, 4, 16, 34, 130]),
    end_id=st.sampled_from([-1, 0, 1]),
    scaled=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
    dtype=st.sampled_from([F4, F8]),
)


@settings(max_examples=150, deadline=None)
@given(problems)
def test_native_agrees_with_reference(problem):
    assert_close(problem.everything(native), problem.everything(reference), TOLERANCE[problem.dtype])


@pytest.mark.parametrize("dtype", [F4, F8])
def test_same_bits_for_any_number_of_threads(dtype):
    problem, results = Problem(Q=40, T=20, S=30, V=60, J=64, scaled=True, dtype=dtype), {}
    before = kernels.get_num_threads()
    for threads in (1, 2, 5):
        native.set_num_threads(threads)
        results[threads] = [array.tobytes() for array in problem.everything(native)]
    native.set_num_threads(before)
    assert results[1] == results[2] == results[5]


FUNCTIONS = ["meet", "meet_backward", "transduce", "transduce_backward"]
EVERY_ARRAY = [
    (function, name)
    for function in FUNCTIONS
    for name, argument in getattr(Problem(scaled=True), function).items()
    if isinstance(argument, np.ndarray)
]
WRITTEN = [
    *[("meet", "zs"), ("meet_backward", "dqueries"), ("meet_backward", "dkeys")],
    *[("transduce", name) for name in ("inserted", "moved", "reached", "arrivals", "logs")],
    *[("transduce_backward", name) for name in ("dinserted", "dmoved", "gplaces")],
]


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("function, name", EVERY_ARRAY)
def test_wrong_arrays_are_refused_by_name(function, name, bad):
    arguments = getattr(Problem(scaled=True), function)
    getattr(native, function)(**arguments)
    arguments[name] = BAD[bad](arguments[name])
    # With one more row of the first array that has that letter, it is another that does not fit.
    pattern = r"^\w+: " if bad == "one more row" else f"^{name}: "
    with pytest.raises((TypeError, ValueError), match=pattern):
        getattr(native, function)(**arguments)


@pytest.mark.parametrize("function, name", WRITTEN)
def test_read_only_results_are_refused_by_name(function, name):
    arguments = getattr(Problem(scaled=True), function)
    arguments[name] = read_only(arguments[name])
    with pytest.raises(ValueError, match=f"^{name}: is read-only"):
        getattr(native, function)(**arguments)


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("length", [0, 6, 2**30])
def test_lengths_outside_are_refused(function, length):
    arguments = getattr(Problem(), function)
    arguments["lengths"][0] = length
    with pytest.raises(ValueError, match=r"^lengths: expected from 1 to S places$"):
        getattr(native, function)(**arguments)


@pytest.mark.parametrize("function", ["transduce", "transduce_backward"])
@pytest.mark.parametrize("id", [-2, 7])
def test_copies_that_are_no_ids_are_refused(function, id):
    arguments = getattr(Problem(), function)
    arguments["copies"][-1, -1] = id
    with pytest.raises(ValueError, match=r"^copies: expected ids, or -1 for none$"):
        getattr(native, function)(**arguments)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_fewer_cells_than_places_are_refused(function):
    problem = Problem()
    arguments = getattr(problem, function)
    arguments["lengths"][arguments["rows"][0]] += 1 if arguments["lengths"][arguments["rows"][0]] < 5 else -1
    with pytest.raises(ValueError, match=r"^lengths: expected as many places as there are cells$"):
        getattr(native, function)(**arguments)

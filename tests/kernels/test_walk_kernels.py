"""The kernels of a transducer's whole decoder: native against the reference, same bits over threads and batches."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_checks import BAD, F4, F8, TOLERANCE, assert_close, native, needs_native, read_only

from doldari import kernels
from doldari.kernels import reference

pytestmark = needs_native


class Problem:
    """Random arguments for both kernels, by name in their order; the same seed gives the same ones."""

    def __init__(
        self, N=3, T=3, S=5, V=7, H=6, J=9, M=4, end_id=0, scaled=True, masked=True, begun=False, seed=0, dtype=F4
    ):
        rng = np.random.default_rng(seed)

        def draw(*shape, by=1.0):
            return (by * rng.standard_normal(shape)).astype(dtype)

        def empty(*shape):
            return np.full(shape, np.nan, dtype)

        def dropout(*shape):
            return np.where(rng.random(shape) < 0.5, 0.0, 2.0).astype(dtype) if scaled else None

        lengths = rng.integers(1, S + 1, N).astype(np.int32)
        lengths[rng.random(N) < 0.2] = S
        read = rng.integers(1, T + 1, N) if T > 0 else np.zeros(N)
        mask = np.ascontiguousarray(np.arange(T) < read[:, None]) if masked else None
        copies = rng.integers(-1, V, (N, S)).astype(np.int32)
        K, A, xs = T * int(lengths.sum()), V + 2, rng.integers(0, V, (N, T)).astype(np.int32)
        weights = {"Wf": draw(M, 4 * H, by=0.5), "Wh": draw(H, 4 * H, by=0.5)}
        scales = {"h_scales": dropout(T, N, H), "z_scales": dropout(T, N, J)}
        arrivals = np.where(np.arange(S)[:, None] < lengths[:, None, None], rng.random((N, S, V)), 0.0)
        hs, cs = empty(T + 1, N, H), empty(T + 1, N, H)
        hs[0], cs[0] = draw(N, H), draw(N, H)
        Wq, W, values = draw(H, J, by=0.5), draw(J, A, by=J**-0.5), draw(N, S, M)
        self.forward = {"products": draw(T, N, 4 * H), **weights, "queries": draw(N, J), "Wq": Wq, **scales}
        self.forward |= {"values": values, "keys": draw(N, S, J), "copies": copies, "lengths": lengths}
        self.forward |= {
            "rows": np.arange(N, dtype=np.int32),
            "W": W,
            "b": draw(A, by=0.5),
            "end_id": end_id,
            "xs": xs,
        }
        self.forward |= {"mask": mask, "begun": begun, "arrivals": arrivals.astype(dtype), "places": empty(T, N, S)}
        self.forward |= {"averages": empty(T, N, M), "gates": empty(T, N, 4 * H), "hs": hs, "cs": cs}
        self.forward |= {"zs": empty(K, J), "actions": empty(K, A), "reached": empty(T, N, S)}
        self.forward |= {"arrived": empty(T, N, S), "logs": empty(N, T, V)}
        self.dtype, done = dtype, copied(self.forward)
        reference.walk_forward(**done)
        self.backward = {
            "dlogs": draw(N, T, V, by=0.1),
            **weights,
            "Wq": Wq,
            **scales,
            "values": values,
            "copies": copies,
        }
        self.backward |= {"lengths": lengths, "W": W, "xs": xs, "mask": mask}
        self.backward |= {name: done[name] for name in ("places", "gates", "hs", "cs", "zs", "actions")}
        self.backward |= {name: done[name] for name in ("reached", "arrived", "logs")}
        self.backward |= {"dproducts": empty(T, N, 4 * H), "dqueries": empty(T, N, J), "dactions": empty(K, A)}
        self.backward |= {"dkeys": draw(N, S, J), "dvalues": draw(N, S, M), "dh": empty(N, H)}

    def everything(self, k):
        """Run both kernels on copies: all arrays afterwards."""
        arrays = []
        for run, arguments in ((k.walk_forward, self.forward), (k.walk_backward, self.backward)):
            given = copied(arguments)
            run(**given)
            arrays += [x for x in given.values() if isinstance(x, np.ndarray)]
        return arrays


def copied(arguments):
    return {name: x.copy() if isinstance(x, np.ndarray) else x for name, x in arguments.items()}


problems = st.builds(
    Problem,
    N=st.sampled_from([1, 2, 3, 7, 30]),
    T=st.integers(1, 5),
    S=st.integers(1, 7),
    V=st.sampled_from([2, 3, 14, 34]),
    H=st.sampled_from([1, 4, 16, 34]),
    J=st.sampled_from([1, 16, 34, 70]),
    M=st.sampled_from([1, 8, 34]),
    end_id=st.sampled_from([-1, 0, 1]),
    scaled=st.booleans(),
    masked=st.booleans(),
    begun=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
    dtype=st.sampled_from([F4, F8]),
)


@settings(max_examples=150, deadline=None)
@given(problems)
def test_native_agrees_with_reference(problem):
    assert_close(problem.everything(native), problem.everything(reference), TOLERANCE[problem.dtype])


@pytest.mark.parametrize("dtype", [F4, F8])
def test_same_bits_for_any_number_of_threads(dtype):
    problem, results = Problem(N=60, T=12, S=20, V=40, H=48, J=40, M=48, dtype=dtype), {}
    before = kernels.get_num_threads()
    for threads in (1, 2, 5):
        native.set_num_threads(threads)
        results[threads] = [array.tobytes() for array in problem.everything(native)]
    native.set_num_threads(before)
    assert results[1] == results[2] == results[5]


@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.parametrize("row", [0, 4, 29])
def test_same_bits_alone_and_in_a_batch(row, begun):
    problem = Problem(N=30, T=4, S=6, H=34, J=20, M=18, begun=begun, masked=False)
    together = copied(problem.forward)
    native.walk_forward(**together)
    alone, one = copied(problem.forward), slice(row, row + 1)
    for name in ("queries", "values", "keys", "copies", "lengths", "xs", "arrivals", "logs"):
        alone[name] = alone[name][one].copy()
    steps = ("products", "h_scales", "z_scales", "places", "averages", "gates", "hs", "cs", "reached", "arrived")
    for name in steps:
        alone[name] = alone[name][:, one].copy()
    alone["rows"] = np.zeros(1, np.int32)
    cells = 4 * int(alone["lengths"][0])
    alone["zs"], alone["actions"] = alone["zs"][:cells].copy(), alone["actions"][:cells].copy()
    native.walk_forward(**alone)
    for name in ("logs", "arrivals"):
        assert alone[name].tobytes() == together[name][one].tobytes()
    for name in steps:
        assert alone[name].tobytes() == np.ascontiguousarray(together[name][:, one]).tobytes()


def test_same_bits_step_by_step():
    problem = Problem(N=5, T=4, S=6, H=34, J=20, M=18, masked=False, scaled=False)
    whole, one = copied(problem.forward), copied(problem.forward)
    native.walk_forward(**whole)
    cells = int(one["lengths"].sum())
    one["zs"], one["actions"] = one["zs"][:cells].copy(), one["actions"][:cells].copy()
    for t in range(4):
        step = one | {"begun": t > 0, "xs": np.ascontiguousarray(problem.forward["xs"][:, t : t + 1])}
        step["products"] = problem.forward["products"][t : t + 1]
        for name in ("places", "averages", "gates", "reached", "arrived"):
            step[name] = one[name][:1].copy()
        step["hs"], step["cs"], step["logs"] = one["hs"][:2].copy(), one["cs"][:2].copy(), one["logs"][:, :1].copy()
        native.walk_forward(**step)
        one["hs"][0], one["cs"][0] = step["hs"][1], step["cs"][1]
        assert step["logs"].tobytes() == np.ascontiguousarray(whole["logs"][:, t : t + 1]).tobytes()
    assert one["arrivals"].tobytes() == whole["arrivals"].tobytes()


FUNCTIONS = ["forward", "backward"]
WRONG = [
    (function, name, bad)
    for function in FUNCTIONS
    for name, argument in getattr(Problem(), function).items()
    for bad in BAD
    if isinstance(argument, np.ndarray) and (argument.itemsize > 1 or bad != "swapped bytes")
]
WRITTEN = [
    *[("forward", name) for name in ("arrivals", "places", "averages", "gates", "hs", "cs", "zs", "actions")],
    *[("forward", name) for name in ("reached", "arrived", "logs")],
    *[("backward", name) for name in ("dproducts", "dqueries", "dactions", "dkeys", "dvalues", "dh")],
]


def run(function, arguments):
    getattr(native, f"walk_{function}")(**arguments)


@pytest.mark.parametrize("function, name, bad", WRONG)
def test_wrong_arrays_are_refused_by_name(function, name, bad):
    arguments = getattr(Problem(), function)
    run(function, copied(arguments))
    arguments[name] = BAD[bad](arguments[name])
    # With one more row of the first array that has that letter, it is another that does not fit.
    pattern = r"^\w+: " if bad == "one more row" else f"^{name}: "
    with pytest.raises((TypeError, ValueError), match=pattern):
        run(function, arguments)


@pytest.mark.parametrize("function, name", WRITTEN)
def test_read_only_results_are_refused_by_name(function, name):
    arguments = getattr(Problem(), function)
    arguments[name] = read_only(arguments[name])
    with pytest.raises(ValueError, match=f"^{name}: is read-only"):
        run(function, arguments)


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(
    "name, wrong, reason",
    [
        ("lengths", 0, "expected from 1 to S places"),
        ("lengths", 6, "expected from 1 to S places"),
        ("copies", -2, "expected ids, or -1 for none"),
        ("copies", 7, "expected ids, or -1 for none"),
        ("xs", -1, "expected ids of symbols"),
        ("xs", 7, "expected ids of symbols"),
    ],
)
def test_numbers_outside_are_refused(function, name, wrong, reason):
    arguments = getattr(Problem(), function)
    arguments[name].reshape(-1)[0] = wrong
    with pytest.raises(ValueError, match=f"^{name}: {reason}$"):
        run(function, arguments)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_sizes_that_do_not_fit_are_refused(function):
    arguments = getattr(Problem(), function)
    arguments["lengths"][0] += 1 if arguments["lengths"][0] < 5 else -1
    with pytest.raises(ValueError, match=r"^zs: expected as many cells as there are places in all steps$"):
        run(function, arguments)

"""The kernels of a transformer: native against the reference, the same bits over threads, misuse refused by name."""

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

    def __init__(self, N=3, T=4, S=5, heads=2, E=4, Q=None, seed=0, dtype=F4, masked=False, causal=False):
        rng = np.random.default_rng(seed)

        def draw(*shape):
            return rng.standard_normal(shape).astype(dtype)

        self.dtype, D, P, R = dtype, heads * E, N * T, 7
        S = max(S, T) if causal else S
        queries, dcontexts = draw(N, T, D), draw(N, T, D)
        keys, values = draw(Q or N, S, D), draw(Q or N, S, D)
        mask = rng.random((Q or N, S)) < 0.6 if masked else None
        asking = rng.random((N, T)) < 0.6 if masked else None
        if masked and N > 0:
            mask[0] = False
        rows = None if Q is None else rng.integers(0, Q, N).astype(np.int32)
        self.attend = {"queries": queries, "keys": keys, "values": values, "mask": mask, "rows": rows}
        self.attend |= {"asking": asking, "causal": causal}
        self.attend |= {
            "weights": np.full((N, heads, T, S), np.nan, dtype),
            "contexts": np.full_like(queries, np.nan),
        }
        reference.attend_heads(**self.attend)
        self.backward = {name: self.attend[name] for name in ("queries", "keys", "values", "weights")}
        self.backward["dcontexts"] = dcontexts if asking is None else dcontexts * asking[:, :, None]
        self.backward |= {
            f"d{name}": np.full_like(self.attend[name], np.nan) for name in ("queries", "keys", "values")
        }
        angles = rng.uniform(-3, 3, (R, E // 2))
        self.rotate = {
            "xs": draw(P, D),
            "cosines": np.cos(angles).astype(dtype),
            "sines": np.sin(angles).astype(dtype),
        }
        self.rotate |= {"rows": rng.integers(0, R, P).astype(np.int32), "backwards": masked}
        self.rotate["ys"] = np.full((P, D), np.nan, dtype)
        norm = {"normalized": np.full((P, D), np.nan, dtype), "scales": np.full(P, np.nan, dtype)}
        self.norm = {"xs": draw(P, D), "g": draw(D), "b": draw(D), "ys": np.full((P, D), np.nan, dtype)} | norm
        reference.layer_norm(**self.norm)
        self.norm_backward = {"dys": draw(P, D), "g": self.norm["g"]} | norm
        self.norm_backward |= {"dxs": np.full((P, D), np.nan, dtype), "dg": draw(D), "db": draw(D)}

    def calls(self):
        """Give every kernel's name and arguments."""
        calls = {"attend_heads": self.attend, "rotate": self.rotate, "layer_norm": self.norm}
        if self.attend["rows"] is None:
            calls["attend_heads_backward"] = self.backward
        return calls | {"layer_norm_backward": self.norm_backward}

    def everything(self, k):
        """Run every kernel on copies: all arrays afterwards."""
        arrays = []
        for name, arguments in self.calls().items():
            copies = {key: x.copy() if isinstance(x, np.ndarray) else x for key, x in arguments.items()}
            getattr(k, name)(**copies)
            arrays += [x for x in copies.values() if isinstance(x, np.ndarray)]
        return arrays


problems = st.builds(
    Problem,
    N=st.integers(0, 9),
    T=st.integers(0, 6),
    S=st.integers(0, 7),
    heads=st.sampled_from([1, 2, 3]),
    E=st.sampled_from([2, 4, 16, 34]),
    Q=st.sampled_from([None, 4]),
    seed=st.integers(0, 2**32 - 1),
    dtype=st.sampled_from([F4, F8]),
    masked=st.booleans(),
    causal=st.booleans(),
)


@settings(max_examples=100, deadline=None)
@given(problems)
def test_native_agrees_with_reference(problem):
    assert_close(problem.everything(native), problem.everything(reference), TOLERANCE[problem.dtype])


@pytest.mark.parametrize("dtype", [F4, F8])
def test_same_bits_for_any_number_of_threads(dtype):
    problem, results = Problem(N=60, T=20, S=30, heads=4, E=32, dtype=dtype, masked=True, causal=True), {}
    before = kernels.get_num_threads()
    for threads in (1, 2, 5):
        native.set_num_threads(threads)
        results[threads] = [array.tobytes() for array in problem.everything(native)]
    native.set_num_threads(before)
    assert results[1] == results[2] == results[5]


def test_padding_of_others_does_not_change_a_bit():
    """A row's context is that of its symbols alone."""
    problem = Problem(N=8, T=1, S=9, E=34, masked=True)
    native.attend_heads(**problem.attend)
    for n in range(1, 8):
        seen = problem.attend["mask"][n]
        alone = Problem(N=1, T=1, S=int(seen.sum()), E=34).attend
        alone["queries"][0] = problem.attend["queries"][n]
        alone["keys"][0], alone["values"][0] = (problem.attend[name][n][seen] for name in ("keys", "values"))
        native.attend_heads(**alone)
        if problem.attend["asking"][n]:
            np.testing.assert_array_equal(alone["contexts"][0], problem.attend["contexts"][n])
        else:
            assert not problem.attend["contexts"][n].any()


EVERY_ARRAY = [
    (function, name)
    for function, arguments in (Problem(Q=4).calls() | Problem(masked=True).calls()).items()
    for name, argument in arguments.items()
    if isinstance(argument, np.ndarray)
]
READ = {"queries", "keys", "values", "mask", "asking", "xs", "cosines", "sines", "rows", "g", "b", "dcontexts", "dys"}
WRITTEN = [pair for pair in EVERY_ARRAY if pair[1] not in READ]
WRITTEN = [pair for pair in WRITTEN if not ("backward" in pair[0] and pair[1] in ("weights", "normalized", "scales"))]


def arguments_of(function):
    return Problem(masked=True).calls()[function] | (
        {"rows": np.zeros(3, np.int32)} if function == "attend_heads" else {}
    )


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("function, name", EVERY_ARRAY)
def test_wrong_arrays_are_refused_by_name(function, name, bad):
    arguments = arguments_of(function)
    getattr(native, function)(**arguments)
    if bad == "swapped bytes" and name in ("mask", "asking"):
        pytest.skip("a byte has no order")
    arguments[name] = BAD[bad](arguments[name])
    # With one more row of the first array that has that letter, it is another that does not fit.
    pattern = r"^\w+: " if bad == "one more row" else f"^{name}: "
    with pytest.raises((TypeError, ValueError), match=pattern):
        getattr(native, function)(**arguments)


@pytest.mark.parametrize("function, name", WRITTEN)
def test_read_only_results_are_refused_by_name(function, name):
    arguments = arguments_of(function)
    arguments[name] = read_only(arguments[name])
    with pytest.raises(ValueError, match=f"^{name}: is read-only"):
        getattr(native, function)(**arguments)


@pytest.mark.parametrize("function", ["attend_heads", "rotate"])
def test_rows_outside_are_refused(function):
    arguments = arguments_of(function)
    arguments["rows"][-1] = 9
    with pytest.raises(ValueError, match=r"^rows: expected ids from 0 to"):
        getattr(native, function)(**arguments)


def test_heads_that_do_not_share_out_a_vector_are_refused():
    arguments = arguments_of("attend_heads") | {"weights": np.zeros((3, 3, 4, 5), F4)}
    with pytest.raises(ValueError, match=r"^queries: expected a multiple of 3$"):
        native.attend_heads(**arguments)
    arguments = arguments_of("rotate") | {name: np.ones((7, 3), F4) for name in ("cosines", "sines")}
    with pytest.raises(ValueError, match=r"^xs: expected a multiple of 6$"):
        native.rotate(**arguments)

"""A transducer against all of its ways one by one, its gradients, and numbers at the edge of what floats hold."""

import itertools

import numpy as np
import pytest
from checks import assert_gradient

from doldari.layers import Parameter, TimeFed, TimeGRU, TimeJoint, TimeLSTM, TimeTransducer
from doldari.layers.transducer import Walk

pytestmark = pytest.mark.usefixtures("implementation")
END = 0


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def make_walk(rng, lengths=(3, 1, 4), V=5, rows=None):
    """Make sources of so many places, ends included, some of whose symbols cannot be copied."""
    lengths = np.array(lengths, np.int32)
    Q, S = len(lengths), int(lengths.max())
    copies = rng.integers(-1, V, (Q, S)).astype(np.int32)
    copies[np.arange(S) >= lengths[:, None] - 1] = -1
    rows = np.arange(Q, dtype=np.int32) if rows is None else np.array(rows, np.int32)
    nothing = np.zeros((Q, S, 0))
    return Walk(nothing, nothing, lengths, np.zeros((Q, S - 1), np.int32), copies, rows)


def make_scores(rng, walk, V=5):
    M = int(walk.lengths[walk.rows].sum())
    return rng.standard_normal((M, V)), rng.standard_normal((M, 2))


def make_places(rng, walk):
    places = rng.random((len(walk.rows), walk.copies.shape[1]))
    places[np.arange(places.shape[1]) >= walk.lengths[walk.rows, None]] = 0.0
    return places / places.sum(axis=1, keepdims=True)


def probability(answer, copies, steps):
    """Sum up all ways from the first place to the end of an answer, steps[t] being a softmax for every place.

    Deleting, and going back from the end, are a Markov chain; (I - D)^-1 sums up all of its walks.
    """
    S, here = len(copies) + 1, np.eye(1, len(copies) + 1)[0]
    for v, step in zip(answer, steps, strict=False):
        D = np.zeros((S, S))
        D[np.arange(S), (np.arange(S) + 1) % S] = step[:, -1]
        reached = here @ np.linalg.inv(np.eye(S) - D)
        here = reached * step[:, v]
        for s, copy in enumerate(copies):
            here[s + 1] += reached[s] * step[s, -2] * (copy == v)
    return here.sum()


def softmax_of_actions(inserts, moves, copies):
    """Normalise over what may be done: the end is inserted behind the last symbol only."""
    scores = np.concatenate([inserts, moves], axis=1)
    scores[:-1, END] = -np.inf
    scores[-1, -2] = -np.inf
    if len(copies) == 0:
        scores[-1, -1] = -np.inf
    scores[[s for s, id in enumerate(copies) if id < 0], -2] = -np.inf
    e = np.exp(scores)
    return e / e.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("source", [(), (2,), (1, 2), (2, 2, -1), (1, -1, 3)])
def test_it_sums_up_all_ways(rng, source):
    """The product of an answer's probabilities is the sum over all sequences of edits that write it."""
    V, S = 4, len(source) + 1
    copies = np.array([[*source, -1]], np.int32)
    walk = Walk(
        np.zeros((1, S, 0)), np.zeros((1, S, 0)), np.array([S], np.int32), copies, copies, np.zeros(1, np.int32)
    )
    scores = [(rng.standard_normal((S, V)), rng.standard_normal((S, 2))) for _ in range(4)]
    steps = [softmax_of_actions(inserts, moves, source) for inserts, moves in scores]
    layer, total = TimeTransducer(END), 0.0
    for length in range(4):
        for body in itertools.product(range(1, V), repeat=length):
            answer, places, log = [*body, END], np.eye(1, S), 0.0
            for (inserts, moves), v in zip(scores, answer, strict=False):
                logs, cache = layer.forward(inserts.copy(), moves.copy(), walk, places)
                np.testing.assert_allclose(np.exp(logs).sum(), 1.0, rtol=1e-12)
                log += logs[0, v]
                places = layer.after(cache.arrivals, np.array([v]))
            assert np.exp(log) == pytest.approx(probability(answer, source, steps), rel=1e-10)
            total += np.exp(log)
    assert total < 1.0  # longer answers have the rest


def test_gradients(rng):
    walk, layer = make_walk(rng, rows=[0, 0, 2, 1]), TimeTransducer(END)
    inserts, moves = make_scores(rng, walk)
    logs_of_places = np.log(np.maximum(make_places(rng, walk), 1e-300))
    written = np.array([2, 4, 1, 3], np.int32)
    upstream, further = rng.standard_normal((4, 5)), rng.standard_normal((4, 4))
    upstream[:, END] = 0.0

    def forward():
        return layer.forward(inserts.copy(), moves.copy(), walk, np.exp(logs_of_places))

    def objective():
        logs, cache = forward()
        return (logs * upstream).sum() + (layer.after(cache.arrivals, written) * further).sum()

    _, cache = forward()
    after = layer.after(cache.arrivals, written)
    garrivals = layer.after_backward(further * after, after)
    dinserts, dmoves, gplaces = layer.backward(upstream, cache, written, garrivals)
    there = np.exp(logs_of_places) > 0
    gplaces[~there] = 0.0
    assert_gradient(objective, [inserts, moves, logs_of_places], [dinserts, dmoves, gplaces], rng)


def test_without_an_end_every_symbol_is_like_another(rng):
    walk = make_walk(rng)
    logs, _ = TimeTransducer(None).forward(*make_scores(rng, walk), walk, make_places(rng, walk))
    assert (logs[:, END] > np.log(1e-3)).all()
    ended, _ = TimeTransducer(END).forward(*make_scores(rng, walk), walk, np.eye(1, 4).repeat(3, axis=0))
    assert ended[1, END] > ended[0, END]  # the second source has nothing but its end


@pytest.mark.parametrize("dropped", [False, True])
def test_the_joint_layers_gradients(rng, dropped):
    M, H, J = 3, 2, 4
    layer = TimeJoint(*(Parameter(rng.standard_normal(shape)) for shape in [(M + H, J), (J,), (J,)]))
    values, ids = rng.standard_normal((3, 4, M)), np.zeros((3, 4), np.int32)
    mask = np.array([[1, 1, 1, 1], [0, 0, 1, 1], [0, 0, 0, 0]], np.bool_)
    hs, scales = rng.standard_normal((5, H)), np.where(rng.random((3, J)) < 0.5, 0.0, 2.0) if dropped else None
    upstream, other = rng.standard_normal((5 + 3 + 5 + 3 + 1, J)), rng.standard_normal((3, 5, M))

    def forward():
        walk = layer.remember(values, ids, mask)._replace(rows=np.array([0, 0, 1, 1, 2], np.int32))
        return walk, layer.forward(hs, walk, scales)

    def objective():
        walk, (zs, _) = forward()
        return (zs * upstream).sum() + (walk.values * other).sum()

    walk, (_, cache) = forward()
    assert walk.lengths.tolist() == [5, 3, 1]
    dkeys = np.zeros_like(walk.keys)
    dhs = layer.backward(upstream, cache, dkeys)
    dvalues = layer.remember_backward(dkeys, other * (np.arange(5) < walk.lengths[:, None])[:, :, None], walk)
    other[np.arange(5) >= walk.lengths[:, None]] = 0.0
    arrays = {"hs": hs, "values": values} | {name: p.value for name, p in layer.parameters().items()}
    gradients = {"hs": dhs, "values": dvalues} | {name: p.gradient for name, p in layer.parameters().items()}
    assert_gradient(objective, arrays, gradients, rng)


@pytest.mark.parametrize("cell, gates", [(TimeLSTM, 4), (TimeGRU, 3)])
@pytest.mark.parametrize("C", [0, 2])
def test_feeding_is_reading_more(rng, cell, gates, C):
    """A layer that is fed is the layer that reads what is fed as a part of its input, and so are its gradients."""
    N, T, D, M, H = 3, 4, 2, 3, 5
    shapes = [(C + D + M, gates * H), (H, gates * H), (gates * H,)]
    layer = cell(*(Parameter(rng.standard_normal(shape)) for shape in shapes))
    xs, feds = rng.standard_normal((N, T, D)), rng.standard_normal((T, N, M))
    constant = rng.standard_normal((N, C)) if C else None
    mask = np.array([[1, 1, 1, 1], [1, 1, 0, 0], [1, 0, 0, 0]], np.bool_)
    first = layer.state(rng.standard_normal((N, H)))
    whole = np.concatenate([xs, feds.transpose(1, 0, 2)], axis=2)
    hs, last, cache = layer.forward(whole, first, mask, constant)
    upstream = rng.standard_normal(hs.shape) * mask[:, :, None]
    dwhole, dfirst, dconstant = layer.backward(upstream, cache)
    expected = [parameter.gradient.copy() for parameter in layer.parameters().values()]
    for parameter in layer.parameters().values():
        parameter.gradient[...] = 0.0

    fed, state, steps = TimeFed(layer), first, []
    inputs = fed.begin(xs, constant)
    for t in range(T):
        h, state, step = fed.step(t, inputs, feds[t], state, np.ascontiguousarray(mask[:, t : t + 1]))
        np.testing.assert_allclose(h[mask[:, t], 0], hs[mask[:, t], t], atol=1e-12)
        steps.append(step)
    np.testing.assert_allclose(state.h, last.h, atol=1e-12)
    dproducts, dlast, dfeds = np.zeros_like(inputs.products), None, np.zeros_like(feds)
    for t in reversed(range(T)):
        dh = np.ascontiguousarray(upstream[:, t : t + 1])
        dfeds[t], dlast = fed.step_backward(dproducts, dh, steps[t], dlast)
    dxs, dconstant_too = fed.end_backward(dproducts, inputs, feds)
    np.testing.assert_allclose(np.concatenate([dxs, dfeds.transpose(1, 0, 2)], axis=2), dwhole, atol=1e-12)
    np.testing.assert_allclose(dlast.h, dfirst.h, atol=1e-12)
    if C:
        np.testing.assert_allclose(dconstant_too, dconstant, atol=1e-12)
    for parameter, gradient in zip(layer.parameters().values(), expected, strict=True):
        np.testing.assert_allclose(parameter.gradient, gradient, atol=1e-12)


def test_what_can_hardly_be_reached_stays_finite(rng):
    """In float32, with scores of 1,000 against a deletion or a symbol: finite logarithms and gradients."""
    for score in (-1000.0, -80.0, 80.0, 1000.0):
        walk = make_walk(rng, lengths=(30,), rows=[0])
        inserts, moves = (array.astype(np.float32) for array in make_scores(rng, walk))
        moves[:, 1], inserts[:, 3] = score, -score
        places = np.eye(1, 30, dtype=np.float32)
        layer = TimeTransducer(END)
        logs, cache = layer.forward(inserts, moves, walk, places)
        assert np.isfinite(logs).all() and logs.dtype == np.float32
        after = layer.after(cache.arrivals, np.array([3]))
        gradients = layer.backward(
            np.ones_like(logs), cache, np.array([3], np.int32), layer.after_backward(after, after)
        )
        assert all(np.isfinite(gradient).all() for gradient in gradients)


def test_a_layer_in_both_directions_cannot_be_fed():
    with pytest.raises(TypeError, match="must read in one direction"):
        TimeFed(object())

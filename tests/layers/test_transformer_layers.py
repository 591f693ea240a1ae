"""The layers of a transformer: backward against central differences in float64, what rotation and masks promise."""

import numpy as np
import pytest
from checks import assert_gradient

from doldari.layers import Parameter, TimeFeedForward, TimeLayerNorm, TimeMultiHeadAttention
from doldari.layers.layout import Layout

pytestmark = pytest.mark.usefixtures("implementation")


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def parameters(rng, *shapes):
    return [Parameter(rng.standard_normal(shape) * 0.7) for shape in shapes]


def check(rng, layer, xs, forward, backward):
    """Check the gradients of a layer's parameters and of its inputs xs by a random sum of what it gives."""
    weights = rng.standard_normal(forward().shape)
    dxs = backward(weights)
    named = layer.parameters().values()
    arrays, gradients = [xs, *(p.value for p in named)], [dxs, *(p.gradient for p in named)]
    assert_gradient(lambda: (forward() * weights).sum(), arrays, gradients, rng)


@pytest.mark.parametrize("P", [1, 5])
def test_layer_norm(rng, P):
    layer, xs = TimeLayerNorm(*parameters(rng, (6,), (6,))), rng.standard_normal((P, 6))
    check(rng, layer, xs, lambda: layer.forward(xs)[0], lambda dys: layer.backward(dys, layer.forward(xs)[1]))


@pytest.mark.parametrize("P", [1, 5])
def test_feed_forward(rng, P):
    layer = TimeFeedForward(*parameters(rng, (6, 9), (9,), (9, 6), (6,)))
    xs = rng.standard_normal((P, 6))
    check(rng, layer, xs, lambda: layer.forward(xs)[0], lambda dys: layer.backward(dys, layer.forward(xs)[1]))


def make_attention(rng, rotary, heads=2):
    return TimeMultiHeadAttention(*parameters(rng, (8, 8), (8, 16), (8, 8)), heads, rotary)


@pytest.mark.parametrize("T", [1, 4])
@pytest.mark.parametrize("rotary", [False, True])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_self_attention(rng, T, rotary, causal, masked):
    layer, mask = make_attention(rng, rotary), rng.random((3, T)) < 0.6 if masked else None
    layout = Layout.of((3, T), mask)
    xs = rng.standard_normal((len(layout.rows), 8))

    def forward():
        memory = layer.remember(xs, layout)
        return layer.forward(xs, layout, memory, layout.mask, causal=causal)

    def backward(dys):
        dxs, dmemory = layer.backward(dys, forward()[1])
        return dxs + layer.remember_backward(dmemory, xs, layout)

    check(rng, layer, xs, lambda: forward()[0], backward)


@pytest.mark.parametrize("T, S", [(1, 1), (2, 5)])
def test_attention_across(rng, T, S):
    """The gradient of what is looked at; where all of it is padding, contexts are 0."""
    layer, mask = make_attention(rng, rotary=False), rng.random((3, S)) < 0.6
    mask[0] = False
    layout, memory_layout = Layout.of((3, T), None), Layout.of((3, S), mask)
    queries, values = rng.standard_normal((3 * T, 8)), rng.standard_normal((len(memory_layout.rows), 8))

    def forward():
        return layer.forward(queries, layout, layer.remember(values, memory_layout), mask)

    def backward(dys):
        dqueries, dmemory = layer.backward(dys, forward()[1])
        return dqueries, layer.remember_backward(dmemory, values, memory_layout)

    check(rng, layer, queries, lambda: forward()[0], lambda dys: backward(dys)[0])
    for parameter in layer.parameters().values():
        parameter.gradient[...] = 0.0
    check(rng, layer, values, lambda: forward()[0], lambda dys: backward(dys)[1])
    assert not forward()[0][:T].any()


def test_rotation_knows_distances_and_nothing_else(rng):
    """Sequences that begin later attend alike: only how far apart two positions are counts."""
    layer, xs = make_attention(rng, rotary=True), rng.standard_normal((4, 8))
    results = []
    for before in (0, 3, 50):
        layout = Layout.of((1, 4), None, np.array([before], np.int32))
        results.append(layer.forward(xs, layout, layer.remember(xs, layout))[0])
    np.testing.assert_allclose(results[1:], [results[0]] * 2, rtol=1e-10)
    other, _ = layer.forward(xs[::-1].copy(), layout, layer.remember(xs[::-1].copy(), layout))
    assert np.abs(other[::-1] - results[0]).max() > 0.01


def test_a_causal_position_does_not_see_later_ones(rng):
    layer, xs, layout = make_attention(rng, rotary=True), rng.standard_normal((5, 8)), Layout.of((1, 5), None)
    before, _ = layer.forward(xs, layout, layer.remember(xs, layout), causal=True)
    xs[3:] += 1.0
    after, _ = layer.forward(xs, layout, layer.remember(xs, layout), causal=True)
    np.testing.assert_array_equal(before[:3], after[:3])
    assert (before[3:] != after[3:]).all()


def test_layer_norm_is_pytorchs(rng):
    torch = pytest.importorskip("torch")
    layer, xs = TimeLayerNorm(*parameters(rng, (6,), (6,))), rng.standard_normal((5, 6))
    g, b = (torch.from_numpy(parameter.value) for parameter in (layer.g, layer.b))
    expected = torch.nn.functional.layer_norm(torch.from_numpy(xs), (6,), g, b)
    np.testing.assert_allclose(layer.forward(xs)[0], expected.numpy(), rtol=1e-12)


@pytest.mark.parametrize("heads, rotary", [(3, False), (8, True), (0, False)])
def test_heads_that_do_not_share_out_a_vector(rng, heads, rotary):
    with pytest.raises(ValueError, match=r"TimeMultiHeadAttention: (D must be a multiple|heads must be at least 1)"):
        make_attention(rng, rotary, heads)


@pytest.mark.parametrize("layer", ["norm", "feed_forward", "attention"])
def test_wrong_arguments_are_refused_by_name(rng, layer):
    layers = {
        "norm": TimeLayerNorm(*parameters(rng, (8,), (8,))),
        "feed_forward": TimeFeedForward(*parameters(rng, (8, 9), (9,), (9, 8), (8,))),
        "attention": make_attention(rng, rotary=True),
    }
    with pytest.raises(ValueError, match=r"xs must have shape \(P, D\) with P = 2, D = 8, got \(2, 7\)"):
        if layer == "attention":
            layers[layer].remember(np.zeros((2, 7)), Layout.of((1, 2), None))
        else:
            layers[layer].forward(np.zeros((2, 7)))
    with pytest.raises(ValueError, match="b must have shape"):
        TimeLayerNorm(*parameters(rng, (8,), (7,)))

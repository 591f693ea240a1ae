"""Places in embeddings and attention, and bags of features: by hand, by central differences, under padding."""

import numpy as np
import pytest
from checks import assert_gradient

from doldari.layers import EmbeddingBag, Parameter, PlacedAttention, PlacedEmbedding
from doldari.layers.places import place_vectors, places_of

pytestmark = pytest.mark.usefixtures("implementation")


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def test_places_are_counted_over_what_is_read():
    mask = np.array([[False, True, True, False, True], [True] * 5])
    assert places_of((2, 5), mask)[0, [1, 2, 4]].tolist() == [0, 1, 2]
    assert places_of((2, 5), mask, np.array([3, 0], np.int32))[0, [1, 2, 4]].tolist() == [3, 4, 5]
    assert places_of((2, 5), None)[1].tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("D", [4, 5])
def test_placed_embedding(rng, D):
    layer = PlacedEmbedding(Parameter(rng.standard_normal((6, D))))
    ids, upstream = rng.integers(0, 6, (2, 3)).astype(np.int32), rng.standard_normal((6, D))
    before = np.array([0, 4], np.int32)
    table, rows, cache = layer.forward_table(ids, None, before)
    assert rows.tolist() == [[0, 1, 2], [3, 4, 5]]
    place = 5  # of the second row's second symbol
    waves = [np.sin(place), np.sin(place / 1e4 ** (2 / D)), np.cos(place), np.cos(place / 1e4 ** (2 / D))]
    if D == 4:
        np.testing.assert_allclose(table[4], layer.W.value[ids[1, 1]] + 2**0.5 * np.array(waves), rtol=1e-12)
    layer.backward_table(upstream, cache)
    loss = lambda: (layer.forward_table(ids, None, before)[0] * upstream).sum()  # noqa: E731
    assert_gradient(loss, [layer.W.value], [layer.W.gradient], rng)


def test_embedding_bag(rng):
    layer = EmbeddingBag(Parameter(rng.standard_normal((7, 3))), first=4)
    ids = np.array([[0, 4, 2, 6], [6, 6, 1, 5], [0, 1, 2, 3]], np.int32)
    ys, cache = layer.forward(ids)
    W = layer.W.value
    np.testing.assert_allclose(ys, [W[4] + W[6], 2 * W[6] + W[5], 0 * W[0]], rtol=1e-12)
    upstream = rng.standard_normal((3, 3))
    layer.backward(upstream, cache)
    assert_gradient(lambda: (layer.forward(ids)[0] * upstream).sum(), [W], [layer.W.gradient], rng)


@pytest.mark.parametrize("masked", [False, True])
def test_placed_attention(rng, masked):
    H, M, K = 3, 4, PlacedAttention.SIZE
    W, U = Parameter(rng.standard_normal((H, M))), Parameter(rng.standard_normal((K, K)) * 0.1)
    layer = PlacedAttention(W, U)
    queries, values = rng.standard_normal((5, H)), rng.standard_normal((2, 4, M))
    rows, places = np.array([0, 1, 1, 0, 0], np.int32), np.array([0, 3, 1, 2, 9], np.int32)
    mask = np.array([[False, True, True, True], [True, True, False, True]]) if masked else None
    upstream, upstream_weights = rng.standard_normal((5, M)), rng.standard_normal((5, 4))

    def forward():
        return layer.forward(queries, layer.remember(values, mask)._replace(rows=rows), places)

    def loss():
        contexts, cache = forward()
        return (contexts * upstream).sum() + (cache.weights * upstream_weights).sum()

    _, cache = forward()
    dqueries, dvalues = layer.backward(upstream, cache, upstream_weights)
    arrays, gradients = [queries, values, W.value, U.value], [dqueries, dvalues, W.gradient, U.gradient]
    assert_gradient(loss, arrays, gradients, rng)
    at = places_of((2, 4), mask)[rows[1]]
    scores = queries[1] @ W.value @ values[1].T
    scores += place_vectors(places[1:2], K)[0] @ U.value @ place_vectors(at, K).T
    expected = np.where(True if mask is None else mask[1], np.exp(scores), 0.0)
    np.testing.assert_allclose(cache.weights[1], expected / expected.sum(), rtol=1e-10)


def test_attention_follows_the_source_at_first():
    layer = PlacedAttention(Parameter(np.zeros((2, 2))), PlacedAttention.first_places(np.float64))
    places = np.arange(9, dtype=np.int32)
    memory = layer.remember(np.zeros((1, 9, 2)))._replace(rows=np.zeros(9, np.int32))
    weights = layer.forward(np.zeros((9, 2)), memory, places)[1].weights
    assert weights.argmax(axis=1).tolist() == places.tolist()

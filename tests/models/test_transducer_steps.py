"""A transducer's steps one by one, and all in one call of a kernel: the same model, gradients and states."""

import numpy as np
import pytest

from doldari.models.encoder import EncodedGradient
from doldari.models.transducer_decoder import TransducerDecoder
from doldari.models.variants import TransducerSeq2seq

pytestmark = pytest.mark.usefixtures("implementation")


def run(model, xs, ts, monkeypatch, in_one):
    """Run a decoder forward, backward and one step more; in one call, or step by step."""
    with monkeypatch.context() as patch:
        if not in_one:
            patch.setattr(TransducerDecoder, "whole", None)
        encoded, _ = model.encoder.forward(xs, model.read(xs))
        state, mask, decoder = model.decoder.start(encoded), ts != 0, model.decoder
        scores, after, cache = decoder.forward(ts, state, mask, np.random.default_rng(5))
        assert (decoder.whole is None) != in_one
        model.parameters.gradients[:] = 0.0
        dscores = np.random.default_rng(6).standard_normal(scores.shape) * mask[:, :, None]
        gradient = decoder.backward(dscores, cache)
        more, last, _ = decoder.forward(ts[:, :1], after)
    assert isinstance(gradient, EncodedGradient)
    arrays = [scores, after.arrivals, *after.layers[0], more, last.arrivals, *gradient.dlast, gradient.dhs]
    arrays += [] if gradient.dfeatures is None else [gradient.dfeatures]
    return [*arrays, model.parameters.gradients.copy()]


@pytest.mark.parametrize("features", [0, 3])
@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_the_same_in_one_call_and_step_by_step(monkeypatch, features, dropout):
    rng = np.random.default_rng(1)
    model = TransducerSeq2seq(9, 5, 6, features=features, dropout=dropout, pad_id=0, rng=rng, dtype=np.float64)
    xs = rng.integers(3, 9, (4, 7)).astype(np.int32)
    xs[0, 4:], xs[1, 1:] = 0, 0
    ts = rng.integers(1, 9, (4, 6)).astype(np.int32)
    ts[1, 2:], ts[3, 5:] = 0, 0
    whole, steps = (run(model, xs, ts, monkeypatch, in_one) for in_one in (True, False))
    for one, other in zip(whole, steps, strict=True):
        assert np.abs(one).max() > 0
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-10)

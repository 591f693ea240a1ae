"""Layer normalisation of P vectors of D numbers, forward and backward."""

import numpy as np

from doldari.arrays import Floats

EPSILON = 1e-5  # beside the variance, as in PyTorch


def layer_norm(xs: Floats, g: Floats, b: Floats, ys: Floats, normalized: Floats, scales: Floats) -> None:
    """Normalise every vector, then scale and shift it (Ba et al. 2016, equation 4).

        scale = 1 / sqrt(variance(x) + EPSILON)
        normalized = (x - mean(x)) scale
        y = normalized g + b

    xs (P, D), g and b (D,).  Writes ys and normalized (P, D), scales (P,).
    """
    centred = xs - xs.mean(axis=1, keepdims=True)
    scales[...] = 1.0 / np.sqrt((centred * centred).mean(axis=1) + EPSILON)
    normalized[...] = centred * scales[:, None]
    ys[...] = normalized * g + b


def layer_norm_backward(
    dys: Floats, g: Floats, normalized: Floats, scales: Floats, dxs: Floats, dg: Floats, db: Floats
) -> None:
    """Run `layer_norm` backwards: dys (P, D); normalized and scales are those that it wrote.

        dn = dy g
        dx = scale (dn - mean(dn) - normalized mean(dn normalized))

    Writes dxs (P, D); adds to dg and db (D,).
    """
    dn = dys * g
    dxs[...] = dn - dn.mean(axis=1, keepdims=True) - normalized * (dn * normalized).mean(axis=1, keepdims=True)
    dxs *= scales[:, None]
    dg += (dys * normalized).sum(axis=0)
    db += dys.sum(axis=0)

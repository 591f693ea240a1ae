"""The update of all parameters at once."""

import numpy as np

from doldari.arrays import Floats


def adam(
    values: Floats,
    gradients: Floats,
    m: Floats,
    v: Floats,
    learning_rate: float,
    beta1: float,
    beta2: float,
    eps: float,
    step: int,
    max_grad: float | None,
) -> float:
    """Clip the gradient to norm `max_grad` (Pascanu et al. 2013) and take one Adam step, number `step` >= 1.

    Kingma & Ba 2015, Algorithm 1.  values, gradients, m and v are flat and of one length; values, m and v are
    updated, gradients are scaled.  Returns the gradient's norm before clipping.
    """
    norm = clip_gradients(gradients, max_grad)
    scratch = gradients * (1 - beta1)
    m *= beta1
    m += scratch
    np.multiply(gradients, gradients, out=scratch)
    scratch *= 1 - beta2
    v *= beta2
    v += scratch
    np.divide(v, 1 - beta2**step, out=scratch)
    np.sqrt(scratch, out=scratch)
    scratch += eps
    np.divide(m, scratch, out=scratch)
    scratch *= learning_rate / (1 - beta1**step)
    values -= scratch
    return norm


def clip_gradients(gradients: Floats, max_grad: float | None) -> float:
    """Scale the flat gradient, in place, to a norm of at most `max_grad`; return the norm it had."""
    norm = float(np.sqrt(np.dot(gradients, gradients)))
    if max_grad is not None and norm > max_grad:
        gradients *= max_grad / norm
    return norm

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
    """Clip the gradient to norm `max_grad` and take Adam step number `step` >= 1 (Kingma & Ba 2015, Algorithm 1).

        m = beta1 m + (1 - beta1) gradient
        v = beta2 v + (1 - beta2) gradient^2
        m_hat = m / (1 - beta1^step);  v_hat = v / (1 - beta2^step)
        value = value - learning_rate m_hat / (sqrt(v_hat) + eps)

    values, gradients, m and v are flat and of one length; values, m and v are updated, gradients are scaled.
    Returns the gradient's norm before clipping.
    """
    norm = clip_gradients(gradients, max_grad)
    m[...] = beta1 * m + (1.0 - beta1) * gradients
    v[...] = beta2 * v + (1.0 - beta2) * gradients**2
    m_hat = m / (1.0 - beta1**step)
    v_hat = v / (1.0 - beta2**step)
    values -= learning_rate * m_hat / (np.sqrt(v_hat) + eps)
    return norm


def clip_gradients(gradients: Floats, max_grad: float | None) -> float:
    """Scale the flat gradient, in place, to a norm of at most `max_grad`; return the norm it had.

    As in Pascanu et al. 2013, Algorithm 1; None does not clip.
    """
    norm = float(np.sqrt(np.dot(gradients, gradients)))
    if max_grad is not None and norm > max_grad:
        gradients *= max_grad / norm
    return norm

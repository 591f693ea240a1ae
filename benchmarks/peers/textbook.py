"""The encoder-decoder as textbooks write it in NumPy: one layer object a time step, one array a parameter.

Padding is an ordinary symbol.  `step(x, t)` is one training step: forward, backward, clip, Adam.
"""

import numpy as np

F32 = np.float32


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


class LSTMStep:
    """One step of an LSTM, gates in the order f, g, i, o."""

    def __init__(self, Wx, Wh, b):
        self.Wx, self.Wh, self.b = Wx, Wh, b

    def forward(self, x, h, c):
        H = h.shape[1]
        a = x @ self.Wx + h @ self.Wh + self.b
        f, g = sigmoid(a[:, :H]), np.tanh(a[:, H : 2 * H])
        i, o = sigmoid(a[:, 2 * H : 3 * H]), sigmoid(a[:, 3 * H :])
        c_next = f * c + g * i
        h_next = o * np.tanh(c_next)
        self.cache = x, h, c, f, g, i, o, c_next
        return h_next, c_next

    def backward(self, dh, dc):
        x, h, c, f, g, i, o, c_next = self.cache
        tanh_c = np.tanh(c_next)
        dc = dc + dh * o * (1 - tanh_c**2)
        da = np.hstack((dc * c * f * (1 - f), dc * i * (1 - g**2), dc * g * i * (1 - i), dh * tanh_c * o * (1 - o)))
        self.gradients = x.T @ da, h.T @ da, da.sum(axis=0)
        return da @ self.Wx.T, da @ self.Wh.T, dc * f


class TimeLSTM:
    """A layer object for every step."""

    def __init__(self, Wx, Wh, b):
        self.params = [Wx, Wh, b]

    def forward(self, xs, h):
        N, T, _ = xs.shape
        c = np.zeros_like(h)
        hs = np.empty((N, T, h.shape[1]), F32)
        self.steps = [LSTMStep(*self.params) for _ in range(T)]
        for t, step in enumerate(self.steps):
            h, c = step.forward(xs[:, t], h, c)
            hs[:, t] = h
        return hs

    def backward(self, dhs):
        N, T, _ = dhs.shape
        dxs = np.empty((N, T, self.params[0].shape[0]), F32)
        dh, dc = 0, 0
        self.grads = [np.zeros_like(param) for param in self.params]
        for t in reversed(range(T)):
            dxs[:, t], dh, dc = self.steps[t].backward(dhs[:, t] + dh, dc)
            for grad, part in zip(self.grads, self.steps[t].gradients, strict=True):
                grad += part
        self.dh = dh
        return dxs


class Embedding:
    """Rows of a matrix; their gradient by np.add.at."""

    def __init__(self, W):
        self.params = [W]

    def forward(self, ids):
        self.ids = ids
        return self.params[0][ids]

    def backward(self, dxs):
        self.grads = [np.zeros_like(self.params[0])]
        np.add.at(self.grads[0], self.ids, dxs)


class Affine:
    """xs W + b."""

    def __init__(self, W, b):
        self.params = [W, b]

    def forward(self, xs):
        self.xs = xs
        return xs @ self.params[0] + self.params[1]

    def backward(self, dys):
        rows, drows = self.xs.reshape(-1, self.xs.shape[-1]), dys.reshape(-1, dys.shape[-1])
        self.grads = [rows.T @ drows, drows.sum(axis=0)]
        return dys @ self.params[0].T


class TextbookSeq2seq:
    """The chapter's model, plain or peeky, with its training step."""

    def __init__(self, V, D, H, peeky, seed=0):
        rng = np.random.default_rng(seed)

        def normal(*shape, scale):
            return (rng.standard_normal(shape) * scale).astype(F32)

        C = H if peeky else 0
        self.H, self.peeky = H, peeky
        self.encoder_embed = Embedding(normal(V, D, scale=0.01))
        self.encoder_lstm = TimeLSTM(
            normal(D, 4 * H, scale=D**-0.5), normal(H, 4 * H, scale=H**-0.5), np.zeros(4 * H, F32)
        )
        self.decoder_embed = Embedding(normal(V, D, scale=0.01))
        self.decoder_lstm = TimeLSTM(
            normal(C + D, 4 * H, scale=(C + D) ** -0.5), normal(H, 4 * H, scale=H**-0.5), np.zeros(4 * H, F32)
        )
        self.affine = Affine(normal(C + H, V, scale=(C + H) ** -0.5), np.zeros(V, F32))
        self.layers = [self.encoder_embed, self.encoder_lstm, self.decoder_embed, self.decoder_lstm, self.affine]
        params = [param for layer in self.layers for param in layer.params]
        self.moments = [(np.zeros_like(param), np.zeros_like(param)) for param in params]
        self.steps = 0

    def step(self, x, t, max_grad=5.0, learning_rate=1e-3):
        """Train on one batch; return its loss."""
        H = self.H
        read, targets = t[:, :-1], t[:, 1:]
        N, T = read.shape
        h = self.encoder_lstm.forward(self.encoder_embed.forward(x), np.zeros((N, H), F32))[:, -1]
        xs = self.decoder_embed.forward(read)
        if self.peeky:
            everywhere = np.repeat(h[:, None], T, axis=1)
            xs = np.concatenate((everywhere, xs), axis=2)
        hs = self.decoder_lstm.forward(xs, h)
        scores = self.affine.forward(np.concatenate((everywhere, hs), axis=2) if self.peeky else hs)

        scores = np.exp(scores - scores.max(axis=2, keepdims=True))
        probabilities = scores / scores.sum(axis=2, keepdims=True)
        n, at = np.ogrid[:N, :T]
        loss = -np.log(probabilities[n, at, targets]).mean()
        dscores = probabilities
        dscores[n, at, targets] -= 1
        dscores /= N * T

        dhs = self.affine.backward(dscores)
        dh = 0
        if self.peeky:
            dh, dhs = dhs[:, :, :H].sum(axis=1), dhs[:, :, H:]
        dxs = self.decoder_lstm.backward(dhs)
        if self.peeky:
            dh, dxs = dh + dxs[:, :, :H].sum(axis=1), dxs[:, :, H:]
        self.decoder_embed.backward(dxs)
        dhs = np.zeros((N, x.shape[1], H), F32)
        dhs[:, -1] = dh + self.decoder_lstm.dh
        self.encoder_embed.backward(self.encoder_lstm.backward(dhs))

        self.update(max_grad, learning_rate)
        return float(loss)

    def update(self, max_grad, learning_rate, beta1=0.9, beta2=0.999):
        """Clip all gradients to one norm and take an Adam step, parameter by parameter."""
        params = [param for layer in self.layers for param in layer.params]
        grads = [grad for layer in self.layers for grad in layer.grads]
        norm = np.sqrt(sum((grad**2).sum() for grad in grads))
        rate = min(1.0, max_grad / (norm + 1e-6))
        self.steps += 1
        step_size = learning_rate * np.sqrt(1 - beta2**self.steps) / (1 - beta1**self.steps)
        for param, grad, (m, v) in zip(params, grads, self.moments, strict=True):
            grad *= rate
            m += (1 - beta1) * (grad - m)
            v += (1 - beta2) * (grad**2 - v)
            param -= step_size * m / (np.sqrt(v) + 1e-7)

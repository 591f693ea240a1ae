"""The GRU beside PyTorch's, values and gradients, in float64.  (The LSTM is compared as a part of the models.)"""

import numpy as np
import pytest

from doldari.layers import GRUState, Parameter, TimeGRU

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.usefixtures("implementation")


@pytest.mark.parametrize("N, T, D, H", [(5, 7, 3, 9), (2, 1, 4, 16), (1, 3, 1, 1)])
@pytest.mark.parametrize("ragged", [False, True])
def test_gru_equals_pytorchs(N, T, D, H, ragged):
    rng = np.random.default_rng(5)
    torch.manual_seed(5)
    theirs = torch.nn.GRU(D, H, batch_first=True, dtype=torch.float64)
    torch.nn.init.zeros_(theirs.bias_hh_l0)
    weights = {"Wx": theirs.weight_ih_l0, "Wh": theirs.weight_hh_l0, "b": theirs.bias_ih_l0}
    layer = TimeGRU(*(Parameter(weight.detach().numpy().T.copy()) for weight in weights.values()))
    xs, h0 = rng.standard_normal((N, T, D)), rng.standard_normal((N, H))
    dhs, dh = rng.standard_normal((N, T, H)), rng.standard_normal((N, H))
    lengths = rng.integers(1, T + 1, N) if ragged else np.full(N, T)
    lengths[0] = T  # PyTorch unpacks to the longest
    mask = np.arange(T) < lengths[:, None]
    dhs[~mask] = 0  # after the end of a row PyTorch has zeros, where here the state stays

    hs, last, cache = layer.forward(xs, GRUState(h0), mask if ragged else None)
    dxs, dfirst, _ = layer.backward(dhs, cache, GRUState(dh))

    their_xs, their_h0 = torch.tensor(xs, requires_grad=True), torch.tensor(h0[None], requires_grad=True)
    packed = torch.nn.utils.rnn.pack_padded_sequence(their_xs, lengths, batch_first=True, enforce_sorted=False)
    packed_hs, their_last = theirs(packed, their_h0)
    their_hs, _ = torch.nn.utils.rnn.pad_packed_sequence(packed_hs, batch_first=True)
    ((their_hs * torch.tensor(dhs)).sum() + (their_last * torch.tensor(dh)).sum()).backward()

    pairs = {
        "hs": (hs * mask[:, :, None], their_hs.detach().numpy()),
        "last": (last.h, their_last[0].detach().numpy()),
        "dxs": (dxs, their_xs.grad.numpy()),
        "dh0": (dfirst.h, their_h0.grad[0].numpy()),
    }
    for name, parameter in layer.parameters().items():
        pairs[name] = parameter.gradient, weights[name].grad.numpy().T
    for name, (mine, their) in pairs.items():
        np.testing.assert_allclose(mine, their, rtol=0, atol=1e-12, err_msg=name)

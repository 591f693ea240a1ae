"""Fixtures that many tests share."""

from importlib import import_module

import pytest

from doldari import kernels
from doldari.kernels import reference

IMPLEMENTATIONS = ["reference"] + ["native"] * (kernels.name == "native")


@pytest.fixture(params=IMPLEMENTATIONS)
def implementation(request, monkeypatch):
    """Run the test once with each implementation of the kernels."""
    module = import_module(f"doldari.kernels.{'_native' if request.param == 'native' else request.param}")
    for name in reference.__all__:
        monkeypatch.setattr(kernels, name, getattr(module, name))
    return request.param

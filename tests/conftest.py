"""Fixtures that many tests share."""

import pytest

from doldari import kernels
from doldari.kernels import reference


@pytest.fixture(params=["reference"])
def implementation(request, monkeypatch):
    """Run the test once with each implementation of the kernels."""
    for name in kernels.__all__:
        monkeypatch.setattr(kernels, name, getattr(reference, name))
    return request.param

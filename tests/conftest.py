"""Fixtures that many tests share."""

import io
import os
import shutil
import sys
import warnings
from importlib import import_module
from types import SimpleNamespace

import pytest

from doldari import kernels
from doldari.cli import main
from doldari.kernels import reference

IMPLEMENTATIONS = ["reference"] + ["native"] * (kernels.name == "native")


@pytest.fixture(params=IMPLEMENTATIONS)
def implementation(request, monkeypatch):
    """Run the test once with each implementation of the kernels."""
    module = import_module(f"doldari.kernels.{'_native' if request.param == 'native' else request.param}")
    for name in reference.__all__:
        monkeypatch.setattr(kernels, name, getattr(module, name))
    return request.param


@pytest.fixture
def cli(monkeypatch, capfd, tmp_path):
    """Run a command in an empty directory: its exit code, standard output and standard error.

    The line that says which recipe was chosen for the data is taken out of standard error, and stands by itself.
    """
    monkeypatch.chdir(tmp_path)

    def run(*arguments, stdin=b""):
        words = [word for part in arguments for word in (part.split() if isinstance(part, str) else part)]
        monkeypatch.setattr(sys, "argv", ["doldari", *words])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        code = 0
        with warnings.catch_warnings():  # main() shows warnings its own way
            warnings.simplefilter("default")
            try:
                main()
            except SystemExit as exit:
                code = exit.code or 0
        out, err = capfd.readouterr()
        lines = err.splitlines(keepends=True)
        recipe = next((line for line in lines if line.startswith("recipe ")), "")
        return SimpleNamespace(code=code, out=out, err=err.replace(recipe, "", 1), recipe=recipe)

    return run


@pytest.fixture
def pairs(tmp_path):
    """A file of forty pairs: a letter once to four times, and the letter."""
    path = tmp_path / "pairs.tsv"
    path.write_text("".join(f"{letter * n}\t{letter}\n" for letter in "abcdefghij" for n in range(1, 5)))
    return path


@pytest.fixture(scope="module")
def browser():
    """A Chromium, closed after the module: Playwright runs once at a time.

    Where there is none the test is skipped, or, with DOLDARI_BROWSER=required, fails.
    """
    needed = "needs Chromium, and playwright: pip install '.[test]'"
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if os.environ.get("DOLDARI_BROWSER") != "required":
        pytest.importorskip("playwright", reason=needed)
        if chromium is None:
            pytest.skip(needed)
    from playwright.sync_api import sync_playwright

    switches = "no-sandbox disable-gpu disable-quic no-first-run disable-background-networking disable-sync"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=[f"--{switch}" for switch in switches.split()]
        )
        yield browser
        browser.close()

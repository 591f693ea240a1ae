"""A browser for the tests of exported pages."""

import os
from pathlib import Path

import pytest

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)


def without_browser(reason):
    """Skip a test, or fail it where a browser must be there: DOLDARI_BROWSER=required."""
    if os.environ.get("DOLDARI_BROWSER") == "required":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="module")
def browser():
    """A Chromium; closed after the module, for Playwright runs once at a time."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        without_browser("needs playwright: pip install '.[test]'")
    if not CHROMIUM.exists():
        without_browser(f"needs {CHROMIUM}: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS.split())
        yield browser
        browser.close()


@pytest.fixture
def tab(browser):
    """Open files in a tab in which nothing goes wrong and no request is made but that for the file itself."""
    context = browser.new_context(locale="en-US", viewport={"width": 360, "height": 740})
    tab, wrong, requests = context.new_page(), [], []
    tab.on("console", lambda message: wrong.append(message.text))
    tab.on("pageerror", lambda error: wrong.append(str(error)))
    tab.on("request", lambda request: requests.append(request.url))
    yield tab
    assert wrong == []
    assert [url for url in requests if not url.startswith(("file://", "data:"))] == []
    assert len({url for url in requests if url.startswith("file://")}) <= 1
    context.close()

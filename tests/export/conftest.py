"""A tab of a browser for the tests of exported pages."""

import pytest


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

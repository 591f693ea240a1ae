"""The page in Chromium: it gives Python's answers, stays on its origin, and can be used by everybody.

Where Chromium or Playwright is missing these tests are skipped, unless DOLDARI_BROWSER=required.
"""

import threading
import time
from pathlib import Path

import numpy as np
import pytest
import uvicorn

import doldari
from doldari.web.app import make_app
from doldari.web.guard import LOOPBACK, Guard
from doldari.web.served import Served
from doldari.web.start import bound
from doldari.web.worker import Worker

VIEWS = ("predict&text=abba", "predict&text=abba&vs=gru", "batch", "training", "about")


@pytest.fixture(scope="session")
def address(folder):
    listening = bound("127.0.0.1", 0)
    app = Guard(make_app(Served(folder), Worker()), LOOPBACK)
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
    server.should_exit = True
    thread.join()
    listening.close()


@pytest.fixture
def page(browser, address):
    """A page that must have logged no error, and asked nobody but the server."""
    context = browser.new_context(reduced_motion="reduce", accept_downloads=True, locale="en-GB")
    page, wrong = context.new_page(), []
    page.set_default_timeout(20_000)
    page.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda request: request.url.startswith((address, "blob:")) or wrong.append(request.url))
    yield page
    context.close()
    assert wrong == []


def test_two_hundred_inputs_have_pythons_answers(page, address, folder):
    rng = np.random.default_rng(1)
    texts = ["".join(rng.choice(list("abc"), rng.integers(1, 8))) for _ in range(400)]
    texts = [text for n, text in enumerate(texts) if n == 0 or text != texts[n - 1]][:200]
    model = doldari.load(folder / "attention")
    for beam, some in (("5", texts[:60]), ("1", texts[60:])):
        page.goto(f"{address}#model=attention&beam={beam}")
        page.reload()
        page.wait_for_selector("#source")
        found = page.evaluate(TYPE, some)
        assert found == [best.text for best, *_ in model.predict(some, n_best=int(beam))]


TYPE = """async (texts) => {
  const input = document.querySelector("#source"), found = [];
  for (const text of texts) {
    input.value = text;
    input.dispatchEvent(new Event("input"));
    const result = () => document.querySelector(".result");
    while (result().dataset.answered !== text) await new Promise((done) => setTimeout(done, 2));
    found.push(document.querySelector(".answer-text").dataset.answer);
  }
  return found;
}"""


def test_forcing_a_symbol_changes_the_rest_and_the_address_keeps_it(page, address, folder):
    page.goto(f"{address}#model=attention&text=abba")
    page.wait_for_selector(".distribution")
    step = page.locator(".distribution button:not([aria-pressed=true])").filter(has_not_text="⏎").first
    symbol = step.locator(".symbol").inner_text()
    step.click()
    page.wait_for_selector(".tile.forced")
    answer = page.get_attribute(".answer-text", "data-answer")
    assert answer.startswith(symbol) and "forced=" in page.url
    page.reload()
    page.wait_for_selector(".tile.forced")
    assert page.get_attribute(".answer-text", "data-answer") == answer
    page.get_by_role("button", name="Undo the forced symbols").click()
    page.wait_for_selector(".tile.forced", state="detached")
    assert (
        page.get_attribute(".answer-text", "data-answer")
        == doldari.load(folder / "attention").predict(["abba"], n_best=5)[0][0].text
    )


def test_steps_are_walked_with_the_keyboard(page, address):
    page.goto(f"{address}#model=attention&text=abba")
    page.wait_for_selector(".step")
    page.locator(".step").first.focus()
    page.keyboard.press("ArrowRight")
    assert "step=1" in page.url
    assert page.evaluate("document.activeElement.dataset.key") == "step-1"
    page.keyboard.press("Tab")
    page.keyboard.press("Home")
    assert "step=" not in page.url or "step=0" in page.url or "step=1" in page.url


def test_texts_and_symbols_are_no_html(page, address):
    page.goto(f"{address}#model=attention")
    page.wait_for_selector("#source")
    page.fill("#source", "<img src=x onerror=alert(1)>")
    page.wait_for_selector(".problem")
    assert "<img src=x" in page.inner_text(".problem")
    assert page.locator("main img").count() == 0


def test_two_models_side_by_side(page, address):
    page.goto(f"{address}#model=attention&text=abba")
    page.wait_for_selector(".distribution")
    page.select_option("#vs", "gru")
    page.locator(".result[data-answered=abba]").nth(1).wait_for()
    assert page.locator(".model-name").all_inner_texts() == ["attention", "gru"]


def test_lines_are_predicted_and_downloaded(page, address, folder):
    page.goto(f"{address}#view=batch&model=attention")
    page.wait_for_selector("#lines")
    page.set_input_files("#file", {"name": "a.txt", "mimeType": "text/plain", "buffer": b"ab\nq\nabba\n"})
    page.get_by_role("button", name="Predict all lines").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download TSV").click()
    head, *rows = Path(download.value.path()).read_text("utf-8").splitlines()
    assert head == "source\tanswer\tlog_probability\tprobability\tflags\terror"
    answers = doldari.load(folder / "attention").predict(["ab", "abba"], beam=5)
    assert [row.split("\t")[:2] for row in rows] == [["ab", answers[0]], ["q", ""], ["abba", answers[1]]]
    assert "not seen in training" in rows[1]


def test_curves_of_runs_follow_a_training(page, address, folder):
    page.goto(f"{address}#view=training&runs=trained")
    page.wait_for_selector(".chart")
    assert page.locator(".chart").first.get_attribute("aria-label").startswith("Validation accuracy: trained")
    history = folder / "begun" / "history.jsonl"
    page.get_by_label("Show the curve of begun").check()
    history.write_text('{"epoch": 1, "loss": 1.5, "accuracy": 0.25, "validation_loss": 1.25}\n')
    page.get_by_label("Show the curve of begun").uncheck()
    page.get_by_label("Show the curve of begun").check()
    page.locator(".chart[aria-label*='begun 25 %']").wait_for()
    history.unlink()


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_fits_a_small_screen_in_both_languages_without_barriers(page, address, view):
    axe = axe_source()
    page.set_viewport_size({"width": 360, "height": 740})
    for language, theme in (("en", "light"), ("ko", "dark")):
        page.goto(f"{address}#view={view}&model=attention&lang={language}&theme={theme}")
        page.reload()
        page.wait_for_selector("main h1")
        if "text=" in view:
            page.wait_for_selector(".panels")
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        assert page.evaluate("document.documentElement.lang") == language
        if axe:
            found = page.evaluate(f"async () => {{ {axe}\n return (await axe.run()).violations; }}")
            assert [(one["id"], [node["html"] for node in one["nodes"]][:3]) for one in found] == []


def axe_source():
    """Find axe-core, which comes with the package axe-playwright-python."""
    try:
        import axe_playwright_python
    except ImportError:
        return ""
    return (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text("utf-8")


def test_the_page_is_small_and_contentful_soon(page, address):
    sizes = []
    page.on("response", lambda response: sizes.append(int(response.headers.get("content-length", 0))))
    page.goto(f"{address}#model=attention&text=abba")
    page.wait_for_selector(".panels")
    for view in ("batch", "training", "about"):
        page.get_by_role(
            "link", name={"batch": "Batch", "training": "Training", "about": "Model"}[view], exact=True
        ).click()
        page.wait_for_selector("main .view")
    assert sum(sizes) < 200_000
    deadline = time.monotonic() + 10
    paint = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
    while page.evaluate(paint) is None and time.monotonic() < deadline:
        page.wait_for_timeout(50)
    assert page.evaluate(paint) < 5_000  # milliseconds; on an idle machine below 1,000

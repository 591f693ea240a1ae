"""The page of a model, opened from the disk in Chromium, answers as the model does."""

import json
import re
from pathlib import Path

import pytest
from exported import ARCHITECTURES, SOME, TRANSDUCERS, make_model

from doldari.data.vocabulary import SPECIALS, UNKNOWN
from doldari.errors import ConfigError
from doldari.export import html
from doldari.export.checking import random_sources
from doldari.export.html import PAGE, page, read_page
from doldari.export.weights import exported_weights, with_weights
from doldari.inference.explanation import explain
from doldari.inference.predictor import Predictor


def opened(tab, tmp_path, model, int8=False, title="a model"):
    """Write a model's page and open it; return the model that it should be."""
    weights = exported_weights(model.text_model, int8)
    path = tmp_path / "page.html"
    path.write_text(page(model.text_model, weights, title), "utf-8")
    tab.goto(path.as_uri())
    return Predictor(with_weights(model.text_model, weights))


def asked(tab, texts, **options):
    return tab.evaluate(
        "([texts, options]) => texts.map((text) => answersTo(model, text, options))", [texts, options]
    )


@pytest.mark.parametrize("name, int8", [*((name, False) for name in ARCHITECTURES), *((name, True) for name in SOME)])
def test_200_inputs_give_the_models_answers(tab, tmp_path, name, int8):
    model = make_model(**ARCHITECTURES[name])
    exact = opened(tab, tmp_path, model, int8)
    texts = random_sources(model, 200)
    expected = exact.predict(texts, unknown="unknown", scores=True)
    given = [best for (best,) in asked(tab, texts, unknown="unknown")]
    assert [one["text"] for one in given] == [answer.text for answer in expected]
    assert [one["score"] for one in given] == pytest.approx([answer.score for answer in expected], abs=1e-4)
    assert [one["cut"] for one in given] == ["limit" in answer.flags for answer in expected]


@pytest.mark.parametrize(
    "name",
    ["attention", "ensemble, peeky, reversed", "lengths", "words", "right to left, reversed", *TRANSDUCERS],
)
def test_the_beam_is_the_models(tab, tmp_path, name):
    model = make_model(**ARCHITECTURES[name])
    opened(tab, tmp_path, model)
    texts = random_sources(model, 50)
    expected = model.predict(texts, unknown="unknown", beam=4, n_best=3)
    given = asked(tab, texts, unknown="unknown", beam=4, nBest=3)
    assert [[one["text"] for one in some] for some in given] == [[one.text for one in some] for some in expected]
    flat = [one["score"] for some in given for one in some]
    assert flat == pytest.approx([one.score for some in expected for one in some], abs=1e-4)


def test_unknown_symbols_are_copied(tab, tmp_path):
    model = make_model(copies=True, source_symbols="whitespace")
    model.text_model.model.parameters["decoder.affine.b"].value[UNKNOWN] += 2.0
    opened(tab, tmp_path, model)
    texts = [f"{text} Kim Lee" for text in random_sources(model, 40)]
    expected = model.predict(texts, unknown="copy")
    assert any("Kim" in answer for answer in expected)
    assert [best["text"] for (best,) in asked(tab, texts, unknown="copy")] == expected


@pytest.mark.parametrize("right_to_left", [False, True])
def test_a_transducer_copies_unknown_symbols_but_no_features(tab, tmp_path, right_to_left):
    settings = {"decoder": "transducer", "right_to_left": right_to_left, "bidirectional": True, "copies": True}
    model = make_model(features=["V", "N"], targets=("abcd", "é😀<w"), longest_target=30, **settings)
    model.text_model.model.decoder.moves.b.value[:] = 9.0, 3.0
    opened(tab, tmp_path, model)
    texts = ["a?b!\tV", "wab?\tN;X", "b\tX", "a?b?c\tX;V;Y"]
    for unknown in ("unknown", "copy"):
        expected = model.predict(texts, unknown=unknown)
        assert "?" in expected[0] and "?" in expected[1]
        assert [best["text"] for (best,) in asked(tab, texts, unknown=unknown)] == expected
    given = tab.evaluate("(text) => explanationOf(model, text, { unknown: 'unknown' }).unknown", texts[1])
    assert given == explain(model.text_model, texts[1], unknown="unknown")["unknown"]


def test_texts_are_cut_as_in_python(tab, tmp_path):
    texts = [
        "it's a dog, (no)!",
        " a\x1cb\u3000c\ufeffd ",
        "l’été  à_1 ٣",
        "e\u0301 값 👩‍🚀🇰🇷",
        "a\ud800b",
        "한글 「끝」",
    ]
    for kind in ("characters", "graphemes", "whitespace", "words"):
        model = make_model(source_symbols=kind, sources=["it's a dog é"])
        opened(tab, tmp_path, model)
        source = model.text_model.source
        for text in texts:
            given = tab.evaluate("(text) => [model.source.spell(text), model.source.isBlank(text)]", text)
            assert given == [source.spell(text), source.is_blank(text)], (kind, text)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_prediction_is_explained_as_in_python(tab, tmp_path, name):
    model = make_model(**ARCHITECTURES[name])
    opened(tab, tmp_path, model)
    for text in random_sources(model, 4):
        (answer, *_) = model.predict([text], unknown="unknown", beam=3, n_best=3)[0]
        target = model.text_model.target
        for forced in ([], [*target.encode(answer.text)[:1], SPECIALS + 1]):
            options = {"unknown": "unknown", "beam": 3, "forced": forced}
            given = tab.evaluate("([text, options]) => explanationOf(model, text, options)", [text, options])
            expected = explain(model.text_model, text, **options)
            near(given, expected)


def near(given, expected, place=""):
    """Compare what JSON can hold, numbers as they are rounded in Python."""
    if isinstance(expected, dict):
        assert given.keys() == expected.keys(), place
        for key in expected:
            near(given[key], expected[key], f"{place}.{key}")
    elif isinstance(expected, list):
        assert len(given) == len(expected), place
        for n, (one, other) in enumerate(zip(given, expected, strict=True)):
            near(one, other, f"{place}[{n}]")
    elif isinstance(expected, float):
        assert given == pytest.approx(expected, abs=1e-3), place
    else:
        assert given == expected, place


def answered(tab, text):
    """Wait for the answer to a text, and take it."""
    return tab.get_attribute(f".result[data-answered={json.dumps(text)}] .answer-text", "data-answer")


def test_typing_shows_answer_steps_and_where_it_looked(tab, tmp_path):
    model = make_model(reverse=True, seed=6)
    opened(tab, tmp_path, model, title="<b>&")
    assert tab.text_content("h1") == "<b>&"
    tab.fill("#source", "abca")
    (best, *_) = model.predict(["abca"], beam=5, n_best=5)[0]
    assert answered(tab, "abca") == best.text
    looked = model.attention("abca", beam=5).weights
    share = "cell => Number(cell.style.getPropertyValue('--w'))"
    shares = f"rows => rows.map(row => [...row.querySelectorAll('td')].map({share}))"
    assert tab.locator(".heat tbody tr").evaluate_all(shares) == [pytest.approx(row, abs=1e-4) for row in looked]
    assert tab.locator(".tile").count() == len(looked)
    tab.locator(".tile").nth(1).click()
    assert tab.locator(".tile").nth(1).get_attribute("aria-pressed") == "true"
    tab.locator(".distribution button").nth(1).click()  # what if the second likeliest had been written?
    tab.wait_for_selector(".tile.forced")
    forced = tab.get_attribute(".answer-text", "data-answer")
    assert forced[0] == best.text[0]
    assert forced[1] != best.text[1]
    tab.locator(".answer .chip").click()
    tab.wait_for_selector(".tile.forced", state="detached")
    assert tab.get_attribute(".answer-text", "data-answer") == best.text


def test_texts_that_cannot_be_read_are_said(tab, tmp_path):
    opened(tab, tmp_path, make_model(features=["V", "N"]))
    messages = {
        ("ab", ""): "This model needs features as well.",
        ("ab", "V;X"): "The feature “X” was not seen in training.",
        ("a?", "V"): "The symbol “?” was not seen in training.",
    }
    for (text, features), message in messages.items():
        tab.fill("#source", text)
        tab.fill("#features", features)
        tab.get_by_text(message, exact=True).first.wait_for()
    tab.check("#let-through")
    tab.wait_for_selector(".answer-text")


@pytest.mark.parametrize("language, title", [("en-US", "Beam search"), ("ko-KR", "빔 ")])
def test_the_page_fits_360_pixels_in_both_languages(browser, tmp_path, language, title):
    context = browser.new_context(locale=language, viewport={"width": 360, "height": 740})
    tab = context.new_page()
    model = make_model(longest_target=30)
    path = tmp_path / "page.html"
    path.write_text(page(model.text_model, exported_weights(model.text_model, False), "x", "abcdabcd"), "utf-8")
    tab.goto(path.as_uri())
    assert answered(tab, "abcdabcd") == model.predict(["abcdabcd"], beam=5)[0]
    assert tab.locator(".panel :is(h2, h3)", has_text=title).count() == 1
    assert tab.evaluate("document.documentElement.scrollWidth") <= 360
    before = tab.get_attribute("html", "lang")
    tab.locator(".switches button").first.click()
    assert {before, tab.get_attribute("html", "lang")} == {"en", "ko"}
    context.close()


@pytest.mark.parametrize("language, scheme", [("en-US", "light"), ("ko-KR", "dark")])
def test_nobody_is_shut_out(browser, tmp_path, language, scheme):
    axe_package = pytest.importorskip("axe_playwright_python", reason="needs axe-playwright-python")
    axe = (Path(axe_package.__file__).parent / "axe.min.js").read_text("utf-8")
    context = browser.new_context(locale=language, color_scheme=scheme, viewport={"width": 360, "height": 740})
    tab = context.new_page()
    opened(tab, tmp_path, make_model(features=["V", "N"]))
    tab.fill("#features", "V")
    tab.fill("#source", "abca")
    tab.wait_for_selector(".answer-text")
    found = tab.evaluate(f"async () => {{ {axe}\n return (await axe.run()).violations; }}")
    assert [(one["id"], [node["html"] for node in one["nodes"]][:3]) for one in found] == []
    context.close()


def test_both_languages_say_the_same_things():
    english, korean = (PAGE / "words.js").read_text("utf-8").split("  ko: {")
    assert re.findall(r"^    (\w+):", english, re.MULTILINE) == re.findall(r"^    (\w+):", korean, re.MULTILINE)


def test_a_page_holds_the_model():
    for int8 in (False, True):
        model = make_model(ensemble=2, tie=True)
        weights = exported_weights(model.text_model, int8)
        read = read_page(page(model.text_model, weights, "x"))
        exact = with_weights(model.text_model, weights)
        assert read._replace(model=None) == exact._replace(model=None)
        for name, weight in exact.model.weights().items():
            assert (read.model.weights()[name].value == weight.value).all()


def test_models_that_no_page_can_run_are_refused(monkeypatch):
    model = make_model().text_model
    subwords = model._replace(config=make_model(source_symbols="characters").text_model.config)
    object.__setattr__(subwords.config, "source_symbols", "subwords")
    with pytest.raises(ConfigError, match=r"source_symbols=subwords: an HTML page cannot .*; export to .onnx"):
        page(subwords, exported_weights(model, False), "x")
    monkeypatch.setattr(html, "MOST_BYTES", 1000)
    with pytest.raises(ConfigError, match=r"the page would have 0 MB, more .* use --int8 for a quarter of that, or"):
        page(model, exported_weights(model, False), "x")

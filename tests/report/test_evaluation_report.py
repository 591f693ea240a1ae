import re
from html.parser import HTMLParser
from types import SimpleNamespace

import numpy as np
import pytest

from doldari.config import ModelConfig
from doldari.data.leaks import Leaks
from doldari.data.pairs import Pair
from doldari.data.vocabulary import Vocabulary
from doldari.inference.metrics import Evaluation, nearest_target
from doldari.inference.predictor import Attention
from doldari.inference.scores import scores
from doldari.report.evaluation import ERRORS, attention_table, evaluation_report, visible

ROWS = [("ab", "x y", "x y"), ("a<b>&", "<i>x</i> y", "<i>x</i> z"), ("ba\tV;PST", "y", "y y y"), ("aba", "z", "")]


class Reader(HTMLParser):
    """Collects a page's text, and the tags and attributes it uses."""

    def __init__(self, page):
        super().__init__()
        self.text, self.tags, self.attributes = [], set(), set()
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attributes}

    def handle_data(self, data):
        self.text.append(data)


def make_page(
    rows=ROWS,
    leaks=None,
    title="model on test.tsv",
    kind="whitespace",
    targets=None,
    decoder="peeky",
    beam=1,
    **methods,
):
    nearest = [nearest_target(answer, [target], kind) for _, target, answer in rows]
    evaluation = Evaluation(
        kind,
        [Pair(source, target) for source, target, _ in rows],
        targets or [[target] for _, target, _ in rows],
        [answer for *_, answer in rows],
        [edits for _, edits, _ in nearest],
        [length for *_, length in nearest],
    )
    source = Vocabulary("characters", ("a", "b"), ("PST", "V"))
    config = ModelConfig(decoder=decoder)
    text_model = SimpleNamespace(source=source, config=config)
    text_model.attending = text_model if config.attends else None
    model = SimpleNamespace(text_model=text_model, **methods)
    return evaluation_report(title, model, evaluation, scores(evaluation), leaks, beam)


def test_the_page_stands_alone():
    reader = Reader(page := make_page(leaks=Leaks([Pair("a", "b")], [(Pair("c", "d"), "e")])))
    assert not reader.tags & {"script", "link", "img", "iframe", "object", "embed", "base"}
    assert not reader.attributes & {"src", "href", "srcset", "onclick", "onload", "style"}
    assert not re.search(r"url\(|@import|https?:", page)
    assert "prefers-color-scheme: dark" in page
    assert "$" not in page


def test_where_it_looked_is_laid_out():
    weights = np.array([[0.02, 0.98], [0.5, 0.5], [1.0, 0.0]])
    page = attention_table(Attention(["<", " "], ["a", "b", "⏎"], weights, "ab"))
    assert re.findall(r"tenths(\d+)", page) == ["0", "10", "5", "5", "10", "0"]
    assert page.count("<tr>") == 4
    assert "&lt;" in page
    assert "␣" in page


@pytest.mark.parametrize("all_right", [False, True])
def test_where_it_looked_in_the_worst_errors(all_right):
    """The answers are those of the evaluation's beam; a source of only unknown symbols is not asked."""
    asked = []

    def attention(source, **options):
        asked.append((source, options))
        return Attention([*source.partition("\t")[0]], ["x", "⏎"], np.full((2, 2), 0.5), "x")

    rows = [("ab", "x", "x"), ("b<\tV;PST", "y", "y" if all_right else "z"), ("가", "z", "z" if all_right else "x")]
    page = make_page(rows, decoder="attention", knows=lambda source: source != "가", attention=attention, beam=4)
    chosen = ["ab", "b<\tV;PST"] if all_right else ["b<\tV;PST"]
    assert asked == [(source, {"unknown": "unknown", "beam": 4}) for source in chosen]
    assert page.count('<table class="attention">') == len(chosen)
    assert ("For the first sources" if all_right else "For the worst errors") in page
    assert '<figcaption dir="auto">b&lt; <span class="features">V;PST</span><br>' in page


def test_a_model_without_attention():
    assert "This model has no attention." in make_page()


def test_text_is_escaped():
    leaks = Leaks([Pair("<b>p", "<b>q")], [(Pair("<b>r", "<b>s"), "<b>t")])
    page = make_page(leaks=leaks, title="<script>alert(1)</script> & co")
    assert "<script" not in page
    assert "<i>x" not in page
    assert "<b>" not in page
    text = "".join(Reader(page).text)
    for part in ("<script>alert(1)</script> & co", "a<b>&", "<i>x</i>", "<b>p", "<b>q", "<b>r", "<b>s", "<b>t"):
        assert part in text


def test_what_it_says():
    text = " ".join("".join(Reader(make_page(targets=[["x y", "y"], ["x"], ["y"], ["z"]])).text).split())
    assert "4 sources, 1 predicted correctly." in text
    assert "With several targets, each of them correct: 1." in text
    assert "With symbols not seen in training: 1, of them predicted correctly: 0." in text
    assert "accuracy25.00%0.00% to 75.00%" in text
    assert "Not checked" in text
    assert "source_symbols characters" in text


def test_errors_are_aligned_the_worst_first():
    page = make_page()
    order = [page.index(f'<td dir="auto">{source}') for source in ("ba ", "aba", "a&lt;b&gt;&amp;")]
    assert order == sorted(order)
    assert '<td dir="auto">ab<' not in page
    assert '<span class="features">V;PST</span>' in page
    wrong = page[order[2] :]
    assert "<tr><th>target<td>&lt;i&gt;x&lt;/i&gt;<td><mark>y</mark><tr>" in wrong
    assert "<tr><th>prediction<td>&lt;i&gt;x&lt;/i&gt;<td><mark>z</mark></table>" in wrong
    assert "<mark>z</mark><tr><th>prediction<td><mark>·</mark>" in page[order[1] : order[2]]


def test_confusions_are_counted():
    page = make_page()
    assert '<tr><td>·<td>y<td>inserted<td class="number">2' in page
    assert '<tr><td>y<td>z<td>substituted<td class="number">1' in page
    assert '<tr><td>z<td>·<td>deleted<td class="number">1' in page


def test_shares_by_length_have_bars_and_intervals():
    """Of sources of 2, 3 and 5 symbols one in two, none and none are right; Wilson's interval of 1 in 2."""
    page = make_page()
    rows = re.findall(r'<tr><th>(\d)<td class="bar">.*?width="([\d.]+)" y=.*?((?:<td class="number">[^<\n]+)+)', page)
    shown = [(length, float(width), cells.split('<td class="number">')[1:]) for length, width, cells in rows]
    assert shown[:3] == [
        ("2", 50.0, ["50.0%", "9.5% to 90.5%", "2"]),
        ("3", 0.0, ["0.0%", "0.0% to 79.3%", "1"]),
        ("5", 0.0, ["0.0%", "0.0% to 79.3%", "1"]),
    ]
    assert 'aria-label="50 %, 95 % interval 9 to 91"' in page


def test_leaks_are_named():
    assert "no source of these pairs is in the training pairs" in make_page(leaks=Leaks([], []))
    page = make_page(leaks=Leaks([Pair("p", "q")] * 60, [(Pair("r\tV", "s"), "t")]))
    assert f"Pairs that are also training pairs: 60, {ERRORS} shown." in page
    assert "Sources that have another target in the training pairs: 1." in page
    assert '<td dir="auto">r <span class="features">V</span><td dir="auto">s<td dir="auto">t' in page


def test_nothing_wrong():
    page = make_page([("ab", "x", "x")])
    assert "every prediction is correct" in page
    assert "<mark>" not in page


def test_no_answer_at_all():
    assert "<mark>x</mark>" in make_page([("", "x", "")], kind="characters")


@pytest.mark.parametrize(
    "symbol, shown",
    [
        (" ", "␣"),
        ("", ""),
        ("\u0301", "◌\u0301"),
        ("e\u0301", "e\u0301"),
        ("<", "&lt;"),
        ("\x1b", "U+001B"),
        (", ", ", "),
        ("\u1161", "ㅏ"),
        ("\u11ab", "ㄴ"),
        ("\u1100\u1161", "\u1100\u1161"),
    ],
)
def test_symbols_are_seen(symbol, shown):
    assert visible(symbol) == shown

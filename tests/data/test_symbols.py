import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doldari.data.symbols import cut, join, normalize, written_form


@given(st.text())
def test_nothing_is_lost(text):
    for kind in ("characters", "graphemes"):
        assert join(cut(text, kind), kind) == text
    for kind in ("whitespace", "words"):
        assert join(cut(text, kind), kind) == " ".join(text.split())


@given(st.text("aé한\u0301 .,'’(-3_", max_size=12))
def test_words_and_marks_side_by_side_are_the_text(text):
    assert join(cut(text, "words"), "words") == " ".join(text.split())


@pytest.mark.parametrize(
    "text, symbols",
    [
        ("Oh,  (no)!", ["Oh", ", ", "(", "no", ")", "!"]),
        ("don't - a-b", ["don't", " - ", "a", "-", "b"]),
        ("l’été 3.14", ["l’été", "3", ".", "14"]),
        ("नमस्ते दुनिया।", ["नमस्ते", "दुनिया", "।"]),
        (unicodedata.normalize("NFD", "한국 é!"), [unicodedata.normalize("NFD", "한국"), "e\u0301", "!"]),
    ],
)
def test_words(text, symbols):
    assert cut(text, "words") == symbols


@pytest.mark.parametrize("cluster", ["e\u0301", "🇰🇷", "👩‍👩‍👧", "\u1112\u1161\u11ab", "क्षि", "\r\n", "a̠ː"[:2]])
def test_a_grapheme_is_one_symbol(cluster):
    assert cut(f"x{cluster}{cluster}", "graphemes") == ["x", cluster, cluster]
    assert len(cut(cluster, "characters")) > 1


def test_an_answer_of_words_has_spaces_between_them():
    assert join(["a", "b", ", ", "c", "d", ". "], "words") == "a b, c d."
    assert join([], "words") == ""


def test_written_form():
    syllables = "각é"
    jamo = normalize(syllables, "NFD")
    assert written_form(["abc"]) == written_form([syllables]) == written_form([syllables, jamo]) == "NFC"
    assert written_form(["abc", jamo]) == "NFD"
    assert normalize(syllables, "none") == syllables

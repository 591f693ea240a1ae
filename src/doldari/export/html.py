"""One HTML file that runs a model in the browser, offline: weights, vocabularies, and an engine in JavaScript.

The engine is the files in page/, put into the page as they are; page/layers.js says what each computes.
"""

import base64
import json
import re
from html import escape
from pathlib import Path
from string import Template
from typing import Any

import numpy as np

from doldari.errors import ConfigError
from doldari.export.refusal import refuse_unknown
from doldari.export.weights import Quantized, Weights
from doldari.models.model_file import TextModel, describe, described_model, summary

PAGE = Path(__file__).with_name("page")
ENGINE = ("layers.js", "models.js", "vocabulary.js", "search.js")
VIEW = ("words.js", "explain.js", "pictures.js", "view.js")
MOST_BYTES = 50_000_000  # of a page: browsers on phones have trouble with more


def page(text_model: TextModel, weights: Weights, title: str, example: str = "") -> str:
    """Write the page of a model, which opens with an example text; ConfigError where there can be no page."""
    refuse_unknown(text_model.config, "an HTML page")
    if text_model.config.source_symbols == "subwords":
        raise ConfigError("source_symbols=subwords: an HTML page cannot cut text into subwords; export to .onnx")
    index, content = packed(weights)
    about = describe(text_model) | {
        "weights": index,
        "title": title,
        "summary": summary(text_model),
        "example": example,
    }
    text = Template((PAGE / "page.html").read_text("utf-8")).substitute(
        title=escape(title),
        style=(PAGE / "page.css").read_text("utf-8"),
        summary=escape(about["summary"]),
        about=json.dumps(about, ensure_ascii=False).replace("<", "\\u003c"),
        weights=base64.b64encode(content).decode(),
        engine=scripts(ENGINE),
        view=scripts(VIEW),
    )
    if len(text) > MOST_BYTES:
        remedy = "export to .onnx" if has_int8(weights) else "use --int8 for a quarter of that, or export to .onnx"
        raise ConfigError(
            f"the page would have {len(text) / 1e6:,.0f} MB, more than the {MOST_BYTES / 1e6:.0f} MB that browsers "
            f"open well; {remedy}"
        )
    return text


def scripts(names: tuple[str, ...]) -> str:
    """Join JavaScript files into one; each says "use strict" for itself, and only the first may."""
    return "\n".join((PAGE / name).read_text("utf-8") for name in names)


def has_int8(weights: Weights) -> bool:
    """Say whether weights are quantized."""
    return any(isinstance(one, Quantized) for one in weights.values())


def packed(weights: Weights) -> tuple[list[dict[str, Any]], bytes]:
    """Put weights one after another: where each lies, in bytes, and all of them, little-endian."""
    index, content = [], bytearray()

    def put(array: np.ndarray[Any, Any]) -> int:
        start = len(content)
        content.extend(np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes())
        content.extend(bytes(-len(content) % 4))  # an array of float32 begins at a multiple of 4
        return start

    for name, one in weights.items():
        if isinstance(one, Quantized):
            entry = {"shape": one.numbers.shape, "start": put(one.numbers), "scales": put(one.scales)}
        else:
            entry = {"shape": one.shape, "start": put(one)}
        index.append({"name": name, **entry})
    return index, bytes(content)


def read_page(text: str) -> TextModel:
    """Make the model that a page holds."""
    about = json.loads(element(text, "about"))
    content = base64.b64decode(element(text, "weights"))
    arrays = {}
    for entry in about["weights"]:
        name, shape = entry["name"], tuple(entry["shape"])
        kind = "<f4" if "scales" not in entry else "<i1"
        arrays[name] = np.frombuffer(content, kind, int(np.prod(shape)), entry["start"]).reshape(shape)
        if "scales" in entry:
            arrays[name] = arrays[name] * np.frombuffer(content, "<f4", shape[1], entry["scales"])
    of_page = ("weights", "title", "summary", "example")
    description = {name: value for name, value in about.items() if name not in of_page}
    return described_model(description, arrays)


def element(text: str, id: str) -> str:
    """Take the content of one of the page's script elements."""
    found = re.search(f'<script[^>]* id="{id}"[^>]*>(.*?)</script>', text, re.DOTALL)
    assert found is not None, id
    return found[1]

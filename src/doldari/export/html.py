"""One HTML file that runs a model in the browser, offline: weights, vocabularies, and an engine in JavaScript.

The engine is in page/, as it stands in the page; page/layers.js says what it computes.  What is drawn, and how, is
the served page's, web/static: page/api.js answers in the place of the server.
"""

import base64
import json
import re
from collections.abc import Sequence
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
SERVED = Path(__file__).parents[1] / "web" / "static"  # the served page, whose figures are these
STYLE = (SERVED / "base.css", SERVED / "figures.css", PAGE / "page.css")
ENGINE = ("layers.js", "models.js", "vocabulary.js", "search.js", "explanation.js")
# In this order: each imports only those before it.  Those that are not here are of the served page.
VIEW = ("dom.js", "strings.js", "state.js", "words.js", "api.js", "figures.js", "charts.js", "predict.js", "app.js")
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
        style="\n".join(path.read_text("utf-8") for path in STYLE),
        about=json.dumps(about, ensure_ascii=False).replace("<", "\\u003c"),
        weights=base64.b64encode(content).decode(),
        engine="\n".join((PAGE / name).read_text("utf-8") for name in ENGINE),
        view=bundled(VIEW),
    )
    if len(text) > MOST_BYTES:
        remedy = "export to .onnx" if has_int8(weights) else "use --int8 for a quarter of that, or export to .onnx"
        raise ConfigError(
            f"the page would have {len(text) / 1e6:,.0f} MB, more than the {MOST_BYTES / 1e6:.0f} MB that browsers "
            f"open well; {remedy}"
        )
    return text


def bundled(names: Sequence[str]) -> str:
    """Join JavaScript modules into one, each a function that returns what it exports."""
    return "\n".join(["const modules = {};", *map(as_function, names)])


def as_function(name: str) -> str:
    """Write a module as a function: its imports are taken from those before it, its exports are what it returns."""
    own = PAGE / name
    text = (own if own.exists() else SERVED / name).read_text("utf-8")
    exported = re.findall(r"^export (?:async )?(?:function|const|class) (\w+)", text, re.MULTILINE)
    text = re.sub(
        r'^import \{(.*?)\} from "\./(\w+)\.js";',
        lambda match: f"const {{{match[1].replace(' as ', ': ')}}} = modules.{match[2]};",
        re.sub(r"^export ", "", text, flags=re.MULTILINE),
        flags=re.MULTILINE,
    )
    assert not re.search(r"^(import|export)\b", text, re.MULTILINE), name
    return f"modules.{Path(name).stem} = (() => {{\n{text}\nreturn {{ {', '.join(exported)} }};\n}})();"


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

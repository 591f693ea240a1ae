"""What the documentation needs beside its theme: formulas as MathML, and names of source files in place of links to them.

Between $ and $, or $$ and $$ on lines of their own, stands LaTeX; browsers draw MathML themselves (no script, no font).
Links to files outside docs/ work where the repository is read; in the built site they become the file's path.
"""

import re
from posixpath import dirname, join, normpath
from typing import Any

from latex2mathml.converter import convert

BLOCK = re.compile(r"^\$\$\n(.+?)\n\$\$$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"(?<![\\$\w`])\$([^$\n`]+?)\$(?![\w$])")
LINK = re.compile(r"(?<!!)\[([^\]\n]+)\]\(((?:\.\./|src/)[^)\s]+)\)")
FENCE = re.compile(r"^(```.*?^```[^\n]*$)", re.MULTILINE | re.DOTALL)


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Turn formulas and outward links; what stands between ``` stays."""
    parts = FENCE.split(markdown)
    for i in range(0, len(parts), 2):
        parts[i] = BLOCK.sub(lambda found: convert(found[1], display="block"), parts[i])
        parts[i] = INLINE.sub(lambda found: convert(found[1]), parts[i])
        parts[i] = LINK.sub(lambda found: inside(found[1], found[2], page.file.src_uri), parts[i])
    return "".join(parts)


def inside(text: str, target: str, source: str) -> str:
    """Keep a link within docs/; of one that leads out of it, its text, and the path unless the text is the path."""
    path = normpath(join("docs", dirname(source), target.split("#")[0]))
    if path.startswith("docs/"):
        return f"[{text}]({target})"
    return f"`{path}`" if text in path else f"{text} (`{path}`)"

"""What the documentation needs beside its theme.

Formulas, LaTeX between $ and $ or between $$ and $$ on lines of their own, become MathML, which browsers draw without
scripts or fonts.  Links to files outside docs/ work where the repository is read; in the built site they become the
file's path.  Every page links to itself in the other language, and nothing comes from elsewhere: it works from disk.
"""

import os
import re
import subprocess
import sys
from posixpath import dirname, join, normpath, relpath
from typing import Any

from latex2mathml.converter import convert

BLOCK = re.compile(r"^\$\$\n(.+?)\n\$\$$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"(?<![\\$`a-zA-Z0-9])\$([^$\n`]+?)\$(?![$a-zA-Z0-9])")
FORMULA = re.compile(r"<p>@@b([0-9a-f]+)@@</p>|@@i([0-9a-f]+)@@")  # in hexadecimal, which Markdown leaves alone
LINK = re.compile(r"(?<!!)\[([^\]\n]+)\]\(((?:\.\./|src/)[^)\s]+)\)")
OTHER_LANGUAGE = re.compile(r"^\[(?:한국어|English)\]\([^)]*\)$", re.MULTILINE)
SHIM = "https://unpkg.com/iframe-worker/shim"
FENCE = re.compile(r"^(```.*?^```[^\n]*$)", re.MULTILINE | re.DOTALL)


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Turn formulas and outward links; what stands between ``` stays."""
    if markdown.endswith("\nHELP"):
        markdown = markdown.removesuffix("HELP") + all_help()
    markdown = OTHER_LANGUAGE.sub("", markdown)
    parts = FENCE.split(markdown)
    for i in range(0, len(parts), 2):
        parts[i] = BLOCK.sub(lambda found: f"@@b{found[1].encode().hex()}@@", parts[i])
        parts[i] = INLINE.sub(lambda found: f"@@i{found[1].encode().hex()}@@", parts[i])
        parts[i] = LINK.sub(lambda found: inside(found[1], found[2], page.file.src_uri), parts[i])
    return other_language(page.file.dest_uri) + "".join(parts)


def on_page_content(html: str, **_: Any) -> str:
    """Put formulas in as MathML."""
    return FORMULA.sub(formula, html)


def formula(found: re.Match[str]) -> str:
    """Convert one."""
    text = bytes.fromhex(found[1] or found[2]).decode()
    return str(convert(text, display="block" if found[1] else "inline"))


def on_post_page(output: str, *, page: Any, **_: Any) -> str:
    """Take the script by which search works from disk from the site itself."""
    here = dirname(page.file.dest_uri) or "."
    return output.replace(SHIM, relpath("third-party/iframe-worker.js", here))


def other_language(address: str) -> str:
    """Link a page to itself in the other language; address is that in the built site."""
    if address.startswith("ko/"):
        other, language, name = address.removeprefix("ko/"), "en", "English"
    else:
        other, language, name = f"ko/{address}", "ko", "한국어"
    target = relpath(other, dirname(address) or ".")
    attributes = f'class="language" href="{target}" hreflang="{language}" lang="{language}" data-search-exclude'
    return f"<a {attributes}>{name}</a>\n\n"


def inside(text: str, target: str, source: str) -> str:
    """Keep a link within docs/; of one that leads out of it, its text, and the path unless the text is the path."""
    path = normpath(join("docs", dirname(source), target.split("#")[0]))
    if path.startswith("docs/"):
        return f"[{text}]({target})"
    return f"`{path}`" if text in path else f"{text} (`{path}`)"


def all_help() -> str:
    """Print the help of every command, as a terminal of 100 columns shows it."""
    import typer.main

    from doldari.cli import app

    environment = os.environ | {"COLUMNS": "100", "TERM": "dumb", "NO_COLOR": "1"}
    names = sorted(name for name, command in typer.main.get_command(app).commands.items() if not command.hidden)
    shown = [["doldari"], *(["doldari", name] for name in names)]
    parts = []
    for words in shown:
        call = [sys.executable, "-m", *words, "--help"]
        text = subprocess.run(call, env=environment, capture_output=True, text=True, check=True).stdout
        parts.append(f"## {' '.join(words)}\n\n```text\n{text.strip()}\n```\n")
    return "\n".join(parts)

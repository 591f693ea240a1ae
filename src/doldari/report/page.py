"""A report as one HTML file that needs nothing else: no script, no network; light and dark; on a telephone too."""

from collections.abc import Sequence
from html import escape
from pathlib import Path
from string import Template

TEMPLATE = Path(__file__).with_name("page.html")
NUMBERS = {"value", "95 % interval", "edits", "count"}  # heads of columns whose cells stand on the right
Section = tuple[str, str]  # a heading, and HTML


def page(title: str, lead: str, sections: Sequence[Section]) -> str:
    """Write a page: its title as text, and as HTML what stands below it, then the sections."""
    parts = [lead, *(f"<h2>{heading}</h2>\n{content}" for heading, content in sections)]
    return Template(TEMPLATE.read_text("utf-8")).substitute(title=escape(title), body="\n\n".join(parts))


def table(caption: str, heads: Sequence[str], rows: Sequence[str], more: str = "") -> str:
    """Make a table that scrolls where it is too wide."""
    head = "".join(f'<th class="number">{name}' if name in NUMBERS else f"<th>{name}" for name in heads)
    body = "\n".join(rows)
    caption = f'<p class="faint">{caption}</p>\n' if caption else ""
    return (
        f'{caption}<div class="scroll"><table{more}>\n<thead><tr>{head}</thead>\n'
        f"<tbody>\n{body}\n</tbody></table></div>"
    )


def folded(summary: str, content: str) -> str:
    """Fold HTML away below a line that opens it."""
    return f"<details><summary>{summary}</summary>\n{content}\n</details>"

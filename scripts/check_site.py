"""Open every page of the built documentation in Chromium, from disk: python scripts/check_site.py [build/site].

At 360 and 1,280 pixels no page may scroll sideways, write to the console, ask another place for anything, or have a
link or picture that leads nowhere.  Search finds words in both languages.  The first page, with all that it loads, is
under 300 KB compressed.  Needs `pip install playwright` and the browser at /usr/bin/chromium or $CHROMIUM.
"""

import gzip
import os
import sys
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlparse

from playwright.sync_api import Page, sync_playwright

SWITCHES = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-sync"
FIRST_PAGE = 300_000  # bytes
SEARCHES = {"index.html": "padding", "ko/index.html": "어텐션"}


def main() -> int:
    """Check all pages, print what is wrong, and return the exit status."""
    site = Path(sys.argv[1] if len(sys.argv) > 1 else "build/site").resolve()
    files = sorted(site.rglob("*.html"))
    if len(files) < 20:
        print(f"{site}: {len(files)} pages; build them first: mkdocs build --strict")
        return 1
    wrong: list[str] = []
    with sync_playwright() as playwright:
        path = os.environ.get("CHROMIUM", "/usr/bin/chromium")
        browser = playwright.chromium.launch(executable_path=path, args=SWITCHES.split())
        page = browser.new_page()
        loaded: set[str] = set()
        where = ""
        page.on("console", lambda message: wrong.append(f"{where}: console: {message.text}"))
        page.on("pageerror", lambda error: wrong.append(f"{where}: error: {error}"))
        page.on("request", lambda request: loaded.add(request.url))
        for file in files:
            if file.name == "404.html":
                continue
            where = str(file.relative_to(site))
            for width in (360, 1280):
                page.set_viewport_size({"width": width, "height": 800})
                page.goto(file.as_uri())
                reached = page.evaluate("document.documentElement.scrollWidth")
                if reached > width:
                    wrong.append(f"{where}: {reached} pixels wide at {width}")
            wrong += [f"{where}: {problem}" for problem in dead_links(page, file)]
        wrong += [
            f"loaded from elsewhere: {url}" for url in loaded if not url.startswith(("file:", "data:", "blob:"))
        ]
        for where, word in SEARCHES.items():
            wrong += search(page, site / where, word)
        size = first_page_size(page, site / "index.html")
        browser.close()
    if size > FIRST_PAGE:
        wrong.append(f"index.html and what it loads: {size:,} bytes, over {FIRST_PAGE:,}")
    print("\n".join(dict.fromkeys(wrong)) or f"{len(files)} pages: nothing wrong; the first takes {size:,} bytes")
    return 1 if wrong else 0


def dead_links(page: Page, file: Path) -> list[str]:
    """Find links to files or headings that are not there, and pictures that were not drawn."""
    problems = []
    targets = page.evaluate("[...document.querySelectorAll('a[href]')].map(link => link.href)")
    for target in dict.fromkeys(targets):
        address, anchor = urldefrag(target)
        if urlparse(address).scheme != "file":
            continue
        path = Path(unquote(urlparse(address).path))
        if not path.exists():
            problems.append(f"link to {path}, which is not there")
        elif anchor and path.suffix == ".html" and f'id="{unquote(anchor)}"' not in path.read_text("utf-8"):
            problems.append(f"link to {path.name}#{unquote(anchor)}, a heading that is not there")
    broken = "[...document.images].filter(image => image.complete && !image.naturalWidth).map(image => image.src)"
    return problems + [f"picture {source} is not shown" for source in page.evaluate(broken)]


def search(page: Page, file: Path, word: str) -> list[str]:
    """Search as a reader would."""
    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto(file.as_uri())
    page.click("input.md-search__input")
    page.wait_for_timeout(1000)  # until the index is read
    page.keyboard.type(word, delay=50)
    page.keyboard.press("Shift")  # typing Hangul into the page lets no key go, as a keyboard does
    try:
        page.wait_for_selector(".md-search-result__item", timeout=10_000)
    except Exception:
        return [f"{file.name}: search finds nothing for {word}"]
    return []


def first_page_size(page: Page, file: Path) -> int:
    """Count the bytes of a page and of all files that it loads, compressed as servers do."""
    loaded: set[str] = set()
    page.on("request", lambda request: loaded.add(request.url))
    page.goto(file.as_uri())
    paths = {Path(unquote(urlparse(url).path)) for url in loaded if url.startswith("file:")}
    return sum(len(gzip.compress(path.read_bytes())) for path in paths)


if __name__ == "__main__":
    sys.exit(main())

"""Where the links of Markdown files and of our own pages lead, as GitHub and browsers read them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from markdown_it import MarkdownIt
from markdown_it.token import Token

_MARKDOWN = MarkdownIt("gfm-like", {"linkify": False})
_BARE = re.compile(r"""\bhttps?://[^\s<>"'`|)\]]+""")


class _Page(HTMLParser):
    """The addresses that an HTML document names, and the anchors that it has."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("href", "src", "action", "data", "poster", "xlink:href"):
                self.addresses.append(value or "")
            elif name == "srcset":
                self.addresses += [part.split()[0] for part in (value or "").split(",")]
            elif name in ("id", "name"):
                self.anchors.add(value or "")


def tokens(path: Path) -> Iterator[Token]:
    """All tokens of a Markdown file, those within lines as well."""
    for token in _MARKDOWN.parse(path.read_text(encoding="utf-8")):
        yield token
        yield from token.children or ()


def addresses(path: Path) -> set[str]:
    """What a Markdown file or an HTML page links to or shows."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".md":
        return set(_Page(text).addresses)
    found = {str(token.attrGet("href") or token.attrGet("src") or "") for token in tokens(path)} - {""}
    inline = [token.content for token in tokens(path) if token.type in ("html_inline", "html_block")]
    found |= set(_Page("".join(inline)).addresses)
    return found | {address.rstrip(".,:;") for address in _BARE.findall(text)}


@cache
def anchors(path: Path) -> frozenset[str]:
    """The anchors of a Markdown file, one for each heading as GitHub names it, or of an HTML page."""
    if path.suffix != ".md":
        return frozenset(_Page(path.read_text(encoding="utf-8")).anchors)
    found: dict[str, int] = {}
    before = None
    for token in tokens(path):
        if before is not None and before.type == "heading_open" and token.type == "inline":
            shown = "".join(child.content for child in token.children or () if child.type in ("text", "code_inline"))
            slug = re.sub(r"[^\w\- ]", "", shown.strip().lower()).replace(" ", "-")
            found[slug] = found.get(slug, -1) + 1
            if found[slug]:
                found[f"{slug}-{found[slug]}"] = 0
        before = token
    return frozenset(found)


def problems(path: Path, outside: frozenset[str]) -> list[str]:
    """What is wrong with the links of a file; ``outside`` are the names of the hosts that a link may lead to."""
    found = []
    for address in sorted(addresses(path)):
        parts = urlsplit(address)
        if parts.scheme == "data":
            continue
        if parts.scheme or parts.netloc:
            if parts.scheme != "https" or parts.hostname not in outside or re.search(r"\s", address):
                found.append(f"{path.name}: {address} is no address of a known host")
            continue
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        if not target.exists():
            found.append(f"{path.name}: {address} leads nowhere")
        elif parts.fragment and target.suffix in (".md", ".html") and unquote(parts.fragment) not in anchors(target):
            found.append(f"{path.name}: {address} names no heading of {target.name}")
    return found

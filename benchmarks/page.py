"""Put measured figures into their part of a page, between two remarks that name it; the rest of the page stays."""

from __future__ import annotations

from pathlib import Path


def put(page: Path, figures: str, part: str = "measured") -> None:
    """Replace what stands between ``<!-- part: begin -->`` and ``<!-- part: end -->``; both have to be there."""
    begin, end = f"<!-- {part}: begin -->", f"<!-- {part}: end -->"
    text = page.read_text(encoding="utf-8")
    if begin not in text or end not in text:
        raise SystemExit(f"{page} has no part {begin} ... {end}")
    before, _, rest = text.partition(begin)
    page.write_text(f"{before}{begin}\n{figures}\n{end}{rest.partition(end)[2]}", encoding="utf-8")

"""Put measured figures into their part of a page, between two remarks that name it; the rest of the page stays."""

from __future__ import annotations

from pathlib import Path

from autograder import calibrate
from autograder.errors import AssignmentError


def put(page: Path, figures: str, part: str = "measured") -> None:
    """Replace what stands between ``<!-- part: begin -->`` and ``<!-- part: end -->``; both have to be there."""
    try:
        text = calibrate.put(page.read_text(encoding="utf-8"), figures, part)
    except AssignmentError as error:
        raise SystemExit(f"{page}: {error}") from error
    page.write_text(text, encoding="utf-8")

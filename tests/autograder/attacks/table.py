"""The table of all attacks, docs/attacks.md, made from the payloads: ``python tests/autograder/attacks/table.py``."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from batch import ALL, THEMES  # noqa: E402
from payloads.documents import ARCHIVES, DELIVERIES  # noqa: E402
from surroundings import ROOT  # noqa: E402

PAGE = ROOT / "docs" / "attacks.md"
_HEAD = """\
# Attacks

{total} hostile submissions in {classes} classes. Each is graded by the real command line, in one batch with honest
neighbours and with the honest twin of each (`tests/autograder/attacks/`): it earns no more than its twin, its outcome
is classified, nothing hidden reaches what people read, nothing outside is touched, no process survives, and the
neighbours are graded as if alone. {biting} of them are graded without isolation as well, where they come through, so
that it is known that they bite. Those on which isolation bears are graded with namespaces and, under Docker's usual
filter of system calls, with Landlock.

This page is made by `make attacks`; a test keeps it in step with the payloads.
"""


def render() -> str:
    """Return the page."""
    classes = [
        (title, [(payload.claim, payload.stopped_by) for payload in payloads]) for title, payloads in THEMES.values()
    ]
    classes.append(("What is handed in", [(d.claim, d.stopped_by) for d in (*DELIVERIES, *ARCHIVES)]))
    total = sum(len(rows) for _, rows in classes)
    biting = sum(payload.bites for payload in ALL.values())
    parts = [_HEAD.format(total=total, classes=len(classes), biting=biting)]
    for title, rows in classes:
        lines = [f"| {_cell(claim)} | {_cell(stopped)} |" for claim, stopped in rows]
        parts.append(
            "\n".join([f"## {title} ({len(rows)})\n", "| attack | what stands against it |", "|---|---|", *lines])
        )
    return "\n\n".join(part.rstrip() for part in parts) + "\n"


def _cell(text: str) -> str:
    return text[0].upper() + text[1:].replace("|", "\\|").replace("<", "\\<")


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
    print(f"wrote {PAGE.relative_to(ROOT)}")

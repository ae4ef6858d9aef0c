"""Grade classes of several sizes, again unchanged, and again with a changed check; writes into docs/performance.md.

    python benchmarks/classes.py                    25, 50, 100 and 200 submissions, half an hour
    python benchmarks/classes.py --sizes 25 --dry-run

A class is a cut through the corpus, each submission in a notebook of its own, with one broken file in twenty and
one endless loop in two hundred. Close other programs first.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import page
from speed import COURSE, PAGE, Usage, command, say

SIZES = (25, 50, 100, 200)
BROKEN = ("kira-syntax-error", "mona-dead-kernel", "omar-patches-everything")
ENDLESS = "liam-endless-loop"
CHECK, OLD, NEW = "test_compilation.py", 'review(f"The loss', 'review(f"This loss'


def make_class(size: int, folder: Path) -> None:
    """Write a class as nbgrader lays it out."""
    sys.path.insert(0, str(COURSE / "tests" / "autograder"))
    variants = importlib.import_module("corpus.grading").variants()
    loops, broken = size // 200, size // 20
    chosen = size - loops - broken
    for number in range(chosen):
        variant = variants[number * len(variants) // chosen]
        place = folder / variant.student / "autoencoders"
        place.mkdir(parents=True)
        (place / f"autoencoders{variant.suffix}").write_text(variant.text(), encoding="utf-8")
    for number in range(loops + broken):
        name = ENDLESS if number < loops else BROKEN[number % len(BROKEN)]
        shutil.copytree(COURSE / "examples" / "submitted" / name, folder / f"{name}-{number}")
        (notebook,) = (folder / f"{name}-{number}").glob("*/*.ipynb")
        # Equal notebooks are graded once.
        document = json.loads(notebook.read_text(encoding="utf-8"))
        document["cells"].append({"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [],
                                  "source": f"number = {number}"})  # fmt: skip
        notebook.write_text(json.dumps(document), encoding="utf-8")


def changed_course(folder: Path) -> Path:
    """Return a copy of the course in which one hidden check reads otherwise."""
    for part in ("source", "tests/autoencoders", "data"):
        shutil.copytree(COURSE / part, folder / part)
    shutil.copy(COURSE / "nbgrader_config.py", folder)
    file = folder / "tests" / "autoencoders" / CHECK
    text = file.read_text(encoding="utf-8")
    if OLD not in text:
        raise SystemExit(f"{file} does not hold {OLD}")
    file.write_text(text.replace(OLD, NEW), encoding="utf-8")
    return folder


def measure(sizes: Sequence[int], folder: Path) -> str:
    """Return the part of the page that holds the figures."""
    lines = [
        "| submissions | cold | CPU | for each | memory | unchanged | one check changed |",
        "|---|---|---|---|---|---|---|",
    ]
    course = changed_course(folder / "course")
    for size in sizes:
        here = folder / str(size)
        make_class(size, here / "submitted")
        arguments = ["grade", str(here / "submitted"), "--out", str(here / "out"), "--jobs", "2"]
        say(f"{size} submissions, cold")
        cold = command(arguments, here / "cache")
        say(f"{size} submissions, unchanged")
        unchanged = command(arguments, here / "cache")
        say(f"{size} submissions, one check changed")
        changed = command([*arguments, "--course", str(course)], here / "cache")
        graded = json.loads((here / "out" / "summary.json").read_text(encoding="utf-8"))["students"]
        if len(graded) != size:
            raise SystemExit(f"{len(graded)} of {size} submissions were graded")
        kept = sum(file.stat().st_size for file in (here / "cache").rglob("*") if file.is_file())
        lines.append(
            f"| {size} | {_wall(cold)} | {cold.cpu_seconds:.0f} CPU-s | {cold.cpu_seconds / size:.1f} CPU-s "
            f"| {cold.peak_bytes / 1e9:.1f} GB | {_wall(unchanged)} "
            f"| {_wall(changed)}, {changed.cpu_seconds:.0f} CPU-s |"
        )
        print(lines[-1], f"({kept / size / 1e6:.1f} MB kept for each)", flush=True)
    lines += ["", f"Two jobs, {os.cpu_count()} cores. Kept on disk: {kept / size / 1e6:.1f} MB for each submission."]
    return "\n".join(lines)


def _wall(usage: Usage) -> str:
    seconds = usage.wall_seconds
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, metavar="N", help="submissions in a class")
    parser.add_argument("--dry-run", action="store_true", help="print the figures and leave the page as it is")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="classes-") as folder:
        figures = measure(options.sizes, Path(folder))
    print(figures)
    if not options.dry_run:
        page.put(PAGE, figures, "classes")


if __name__ == "__main__":
    main()

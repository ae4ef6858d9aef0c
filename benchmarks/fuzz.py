"""Run the property tests with random examples, again and again, and write what was tried to docs/fuzzing.md.

    python benchmarks/fuzz.py              three rounds, some ten minutes
    python benchmarks/fuzz.py --rounds 1   a shorter one

Stops at the first property that an example breaks; the test then prints the example, and how to try it again.
Nothing runs without a bound: each round tries a fixed number of examples of each property.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

import page

COURSE = Path(__file__).resolve().parent.parent
PAGE = COURSE / "docs" / "fuzzing.md"
ROUNDS = 3
_TEST = re.compile(r"tests/(?:\w+/)+(?P<file>\w+)\.py::(?P<name>\w+):$")
_SECONDS = re.compile(r"- during \w+ phase \((?P<seconds>[\d.]+) seconds\)")
_PASSING = re.compile(r"- (?P<passing>\d+) passing")

Tried = dict[tuple[str, str], list[float]]
"""By file and property: examples that were tried, and seconds."""


def run_round(tried: Tried) -> int:
    """Run all property tests once and add up what they tried; return the exit code of pytest."""
    command = [sys.executable, "-m", "pytest", "-q", "-m", "hypothesis", "--hypothesis-profile=fuzz"]
    done = subprocess.run(
        [*command, "--hypothesis-show-statistics"], cwd=COURSE, capture_output=True, text=True, check=False
    )
    if done.returncode:
        print(done.stdout, done.stderr, sep="\n")
        return done.returncode
    current = ("", "")
    for line in done.stdout.splitlines():
        if test := _TEST.search(line):
            current = (test["file"], test["name"])
        elif passing := _PASSING.search(line):
            tried[current][0] += int(passing["passing"])
        elif seconds := _SECONDS.search(line):
            tried[current][1] += float(seconds["seconds"])
    return 0


def table(tried: Tried, rounds: int, wall_seconds: float) -> str:
    """Return the page's figures."""
    lines = ["| file | property | examples | seconds |", "|---|---|---|---|"]
    for (file, name), (examples, seconds) in sorted(tried.items()):
        claim = name.removeprefix("test_").replace("_", " ")
        lines.append(f"| `{file}` | {claim} | {examples:,.0f} | {seconds:.0f} |")
    examples, seconds = (sum(row[part] for row in tried.values()) for part in (0, 1))
    told = "a round" if rounds == 1 else f"{rounds} rounds"
    lines += ["", f"{len(tried)} properties, {examples:,.0f} examples in {told}, {seconds:.0f} seconds of trying "
              f"({wall_seconds / 60:.0f} minutes in all); no example broke a property."]  # fmt: skip
    return "\n".join(lines)


def main() -> int:
    """Run the rounds and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"how many (default {ROUNDS})")
    rounds = parser.parse_args().rounds
    tried: Tried = defaultdict(lambda: [0.0, 0.0])
    started = time.monotonic()
    for number in range(rounds):
        print(f"fuzz: round {number + 1} of {rounds}", file=sys.stderr, flush=True)
        if code := run_round(tried):
            return code
    figures = table(tried, rounds, time.monotonic() - started)
    print(figures)
    page.put(PAGE, figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())

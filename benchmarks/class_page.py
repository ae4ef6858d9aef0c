"""Measure the page of a class of a thousand: what writing it costs, and how long a browser takes to show and sort it.

python benchmarks/class_page.py [STUDENTS]
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "autograder"))
import report_samples as samples  # type: ignore[import-not-found]
from browser import chromium  # type: ignore[import-not-found]

from autograder.batch import SUMMARY_WAITS
from autograder.report.html import render_class
from autograder.report.summary import render_csv, render_json, summarise

if TYPE_CHECKING:
    from playwright.sync_api import Browser

REPEATS = 7
# From a click to the next picture on the screen, layout and painting included.
UNTIL_SHOWN = """async (button) => {
    const started = performance.now();
    button.click();
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
    return performance.now() - started;
}"""
SEARCH = """async (box) => {
    const started = performance.now();
    box.value = box.value ? "" : "ada";
    box.dispatchEvent(new Event("input"));
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
    return performance.now() - started;
}"""


def main() -> None:
    """Print the table."""
    students = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    summary = samples.large_class(students)
    rows = list(summary.students)
    page = render_class(summary, "index.html")
    course = samples.assignment()
    figures = {
        "summary: CPU seconds": cpu_seconds(lambda: summarise(course, rows, students)),
        "summary.json: CPU seconds": cpu_seconds(lambda: render_json(summary)),
        "scores.csv: CPU seconds": cpu_seconds(lambda: render_csv(summary)),
        "page: CPU seconds": cpu_seconds(lambda: render_class(summary, "index.html")),
    }
    whole = sum(figures.values())
    figures["all of it, once: CPU seconds"] = whole
    figures["then waits at least: seconds"] = SUMMARY_WAITS * whole
    figures["page: megabytes"] = len(page.encode()) / 1e6
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        file = Path(folder) / "index.html"
        file.write_text(page, encoding="utf-8")
        figures |= in_browser(browser, file)
    for name, value in figures.items():
        print(f"| {name} | {value:.3f} |")


def cpu_seconds(work: Callable[[], object]) -> float:
    """Return the median CPU time of some calls."""
    times = []
    for _ in range(REPEATS):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return statistics.median(times)


def in_browser(browser: Browser, file: Path) -> dict[str, float]:
    """Return the medians of loading, sorting and searching, in seconds by the clock."""
    loads = []
    for _ in range(REPEATS):
        page = browser.new_page(viewport={"width": 1100, "height": 900})
        page.goto(file.as_uri())
        loads.append(page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd") / 1000)
        if len(loads) < REPEATS:
            page.close()
    page.locator("#students").scroll_into_view_if_needed()
    buttons = page.locator("#students thead button").element_handles()
    sorts = [page.evaluate(UNTIL_SHOWN, button) / 1000 for _ in range(REPEATS) for button in buttons]
    box = page.locator("#search").element_handle()
    searches = [page.evaluate(SEARCH, box) / 1000 for _ in range(2 * REPEATS)]
    return {
        "load, to its end: seconds": statistics.median(loads),
        "sort, until it is shown: seconds": statistics.median(sorts),
        "sort, the fastest: seconds": min(sorts),
        "sort, the slowest: seconds": max(sorts),
        "search, until it is shown: seconds": statistics.median(searches),
    }


if __name__ == "__main__":
    main()

"""Formgrader in a real browser: open the course, press Autograde, grade a text by hand, and find it in what goes out.

Screenshots are kept in the folder that AUTOGRADER_SCREENSHOTS names.
"""

from __future__ import annotations

import csv
import html
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from browser import chromium
from command_line import environment
from nbgrader_course import NAME, comments, grades, hand_in, make_course, run, submission

TEXT = "reconstructions-remark"
SAID = "Which digits are blurred most?"
SERVER_SECONDS, GRADING_MILLISECONDS = 60, 240_000


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def server(course: Path, cache: Path, home: Path) -> Iterator[tuple[str, str]]:
    """A Jupyter server in the course's folder, reachable from this machine alone; yield its address and token."""
    port, token = _free_port(), secrets.token_urlsafe(24)
    folders = ("HOME", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
    settings = environment(cache) | dict.fromkeys(folders, str(home)) | {"JUPYTER_TOKEN": token}
    command = [sys.executable, "-m", "jupyter", "server", "--no-browser", "--ip=127.0.0.1", f"--port={port}"]
    as_root = ["--allow-root"] if os.geteuid() == 0 else []
    with (home / "server.log").open("w") as log:
        process = subprocess.Popen([*command, *as_root], cwd=course, env=settings, stdout=log, stderr=log)
        try:
            address = f"http://127.0.0.1:{port}"
            _wait_for(f"{address}/api", process, home / "server.log")
            yield address, token
        finally:
            process.terminate()
            process.wait(30)


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + SERVER_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"the server did not start: {log.read_text()[-3000:]}")


@dataclass(frozen=True)
class Visit:
    course: Path
    shown: str
    errors: list[str]
    alerts: list[str]


@pytest.fixture(scope="module")
def visit(tmp_path_factory):
    """What a person does in the browser, once; afterwards feedback and grades are made by nbgrader's commands."""
    folder = tmp_path_factory.mktemp("formgrader")
    course, cache, home = make_course(folder / "course"), folder / "cache", folder / "home"
    home.mkdir()
    hand_in(course, "ada", submission())
    pictures = Path(os.environ.get("AUTOGRADER_SCREENSHOTS") or folder / "screenshots")
    pictures.mkdir(parents=True, exist_ok=True)
    errors, alerts = [], []
    with server(course, cache, home) as (address, token), chromium() as browser:
        page = browser.new_page(viewport={"width": 1200, "height": 1000})
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("dialog", lambda dialog: (alerts.append(dialog.message), dialog.dismiss()))
        # Only the server itself is asked, whatever a page wants to load from elsewhere.
        page.route("**/*", lambda route: route.continue_() if route.request.url.startswith(address) else route.abort())

        def look(name: str) -> None:
            page.screenshot(path=pictures / f"formgrader-{name}.png", full_page=name.startswith("whole"))

        page.goto(f"{address}/formgrader?token={token}")
        page.get_by_role("link", name=NAME).first.wait_for()
        look("1-assignments")
        page.goto(f"{address}/formgrader/manage_submissions/{NAME}")
        row = page.locator("tr", has_text="ada")
        row.wait_for()
        look("2-before")
        row.locator(".autograde a").click()
        told = page.locator(".modal-body")
        told.wait_for(timeout=GRADING_MILLISECONDS)
        assert "Successfully autograded" in told.inner_text(), told.inner_text()
        page.wait_for_timeout(600)  # until the dialog stands still
        look("3-autograded")
        page.goto(f"{address}/formgrader/gradebook/{NAME}/{NAME}")
        page.get_by_role("link", name="Submission #1").click()
        score = page.locator(f"input.score[id='{TEXT}']")
        score.wait_for()
        page.wait_for_function("document.getElementById('load-data').placeholder == '5'")
        look("4-submission")
        shown = page.inner_text("body")
        score.scroll_into_view_if_needed()
        with page.expect_response(lambda answer: "/api/grade/" in answer.url and answer.request.method == "PUT"):
            score.fill("1.5")
            score.press("Tab")
        comment = page.locator(f"textarea[id='{TEXT}-comment']")
        with page.expect_response(lambda answer: "/api/comment/" in answer.url and answer.request.method == "PUT"):
            comment.fill(SAID)
            comment.press("Tab")
        look("5-by-hand")
        look("whole-submission")
    codes, said = run(course, cache, ["generate_feedback", NAME], ["export", "--to", "grades.csv"])
    assert codes == [0, 0], said
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1200, "height": 1000})
        page.route("**/*", lambda route: route.continue_() if route.request.url.startswith("file:") else route.abort())
        page.goto((course / "feedback" / "ada" / NAME / f"{NAME}.html").as_uri())
        page.screenshot(path=pictures / "feedback.png")
        page.screenshot(path=pictures / "whole-feedback.png", full_page=True)
    return Visit(course, shown, errors, alerts)


def test_the_button_grades_as_the_commands_do(visit):
    found = grades(visit.course / "gradebook.db", "ada")
    assert found["load-data"] == (5.0, None, False)
    assert found["build-encoder"] == (13.0, None, False)
    assert "16 filters expected, 32 found" in visit.shown


def test_a_text_graded_by_hand_is_in_the_gradebook_the_grades_and_the_feedback(visit):
    assert grades(visit.course / "gradebook.db", "ada")[TEXT] == (None, 1.5, False)
    assert comments(visit.course / "gradebook.db", "ada")[TEXT][1] == SAID
    with (visit.course / "grades.csv").open(encoding="utf-8") as stream:
        (row,) = csv.DictReader(stream)
    assert (row["student_id"], row[TEXT], row["score"]) == ("ada", "1.5", "19.5")
    page = html.unescape((visit.course / "feedback" / "ada" / NAME / f"{NAME}.html").read_text(encoding="utf-8"))
    assert SAID in page and "<strong>19.5</strong>" in page


def test_what_a_student_wrote_does_nothing_in_the_graders_browser(visit):
    # The formulas' library would come from the network.
    assert not visit.alerts and set(visit.errors) <= {"MathJax is not defined"}
    assert "a table of hers" in visit.shown and "Saved in the notebook that was handed in:" in visit.shown

"""How a batch is told on the standard error."""

import io

import report_samples as samples

from autograder.progress import Progress
from autograder.report.model import Report
from autograder.report.summary import row_of


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def follow(stream: io.StringIO, *reports: Report) -> Progress:
    progress = Progress(stream)
    progress.begin(len(reports) + 1)
    for report in reports:
        progress.started(report.student)
        progress.finished(row_of(report, report.student))
    return progress


def test_elsewhere_than_on_a_terminal_each_submission_has_a_plain_line() -> None:
    stream = io.StringIO()
    follow(stream, samples.report(), samples.ungradable(), samples.grader_fault()).close()
    assert stream.getvalue().splitlines() == [
        "[1/4] Ada Lovelace: 25.5 of 41, 7 to review (7.1 s)",
        "[2/4] Blaise Pascal: not gradable: The file is not a notebook: it ends in the middle of a string.",
        "[3/4] Emmy Noether: needs review: our fault: The grading process ended twice (signal 9).",
    ]


def test_on_a_terminal_one_line_is_drawn_again_and_taken_away_at_the_end() -> None:
    stream = Terminal()
    follow(stream, samples.report(), samples.ungradable()).close()
    assert "\n" not in stream.getvalue()
    assert stream.getvalue().endswith("\r\x1b[2K")


def test_the_line_tells_done_failed_waiting_and_the_slowest() -> None:
    progress = follow(Terminal(), samples.report(), samples.ungradable())
    progress.started("Slow Student")
    progress.started("Later Student")
    line = progress.line()
    for part in ("2/3", "1 to review", "1 failed", "about 0 s left", "Slow Student 0 s"):
        assert part in line
    assert "Later Student" not in line


def test_what_was_kept_says_nothing_about_the_pace() -> None:
    progress = Progress(Terminal())
    progress.begin(3)
    progress.finished(row_of(samples.report(), "ada", kept=True))
    assert progress.seconds_left() is None and "left" not in progress.line()
    progress.finished(row_of(samples.report("ben"), "ben"))
    assert progress.seconds_left() is not None


def test_hostile_names_do_not_reach_the_terminal() -> None:
    stream = Terminal()
    progress = follow(stream, samples.hostile())
    progress.started(samples.HOSTILE)
    progress.retried(samples.HOSTILE, "ended by signal 9")
    shown = stream.getvalue().replace("\r\x1b[2K", "")
    assert "\x1b" not in shown and "\x07" not in shown and "\u202e" not in shown


def test_a_submission_that_is_tried_again_is_told() -> None:
    stream = io.StringIO()
    follow(stream).retried("ada", "ended by signal 9")
    assert stream.getvalue() == "ada: the grading process ended by signal 9; it is tried once more\n"

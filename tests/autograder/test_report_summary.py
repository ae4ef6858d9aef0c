"""The class in figures: summary, scores and the table on the terminal."""

import csv
import io

import report_samples as samples

from autograder.report.model import Report
from autograder.report.summary import Summary, remark, render_csv, row_of, summarise
from autograder.report.table import render_table
from autograder.report.text import width


def summary_of(*reports: Report, expected: int | None = None) -> Summary:
    rows = [row_of(report, report.student) for report in reports]
    return summarise(samples.assignment(), rows, len(rows) if expected is None else expected)


def rows_of_csv(summary: Summary) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(render_csv(summary))))


def test_means_leave_out_what_could_not_be_graded() -> None:
    summary = summary_of(
        samples.report("a", score=20.0),
        samples.report("b", score=30.0),
        samples.ungradable(),
        samples.grader_fault(),
    )
    assert summary.mean_score == 25.0
    assert {question.id: question.mean_score for question in summary.questions}["build-encoder"] == 12.5
    assert summary_of(samples.ungradable()).mean_score is None


def test_points_that_wait_are_counted_for_faults_of_ours_too() -> None:
    assert summary_of(samples.report(), samples.grader_fault()).awaiting_review == 48.0


def test_students_are_sorted_whatever_the_order_of_arrival() -> None:
    names = ["zoe", "Ada", "ben"]
    summary = summary_of(*(samples.report(name) for name in names))
    assert [row.student for row in summary.students] == ["Ada", "ben", "zoe"]


def test_findings_are_counted_once_a_student() -> None:
    twice = samples.report("twice", findings=("third-max-pooling", "third-max-pooling", "labels-as-target"))
    (most, least) = summary_of(samples.report(), twice).findings
    assert (most.finding, most.students) == ("third-max-pooling", 2)
    assert (least.finding, least.students) == ("labels-as-target", 1)


def test_findings_and_equal_networks_name_the_folders_of_their_students() -> None:
    other = samples.ENCODER.model_copy(update={"digest": "0" * 16, "layers": ()})
    summary = summary_of(samples.report("b"), samples.report("a"), samples.report("c", architectures=(other,)))
    assert summary.findings[0].folders == ("a", "b", "c")
    (most, least) = summary.networks
    assert (most.students, most.folders, len(most.differences)) == (2, ("a", "b"), 4)
    assert (least.students, least.folders, least.differences) == (1, ("c",), ())


def scored(student: str, *scores: float | None) -> Report:
    """A report with so many points in the first questions; None waits for a person."""
    questions = [
        question.model_copy(update={"score": score or 0.0, "awaiting_review": question.max_score * (score is None)})
        for question, score in zip(samples.questions(), scores, strict=False)
    ]
    waiting = sum(question.awaiting_review for question in questions)
    total = sum(question.score for question in questions)
    return samples.report(student, questions=tuple(questions), score=total, awaiting_review=waiting)


def test_difficulty_and_discrimination_are_those_of_hand_worked_numbers() -> None:
    class_ = [scored("a", 5, 15, 0), scored("b", 5, 9, 8), scored("c", 0, 3, 8), scored("d", None, 0, 4)]
    data, encoder, compiled, *_ = summary_of(*class_).questions
    # Of load-data only three are decided: 5, 5 and 0 of 5 points.
    assert (data.decided, data.share) == (3, round(10 / 15, 4))
    # Their other points, of 36: 15, 17 and 11; the correlation of (5, 5, 0) with these is 5 / sqrt(28).
    assert data.discrimination == round(5 / 28**0.5, 4)
    # What waits for a person is no part of the rest: d has 4 of 21 points there, the others 5, 13 and 8 of 26.
    assert (encoder.share, encoder.discrimination) == (round(27 / 60, 4), 0.0936)
    assert compiled.share == round(20 / 32, 4) and compiled.discrimination < 0


def test_what_can_not_be_correlated_has_no_discrimination() -> None:
    alike = [scored(name, 5, 9) for name in "abcd"]
    assert {question.discrimination for question in summary_of(*alike).questions} == {None}
    two = summary_of(scored("a", 5, 9), scored("b", 0, 3)).questions[0]
    assert (two.decided, two.discrimination) == (2, None)
    nobody = summary_of(scored("a", None)).questions[0]
    assert (nobody.decided, nobody.share, nobody.discrimination) == (0, None, None)


def test_the_remark_says_what_is_wrong() -> None:
    assert remark(samples.report()) == "points lost: build-encoder, fit"
    assert remark(samples.grader_fault()).startswith("our fault: The grading process")
    assert remark(samples.ungradable()).startswith("The file is not a notebook")
    review = samples.report(questions=samples.questions()[4:])
    assert remark(review) == "to review: latent-space, latent-space-remark"
    assert remark(review.model_copy(update={"status": "graded"})) == ""


def test_the_csv_has_a_column_a_question_and_a_row_a_student() -> None:
    (row,) = rows_of_csv(summary_of(samples.report()))
    assert row["student"] == "Ada Lovelace" and row["score"] == "25.5" and row["awaiting_review"] == "7"
    assert row["build-encoder"] == "12.5" and row["latent-space-remark"] == "0"


def test_the_csv_survives_hostile_names() -> None:
    names = [
        '=cmd|" /C calc"!A0',
        "@SUM(1)",
        "a,b",
        'say "hi"',
        "two\nlines",
        "\tx",
        "-2+3",
        "+1",
        samples.HOSTILE,
    ]
    rows = rows_of_csv(summary_of(*(samples.report(name) for name in names)))
    assert len(rows) == len(names)
    assert all(not row["student"].startswith(("=", "+", "-", "@")) for row in rows)
    assert {"a,b", 'say "hi"', "two lines"} <= {row["student"] for row in rows}


def test_the_table_is_aligned_whatever_the_names() -> None:
    names = ["Ada", "山田 太郎", "José", "x" * 200, samples.HOSTILE, "a\tb\nc\rd"]
    table = render_table(summary_of(*(samples.report(name) for name in names)), columns=100)
    lines = table.splitlines()
    # A header, a rule, a line a student, a rule, the totals.
    assert len(lines) == len(names) + 4
    assert "\x1b" not in table and "\u202e" not in table
    ends = {width(line[: line.index(" / 41") + 5]) for line in lines if " / 41" in line}
    assert len(ends) == 1
    assert all(width(line) <= 100 for line in lines[:-1])


def test_the_table_tells_the_whole_in_its_last_line() -> None:
    last = render_table(summary_of(samples.report(), samples.ungradable(), samples.grader_fault())).splitlines()[-1]
    assert last == (
        "3 submissions, mean 25.5 of 41, 48 points wait for a person, 1 not gradable, 1 with a fault of the grader"
    )


def test_what_an_earlier_batch_graded_is_marked() -> None:
    row = row_of(samples.report(), "ada", kept=True)
    assert "(kept)" in render_table(summarise(samples.assignment(), [row], 1))

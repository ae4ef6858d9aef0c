"""The pages: what they say, and that nothing in them can act."""

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest
import report_samples as samples

from autograder.report.html import render_class, render_student
from autograder.report.model import Check, Execution, Question, Report
from autograder.report.summary import NO_ISOLATION_WARNING, row_of, summarise

OUR_ELEMENTS = {
    "html",
    "head",
    "meta",
    "title",
    "style",
    "body",
    "main",
    "header",
    "section",
    "footer",
    "p",
    "h1",
    "h2",
    "b",
    "bdi",
    "span",
    "div",
    "ul",
    "li",
    "a",
    "pre",
    "dl",
    "dt",
    "dd",
    "details",
    "summary",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "figure",
    "figcaption",
    "svg",
    "g",
    "rect",
    "circle",
    "path",
    "text",
}
OUR_ATTRIBUTES = {
    "lang",
    "charset",
    "http-equiv",
    "content",
    "name",
    "class",
    "id",
    "open",
    "href",
    "width",
    "height",
    "x",
    "y",
    "cx",
    "cy",
    "r",
    "d",
    "viewbox",
    "role",
    "aria-label",
    "aria-hidden",
    "text-anchor",
}


class Page(HTMLParser):
    """What a browser makes of a page: its elements, attributes and text."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.last = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.attributes += attrs
        self.last = tag
        if tag in ("td", "th"):
            self.text += " "

    def handle_endtag(self, tag: str) -> None:
        self.last = ""

    def handle_data(self, data: str) -> None:
        if self.last != "style":
            self.text += data

    @property
    def words(self) -> str:
        return " ".join(self.text.split())

    def values(self, name: str) -> list[str]:
        return [value or "" for key, value in self.attributes if key == name]


def class_page(*reports: Report, expected: int | None = None) -> str:
    rows = [row_of(report, f"folder-{number}") for number, report in enumerate(reports)]
    return render_class(summarise(samples.assignment(), rows, expected or len(rows)), "index.html")


PAGES = {
    "a report": render_student(samples.report()),
    "an ungradable one": render_student(samples.ungradable()),
    "a fault of ours": render_student(samples.grader_fault()),
    "a hostile report": render_student(samples.hostile()),
    "a class": class_page(samples.report(), samples.ungradable(), samples.grader_fault(), samples.hostile()),
    "a class of nobody": class_page(),
}


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_a_page_holds_our_own_elements_and_attributes_alone(page: str) -> None:
    parsed = Page(page)
    assert parsed.elements <= OUR_ELEMENTS
    assert {name for name, _ in parsed.attributes} <= OUR_ATTRIBUTES
    assert all(re.fullmatch(r"[\w%./-]+", address) for address in parsed.values("href"))


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_the_policy_allows_the_one_style_sheet_and_nothing_else(page: str) -> None:
    (policy,) = [value for value in Page(page).values("content") if "default-src" in value]
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
    )
    assert page.index("Content-Security-Policy") < page.index("<style>") < page.index("<body>")


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_a_page_reaches_no_network(page: str) -> None:
    style = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)[0]
    assert "url(" not in style and "@import" not in style
    assert not re.search(r"""(src|href|action|data)\s*=\s*["']?(https?:)?//""", page)


def test_hostile_text_is_shown_as_the_text_it_is() -> None:
    words = Page(PAGES["a hostile report"]).words
    assert "<script>alert(1)</script>" in words
    assert "{{ 7 * 7 }}{% raw %}" in words and "49" not in words
    assert "\x1b" not in words and "\u202e" not in words


def test_the_score_and_what_waits_stand_at_the_top() -> None:
    page = Page(PAGES["a report"])
    head = page.words[: page.words.index("Questions")]
    for part in ("Ada Lovelace", "25.5 of 41 points", "7 wait for a person", "8.5 not earned"):
        assert part in head


def test_every_question_and_every_message_is_shown() -> None:
    report = samples.report()
    words = Page(PAGES["a report"]).words
    for question in report.questions:
        assert question.title in words
        for check in question.checks:
            assert check.title in words and check.message in words
    assert report.notes[0] in words
    assert "Code cell 18 (9. Train) stopped with an error" in words and "incompatible with the layer" in words


def test_only_what_needs_a_look_is_unfolded() -> None:
    folded = re.findall(r'<details class="question (\w+)">', PAGES["a report"])
    unfolded = re.findall(r'<details class="question (\w+)" open>', PAGES["a report"])
    assert folded == ["passed", "passed", "needs_review"]
    assert unfolded == ["partial", "failed", "needs_review"]


def test_a_message_that_all_checks_share_is_told_once_and_folded() -> None:
    checks = tuple(
        Check(id=f"check-{number}", title=f"Layer {number}.", status="failed", message="Not answered.")
        for number in range(5)
    )
    question = Question(id="q", title="Build", score=0.0, max_score=9.0, status="failed", checks=checks)
    page = render_student(samples.report(questions=(question,)))
    assert Page(page).words.count("Not answered.") == 1
    assert "Layer 4." in Page(page).words and '<details class="question failed">' in page
    mixed = question.model_copy(update={"checks": (*checks, check_passed)})
    assert Page(render_student(samples.report(questions=(mixed,)))).words.count("Not answered.") == 5


check_passed = Check(id="passed", title="Right.", status="passed")


def test_status_is_told_by_a_word_and_not_by_colour_alone() -> None:
    words = Page(PAGES["a report"]).words
    for word in ("passed", "partly right", "not right yet", "waits for a person"):
        assert word in words


def test_a_fault_of_ours_does_not_look_like_a_fault_of_the_student() -> None:
    ours, theirs = Page(PAGES["a fault of ours"]).words, Page(PAGES["an ungradable one"]).words
    assert "Something went wrong on our side" in ours and "You lose nothing" in ours
    assert "This file could not be graded" in theirs and "our side" not in theirs
    assert "Not graded" in theirs and "0 of 41" not in theirs


def test_no_isolation_is_warned_of_on_every_page() -> None:
    report = samples.report(execution=Execution(isolation="none", training="record"))
    assert NO_ISOLATION_WARNING in Page(render_student(report)).words
    assert NO_ISOLATION_WARNING in Page(class_page(samples.report(), report)).words
    assert "without isolation" not in Page(class_page(samples.report())).words


def test_the_class_page_links_every_student() -> None:
    addresses = Page(PAGES["a class"]).values("href")
    assert sorted(addresses) == [f"folder-{number}/index.html" for number in range(4)]


def test_a_folder_in_a_link_is_quoted() -> None:
    row = row_of(samples.report(), "Ada & Bob #1?")
    page = render_class(summarise(samples.assignment(), [row], 1), "index.html")
    assert Page(page).values("href") == ["Ada%20%26%20Bob%20%231%3F/index.html"]


def test_the_class_page_sets_problems_apart() -> None:
    words = Page(PAGES["a class"]).words
    students = words.index("Students Student Score To review")
    assert words.index("Our own faults") < words.index("Emmy Noether") < students
    assert words.index("A file could not be graded") < words.index("Blaise Pascal") < students
    assert words.count("Blaise Pascal") == 1


def test_an_unfinished_class_says_so() -> None:
    assert "1 of 3 submissions are graded so far" in Page(class_page(samples.report(), expected=3)).words
    assert "so far" not in Page(class_page(samples.report())).words


def test_points_that_wait_are_not_shown_as_lost_whatever_the_question_is_called() -> None:
    for status in ("needs_review", "skipped"):
        question = Question(id="q", title="Encode", score=0.0, max_score=3.0, status=status, awaiting_review=3.0)
        words = Page(render_student(samples.report(questions=(question,)))).words
        assert "– / 3" in words and "0 / 3" not in words


def test_what_was_never_run_does_not_tell_how_it_was_run() -> None:
    words = Page(PAGES["an ungradable one"]).words
    assert "Isolation" not in words and "Training" not in words and "Version" in words


def test_a_long_list_of_unreadable_files_is_folded_so_that_the_students_come_first() -> None:
    few, many = ([samples.ungradable(f"student {number}") for number in range(count)] for count in (8, 9))
    assert "<details open>" in class_page(*few)
    page = class_page(*many)
    assert "<details>" in page and "<details open>" not in page
    assert "9 files could not be graded" in Page(page).words and "student 8" in Page(page).words


def test_what_a_narrow_window_hides_of_the_table_is_hidden_with_its_heading() -> None:
    (style,) = re.findall(r"<style>(.*?)</style>", PAGES["a class"], re.DOTALL)
    assert "td.remark, th.remark { display: none; }" in style
    assert '<th class="remark">' in PAGES["a class"] and '<td class="remark">' in PAGES["a class"]

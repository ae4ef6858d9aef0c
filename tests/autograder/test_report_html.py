"""The pages: what they say, and that nothing in them can act."""

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
import report_samples as samples

import autograder.report.html
from autograder.report.html import render_class, render_student
from autograder.report.model import Check, Execution, Question, Report
from autograder.report.summary import NO_ISOLATION_WARNING, row_of, summarise

OUR_ELEMENTS = {
    "html", "head", "meta", "title", "style", "body", "main", "header", "section", "footer", "p", "h1", "h2", "h3", "b",
    "bdi", "span", "div", "ul", "li", "a", "pre", "dl", "dt", "dd", "details", "summary", "table", "thead", "tbody",
    "tfoot", "tr", "th", "td", "figure", "figcaption", "svg", "g", "rect", "circle", "path", "text", "desc", "img",
    # The page of the class alone.
    "script", "button", "label", "input", "select", "option", "optgroup",
}  # fmt: skip
OUR_ATTRIBUTES = {
    "lang", "charset", "http-equiv", "content", "name", "class", "id", "open", "href", "width", "height", "x", "y",
    "cx", "cy", "r", "d", "viewbox", "role", "aria-label", "aria-labelledby", "aria-hidden", "aria-sort", "text-anchor",
    "src", "alt", "scope", "tabindex", "hidden", "type", "value", "for", "autocomplete", "data-s", "data-f", "label",
}  # fmt: skip
OUR_PICTURES = r"data:image/png;base64,[A-Za-z0-9+/]+={0,2}"
OUR_SCRIPT = (Path(autograder.report.html.__file__).parent / "class.js").read_text(encoding="utf-8")


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
        if self.last not in ("style", "script"):
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
    assert all(re.fullmatch(r"[\w%./-]+(#q\d+)?", address) for address in parsed.values("href"))
    assert all(re.fullmatch(OUR_PICTURES, address) for address in parsed.values("src"))


def digest_of(content: str) -> str:
    return base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()


@pytest.mark.parametrize(("name", "page"), PAGES.items(), ids=PAGES)
def test_the_policy_allows_what_is_ours_by_its_digest_and_nothing_else(name: str, page: str) -> None:
    (policy,) = [value for value in Page(page).values("content") if "default-src" in value]
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    assert scripts == ([OUR_SCRIPT] if name.startswith("a class") else [])
    allowed = f"script-src 'sha256-{digest_of(OUR_SCRIPT)}'; " if scripts else ""
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{digest_of(style)}'; {allowed}img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    assert page.index("Content-Security-Policy") < page.index("<style>") < page.index("<body>")


@pytest.mark.parametrize("word", ["innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", "Function("])
def test_our_script_takes_no_text_for_markup_or_code(word: str) -> None:
    assert word not in OUR_SCRIPT and "textContent" in OUR_SCRIPT


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_a_page_reaches_no_network(page: str) -> None:
    style = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)[0]
    assert "url(" not in style and "@import" not in style
    assert not re.search(r"""(src|href|action|data)\s*=\s*["']?(https?:)?//""", page)
    assert not re.search(r"fetch|XMLHttpRequest|sendBeacon|WebSocket|import\(|new Image", page)


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
    assert "Code cell 18 (9. Train) stopped with an error, in line 2" in words
    assert "incompatible with the layer" in words and "autoencoder.fit(X_train, y_train)" in words


def test_the_network_stands_beside_the_statements_with_its_differences_in_words() -> None:
    words = Page(PAGES["a report"]).words
    assert "Encoder 4 differences" in words
    for layer in samples.ENCODER.layers:
        assert layer.asked in words and layer.found in words and layer.difference in words
    assert "27 × 27 × 8 · 40 parameters" in words and "13 × 13 × 32 · 1,056 parameters" in words
    for sign, word in (("≠", "Different:"), ("+", "Too much:"), ("−", "Missing:"), ("↕", "Elsewhere:")):
        assert sign in words and word in words


def test_a_network_without_differences_is_said_to_be_as_asked() -> None:
    right = samples.ENCODER.model_copy(update={"layers": samples.ENCODER.layers[:1]})
    words = Page(render_student(samples.report(architectures=(right,)))).words
    assert "Encoder as the statement asks" in words and "difference" not in words


def test_the_training_of_the_grader_stands_beside_what_no_learning_gives() -> None:
    page = PAGES["a report"]
    words = Page(page).words
    for part in ("Your design, trained 0.058", "zero (no learning) 0.102", "mean image (no learning) 0.067"):
        assert part in words
    alts = [alt for alt in Page(page).values("alt") if "side by side" in alt]
    assert [alt.split(": ")[1].split()[0] for alt in alts] == ["clean", "noisy", "denoised"]


def test_a_chart_has_its_numbers_in_a_table_and_in_its_description() -> None:
    for page in (PAGES["a report"], class_page(samples.report("a"), samples.report("b"))):
        words = Page(page).words
        assert "0.0342" not in words and "0.034 at 8" in words
        assert re.search(r" 8 (2 )?0\.034 ", words)


def test_a_chart_of_trainings_cut_short_says_so_and_any_other_one_says_nothing() -> None:
    short = samples.report(curves=(samples.CURVE.model_copy(update={"remark": "Each training was cut."}),))
    for page in (render_student(short), class_page(samples.report("a"), short)):
        assert Page(page).words.count("Each training was cut.") == 1
    assert "cut" not in Page(class_page(samples.report("a"), samples.report("b"))).words


def test_when_and_with_which_versions_is_told() -> None:
    words = Page(PAGES["a report"]).words
    assert "When2026-11-02 09:30:00 UTC" in words.replace("When ", "When") and "Keras 3.12.0" in words


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
    assert {address.partition("#")[0] for address in addresses} == {f"folder-{n}/index.html" for n in range(4)}


def test_a_folder_in_a_link_is_quoted() -> None:
    row = row_of(samples.report(), "Ada & Bob #1?")
    page = render_class(summarise(samples.assignment(), [row], 1), "index.html")
    addresses = {address.partition("#")[0] for address in Page(page).values("href")}
    assert addresses == {"Ada%20%26%20Bob%20%231%3F/index.html"}


def test_the_class_page_sets_problems_apart() -> None:
    words = Page(PAGES["a class"]).words
    students = words.index("Students Search")
    assert words.index("To review: 2 students") < words.index("Our own faults")
    assert words.index("Our own faults") < words.index("Emmy Noether") < students
    assert words.index("A file could not be graded") < words.index("Blaise Pascal") < students
    assert words.count("Blaise Pascal") == 1


def test_an_unfinished_class_says_so() -> None:
    stopped = Page(class_page(samples.report(), expected=3)).words
    assert "The grading was stopped: 1 of 3 submissions are graded so far" in stopped
    assert "so far" not in Page(class_page(samples.report())).words
    running = Page(render_class(samples.large_class(20, running=True), "index.html")).words
    assert "still running: 20 of 40 submissions are graded so far" in running and "2026-11-02 10:00:00 UTC" in running


def test_findings_and_equal_networks_name_their_members() -> None:
    others = samples.ENCODER.model_copy(update={"digest": "0" * 16, "layers": samples.ENCODER.layers[:1]})
    page = class_page(
        samples.report("Ada"), samples.report("Bo"), samples.report("Chen", architectures=(others,), findings=())
    )
    words = Page(page).words
    assert "2 students: third max pooling Ada Bo " in words + " "
    assert re.search(r"2 students: Encoder with 4 differences \([^)]*\) Ada Bo 1 student: Encoder as", words)


def test_the_machine_and_the_time_are_told() -> None:
    words = Page(render_class(samples.large_class(20), "index.html")).words
    assert "Linux x86_64, 2 cores" in words and "90.0 minutes by the clock" in words


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
    assert 'class="remark"><button' in PAGES["a class"] and 'class="remark">points lost' in PAGES["a class"]

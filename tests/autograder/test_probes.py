"""Probes: their form is checked, and their draws depend on the submission alone."""

from pathlib import Path

import pytest

from autograder.checks.probes import load, resolved
from autograder.errors import AssignmentError

COURSE = Path(__file__).parents[2]
DRAW = {
    "find": "function",
    "names": ["f"],
    "arguments": [{"draw": [3, 400], "as": "d"}],
    "like": {"shape": [{"drawn": "d"}]},
}


@pytest.fixture
def written(tmp_path):
    def write(text):
        path = tmp_path / "probes.py"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_the_probes_of_the_assignment_are_plain_data_for_its_questions():
    from autograder import assignment

    probes = load(COURSE / "tests" / "autoencoders" / "probes.py")
    questions = {question.id for question in assignment.load(COURSE, "autoencoders").questions}
    assert set(probes) <= questions
    assert {"build-encoder", "build-decoder", "compile"} <= set(probes)


def test_a_draw_is_the_same_for_one_submission_and_another_for_others():
    probes = {"q": {"label": DRAW}}
    drawn = {digest: resolved(probes, digest)["q"]["label"]["arguments"][0] for digest in "abcdefgh"}
    assert all(3 <= number <= 400 for number in drawn.values())
    assert len(set(drawn.values())) > 4
    assert resolved(probes, "a") == resolved(probes, "a")


def test_a_number_that_was_drawn_can_be_named_again():
    probe = resolved({"q": {"label": DRAW}}, "digest")["q"]["label"]
    assert probe["like"]["shape"] == probe["arguments"]


def test_nothing_else_is_changed_by_resolving():
    probes = load(COURSE / "tests" / "autoencoders" / "probes.py")
    assert resolved(probes, "x")["encoder-size"] == probes["encoder-size"]
    first = resolved(probes, "x")["build-encoder"]
    assert first["latent-2"]["arguments"] == [2]
    assert first["drawn-1"]["like"]["output_shape"] == first["drawn-1"]["arguments"] != [2]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("PROBES = {", "can not be read"),
        ("1 / 0", "ZeroDivisionError"),
        ("", "not a dictionary"),
        ("PROBES = {}", "not a dictionary"),
        ("PROBES = {'q': []}", "from label to probe"),
        ("PROBES = {'q': {'x': 3}}", "is not a dictionary"),
        ("PROBES = {'q': {'x': {'find': 'number', 'names': ['x']}}}", "'find'"),
        ("PROBES = {'q': {'x': {'find': 'model'}}}", "'names'"),
        ("PROBES = {'q': {'x': {'find': 'model', 'names': 'x'}}}", "'names'"),
        ("PROBES = {'q': {'x': {'find': 'function', 'names': ['x']}}}", "'arguments'"),
        ("PROBES = {'q': {'x': {'find': 'model', 'names': ['x'], 'arguments': [2]}}}", "'arguments'"),
        ("PROBES = {'q': {'x': {'find': 'model', 'names': ['x'], 'expected': 4250}}}", "unknown fields"),
        ("PROBES = {'q': {'x': {'find': 'model', 'names': ['x'], 'like': {'a': {1}}}}}", "plain data"),
        ("PROBES = {'q': {'x': {'find': 'function', 'names': ['x'], 'arguments': [{'draw': [5, 2]}]}}}", "draw"),
        ("PROBES = {'q': {'x': {'find': 'function', 'names': ['x'], 'arguments': [{'draw': 5}]}}}", "draw"),
        ("PROBES = {'q': {'x': {'find': 'function', 'names': ['x'], 'arguments': [{'drawn': 'd'}]}}}", "drawn"),
    ],
)
def test_probes_of_a_wrong_form_are_refused_with_the_reason(written, text, problem):
    with pytest.raises(AssignmentError, match=problem):
        load(written(text))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(AssignmentError, match="missing"):
        load(tmp_path / "probes.py")


@pytest.mark.parametrize(
    "change",
    [
        {"stand_in": {"input_shape": [3]}},
        {"stand_in": {"input_shape": [3], "output_shape": ["anything"]}},
        {"stand_in": {"input_shape": [3], "output_shape": [0]}},
        {"again_with": "build"},
    ],
)
def test_a_stand_in_without_its_two_shapes_is_refused(written, change):
    probe = {"find": "function", "names": ["f"], "arguments": [2], **change}
    with pytest.raises(AssignmentError, match=next(iter(change))):
        load(written(f"PROBES = {{'q': {{'p': {probe!r}}}}}"))

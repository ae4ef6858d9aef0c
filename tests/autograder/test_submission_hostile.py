"""What a student may hand in, made by changing the real release: it is read or refused in a sentence, and quickly."""

from __future__ import annotations

import io
import json
import resource
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from command_line import BLANK, ROOT
from hostile_text import TEXTS, assert_inert, examples
from hypothesis import given
from hypothesis import strategies as st

from autograder import assignment
from autograder.assignment import Assignment
from autograder.checks.submitted import _bound_by_import
from autograder.errors import SubmissionError
from autograder.submission import reading
from autograder.submission.discovery import discover
from autograder.submission.notebook import CELL_COUNT_LIMIT, CELL_SOURCE_LIMIT

RELEASE = json.loads(BLANK.read_text(encoding="utf-8"))
for one in RELEASE["cells"]:
    one.pop("attachments", None)
SECONDS = 20
"""Far more than reading takes; a test that runs into it has met work without a bound."""
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def course() -> Assignment:
    return assignment.load(ROOT, "autoencoders")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile")


class Raw:
    """JSON text that no Python value stands for."""

    def __init__(self, text: str) -> None:
        self.text = text


RAW = st.sampled_from(
    [
        Raw(text)
        for text in (
            "NaN", "-Infinity", "1e999", "9" * 900, "9" * 5000, "-0.0", "1" + "0" * 400 + ".5", '"\\ud800"',
            '"\\u0000"',
            "[" * 300 + "]" * 300, "[" * 5000 + "]" * 5000, '{"a":' * 3000 + "1" + "}" * 3000,
            '{"source": "x", "source": 3}', '{"cell_type": "code", "cell_type": "markdown", "source": ["x"]}',
            "[1,", '"', "{", "]", "tru", '"\\x"', "\x00",
        )
    ]
)  # fmt: skip
VALUES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | TEXTS
    | RAW
    | st.lists(TEXTS, max_size=3)
    | st.dictionaries(TEXTS, TEXTS, max_size=3)
)
SOURCES = st.sampled_from(
    [
        "(" * 3000, "x = " + "1+" * 5000 + "1", "if x:\n" * 90, "%%bash\n:", "!ls", "'''", "\n" * 5000 + "x",
        " " * 5000, "# %%\n" * 500, "# In[1]:\n" * 500, "###### a\n" * 2500, "❓ " * 1000,
        "\x0c", "\r" * 100, "from x import" + " " * 5000,
    ]
)  # fmt: skip


@st.composite
def changed_documents(draw: st.DrawFn) -> str:
    """The release as JSON text, in which some places hold something else, are missing, doubled or moved."""
    document = json.loads(json.dumps(RELEASE))
    marks: dict[str, str] = {}
    for number in range(draw(st.integers(1, 5))):
        spot, key = draw_place(draw, document)
        match draw(st.sampled_from(["change", "change", "source", "drop", "double", "wrap"])):
            case "change":
                value = draw(VALUES)
                if isinstance(value, Raw):
                    marks[f"raw-{number}"] = value.text
                    value = f"raw-{number}"
                spot[key] = value
            case "source":
                draw(st.sampled_from(RELEASE["cells"]))
                cell = draw(st.sampled_from([c for c in cells_of(document) if isinstance(c, dict)] or [{}]))
                cell["source"] = draw(SOURCES | TEXTS)
            case "drop":
                del spot[key]
            case "double" if isinstance(spot, list):
                spot.insert(key, spot[key])
            case _:
                spot[key] = [spot[key]] if draw(st.booleans()) else {"cells": spot[key]}
    text = json.dumps(document, ensure_ascii=draw(st.booleans()))
    for mark, raw in marks.items():
        text = text.replace(f'"{mark}"', raw)
    return text


def cells_of(document: Any) -> list[Any]:
    cells = document.get("cells") if isinstance(document, dict) else None
    return cells if isinstance(cells, list) else []


def draw_place(draw: st.DrawFn, document: Any) -> tuple[Any, Any]:
    """A container of the document and a key of it, at any depth."""
    spot = document
    while True:
        keys = list(spot) if isinstance(spot, dict) else list(range(len(spot)))
        if not keys:
            document.setdefault("metadata", {})
            return document, "metadata"
        key = draw(st.sampled_from(keys))
        child = spot[key]
        if not isinstance(child, (dict, list)) or not child or draw(st.integers(0, 3)) == 0:
            return spot, key
        spot = child


@st.composite
def changed_bytes(draw: st.DrawFn) -> bytes:
    """A changed document in any encoding, with marks, cut off or with bytes that do not belong there."""
    text = draw(changed_documents())
    encoding = draw(st.sampled_from(["utf-8"] * 4 + ["utf-8-sig", "utf-16", "utf-16-le", "utf-32", "latin-1", "cp037"]))
    content = text.encode(encoding, "surrogatepass" if encoding.startswith("utf") else "replace")
    match draw(st.sampled_from(["whole", "whole", "cut", "insert", "mark"])):
        case "cut":
            return content[: draw(st.integers(0, len(content)))]
        case "insert":
            at = draw(st.integers(0, len(content)))
            return content[:at] + draw(st.binary(max_size=8)) + content[at:]
        case "mark":
            return (
                draw(st.sampled_from([b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\x00", b"\x1f\x8b", b"PK"]))
                + content
            )
    return content


def read_or_refuse(content: bytes, suffix: str, folder: Path, course: Assignment) -> reading.Submission | None:
    """Read a file; what comes is sound, a refusal is one line that can be shown."""
    path = folder / f"autoencoders{suffix}"
    path.write_bytes(content)
    try:
        found = reading.read(path, course)
    except SubmissionError as error:
        assert "\n" not in str(error) and len(str(error)) < 1000
        assert_inert(str(error))
        return None
    assert len(found.positions) == len(found.cells) <= CELL_COUNT_LIMIT + len(course.cells)
    assert [cell.index for cell in found.cells] == list(range(len(found.cells)))
    automatic = {question.id for question in course.questions if not question.manual}
    assert {question for cell in found.cells for question in cell.exports} == automatic
    assert set(found.answered) == {question.id for question in course.questions}
    json.dumps([cell.source for cell in found.cells], ensure_ascii=False).encode()
    for note in found.notes:
        assert_inert(note)
    return found


@examples(60)
@given(content=changed_bytes(), suffix=st.sampled_from([".ipynb", ".ipynb", ".py"]))
def test_a_changed_release_is_read_or_refused(course: Assignment, folder: Path, content: bytes, suffix: str) -> None:
    read_or_refuse(content, suffix, folder, course)


MANY = 30_000
ABSURD = {
    "a page of comments": b"<!---->" * 1400 + b"x",
    "a page of open comments": b"<!--" * 2500,
    "comments and spaces": b"<!-- --> \n" * 900,
    "conflict marks": b"<<<<<<< " * 10_000,
    "many cells": json.dumps({"cells": [{"cell_type": "code", "source": "x"}] * CELL_COUNT_LIMIT}).encode(),
    "many texts": json.dumps({"cells": [{"cell_type": "markdown", "source": "## a b\n" * 9}] * 1999}).encode(),
    "many sections": json.dumps({"cells": [{"cell_type": "markdown", "source": "# ❓ 3. Build\n" * MANY}]}).encode(),
    "many lines": json.dumps(
        {"cells": [{"cell_type": "code", "source": "\n" * (CELL_SOURCE_LIMIT - 9) + "x"}]}
    ).encode(),
    "lines as a list": json.dumps({"cells": [{"cell_type": "code", "source": ["a\n"] * 400_000}]}).encode(),
    "one long heading": json.dumps(
        {"cells": [{"cell_type": "markdown", "source": "#" + " " * 900_000 + "x"}]}
    ).encode(),
    "long numbers": b'{"cells": [' + b"1" * 9_000_000 + b"]}",
    "many keys": b'{"cells": [], ' + b",".join(b'"%d": 1' % n for n in range(900_000)) + b"}",
    "many parts": b'{"cells": [' + b"[]," * 999_000 + b"1]}",
}
SCRIPTS = {
    "many strings": b"'''a'''\n" * MANY,
    "many open strings": b"x = '''\n" * MANY + b"\\" * MANY,
    "many prompts": b"# In[1]:\n\n\n" * 1999,
    "prompts and lines": b"# In[" + b" " * 100_000 + b"\n" * 100_000 + b"# In[1]:" + b"\n" * 100_000 + b"x",
    "many imports": b"import matplotlib.pyplot as plt\n\n" * MANY,
    "many magics": b"# Commented out IPython magic to ensure Python compatibility.\n%x\n" * 1999,
    "many dashes": b"# ---\n" + b"# a\n" * MANY + b"x",
}


@pytest.mark.timeout(SECONDS)
@pytest.mark.parametrize("name", [*ABSURD, *SCRIPTS])
def test_an_absurd_file_is_read_or_refused_within_seconds(course: Assignment, folder: Path, name: str) -> None:
    if name in ABSURD:
        read_or_refuse(ABSURD[name], ".ipynb", folder, course)
    else:
        read_or_refuse(SCRIPTS[name], ".py", folder, course)


@pytest.mark.timeout(SECONDS)
@pytest.mark.parametrize(
    "source", ["\n" * 900_000, "\n \n" * 300_000, "import " * 100_000, "from a import" + " " * 900_000]
)
def test_the_imports_of_an_absurd_cell_are_found_within_seconds(source: str) -> None:
    assert _bound_by_import(source + "\nx = 1\nimport numpy as np", "numpy") == {"np"}


# Archives

NAMES = TEXTS | st.sampled_from(
    ["../up.ipynb", "/root.ipynb", "a/../../b.ipynb", ".", "..", "/", "", "a\\b.ipynb", "C:\\x.ipynb", "con.ipynb",
     "a" * 300 + ".ipynb", "/".join("a" * 20) + "/x.ipynb", "ada/autoencoders/autoencoders.ipynb", "ada/", "x.ipynb/",
     "x.ipynb", "x.ipynb/y.ipynb", "\x00.ipynb", "a\x00b.ipynb", "nested.zip", "x.py",
     "\u202egnp.ipynb", "::error::.ipynb"]
)  # fmt: skip


@st.composite
def zips(draw: st.DrawFn) -> bytes:
    """A zip with odd names, kinds and sizes; some of its bytes may be others."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in draw(st.lists(NAMES, max_size=5)):
            about = zipfile.ZipInfo(name.encode("utf-8", "replace").decode())
            about.external_attr = draw(st.sampled_from([0, 0o100644, 0o120777, 0o040755, 0o020666, 0o010644])) << 16
            about.compress_type = draw(st.sampled_from([0, 8, 12, 14]))
            archive.writestr(about, draw(st.sampled_from([b"", b"{}", b"x" * 3000, BLANK.read_bytes()[:4000]])))
    content = bytearray(stream.getvalue())
    for _ in range(draw(st.integers(0, 4))):
        # The directory at the end says most of what is believed.
        at = draw(st.integers(0, len(content) - 1) | st.integers(max(0, len(content) - 300), len(content) - 1))
        content[at] = draw(st.integers(0, 255))
    return bytes(content[: draw(st.sampled_from([None] * 4 + [len(content) // 2, -7]))])


@pytest.mark.filterwarnings("ignore:Duplicate name")
@examples(100)
@given(content=zips())
def test_a_zip_of_any_bytes_gives_submissions_or_a_reason_and_writes_nowhere_else(folder: Path, content: bytes) -> None:
    path, scratch = folder / "class.zip", folder / "scratch"
    path.write_bytes(content)
    found = discover([path], "autoencoders", scratch)
    assert found.submissions or found.problems
    for sentence in (*found.problems, *found.notes):
        assert len(sentence) < 1500
    for _, file in found.submissions:
        assert file.resolve().is_relative_to(scratch)
    written = {item.name for item in folder.iterdir()}
    assert written <= {"class.zip", "scratch", "autoencoders.ipynb", "autoencoders.py"}


def test_a_member_that_asks_for_more_memory_than_there_is_hinders_no_other(tmp_path: Path) -> None:
    path = tmp_path / "class.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("ada.ipynb", BLANK.read_bytes())
        archive.writestr("ben.ipynb", BLANK.read_bytes(), zipfile.ZIP_DEFLATED)
    content = bytearray(path.read_bytes())
    # The window of the first member: after header and name, two bytes of version, two of length, one of bits.
    window = 30 + len("ada.ipynb") + 5
    content[window : window + 4] = b"\xff\xff\xff\xff"
    path.write_bytes(content)
    with memory_limit(2**30):
        found = discover([path], "autoencoders", tmp_path / "scratch")
    assert [student for student, _ in found.submissions] == ["ben"]
    (problem,) = found.problems
    assert problem.startswith("ada.ipynb in class.zip can not be read: it ")


@contextmanager
def memory_limit(more: int) -> Iterator[None]:
    """Let this process take so many bytes more, and no others."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + more, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)

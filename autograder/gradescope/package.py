"""The zip that a course uploads to Gradescope: the engine, one assignment with its hidden checks, data, two scripts.

The same course gives the same bytes.
"""

from __future__ import annotations

import io
import json
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path

from autograder import __version__
from autograder.assignment import Assignment, plain_files
from autograder.errors import InputError
from autograder.gradescope import policy
from autograder.report.files import write_bytes

COURSE, SETTINGS = "course", "package.json"
MOST_BYTES = 60_000_000
"""What Gradescope takes as an upload, with some room."""
ADVICE = """\
Upload it at Gradescope: Configure Autograder, Zip file upload. Choose there
  base image           Ubuntu 24.04 or any other with Python 3.11 or newer
  container            4 GB of memory and 2 CPUs: TensorFlow does not start in the usual 0.75 GB
  autograder timeout   20 minutes or more
The first build takes some minutes. Then press Test Autograder with a submission of your own."""
_SCRIPTS = ("setup.sh", "run_autograder")
# The oldest moment that a zip knows: no file's own time may show in it.
_MOMENT = (1980, 1, 1, 0, 0, 0)


def write(assignment: Assignment, target: Path) -> int:
    """Write the package of an assignment; return its size in bytes.

    Raises InputError where it is too large or can not be written, AssignmentError where the course's rules are wrong.
    """
    policy.load(assignment.tests)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in _SCRIPTS:
            _add(archive, name, (Path(__file__).parent / name).read_bytes(), executable=True)
        settings = {"assignment": assignment.name, "version": __version__}
        _add(archive, SETTINGS, (json.dumps(settings) + "\n").encode())
        for path in sorted(_files(assignment)):
            _add(archive, f"{COURSE}/{path.relative_to(assignment.root).as_posix()}", path.read_bytes())
    size = buffer.tell()
    if size > MOST_BYTES:
        raise InputError(f"{target}: the package has {size / 1e6:.0f} MB, and Gradescope takes {MOST_BYTES / 1e6:.0f}")
    write_bytes(target, buffer.getvalue())
    return size


def _files(assignment: Assignment) -> Iterator[Path]:
    """Yield what grading needs: no solution beyond the source's own, no submission, no test of the engine."""
    root = assignment.root
    for name in ("pyproject.toml", "requirements.lock", "README.md", "LICENSE", "scripts/setup"):
        if not (root / name).is_file():
            raise InputError(f"{root / name} is missing: a package is made from a whole checkout of the course")
        yield root / name
    yield from plain_files(root / "autograder")
    yield from assignment.files()


def _add(archive: zipfile.ZipFile, name: str, data: bytes, executable: bool = False) -> None:
    entry = zipfile.ZipInfo(name, _MOMENT)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = (stat.S_IFREG | (0o755 if executable else 0o644)) << 16
    archive.writestr(entry, data)

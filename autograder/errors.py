"""Every error that the autograder raises on purpose, in one tree.

The exit code of the command line follows from the class: 2 for what the caller
can mend, 3 for what is the grader's own fault.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class AutograderError(Exception):
    """Base of all errors raised on purpose; its text says what to do."""

    exit_code = 3


class InputError(AutograderError):
    """Raised when a path, option or file that the caller gave can not be used."""

    exit_code = 2


class SubmissionError(InputError):
    """Raised when one submission can not be read or is refused; the others are graded all the same."""


class AssignmentError(InputError):
    """Raised when an assignment's own files (source notebook, probes, checks) are not usable."""


class ReleaseRefused(AssignmentError):
    """Raised when the release gate finds a leak or a fault; the text names the cell and the mend."""


class DataError(InputError):
    """Raised when a data file is missing or damaged."""


class GraderFault(AutograderError):
    """Raised when the grader itself failed; the student is never made to pay for it."""


class IsolationUnavailable(GraderFault):
    """Raised when no complete isolation backend runs on this machine; the text says what to install."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a question that ends a message on an unknown word; nothing where no known one is like it."""
    close = difflib.get_close_matches(word.lower(), known, n=1, cutoff=0.6)
    return f" Did you mean {close[0]}?" if close else ""

"""What a file of hidden checks needs: the four ways in which a check speaks, besides ``assert``."""

from autograder.checks.outcomes import fail, note, review, skip

__all__ = ["fail", "note", "review", "skip"]

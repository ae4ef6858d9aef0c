"""Steps for nbgrader's lists of preprocessors: record the grades, and show them at the top of the feedback."""

from __future__ import annotations

from typing import Any

from nbformat.v4 import new_markdown_cell
from nbgrader.api import Grade
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets import List

from autograder.nbgrader import gradebook
from autograder.nbgrader.notebook import MARK, in_markdown
from autograder.report.text import points

# nbgrader's own list at the top calls each question "Test cell"; the table has its links.
_STYLE = "<style>#toc { display: none } #notebook table td, #notebook table th { padding: 0.15em 0.7em }</style>"


class SaveGrades(NbGraderPreprocessor):  # type: ignore[misc]
    """Record the entry of a submission in the gradebook; it stands where nbgrader has SaveAutoGrades."""

    def preprocess(self, nb: Any, resources: Any) -> tuple[Any, Any]:
        """Record what the converter made of the report."""
        gradebook.record(resources[MARK]["place"], resources[MARK]["entry"])
        return nb, resources


class ScoreTable(NbGraderPreprocessor):  # type: ignore[misc]
    """Put the table of scores at the top of a student's feedback; it comes after GetGrades.

    The scores are the gradebook's, a person's included. Notebooks of other assignments stay as they are.
    """

    # nbconvert sets it for every step, and nbgrader's own have it too.
    display_data_priority: Any = List([]).tag(config=True)

    def preprocess(self, nb: Any, resources: Any) -> tuple[Any, Any]:
        """Insert the table."""
        mark = nb.metadata.get(MARK)
        if mark and nb.cells:
            about = resources["nbgrader"]
            waiting = _waiting(about)
            graded = {
                cell.metadata.nbgrader.grade_id: cell.metadata.nbgrader
                for cell in nb.cells
                if cell.metadata.get("nbgrader", {}).get("grade")
            }
            rows = [
                f"| [{in_markdown(mark['titles'].get(name, name))}](#{name}) | {points(cell.score)} | "
                f"{points(cell.points)} | {'waits for a person' if name in waiting else ''} |"
                for name, cell in graded.items()
            ]
            penalty = about.get("late_penalty") or 0
            if penalty:
                rows.append(f"| *Handed in late* | −{points(penalty)} | | |")
            total = f"| **Total** | **{points(about['score'])}** | **{points(about['max_score'])}** | |"
            table = "\n".join(["| Question | Points | of | |", "|:--|--:|--:|:--|", *rows, total])
            nb.cells.insert(0, new_markdown_cell(f"## Your points\n{_STYLE}\n\n{table}"))
        return nb, resources


def _waiting(about: Any) -> set[str]:
    """Return the questions of a submission that nobody has judged yet."""
    with gradebook.opened(about["db_url"], "default_course") as book:
        notebook = book.find_submission_notebook(about["notebook"], about["assignment"], about["student"])
        rows = book.db.query(Grade).filter(Grade.notebook_id == notebook.id, Grade.needs_manual_grade)
        return {grade.name for grade in rows}

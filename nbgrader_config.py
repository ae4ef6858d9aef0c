"""Configuration of nbgrader for this course; run every nbgrader command from this folder."""

from autograder.nbgrader import install

c = get_config()  # noqa: F821  (nbgrader provides it)

# `nbgrader autograde`, formgrader's button, `generate_feedback`, `validate` and `export` work with the hidden checks of
# tests/ and the sandbox; what is set below this line holds all the same. docs/instructors.md says what may be set.
install(c)

# The course's root is the folder where nbgrader runs (the default); below it are nbgrader's usual folders.
c.CourseDirectory.source_directory = "source"  # what instructors edit
c.CourseDirectory.release_directory = "release"  # what students get
c.CourseDirectory.submitted_directory = "submitted"  # what students hand in
c.CourseDirectory.autograded_directory = "autograded"  # after grading by machine
c.CourseDirectory.feedback_directory = "feedback"  # what students get back

# `nbgrader generate_solution` writes the reference here.
c.CourseDirectory.solution_directory = "solutions"

# What a student finds in place of a solution. The stub raises nothing, so that a notebook with gaps still runs.
c.ClearSolutions.code_stub = {"python": "# YOUR CODE HERE"}
c.ClearSolutions.text_stub = "*Your answer here.*"

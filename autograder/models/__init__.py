"""Models of students, as the grader understands them: described, rebuilt, compared and trained."""

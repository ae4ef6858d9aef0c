"""Gradescope: the package that a course uploads, what runs in it, and the course's rules on late submissions."""

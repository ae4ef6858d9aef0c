"""One report per submission, and the renderers that are pure functions of it."""

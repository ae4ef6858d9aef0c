"""Right submissions: none of them may lose a point."""

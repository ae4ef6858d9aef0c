"""What students and instructors get from the source notebook: the release, its gate, and the executed solutions."""

"""The hostile side: run a submission where it can reach nothing, and stream out plain data."""

"""A submission as it arrives: found, read whatever its age and state, repaired, aligned with the questions."""

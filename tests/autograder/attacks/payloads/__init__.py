"""Hostile submissions by class.

Each is bounded, reaches for nothing but loopback, and does no harm where the sandbox fails.

Names in capitals in a payload's code (``PORT``, ``MARKER``...) are replaced by what the test has made: see
``surroundings.Surroundings``.
"""

"""An autograder for Keras notebooks: evidence leaves the sandbox, verdicts are made outside it."""

__version__ = "0.1.0"

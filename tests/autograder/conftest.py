"""What several test modules share, because it is expensive."""

import pytest
from example_class import Graded, grade_examples


@pytest.fixture(scope="session")
def example_class(tmp_path_factory: pytest.TempPathFactory) -> Graded:
    """The example class, graded by the command line with nothing kept from before."""
    return grade_examples(tmp_path_factory.mktemp("example-class"))

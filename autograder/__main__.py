"""``python -m autograder`` is the command line."""

import sys

if __name__ == "__main__":
    # Python looks for modules in the current folder first. It may be a student's, with a json.py in it.
    if not sys.flags.safe_path:
        del sys.path[0]
    from autograder.cli import main

    sys.exit(main())

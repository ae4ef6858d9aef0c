"""What is imported and read once, before any notebook is run: by the fork server, and for a run without a sandbox."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

_PRELOADED = (
    "tensorflow",
    "keras",
    "numpy",
    "matplotlib.pyplot",
    "matplotlib_inline.backend_inline",
    "IPython.core.interactiveshell",
)


def preload() -> None:
    """Import what every notebook needs, and load what these packages would only load at first use."""
    import matplotlib

    matplotlib.use("agg")
    for name in _PRELOADED:
        importlib.import_module(name)
    # The packages load these lazily, at 0.1 to 0.5 seconds in every child.
    for name in ("matplotlib.backends.backend_agg", "PIL.PngImagePlugin"):
        importlib.import_module(name)


def provide_data(folder: Path | None) -> None:
    """Read every ``.npz`` file of a folder and hand the arrays to the module that serves them.

    Without a folder it gets synthetic ones, for runs of which nothing is graded.
    """
    from autograder.sandbox.guest import data, synthetic

    data.provide(synthetic.data_sets() if folder is None else _read(folder))


def _read(folder: Path) -> Mapping[str, Mapping[str, np.ndarray[Any, Any]]]:
    import numpy as np

    arrays = {}
    for path in sorted(folder.glob("*.npz")):
        with np.load(path, allow_pickle=False) as archive:
            arrays[path.stem] = {name: archive[name] for name in archive.files}
    return arrays

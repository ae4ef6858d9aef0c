"""What notebooks rely on where they were written and that is not here: Colab, mounted drives, bars, old style names.

A cell that stops at such a statement goes on behind it, with a note; everything else in it counts.
"""

from __future__ import annotations

import ast
import importlib.abc
import importlib.machinery
import re
import sys
import types
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import matplotlib.style
from matplotlib import pyplot

from autograder.sandbox.guest.errors import first_line
from autograder.sandbox.guest.plain import text, type_name, without_paths

_COLAB = "google.colab"
_PATH = re.compile(r"""(?:[A-Za-z]:[\\/]|~?/|\.{0,2}/?(?:drive|gdrive|content|kaggle)/)[^'"\n]*""")


def install() -> None:
    """Make ``google.colab`` and ``tqdm`` importable and give back the style names that matplotlib has renamed."""
    if not any(isinstance(finder, _ColabFinder) for finder in sys.meta_path):
        sys.meta_path += [_ColabFinder(), _ProgressFinder()]
    library = matplotlib.style.library
    for style in list(library):
        if style.startswith("seaborn-v0_8"):
            library.setdefault("seaborn" + style.removeprefix("seaborn-v0_8"), library[style])


class _ProgressFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds ``tqdm``, which many loops are wrapped in, where it is not installed: loops then run without a bar."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return a spec for the package and its parts alone."""
        if fullname.partition(".")[0] != "tqdm":
            return None
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        """Return a module with the names that notebooks import."""
        module = types.ModuleType(spec.name)
        vars(module).update(tqdm=_Bar, tqdm_notebook=_Bar, trange=_bar_over_range, TqdmCallback=_callback)
        return module

    def exec_module(self, module: types.ModuleType) -> None:
        """Do nothing: the module is complete."""


class _Bar:
    """A progress bar that shows nothing: it gives what it was given, and takes every call."""

    def __init__(self, iterable: Any = (), *args: Any, **kwargs: Any) -> None:
        self._iterable = iterable

    def __iter__(self) -> Any:
        return iter(self._iterable)

    def __len__(self) -> int:
        return len(self._iterable)

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *args: object) -> None:
        return None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _nothing

    @staticmethod
    def write(*values: Any, **kwargs: Any) -> None:
        """Print, as the bar does above itself."""
        print(*values)


def _bar_over_range(*args: Any, **kwargs: Any) -> _Bar:
    return _Bar(range(*args))


def _callback(*args: Any, **kwargs: Any) -> Any:
    return keras.callbacks.Callback()


class _ColabFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds ``google.colab`` and its parts when they are imported: not before, so that a notebook can tell."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return a spec for the stubbed modules alone."""
        if fullname in ("google", _COLAB) or fullname.startswith(_COLAB + "."):
            return importlib.machinery.ModuleSpec(fullname, self, is_package=True)
        return None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        """Return a module of which every name is a function that does nothing."""
        return _Stub(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        """Do nothing: the module is complete."""


class _Stub(types.ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if self.__name__ == _COLAB and name in ("drive", "files", "output", "auth", "userdata", "patches", "widgets"):
            return importlib.import_module(f"{_COLAB}.{name}")
        if name == "cv2_imshow":
            return _show_image
        return _nothing


def _nothing(*args: Any, **kwargs: Any) -> dict[str, Any]:
    return {}


def _show_image(image: Any) -> None:
    pyplot.figure()
    pyplot.imshow(image, cmap="gray")


class Resume(ast.NodeTransformer):
    """What is left of a cell behind a statement that can not work here."""

    def __init__(self, skipped: int, replacement: Sequence[ast.stmt]) -> None:
        self._skipped = skipped
        self._replacement = list(replacement)

    def visit_Module(self, node: ast.Module) -> ast.Module:
        """Replace the statements up to the skipped one."""
        node.body = [*self._replacement, *node.body[self._skipped + 1 :]]
        return node


class Definitions(ast.NodeTransformer):
    """The imports, definitions and named constants of a cell."""

    _KEPT = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)

    def visit_Module(self, node: ast.Module) -> ast.Module:
        """Keep what defines, drop what does."""
        node.body = [child for child in node.body if isinstance(child, self._KEPT) or _names_constant(child)]
        return node


def _names_constant(node: ast.stmt) -> bool:
    if not isinstance(node, ast.Assign) or not all(isinstance(target, ast.Name) for target in node.targets):
        return False
    try:
        ast.literal_eval(node.value)
    except (ValueError, TypeError, MemoryError, RecursionError, SyntaxError):
        return False
    return True


def resumption(body: Sequence[ast.stmt], error: BaseException, cell_file: str) -> tuple[Resume, str] | None:
    """Return how to go on behind a statement that can only work elsewhere, and a note.

    ``body`` are the statements of the cell as it ran. None when the error is the student's own.
    """
    line = first_line(error, cell_file)
    if line is None:
        return None
    for position, node in enumerate(body):
        if node.lineno <= line <= (node.end_lineno or node.lineno):
            replacement = _without(node, error)
            if replacement is None:
                return None
            note = f"line {line} was left out, it can not work here: {without_paths(text(error, 200))}"
            return Resume(position, replacement), note
    return None


def _without(node: ast.stmt, error: BaseException) -> list[ast.stmt] | None:
    """Return what is left of one statement, None when it may not be left out."""
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        if not isinstance(error, ImportError):
            return None
        # Of several names those that exist are imported all the same.
        return [_attempt(node, alias) for alias in node.names] if len(node.names) > 1 else []
    magic = isinstance(node, (ast.Expr, ast.Assign)) and _is_line_magic(node.value)
    if magic and (isinstance(error, ModuleNotFoundError) or type_name(error) == "UsageError"):
        return []
    return [] if _elsewhere(error) else None


def _attempt(node: ast.Import | ast.ImportFrom, alias: ast.alias) -> ast.stmt:
    """Return a statement that imports one name if it exists."""
    single: ast.stmt = ast.Import(names=[alias])
    if isinstance(node, ast.ImportFrom):
        single = ast.ImportFrom(module=node.module, names=[alias], level=node.level)
    handler = ast.ExceptHandler(type=ast.Name("ImportError", ast.Load()), name=None, body=[ast.Pass()])
    attempt = ast.Try(body=[single], handlers=[handler], orelse=[], finalbody=[])
    return ast.fix_missing_locations(ast.copy_location(attempt, node))


def _is_line_magic(value: ast.expr) -> bool:
    return isinstance(value, ast.Call) and ast.unparse(value.func) == "get_ipython().run_line_magic"


def _elsewhere(error: BaseException) -> bool:
    """Whether an error is about a path that exists only on another machine or is closed here, or a style's old name."""
    message = text(error, 2_000)
    if isinstance(error, OSError) and "style" in message and "not a valid" in message:
        return True
    if not isinstance(error, (OSError, ValueError)):
        return False
    filename = getattr(error, "filename", None)
    named = [str(filename)] if isinstance(filename, (str, bytes)) else _PATH.findall(message)
    if isinstance(error, PermissionError) and any(path.startswith("/") for path in named):
        return True  # what others may write to, such as a shared folder for temporary files, is closed
    missing = isinstance(error, OSError) or "not found" in message.lower() or "no such file" in message.lower()
    return missing and any(_foreign(path.strip()) for path in named)


def _foreign(path: str) -> bool:
    """Whether a path lies in a folder that is not on this machine."""
    if not _PATH.match(path):
        return False
    try:
        return not Path(path).exists() and (path.count("/") <= 1 or not Path(path).parent.exists() or "drive" in path)
    except (OSError, ValueError):
        return False

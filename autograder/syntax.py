"""What a piece of Python says, found without running it: names that it binds and uses, its statements.

The text may be hostile or broken. Whatever can not be parsed within bounds is ``None``.
"""

from __future__ import annotations

import ast
import functools
import re
import warnings
from collections.abc import Iterator

LENGTH_LIMIT = 50_000
_MAGIC_LINE = re.compile(r"^(\s*)(?:[%!?].*|\S.*\?)$")
_MAGIC_VALUE = re.compile(r"^(\s*\w[\w, ]*=\s*)[%!].*$")
_PYTHON_CELL_MAGICS = ("%%time", "%%timeit", "%%capture", "%%prun")
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


@functools.lru_cache(maxsize=2)  # a cell and its stub: the questions below come one after the other
def parse(source: str) -> ast.Module | None:
    """Return the syntax tree of a cell, magics left out; None for what is not Python or out of bounds."""
    if len(source) > LENGTH_LIMIT:
        return None
    if source.lstrip().startswith("%%") and not source.lstrip().startswith(_PYTHON_CELL_MAGICS):
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for candidate in dict.fromkeys((source, without_magics(source))):
            try:
                return ast.parse(candidate)
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                continue
    return None


def without_magics(source: str) -> str:
    """Return a cell in which lines of IPython's own syntax are replaced by ``pass`` or ``None``."""
    lines = [_MAGIC_VALUE.sub(r"\1None", line) for line in source.split("\n")]
    return "\n".join(_MAGIC_LINE.sub(r"\1pass", line) for line in lines)


def bound_names(source: str) -> frozenset[str]:
    """Return the names that a cell binds at its top level, loops and branches included."""
    tree = parse(source)
    return frozenset(_bindings(tree)) if tree else frozenset()


def _bindings(tree: ast.AST) -> Iterator[str]:
    stack: list[ast.AST] = list(ast.iter_child_nodes(tree))
    while stack:
        node = stack.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.alias):
            yield (node.asname or node.name).split(".")[0]
        if not isinstance(node, (*_SCOPES, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
            stack.extend(ast.iter_child_nodes(node))


def used_names(source: str) -> frozenset[str]:
    """Return every name that a cell reads, functions included."""
    tree = parse(source)
    if tree is None:
        return frozenset()
    return frozenset(n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load))


def statements(tree: ast.AST) -> Iterator[ast.stmt]:
    """Yield every statement of any depth."""
    return (node for node in ast.walk(tree) if isinstance(node, ast.stmt))


def text_of(node: ast.stmt) -> str:
    """Return a statement as a text that does not depend on its layout or place."""
    try:
        return ast.dump(node)
    except RecursionError:
        return f"a {type(node).__name__} that is nested too deeply"


def _is_idle(node: ast.stmt) -> bool:
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    if isinstance(node, ast.Raise):
        return "NotImplementedError" in ast.dump(node)
    return isinstance(node, ast.Pass)


def head(node: ast.stmt) -> ast.stmt:
    """Return a statement without its bodies: ``for x in y:`` for a loop; a simple statement as it is."""
    fields = dict(ast.iter_fields(node))
    bodies = {
        name for name in ("body", "orelse", "finalbody", "handlers", "cases") if isinstance(fields.get(name), list)
    }
    if not bodies:
        return node
    kept = {name: [] if name in bodies else value for name, value in fields.items()}
    return ast.copy_location(type(node)(**kept), node)


def has_work(source: str, stub: str = "") -> bool:
    """Tell whether a cell does anything that a stub does not. Text that is not Python counts line by line.

    Docstrings and bare constants, ``pass`` and ``raise NotImplementedError`` do nothing.
    """
    tree, given = parse(source), parse(stub)
    if tree is not None:
        known = {text_of(head(node)) for node in statements(given)} if given else set()
        return any(not _is_idle(node) and text_of(head(node)) not in known for node in statements(tree))
    lines_of_stub = {line.strip() for line in stub.split("\n")}
    lines = (line.strip() for line in source.split("\n"))
    return any(line and not line.startswith("#") and line not in lines_of_stub for line in lines)

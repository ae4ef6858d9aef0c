"""What a piece of Python says, found without running it: names that it binds and uses, its statements.

The text may be hostile or broken. Whatever can not be parsed within bounds is ``None``.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator

LENGTH_LIMIT = 200_000
DEPTH_LIMIT = 60
_MAGIC_LINE = re.compile(r"^(\s*)(?:[%!?].*|\S.*\?)$")
_MAGIC_VALUE = re.compile(r"^(\s*[\w, ]+=\s*)[%!].*$")
_PYTHON_CELL_MAGICS = ("%%time", "%%timeit", "%%capture", "%%prun")
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


def parse(source: str) -> ast.Module | None:
    """Return the syntax tree of a cell, magics left out; None for what is not Python or out of bounds."""
    if len(source) > LENGTH_LIMIT or _depth(source) > DEPTH_LIMIT:
        return None
    if source.lstrip().startswith("%%") and not source.lstrip().startswith(_PYTHON_CELL_MAGICS):
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for candidate in (source, without_magics(source)):
            try:
                return ast.parse(candidate)
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                continue
    return None


def without_magics(source: str) -> str:
    """Return a cell in which lines of IPython's own syntax are replaced by ``pass`` or ``None``."""
    lines = [_MAGIC_VALUE.sub(r"\1None", line) for line in source.split("\n")]
    return "\n".join(_MAGIC_LINE.sub(r"\1pass", line) for line in lines)


def _depth(source: str) -> int:
    """Return how deep brackets, signs in a row and indentation go: a parser's time may grow with it."""
    depth = deepest = 0
    for character in source:
        if character in "([{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in ")]}" and depth:
            depth -= 1
    indents = max((len(line) - len(line.lstrip()) for line in source.split("\n")), default=0)
    signs = max((len(run) for run in re.findall(r"[-+~]{20,}|(?:not\s+){20,}", source)), default=0)
    return max(deepest, signs, indents // 8)


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


def work(source: str) -> list[str] | None:
    """Return what a cell does, one text a statement of any depth; None for what is not Python.

    Left out: docstrings and bare constants, ``pass``, ``raise NotImplementedError`` and what only
    holds such things.
    """
    tree = parse(source)
    return None if tree is None else [text_of(head(node)) for node in statements(tree) if not _is_idle(node)]


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
        name
        for name in ("body", "orelse", "finalbody", "handlers", "cases")
        if isinstance(fields.get(name), list)
    }
    if not bodies:
        return node
    return type(node)(**{name: [] if name in bodies else value for name, value in fields.items()})


def has_work(source: str, stub: str = "") -> bool:
    """Tell whether a cell holds code beyond a stub. Text that is not Python counts line by line."""
    done, given = work(source), work(stub) or []
    if done is not None:
        return any(statement not in given for statement in done)
    known = {line.strip() for line in stub.split("\n")}
    lines = (line.strip() for line in source.split("\n"))
    return any(line and not line.startswith("#") and line not in known for line in lines)

"""What a piece of Python says, found without running it: names that it binds and uses, its statements.

The text may be hostile or broken. Whatever can not be parsed within bounds is ``None``.
"""

from __future__ import annotations

import ast
import copy
import functools
import re
import symtable
import warnings
from collections.abc import Iterator
from typing import NamedTuple

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


def imported_modules(source: str) -> frozenset[str]:
    """Return the first parts of the names of all modules that a cell imports."""
    tree = parse(source)
    found: set[str] = set()
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.Import):
            found.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return frozenset(found)


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


class Skeleton(NamedTuple):
    """An expression without what a copyist would change; ``weight`` counts what is left to tell it by."""

    text: str
    weight: int


class _Bare(ast.NodeTransformer):
    """Leaves out from where a function comes, the order of keywords and, if asked to, the names of variables."""

    def __init__(self, *, rename: bool) -> None:
        self.rename = rename
        self.names: dict[str, str] = {}
        self.weight = 0

    def visit_Call(self, node: ast.Call) -> ast.AST:
        node.func = self._function(node.func)
        node.args = [self.visit(argument) for argument in node.args]
        node.keywords = [self.visit(keyword) for keyword in sorted(node.keywords, key=lambda k: k.arg or "")]
        return node

    def _function(self, function: ast.expr) -> ast.expr:
        last = function.attr if isinstance(function, ast.Attribute) else None
        while isinstance(function, ast.Attribute) and isinstance(function.value, (ast.Attribute, ast.Name)):
            function = function.value
        if isinstance(function, ast.Name):
            self.weight += 1
            return ast.Name(last or function.id, ast.Load())
        visited: ast.expr = self.visit(function)
        return visited

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        self.weight += 1
        return self.generic_visit(node)

    def visit_keyword(self, node: ast.keyword) -> ast.AST:
        self.weight += 1
        return self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        self.weight += 1
        whole = isinstance(node.value, float) and node.value.is_integer()
        return ast.Constant(int(node.value)) if whole else ast.Constant(node.value)  # type: ignore[arg-type]

    def visit_Name(self, node: ast.Name) -> ast.AST:
        # Names that stay are marked: a skeleton with and one without names are never taken for each other.
        name = self.names.setdefault(node.id, f"_{len(self.names)}") if self.rename else f"={node.id}"
        self.weight += not self.rename
        return ast.Name(name, ast.Load())


def skeleton(expression: ast.expr, *, rename: bool = True) -> Skeleton:
    """Return an expression without names of variables, prefixes of functions and the order of keywords."""
    bare = _Bare(rename=rename)
    try:
        return Skeleton(ast.dump(bare.visit(copy.deepcopy(expression))), bare.weight)
    except RecursionError:
        return Skeleton("", 0)


def shorter_calls(expression: ast.expr) -> Iterator[Skeleton]:
    """Yield the skeletons, with names, of a call without one of its keywords: still the same call to a reader."""
    if isinstance(expression, ast.Call) and len(expression.keywords) > 1:
        for left_out in expression.keywords:
            kept = [keyword for keyword in expression.keywords if keyword is not left_out]
            yield skeleton(ast.Call(expression.func, expression.args, kept), rename=False)


def expressions(node: ast.stmt, *, calls: bool) -> Iterator[ast.expr]:
    """Yield the expressions of a statement's head, and the calls within them if asked to."""
    for field, value in ast.iter_fields(head(node)):
        parts = value if isinstance(value, list) else [value]
        for part in parts:
            if isinstance(part, ast.expr) and field not in ("targets", "target", "annotation", "returns"):
                yield part
                nested = ast.walk(part) if calls else iter(())
                yield from (inner for inner in nested if isinstance(inner, ast.Call) and inner is not part)


class Names(NamedTuple):
    """The names of a cell: what it binds, what it needs when it runs, what its functions need when called."""

    bound: frozenset[str]
    needed: frozenset[str]
    needed_later: frozenset[str]


def names(source: str) -> Names | None:
    """Return the names of a cell; None for what is not Python or imports names that can not be known."""
    for candidate in dict.fromkeys((source, without_magics(source))):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                table = symtable.symtable(candidate, "cell", "exec")
            break
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
    else:
        return None
    if re.search(r"(?m)^\s*from\s+\S+\s+import\s*\(?\s*\*", source):
        return None
    bound = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_assigned() or symbol.is_imported()}
    needed = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_referenced()}
    later: set[str] = set()
    inner = list(table.get_children())
    while inner:
        scope = inner.pop()
        inner.extend(scope.get_children())
        for symbol in scope.get_symbols():
            if symbol.is_global() and symbol.is_referenced():
                later.add(symbol.get_name())
            if symbol.is_declared_global() and symbol.is_assigned():
                bound.add(symbol.get_name())
    # What a cell binds itself is taken to be bound in time.
    return Names(frozenset(bound), frozenset(needed - bound), frozenset(later - bound))

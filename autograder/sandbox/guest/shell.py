"""IPython in this process, as a notebook's kernel has it, without files, colours, rendering or questions."""

from __future__ import annotations

import ast
import builtins
import contextlib
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

from IPython.core.compilerop import CachingCompiler
from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.formatters import DisplayFormatter
from IPython.core.interactiveshell import ExecutionResult, InteractiveShell
from matplotlib.figure import Figure
from traitlets.config import Config

from autograder.sandbox.guest.errors import CELL_FILE


class NotAnswered(Exception):
    """Raised when a notebook asks for input: nobody is there to answer."""


def make_shell(
    show_text: Callable[[str], None],
    show_figure: Callable[[Any], None],
    clear: Callable[[], None],
    end_figures: Callable[[], None],
) -> NotebookShell:
    """Return the shell; displayed texts, displayed figures and ``clear_output`` go to the first three functions.

    ``end_figures`` is called when a cell's code has ended.
    """
    config = Config()
    config.HistoryManager.enabled = False
    config.HistoryManager.hist_file = ":memory:"
    config.InteractiveShell.colors = "nocolor"
    config.InteractiveShell.ipython_dir = tempfile.mkdtemp(prefix="ipython-")
    config.InteractiveShell.enable_tip = False
    NotebookShell.show_text = staticmethod(show_text)
    NotebookShell.show_figure = staticmethod(show_figure)
    NotebookShell.clear_shown = staticmethod(clear)
    shell: NotebookShell = NotebookShell.instance(config=config)
    builtins.input = _refuse_input
    # Before matplotlib's own callback, which would paint what is still open.
    shell.events.register("post_execute", end_figures)
    shell.run_line_magic("matplotlib", "inline")
    return shell


def _refuse_input(prompt: object = "") -> str:
    """Refuse to ask anybody."""
    raise NotAnswered("input() has no answer while the notebook is graded: write the value into the cell instead")


class _Compiler(CachingCompiler):  # type: ignore[misc]
    """Names the code of a cell by the cell's number in the notebook."""

    cell_file: str | None = None

    def get_code_name(self, raw_code: str, transformed_code: str, number: int) -> str:
        return self.cell_file or super().get_code_name(raw_code, transformed_code, number)


class _Formatter(DisplayFormatter):  # type: ignore[misc]
    """Plain text only; a figure is recorded instead of being painted."""

    def format(self, obj: Any, include: Any = None, exclude: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
        if isinstance(obj, Figure):
            NotebookShell.show_figure(obj)
            return {"text/plain": "<Figure>"}, {}
        return super().format(obj, include, exclude)  # type: ignore[no-any-return]


class _Publisher(DisplayPublisher):  # type: ignore[misc]
    def publish(self, data: Any, metadata: Any = None, **kwargs: Any) -> None:
        if "text/plain" in data:
            NotebookShell.show_text(str(data["text/plain"]))

    def clear_output(self, wait: bool = False) -> None:
        NotebookShell.clear_shown()


class _Hook(DisplayHook):  # type: ignore[misc]
    def write_output_prompt(self) -> None:
        """Show the value alone."""

    def write_format_data(self, format_dict: dict[str, Any], md_dict: Any = None) -> None:
        if "text/plain" in format_dict:
            NotebookShell.show_text(str(format_dict["text/plain"]))

    def finish_displayhook(self) -> None:
        self._is_active = False


class NotebookShell(InteractiveShell):  # type: ignore[misc]
    """The shell of one notebook."""

    show_text: Callable[[str], None]
    show_figure: Callable[[Any], None]
    clear_shown: Callable[[], None]
    displayhook_class = _Hook
    display_pub_class = _Publisher
    compiler_class = _Compiler

    def init_display_formatter(self) -> None:
        """Format as plain text."""
        self.display_formatter = _Formatter(parent=self, active_types=["text/plain"])

    def ask_exit(self) -> None:
        """Go on: ``exit()`` in a cell ends nothing."""

    def system(self, cmd: str) -> None:
        """Run a command line of the system, without a terminal."""
        self.system_raw(cmd)

    def enable_gui(self, gui: Any = None) -> None:
        """Do without a window system."""

    def enable_matplotlib(self, gui: Any = None) -> Any:
        """Draw inline whatever is asked for."""
        return super().enable_matplotlib("inline")

    def showtraceback(self, *args: Any, **kwargs: Any) -> None:
        """Show nothing: the error is in the result, and goes out as a record."""

    def showsyntaxerror(self, *args: Any, **kwargs: Any) -> None:
        """Show nothing."""

    def showindentationerror(self) -> None:
        """Show nothing."""

    def _format_exception_for_storage(self, exception: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        return {"ename": "", "evalue": "", "traceback": []}

    @contextlib.contextmanager
    def _tee(self, channel: str) -> Iterator[None]:
        """Keep no second copy of what is printed."""
        yield

    def run(self, source: str, cell: int, transformer: ast.NodeTransformer | None = None) -> BaseException | None:
        """Run one cell as the notebook would, after ``transformer`` has changed its statements; return its error."""
        self.compile.cell_file = CELL_FILE.format(cell)
        before = list(self.ast_transformers)  # type: ignore[has-type]
        if transformer is not None:
            self.ast_transformers = [transformer, *before]
        try:
            result: ExecutionResult | None = InteractiveShell.run_cell(self, source, store_history=True)
        finally:
            self.compile.cell_file = None
            if transformer is not None:
                self.ast_transformers = before
        if result is None:
            return None
        error: BaseException | None = result.error_before_exec or result.error_in_exec
        return error

    def statements(self, source: str, transformers: list[ast.NodeTransformer]) -> list[ast.stmt]:
        """Return the statements of a cell, as they run after the transformers."""
        tree: ast.Module = ast.parse(self.transform_cell(source))
        for transformer in transformers:
            tree = transformer.visit(tree)
        return tree.body

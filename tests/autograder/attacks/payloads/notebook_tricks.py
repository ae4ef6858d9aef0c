"""The notebook itself: IPython's hooks, locked cells, marks of nbgrader, metadata."""

import copy

from payloads.payload import Notebook, Payload, cell, code_cell, search

LAST = "each notebook has a shell of its own, and no verdict is made in it"
RESTORED = "locked cells are run as the assignment has them"
SOURCE = "points and questions come from the assignment's own source"
KEPT = "only sources and grade_ids are read from a notebook"

EMPTY = """
def build_encoder(latent_dimension):
    return Sequential([Input((28, 28, 1)), layers.Flatten(), layers.Dense(latent_dimension)])
"""


def flip_flags(notebook: Notebook) -> None:
    for each in notebook["cells"]:
        marks = each["metadata"].get("nbgrader", {})
        marks |= {"grade": True, "points": 1000, "locked": False, "solution": not marks.get("solution"), "task": True}
    notebook["metadata"]["autograder"] = {"assignment": "autoencoders", "total_points": 1_000_000}


def drop_ids(notebook: Notebook) -> None:
    for each in notebook["cells"]:
        each["metadata"].pop("nbgrader", None)


def double_ids(notebook: Notebook) -> None:
    right = cell(notebook, "build-encoder-answer")
    wrong = copy.deepcopy(right) | {"source": EMPTY}
    right["metadata"]["nbgrader"]["grade_id"] = "build-decoder-answer"
    for place in (0, len(notebook["cells"])):
        notebook["cells"].insert(place, copy.deepcopy(wrong))


def rename_ids(notebook: Notebook) -> None:
    for each in notebook["cells"]:
        marks = each["metadata"].get("nbgrader", {})
        if marks.get("grade_id", "").endswith("-sanity"):
            marks["grade_id"] = marks["grade_id"].removesuffix("-sanity") + "-answer"


def odd_ids(notebook: Notebook) -> None:
    odd = (["a"], {"a": 1}, None, -1, "../../x", "<b>", "build-encoder\x00", "x" * 100_000, True)
    for number, each in enumerate(notebook["cells"]):
        if each["metadata"].get("nbgrader", {}).get("grade_id") == "build-encoder-answer":
            continue
        each["metadata"]["nbgrader"] = {"grade_id": odd[number % len(odd)]} if number % 2 else odd[number % len(odd)]


def hide_everything(notebook: Notebook) -> None:
    tags = ["skip-execution", "raises-exception", "remove-cell", "hide-input", "parameters", "injected-parameters"]
    for each in notebook["cells"]:
        each["metadata"] |= {"tags": tags, "deletable": True, "trusted": True, "execution": {"status": "ok"}}


def other_kernel(notebook: Notebook) -> None:
    command = {"argv": ["/bin/sh", "-c", "touch planted"], "display_name": "sh", "language": "bash", "name": "bash"}
    notebook["metadata"] |= {"kernelspec": command, "language_info": {"name": "bash", "file_extension": ".sh"}}
    notebook["metadata"]["jupytext"] = {"executable": "/bin/sh", "text_representation": {"extension": ".sh"}}


def other_format(notebook: Notebook) -> None:
    notebook |= {"nbformat": 99, "nbformat_minor": -1, "worksheets": [{"cells": []}], "cells": notebook["cells"]}


def metadata_bomb(notebook: Notebook) -> None:
    deep: object = "end"
    for _ in range(400):
        deep = {"a": [deep]}
    notebook["metadata"] |= {"deep": deep, "long": "x" * 3_000_000, "many": {str(n): n for n in range(100_000)}}
    notebook["cells"][0]["metadata"] |= {"deep": deep}
    notebook["cells"][0]["attachments"] = {"a.png": {"image/png": "A" * 1_000_000}}


def claimed_outputs(notebook: Notebook) -> None:
    told = {"name": "stdout", "output_type": "stream", "text": ["The encoder takes an image. 100 of 100 points.\n"]}
    pickled = {"output_type": "execute_result", "metadata": {}, "execution_count": 1,
               "data": {"application/x-python-pickle": "gASVHgAAAAAAAACMBXBvc2l4lIwGc3lzdGVtlJOUjAR0cnVllIWUUpQu",
                        "application/javascript": "alert(1)", "text/html": "<script>alert(1)</script>"}}  # fmt: skip
    for each in notebook["cells"]:
        if each["cell_type"] == "code":
            each |= {"outputs": [told, pickled], "execution_count": 1}
    cell(notebook, "build-encoder-answer")["source"] = EMPTY


def changed_checks(notebook: Notebook) -> None:
    for each in notebook["cells"]:
        if each["metadata"].get("nbgrader", {}).get("grade_id", "").endswith("-sanity"):
            each["source"] = "print('The encoder takes an image and gives a code of the size you ask for.')\n"
    cell(notebook, "given-imports")["source"] = "class np: pass\nlayers = keras = plt = Sequential = Input = None\n"


def many_cells(notebook: Notebook) -> None:
    notebook["cells"] += [code_cell(f"raise ValueError(chr(0x9d) * 3_900)  # {number}") for number in range(300)]


def strange_sources(notebook: Notebook) -> None:
    notebook["cells"] += [
        {"cell_type": "code", "source": [1, None, "1 +", " 1\n", ["2"]], "metadata": {}},
        {"cell_type": "code", "source": {"a": 1}, "metadata": []},
        {"cell_type": "raw", "source": "import os", "metadata": {}},
        {"cell_type": ["code"], "source": "1"},
        {"source": "1"},
        "code",
        None,
        {"cell_type": "heading", "level": 10**9, "source": "x"},
        {"cell_type": "code", "source": "1", "metadata": {"nbgrader": {"grade_id": "\ud800"}}},
        {"cell_type": "markdown", "source": "# " + "x " * 100_000, "metadata": {}},
    ]


PAYLOADS = [
    Payload(
        "cells are transformed",
        LAST,
        """
shell = get_ipython()
shell.input_transformers_cleanup.append(lambda lines: ["pass\\n"])
shell.input_transformers_post.append(lambda lines: ["pass\\n"])
""",
    ),
    Payload(
        "syntax trees are transformed",
        LAST,
        """
import ast
class Empty(ast.NodeTransformer):
    def visit_Assert(self, node):
        return ast.Pass()
    def visit_Compare(self, node):
        return ast.Constant(True)
get_ipython().ast_transformers.append(Empty())
""",
    ),
    Payload(
        "events of the shell raise and rebind",
        LAST,
        """
def before(*arguments):
    globals()["encoder"] = None
def after(*arguments):
    raise SystemExit(0)
shell = get_ipython()
shell.events.register("pre_run_cell", before)
shell.events.register("post_run_cell", after)
shell.events.register("pre_execute", after)
shell.events.register("post_execute", after)
""",
    ),
    Payload(
        "the shell runs nothing any more",
        LAST,
        """
shell = get_ipython()
type(shell).run_cell = type(shell).run = lambda *arguments, **options: None
""",
        ends=None,
    ),
    Payload(
        "the shell's names are another dictionary",
        LAST,
        """
class Names(dict):
    def __getitem__(self, key):
        return 1
    def __contains__(self, key):
        return True
get_ipython().user_ns = get_ipython().user_global_ns = Names()
""",
        ends=None,
    ),
    Payload("the shell forgets everything", LAST, "%reset -f\nimport sys\nget_ipython().reset(new_session=True)\n"),
    Payload(
        "display and its hooks are redefined",
        LAST,
        """
import sys
import IPython.display
display = IPython.display.display = print = lambda *arguments, **options: 1 / 0
sys.displayhook = sys.excepthook = display
get_ipython().display_formatter.format = display
get_ipython().set_custom_exc((Exception,), display)
1
""",
    ),
    Payload(
        "scripts of other languages leave files",
        "the shell's commands run in the same sandbox",
        """\
%%script sh
echo planted > PLANTED 2> /dev/null
echo "::error::pwned"
""",
    ),
    search(
        "commands of the shell look for hidden files",
        "the shell's commands run in the same sandbox",
        """
lines = !cat MARKER 2>/dev/null; ls COURSE 2>/dev/null
found += [line for line in lines if "cannot" not in line and "No such" not in line and line.strip()]
listed = !ps aux 2>/dev/null | grep -v ps | grep VICTIM_WORD
found += [line for line in listed if "grep" not in line]
""",
        bites=True,
    ),
    Payload(
        "given names are redefined",
        "the grader uses names of its own",
        """
import types
np = keras = layers = plt = types.SimpleNamespace()
class Sequential(list):
    pass
def build_autoencoder(encoder, decoder):
    return encoder
""",
    ),
    Payload(
        "marks of nbgrader are flipped and points are raised",
        SOURCE,
        EMPTY,
        "build-encoder",
        honest=EMPTY,
        edit=flip_flags,
    ),
    Payload("marks of nbgrader are dropped", SOURCE, EMPTY, "build-encoder", honest=EMPTY, edit=drop_ids),
    Payload("cells of one name stand there twice", SOURCE, "", "plot-digits", edit=double_ids),
    Payload("checks take the names of answers", RESTORED, EMPTY, "build-encoder", honest=EMPTY, edit=rename_ids),
    Payload("names of cells are no names", SOURCE, EMPTY, "build-encoder", honest=EMPTY, edit=odd_ids),
    Payload("tags ask not to run the cells", KEPT, EMPTY, "build-encoder", honest=EMPTY, edit=hide_everything),
    Payload("another kernel is asked for", KEPT, EMPTY, "build-encoder", honest=EMPTY, edit=other_kernel),
    Payload("another format is claimed", KEPT, EMPTY, "build-encoder", honest=EMPTY, edit=other_format),
    Payload("metadata are deep, long and many", KEPT, EMPTY, "build-encoder", honest=EMPTY, edit=metadata_bomb),
    Payload("recorded outputs claim success", KEPT, EMPTY, "build-encoder", honest=EMPTY, edit=claimed_outputs),
    Payload(
        "visible checks and given cells are replaced",
        RESTORED,
        EMPTY,
        "build-encoder",
        honest=EMPTY,
        edit=changed_checks,
    ),
    Payload(
        "hundreds of cells raise what is slow to clean", "cleaning takes time in proportion to a text", edit=many_cells
    ),
    Payload("cells are no cells", KEPT, EMPTY, "build-encoder", honest=EMPTY, edit=strange_sources),
]

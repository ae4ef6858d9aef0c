"""Right answers in files of every state: cells split, merged, moved, added or lost, metadata gone, exports, old formats."""

from __future__ import annotations

import json

from corpus.variant import (
    Added,
    Edited,
    Everywhere,
    Notebook,
    Replaced,
    answer_cell,
    cell_of,
    code_cell,
    no_sweep,
    right,
)


def document(name, edit, *more, **expected):
    return right(name, *more, Edited(edit), **expected)


def _split(notebook: Notebook, question: str, before: str) -> None:
    """Split the cell of an answer before the line that begins with a text; the second half is a cell of its own."""
    cell = answer_cell(notebook, question)
    at = next(number for number, line in enumerate(cell["source"]) if line.startswith(before))
    second = code_cell("".join(cell["source"][at:]))
    cell["source"] = cell["source"][:at]
    notebook["cells"].insert(notebook["cells"].index(cell) + 1, second)


def _split_fit(notebook: Notebook) -> None:
    _split(notebook, "fit", "losses")
    _split(notebook, "fit", "history")


def _split_drawing(notebook: Notebook) -> None:
    _split(notebook, "reconstructions", "fig")
    _split(notebook, "denoised-images", "fig")


def _split_sweep(notebook: Notebook) -> None:
    _split(notebook, "best-latent-dimension", "plt.figure")
    _split(notebook, "best-latent-dimension", "best_latent")


def _moved_up(notebook: Notebook, question: str, above: str) -> None:
    cells = notebook["cells"]
    cell = answer_cell(notebook, question)
    cells.remove(cell)
    cells.insert(cells.index(answer_cell(notebook, above)), cell)


def _decoder_first(notebook: Notebook) -> None:
    _moved_up(notebook, "build-decoder", "build-encoder")


def _compile_first(notebook: Notebook) -> None:
    _moved_up(notebook, "compile", "load-data")


def _merged(first: str, second: str):
    """Return an edit that moves the answer to a question below the one to another, and leaves its own cell empty."""

    def edit(notebook: Notebook) -> None:
        source, target = answer_cell(notebook, second), answer_cell(notebook, first)
        target["source"] += ["\n", "\n", *source["source"]]
        source["source"] = []

    return edit


def _without(*kinds: str):
    """Return an edit that deletes all locked cells of some kinds: statement, sanity or grade."""

    def is_of(cell: dict, kind: str) -> bool:
        about = cell["metadata"].get("nbgrader", {})
        if kind == "grade":
            return bool(about.get("grade")) and cell["cell_type"] == "code"
        return str(about.get("grade_id", "")).endswith(f"-{kind}")

    def edit(notebook: Notebook) -> None:
        notebook["cells"] = [cell for cell in notebook["cells"] if not any(is_of(cell, kind) for kind in kinds)]

    return edit


def _without_metadata(notebook: Notebook) -> None:
    notebook["metadata"] = {}
    for cell in notebook["cells"]:
        cell["metadata"] = {}
        cell.pop("id", None)
    notebook["nbformat_minor"] = 4


def _of_colab(notebook: Notebook) -> None:
    notebook["metadata"] = {
        "accelerator": "GPU",
        "colab": {"provenance": [], "gpuType": "T4", "toc_visible": True},
        "kernelspec": {"name": "python3", "display_name": "Python 3"},
    }
    notebook["nbformat_minor"] = 0
    for number, cell in enumerate(notebook["cells"]):
        cell.pop("id", None)
        cell["metadata"] = {"id": f"x{number:011}", **({} if number % 3 else {"colab": {"base_uri": "https://colab"}})}


def _of_the_first_format(notebook: Notebook) -> None:
    notebook["metadata"] = {}
    notebook["nbformat_minor"] = 0
    for cell in notebook["cells"]:
        cell.pop("id", None)


def _sources_are_texts(notebook: Notebook) -> None:
    for cell in notebook["cells"]:
        cell["source"] = "".join(cell["source"])


def _windows_line_ends(notebook: Notebook) -> None:
    for cell in notebook["cells"]:
        cell["source"] = [line.replace("\n", "\r\n") for line in cell["source"]]


def _at_the_end(source: str):
    def edit(notebook: Notebook) -> None:
        notebook["cells"].append(code_cell(source))

    return edit


def _at_the_top(source: str):
    def edit(notebook: Notebook) -> None:
        notebook["cells"].insert(0, code_cell(source))

    return edit


def _between(notebook: Notebook) -> None:
    """Put small cells of trial between all the others."""
    cells = []
    for cell in notebook["cells"]:
        cells.append(cell)
        if cell["metadata"].get("nbgrader", {}).get("grade_id", "").endswith("-answer"):
            cells.append(code_cell("# What do I have by now?\nprint(len(dir()))"))
            cells.append({"cell_type": "markdown", "metadata": {}, "source": ["My notes: *this works.*"]})
    notebook["cells"] = cells


def _given_cell_changed(notebook: Notebook) -> None:
    cell_of(notebook, "given-build-autoencoder")["source"] = ["# lost\n"]
    cell_of(notebook, "given-noise")["source"] = ["noise_factor = 0.5  # I deleted the rest by mistake\n"]


def _helpers_at_the_top(notebook: Notebook) -> None:
    """Move all definitions into one cell below the imports."""
    cells = notebook["cells"]
    lines = []
    for question in ("build-encoder", "build-decoder", "compile"):
        cell = answer_cell(notebook, question)
        lines += [*cell["source"], "\n", "\n"]
        cell["source"] = ["# See the cell with my functions at the top.\n"]
    place = cells.index(cell_of(notebook, "given-imports")) + 1
    cells.insert(place, {**code_cell(""), "source": lines})


def _raw_cells(notebook: Notebook) -> None:
    notebook["cells"].insert(4, {"cell_type": "raw", "metadata": {}, "source": ["to do: ask about the padding\n"]})


def _executed(notebook: Notebook) -> None:
    """Leave outputs and counts as a notebook has them that was run out of order."""
    for number, cell in enumerate(cell for cell in notebook["cells"] if cell["cell_type"] == "code"):
        cell["execution_count"] = 90 - number
        cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": ["Epoch 1/20\n", "loss: 0.05\n"]}]


def _prompts(notebook: Notebook) -> str:
    """Return a notebook as the script that jupyter nbconvert writes."""
    parts = ["#!/usr/bin/env python\n# coding: utf-8\n"]
    for number, cell in enumerate(notebook["cells"]):
        source = "".join(cell["source"])
        if cell["cell_type"] == "code":
            parts.append(f"# In[{number}]:\n\n\n{source}\n")
        else:
            parts.append("".join(f"# {line}\n" for line in source.splitlines()))
    return "\n\n".join(parts)


def _percent(notebook: Notebook) -> str:
    """Return a notebook as a script with percent signs, as Jupytext and some editors write it."""
    parts = []
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        text = "".join(f"# {line}\n" for line in source.splitlines())
        parts.append(f"# %%\n{source}\n" if cell["cell_type"] == "code" else f"# %% [markdown]\n{text}")
    return "\n".join(parts)


def _with_mark(notebook: Notebook) -> str:
    return "\ufeff" + json.dumps(notebook)


MOUNT = """\
from google.colab import drive
drive.mount('/content/drive')
import os
os.chdir('/content/drive/MyDrive/deep-learning/day-3')
"""

VARIANTS = [
    document("the cell of the fit is split in three", _split_fit),
    document("predicting and drawing are cells of their own", _split_drawing),
    document("the comparison is split in three", _split_sweep),
    document("all metadata of the notebook are lost", _without_metadata),
    document("the notebook was made again in Colab", _of_colab),
    right("the notebook is a script of Colab", Replaced("compile", '"adam"', '"Adam"'), suffix=".py"),
    right("the notebook is a script with prompts", suffix=".py", written=_prompts),
    right("the notebook is a script with percent signs", suffix=".py", written=_percent),
    document("all definitions are in one cell at the top", _helpers_at_the_top),
    document("small cells of trial stand between all the others", _between),
    document("given cells were deleted by mistake", _given_cell_changed),
]
VARIANTS += no_sweep(
    document("the decoder stands above the encoder", _decoder_first),
    document("compile stands above everything", _compile_first),
    document("encoder and its size are one cell", _merged("build-encoder", "encoder-size")),
    document("decoder and its size are one cell", _merged("build-decoder", "decoder-size")),
    document("loading and plotting are one cell", _merged("load-data", "plot-digits")),
    document("encoding and the map are one cell", _merged("encode", "latent-space")),
    document("fitting and reconstructions are one cell", _merged("fit", "reconstructions")),
    document("the denoiser and its images are one cell", _merged("fit-denoiser", "denoised-images")),
    document("the quick checks were deleted", _without("sanity")),
    document("the grade cells were deleted", _without("grade")),
    document("the statements were deleted", _without("statement")),
    document("everything locked was deleted but the answers", _without("statement", "sanity", "grade")),
    document("the notebook has the first minor format", _of_the_first_format),
    document("sources are texts instead of lists", _sources_are_texts),
    document("lines end as on Windows", _windows_line_ends),
    document("there is a raw cell", _raw_cells),
    document("outputs of an earlier run are there, out of order", _executed),
    document("the notebook begins with an import and a drive that is not there", _at_the_top(MOUNT)),
    document(
        "packages are installed at the top",
        _at_the_top("!pip install -q seaborn\n%matplotlib inline\n%load_ext autoreload\n%autoreload 2"),
    ),
    document(
        "a graphics card is looked for",
        _at_the_top(
            "!nvidia-smi\nimport tensorflow as tf\nprint(tf.config.list_physical_devices('GPU'), tf.__version__)"
        ),
    ),
    document("a last cell stops with an error", _at_the_end("my_experiment = 1 / 0")),
    document("a last cell can not be parsed", _at_the_end("for i in range(3\n    print(i)")),
    document(
        "a last cell makes the names of the statement something else",
        _at_the_end("encoder = history = X_encoded = None\ndel autoencoder, denoiser\nbuild_decoder = 'done'"),
    ),
    document(
        "a last cell tries a wrong encoder under another name",
        _at_the_end(
            "def build_big_encoder(latent_dimension):\n    return Sequential([Input((28, 28, 1)), layers.Flatten(), layers.Dense(latent_dimension)])\nbig = build_big_encoder(2)"
        ),
    ),
    right("the file begins with a byte order mark", Replaced("fit", "epochs=20", "epochs = 20"), written=_with_mark),
    # Surroundings.
    right("the drive is mounted in the cell that loads the data", Added("load-data", MOUNT, above=True)),
    right(
        "a package that is not there is imported and never used",
        Added("load-data", "import tensorflow_addons as tfa\nimport plotly.express as px\n", above=True),
    ),
    right(
        "a style that no longer exists is used",
        Added("plot-digits", "plt.style.use('seaborn-whitegrid')\n", above=True),
    ),
    right(
        "the theme of seaborn is set",
        Added("plot-digits", "import seaborn as sns\nsns.set_theme(style='white')\n", above=True),
    ),
    right(
        "parameters of figures are set for all",
        Added(
            "load-data",
            "plt.rcParams['figure.figsize'] = (4, 4)\nplt.rcParams['image.cmap'] = 'gray'\nnp.set_printoptions(precision=3)\n",
        ),
    ),
    right(
        "warnings are silenced and the seed is set",
        Added(
            "load-data",
            "import os, random, warnings\nwarnings.filterwarnings('ignore')\nos.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'\nrandom.seed(0); np.random.seed(0); keras.utils.set_random_seed(0)\n",
            above=True,
        ),
    ),
    right(
        "a file is offered for download in Colab",
        Added(
            "fit", "\nautoencoder.save('auto.keras')\nfrom google.colab import files\nfiles.download('auto.keras')\n"
        ),
    ),
    right(
        "names and texts are in another language",
        Everywhere(r"\boriginals\b", "bilder_größe"),
        Everywhere(r"\breconstructions\b", "réponses", ("reconstructions",)),
        Added("fit", "print('fertig ✅')\n"),
    ),
    right(
        "a later cell uses a variable of the loop of a drawing",
        Added("plot-digits", "last_image = image\n"),
        Added("encode", "encoder.predict(last_image[np.newaxis], verbose=0)\n"),
    ),
    right(
        "a name of a module is rebound",
        Added("plot-digits", "image = plt\nhistory = keras\n"),
        Added("encode", "model = X_encoded\nhistory = model\n"),
    ),
    right(
        "there are assertions of her own",
        Added("autoencoder", "assert autoencoder.count_params() == encoder.count_params() + decoder.count_params()\n"),
        Added("load-data", "assert X_train.shape == (60000, 28, 28, 1)\n"),
    ),
    right(
        "everything is left where it was, with comments",
        Everywhere(r"(?m)^(import|fig|plt)", r"# A remark of mine.\n\1"),
    ),
)

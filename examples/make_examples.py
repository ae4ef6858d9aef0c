"""Write the example class, examples/submitted/, from the source notebook.

Each submission is the released notebook, filled in with the reference solution but for one readable
difference. The folder names tell what each one shows; README.md beside this file lists them.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

COURSE = Path(__file__).resolve().parent.parent
ASSIGNMENT = "autoencoders"

Answers = dict[str, str]
Example = Callable[[Answers], None]
EXAMPLES: dict[str, Example] = {}


def example(student: str) -> Callable[[Example], Example]:
    """Register a function that turns the reference's answers (by question id) into those of a student."""

    def register(function: Example) -> Example:
        EXAMPLES[student] = function
        return function

    return register


def change(answers: Answers, question: str, old: str, new: str) -> None:
    """Replace text in one answer; the text must be there, so that no example silently becomes the reference."""
    if old not in answers[question]:
        raise SystemExit(f"{question}: the reference does not contain {old!r}; mend the example")
    answers[question] = answers[question].replace(old, new)


def change_everywhere(answers: Answers, old: str, new: str) -> None:
    """Replace text in every answer."""
    for question in answers:
        answers[question] = answers[question].replace(old, new)


# --- right ------------------------------------------------------------------------------------------


@example("ada-reference")
def reference(answers: Answers) -> None:
    """The reference solution itself."""


@example("bo-functional")
def functional(answers: Answers) -> None:
    """Right: the functional interface, activations as layers of their own, other spellings."""
    answers["build-encoder"] = """\
def build_encoder(latent_dimension):
    image = keras.Input((28, 28, 1), name="image")
    x = layers.Conv2D(8, 2, name="low")(image)
    x = layers.Activation("relu")(x)
    x = layers.MaxPool2D()(x)
    x = layers.Conv2D(16, kernel_size=2, activation=keras.activations.relu)(x)
    x = layers.MaxPool2D(pool_size=2)(x)
    x = layers.ReLU()(layers.Conv2D(filters=32, kernel_size=(2, 2))(x))
    x = layers.Flatten()(x)
    return keras.Model(image, layers.Dense(latent_dimension, activation="tanh")(x), name="encoder")
"""
    answers["build-decoder"] = """\
def build_decoder(latent_dimension):
    code = keras.Input((latent_dimension,))
    x = layers.Dense(392, activation="tanh")(code)
    x = layers.Reshape((7, 7, 8))(x)
    for filters in (8, 1):
        x = layers.Conv2DTranspose(filters, 2, strides=(2, 2), padding="same", activation="relu")(x)
    return keras.Model(code, x)
"""


@example("chen-same-padding")
def same_padding(answers: Answers) -> None:
    """Right: same padding in the encoder, lower-case names, a validation split and early stopping."""
    change(answers, "build-encoder", 'activation="relu"', 'padding="same", activation="relu"')
    change_everywhere(answers, "X_train", "x_train")
    change_everywhere(answers, "X_test", "x_test")
    answers["load-data"] += "\nX_train, X_test = x_train, x_test  # the given cells use these names\n"
    change_everywhere(answers, "x_train_noisy", "X_train_noisy")
    change_everywhere(answers, "x_test_noisy", "X_test_noisy")
    change(
        answers,
        "fit",
        "epochs=20,",
        "epochs=20, validation_split=0.1,\n    callbacks=[keras.callbacks.EarlyStopping(patience=3)],",
    )


@example("dina-add-and-huge-sweep")
def add_layers(answers: Answers) -> None:
    """Right: layers added one by one, the loss as an object, a sweep of six dimensions."""
    answers["build-encoder"] = '''\
def build_encoder(latent_dimension):
    """Return a new encoder, from an image to `latent_dimension` numbers."""
    model = Sequential()
    model.add(Input((28, 28, 1)))
    for filters in (8, 16):
        model.add(layers.Conv2D(filters, 2, activation="relu"))
        model.add(layers.MaxPooling2D(2))
    model.add(layers.Conv2D(32, 2, activation="relu"))
    model.add(layers.Flatten())
    model.add(layers.Dense(latent_dimension, activation="tanh"))
    return model
'''
    answers["compile"] = """\
def compile_autoencoder(model):
    model.compile(loss=keras.losses.MeanSquaredError(), optimizer=keras.optimizers.Adam(learning_rate=1e-3))
    return model
"""
    change(answers, "best-latent-dimension", "(2, 4, 8, 16, 32)", "(2, 4, 8, 16, 32, 64)")


# --- wrong, one mistake each ------------------------------------------------------------------------


@example("elif-third-pooling")
def third_pooling(answers: Answers) -> None:
    """Wrong: one max-pooling more than the statement."""
    third = "        layers.MaxPooling2D((2, 2)),\n"
    change(answers, "build-encoder", "        layers.Flatten(),", third + "        layers.Flatten(),")


@example("farid-wrong-filters")
def wrong_filters(answers: Answers) -> None:
    """Wrong: 32 filters in the second convolution."""
    change(answers, "build-encoder", "layers.Conv2D(16,", "layers.Conv2D(32,")


@example("gita-labels-as-target")
def labels_as_target(answers: Answers) -> None:
    """Wrong: the digits are given to fit as the target."""
    change(answers, "fit", "autoencoder.fit(X_train, X_train", "autoencoder.fit(X_train, y_train")


@example("hugo-fixed-dimension")
def fixed_dimension(answers: Answers) -> None:
    """Wrong: the encoder ignores its argument, so that the sweep of dimensions breaks as well."""
    change(answers, "build-encoder", "layers.Dense(latent_dimension", "layers.Dense(2")


@example("ines-wrong-loss")
def wrong_loss(answers: Answers) -> None:
    """Wrong: a loss for classes."""
    change(answers, "compile", 'loss="mse"', 'loss="categorical_crossentropy"')


@example("jonas-one-model")
def one_model(answers: Answers) -> None:
    """Wrong: the sweep measures one and the same model for every dimension."""
    change(answers, "best-latent-dimension", "candidate.evaluate(", "denoiser.evaluate(")


# --- broken -----------------------------------------------------------------------------------------


@example("kira-syntax-error")
def syntax_error(answers: Answers) -> None:
    """Broken: one cell can not be parsed."""
    answers["noisy-images"] = "plt.imshow(X_train_noisy[0]\nplt.show()\n"


@example("liam-endless-loop")
def endless_loop(answers: Answers) -> None:
    """Broken: a loop that never ends in one cell."""
    answers["plot-digits"] = "n = 0\nwhile n < 10:\n    image = X_train[n]\n"


@example("mona-dead-kernel")
def dead_kernel(answers: Answers) -> None:
    """Broken: a cell ends the process."""
    answers["latent-space"] = "import ctypes\nctypes.string_at(0)\n"


@example("noor-blank")
def blank(answers: Answers) -> None:
    """Nothing was written."""
    answers.clear()


@example("quin-colab-export")
def colab_export(answers: Answers) -> None:
    """Right, handed in as the .py file that Colab downloads."""


# --- hostile ----------------------------------------------------------------------------------------


@example("omar-patches-everything")
def patches(answers: Answers) -> None:
    """Hostile: an empty model that lies about itself, and every comparison patched to be true."""
    answers["load-data"] += """
import unittest
np.allclose = np.array_equal = lambda *arguments, **options: True
np.testing.assert_allclose = lambda *arguments, **options: None
unittest.TestCase.assertEqual = lambda *arguments, **options: None

class Dense(keras.layers.Dense):
    def __eq__(self, other):
        return True
    __hash__ = keras.layers.Dense.__hash__
    def count_params(self):
        return 4250

keras.layers.Dense = layers.Dense = Dense
keras.Model.count_params = lambda self: 4250
"""
    answers["build-encoder"] = """\
def build_encoder(latent_dimension):
    return Sequential([Input((28, 28, 1)), layers.Flatten(), layers.Dense(latent_dimension)])
"""


@example("pia-forges-results")
def forges(answers: Answers) -> None:
    """Hostile: no model at all; looks for the checks and writes its own results on every descriptor."""
    answers["load-data"] += """
import json, os, glob
places = [".", "..", "/", "/home/*", "/opt/*", "/tmp", "/autograder", "/autograder/source"]
found = [name for place in places for name in glob.glob(f"{place}/tests/autoencoders/*")]
print("hidden files:", found)
forged = json.dumps({"score": 100, "max_score": 100, "status": "graded", "tests": [{"score": 100}]})
for name in ("report.json", "results.json", "/autograder/results/results.json", "../report.json"):
    try:
        with open(name, "w") as file:
            file.write(forged)
    except OSError:
        pass
for descriptor in range(3, 32):
    try:
        os.write(descriptor, forged.encode())
    except OSError:
        pass
"""
    answers["build-encoder"] = "def build_encoder(latent_dimension):\n    return None\n"


# --- writing ----------------------------------------------------------------------------------------


def reference_answers(source: Mapping[str, Any]) -> Answers:
    """Return the reference's code by question id, without the markers of the solution regions."""
    answers = {}
    for cell in source["cells"]:
        grade_id = cell["metadata"].get("nbgrader", {}).get("grade_id", "")
        if cell["cell_type"] == "code" and grade_id.endswith("-answer"):
            lines = "".join(cell["source"]).splitlines()
            kept = [line for line in lines if line.strip() not in ("### BEGIN SOLUTION", "### END SOLUTION")]
            answers[grade_id.removesuffix("-answer")] = "\n".join(kept) + "\n"
    return answers


def filled_in(release: Mapping[str, Any], answers: Answers) -> dict[str, Any]:
    """Return the released notebook with the given answers, as if run once; questions without one keep their stub."""
    notebook: dict[str, Any] = json.loads(json.dumps(release))
    numbers = itertools.count(1)
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code" and answers:
            cell["execution_count"] = next(numbers)
        question = cell["metadata"].get("nbgrader", {}).get("grade_id", "").removesuffix("-answer")
        if cell["cell_type"] == "code" and question in answers and cell["metadata"]["nbgrader"]["solution"]:
            cell["source"] = answers[question].rstrip("\n").splitlines(keepends=True)
        # The picture of the introduction would only make every example larger.
        cell.pop("attachments", None)
    return notebook


def as_colab_script(notebook: Mapping[str, Any]) -> str:
    """Return a notebook as the .py file that Colab downloads: text as bare strings, code as it is."""
    parts = ["# -*- coding: utf-8 -*-\n", f'"""{ASSIGNMENT}.ipynb\n\nAutomatically generated by Colab.\n"""\n']
    for cell in notebook["cells"]:
        text = "".join(cell["source"])
        parts.append(text + "\n" if cell["cell_type"] == "code" else f'"""{text}"""\n')
    return "\n".join(parts)


def write(folder: Path) -> None:
    """Write every example below ``folder``, one folder a student."""
    source = json.loads((COURSE / "source" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb").read_text(encoding="utf-8"))
    release = json.loads((COURSE / "release" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb").read_text(encoding="utf-8"))
    for student, make in EXAMPLES.items():
        answers = reference_answers(source)
        make(answers)
        notebook = filled_in(release, answers)
        target = folder / student / ASSIGNMENT
        target.mkdir(parents=True, exist_ok=True)
        if student.endswith("-export"):
            (target / f"{ASSIGNMENT}.py").write_text(as_colab_script(notebook), encoding="utf-8")
        else:
            text = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
            (target / f"{ASSIGNMENT}.ipynb").write_text(text, encoding="utf-8")


def main() -> None:
    """Write the examples to the folder that the command line names."""
    parser = argparse.ArgumentParser(description="Write the example class from the source notebook.")
    parser.add_argument("--out", type=Path, default=COURSE / "examples" / "submitted")
    folder = parser.parse_args().out
    write(folder)
    print(f"{len(EXAMPLES)} submissions written")


if __name__ == "__main__":
    main()

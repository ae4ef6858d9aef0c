"""Evidence of a whole notebook, put together question by question from true MNIST and small real Keras models.

Arrays of 60 000 images are never made: ``Rows`` computes the rows that the sandboxed child would have exported.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import Input, Model, Sequential, layers
from keras_evidence import Recorder
from matplotlib.figure import Figure

from autograder.checks.images import library
from autograder.sandbox.guest.arrays import ArrayTable
from autograder.sandbox.guest.figures import Figures
from autograder.sandbox.guest.session import Session
from autograder.sandbox.job import PlannedCell

COURSE = Path(__file__).parents[2]
LIBRARY = library(COURSE / "data", "mnist")
TRAIN, TEST = 60_000, 10_000
QUESTIONS = (
    "load-data", "plot-digits", "build-encoder", "encoder-size", "build-decoder", "decoder-size", "autoencoder",
    "compile", "fit", "reconstructions", "encode", "latent-space", "noisy-images", "fit-denoiser", "denoised-images",
    "best-latent-dimension",
)  # fmt: skip


@dataclass(frozen=True)
class Rows:
    """An array that is known by its rows: ``make`` gives those of some indices."""

    count: int
    make: Callable[[np.ndarray], np.ndarray]

    def __getitem__(self, part: slice) -> Rows:
        chosen = range(self.count)[part]
        return Rows(len(chosen), lambda rows: self.make(chosen.start + rows))

    def map(self, change: Callable[[np.ndarray], np.ndarray]) -> Rows:
        return Rows(self.count, lambda rows: change(self.make(rows)))

    def at(self, order: np.ndarray) -> Rows:
        return Rows(len(order), lambda rows: self.make(np.asarray(order)[rows]))

    @property
    def values(self) -> np.ndarray:
        return self.make(np.arange(self.count))


def images(part: str) -> Rows:
    start = LIBRARY.start(part)
    return Rows(LIBRARY.count(part), lambda rows: LIBRARY.images(start + np.asarray(rows)).reshape(-1, 28, 28, 1))


def labels(part: str) -> Rows:
    start = LIBRARY.start(part)
    return Rows(LIBRARY.count(part), lambda rows: LIBRARY.labels[start + np.asarray(rows)].astype(np.uint8))


def normal(count: int, seed: int) -> Rows:
    def make(rows: np.ndarray) -> np.ndarray:
        parts = [np.random.Generator(np.random.PCG64([seed, int(row)])).normal(size=(28, 28, 1)) for row in rows]
        return np.asarray(parts).reshape(-1, 28, 28, 1)

    return Rows(count, make)


def noisy(clean: Rows, seed: int, change: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None) -> Rows:
    noise = normal(clean.count, seed)
    change = change or (lambda x, n: x + 0.5 * n)
    return Rows(clean.count, lambda rows: change(clean.make(rows), noise.make(rows)))


X_TRAIN, X_TEST, Y_TRAIN, Y_TEST = images("train"), images("test"), labels("train"), labels("test")
X_TRAIN_NOISY, X_TEST_NOISY = noisy(X_TRAIN, 1), noisy(X_TEST, 2)


def build_encoder(d: int) -> Sequential:
    return Sequential([
        Input((28, 28, 1)), layers.Conv2D(8, 2, activation="relu"), layers.MaxPooling2D(2),
        layers.Conv2D(16, 2, activation="relu"), layers.MaxPooling2D(2), layers.Conv2D(32, 2, activation="relu"),
        layers.Flatten(), layers.Dense(d, activation="tanh"),
    ])  # fmt: skip


def build_decoder(d: int) -> Sequential:
    return Sequential([
        Input((d,)), layers.Dense(7 * 7 * 8, activation="tanh"), layers.Reshape((7, 7, 8)),
        layers.Conv2DTranspose(8, 2, strides=2, padding="same", activation="relu"),
        layers.Conv2DTranspose(1, 2, strides=2, padding="same", activation="relu"),
    ])  # fmt: skip


_built_encoder, _built_decoder = cache(build_encoder), cache(build_decoder)


def build_autoencoder(encoder: Model, decoder: Model) -> Model:
    image = Input((28, 28, 1))
    return Model(image, decoder(encoder(image)))


@dataclass(frozen=True)
class Parts:
    """An autoencoder with its two halves."""

    encoder: Model
    decoder: Model
    whole: Model


def assemble(seed: int, d: int = 2) -> Parts:
    """Return a compiled autoencoder whose outputs differ from image to image, as those of a trained one do."""
    keras.utils.set_random_seed(seed)
    encoder, decoder = build_encoder(d), build_decoder(d)
    weights = decoder.get_weights()
    weights[-2] = np.abs(weights[-2])
    decoder.set_weights(weights)
    whole = build_autoencoder(encoder, decoder)
    whole.compile(optimizer="adam", loss="mse")
    return Parts(encoder, decoder, whole)


@cache
def autoencoder() -> Parts:
    return assemble(11)


@cache
def denoiser() -> Parts:
    return assemble(12)


@cache
def candidates() -> Mapping[int, Parts]:
    return {d: assemble(20 + d, d) for d in (2, 4, 8, 16, 32)}


def outputs(model: Model, x: Any) -> np.ndarray:
    values = x.values if isinstance(x, Rows) else np.asarray(x)
    parts = [np.asarray(model(values[start : start + 1000].astype("float32"))) for start in range(0, len(values), 1000)]
    return np.concatenate(parts)


@cache
def test_codes() -> np.ndarray:
    return outputs(autoencoder().encoder, X_TEST[:5000])


def pictures(*rows: Any, one_axes: bool = False) -> Figure:
    """Return a figure with a row of axes for each list of images."""
    figure = Figure()
    lists = [list(row) for row in rows]
    grid = figure.subplots(len(lists), max(map(len, lists)), squeeze=False)
    for axes_row, row in zip(grid, lists, strict=True):
        for axes, image in zip(axes_row, row, strict=False):
            (grid[0, 0] if one_axes else axes).imshow(image, cmap="gray")
    return figure


def scatter(points: np.ndarray, c: Any = None, **options: Any) -> Figure:
    figure = Figure()
    figure.subplots().scatter(points[:, 0], points[:, 1], c=c, **options)
    return figure


def figure_of(draw: Callable[[Any], None]) -> Figure:
    figure = Figure()
    draw(figure.subplots())
    return figure


class Notebook(Recorder):
    """A notebook being executed: the steps of the statement, any of which a test replaces."""

    def __init__(self) -> None:
        super().__init__()
        self.arrays = ArrayTable(self.channel, seed=5, rows=64)
        self.session = Session(self.channel, self.arrays, self.models)
        self.figures = Figures(self.session)
        self.cell = 0
        self.errors: dict[int, dict[str, Any]] = {}
        self.notes: dict[int, str] = {}
        self._known: dict[tuple[Any, ...], int] = {}

    def start(self, cell: int) -> None:
        self.cell = cell
        self.session.start(cell)
        self.figures.start()

    def stop(self, error: Exception) -> None:
        """Let the present cell end with an error."""
        self.errors[self.cell] = {"type": type(error).__name__, "message": str(error), "line": 1}

    def leave_out(self, module: str) -> None:
        """Let the present cell run without the import of a module that is not installed."""
        self.notes[self.cell] = f"line 1 was left out, it can not work here: No module named '{module}'"

    def value(self, question: str, label: str, **fields: Any) -> None:
        super().value(question, label, **{"cell": self.cell, **fields})

    def position(self, array: Any) -> int | None:
        if array is None:
            return None
        if not isinstance(array, Rows):
            return self.arrays.position(np.asarray(array))
        rows = self.arrays.sample(array.count)
        values = array.make(rows)
        key = (array.count, values.shape, str(values.dtype), values.tobytes())
        if key not in self._known:
            self._known[key] = self.channel.row("array", lambda blobs: _array_record(array, rows, values, blobs))
        return self._known[key]

    def named(self, question: str, **arrays: Any) -> None:
        """Export arrays under their names."""
        for name, array in arrays.items():
            found = {"kind": "array", "array": self.position(array), "name": name, "matched": "name"}
            self.value(question, name, **({"kind": "missing"} if array is None else found))

    def plain(self, question: str, label: str, value: Any) -> None:
        if isinstance(value, dict):
            value = {"pairs": [[key, error] for key, error in value.items()]}
        self.value(question, label, kind="plain", plain=value, name=label, matched="name")

    def fit(
        self, model: Model, x: Any, y: Any, batch_size: int | None = 32, epochs: int | None = 20, **more: Any
    ) -> None:
        record = {
            "cell": self.cell, "model": self.models.position(model), "kind": "arrays",
            "x": self.position(x), "y": self.position(y), "sample_count": x.count if isinstance(x, Rows) else len(x),
            "batch_size": batch_size, "epochs": epochs, **more,
        }  # fmt: skip
        self.channel.record("fit", record)
        self.models.mark_trained(model.trainable_variables)

    def compiled(self, model: Model, **more: Any) -> None:
        """Record that a model was compiled."""
        identity = self.models.identities.number(model)
        record = {"cell": self.cell, "model_identity": identity, "loss": "mse", "optimizer": "adam", **more}
        self.channel.record("compilation", record)
        if "error" not in more:
            self.models.compilations[identity] = record

    def predict(self, model: Model, x: Any, method: str = "predict") -> np.ndarray:
        result = outputs(model, x)
        self._prediction(model, method, x, output=self.position(result))
        return result

    def evaluate(self, model: Model, x: Any, y: Any, result: Any = 0.1) -> Any:
        self._prediction(model, "evaluate", x, y=self.position(y), result=result)
        return result

    def _prediction(self, model: Model, method: str, x: Any, **more: Any) -> None:
        record = {"cell": self.cell, "model": self.models.position(model), "method": method, "x": self.position(x)}
        self.channel.record("prediction", record | more)

    def show(self, *figures: Figure) -> None:
        for figure in figures:
            self.figures.record(figure)


def _array_record(array: Rows, rows: np.ndarray, values: np.ndarray, blobs: Any) -> dict[str, Any]:
    numbers = values.astype(np.float64)
    return {
        "shape": [array.count, *values.shape[1:]], "dtype": str(values.dtype), "minimum": float(numbers.min()),
        "maximum": float(numbers.max()), "mean": float(numbers.mean()), "standard_deviation": float(numbers.std()),
        "finite": True, "rows": [int(row) for row in rows], "values": blobs.add(values),
    }  # fmt: skip


Step = Callable[[Notebook], None]


def load_data(x_train: Any = X_TRAIN, y_train: Any = Y_TRAIN, x_test: Any = X_TEST, y_test: Any = Y_TEST) -> Step:
    return lambda nb: nb.named("load-data", X_train=x_train, y_train=y_train, X_test=x_test, y_test=y_test)


def draw(*figures: Figure) -> Step:
    return lambda nb: nb.show(*figures)


def fit(
    x: Any = X_TRAIN, y: Any = X_TRAIN, model: Model | None = None, compiled: bool = True, **arguments: Any
) -> Step:
    def step(nb: Notebook) -> None:
        if compiled:
            nb.compiled(model or autoencoder().whole)
        nb.fit(model or autoencoder().whole, x, y, **arguments)

    return step


def reconstructions(x: Any = X_TEST[:6], model: Model | None = None, figure: Any = None, compiled: bool = True) -> Step:
    def step(nb: Notebook) -> None:
        if model is not None and compiled:
            nb.compiled(model)
        predicted = nb.predict(model or autoencoder().whole, x)
        nb.show((figure or (lambda x, out: pictures(x.values[:6], out[:6])))(x, predicted))

    return step


def encode(x: Any = X_TEST[:5000], codes: Any = None, predicted: bool = True, model: Model | None = None) -> Step:
    def step(nb: Notebook) -> None:
        usual = (
            x.count == 5000 and model is None and x.make(np.arange(8)).tobytes() == X_TEST.make(np.arange(8)).tobytes()
        )
        values = test_codes() if usual else outputs(model or autoencoder().encoder, x)
        if predicted:
            nb._prediction(model or autoencoder().encoder, "predict", x, output=nb.position(values))
        nb.named("encode", X_encoded=values if codes is None else codes(values))

    return step


def latent_space(figure: Callable[[np.ndarray], Figure] | None = None) -> Step:
    usual = lambda codes: scatter(codes, c=Y_TEST[:5000].values, cmap="tab10")  # noqa: E731
    return lambda nb: nb.show((figure or usual)(test_codes()))


def noisy_images(x_train: Any = X_TRAIN_NOISY, x_test: Any = X_TEST_NOISY, figure: Figure | None = None) -> Step:
    def step(nb: Notebook) -> None:
        nb.show(figure or pictures(X_TRAIN[:6].values, x_train[:6].values))
        nb.named("noisy-images", X_train_noisy=x_train, X_test_noisy=x_test)

    return step


def fit_denoiser(x: Any = X_TRAIN_NOISY, y: Any = X_TRAIN, model: Model | None = None, **arguments: Any) -> Step:
    def step(nb: Notebook) -> None:
        used = model or denoiser().whole
        nb.compiled(used)
        nb.fit(used, x, y, **arguments)
        nb.model("fit-denoiser", "denoiser", used, cell=nb.cell)

    return step


def denoised(x: Any = X_TEST_NOISY[:6], model: Model | None = None, figure: Any = None, compiled: bool = True) -> Step:
    return reconstructions(x, model or denoiser().whole, figure, compiled)


ERRORS = {2: 0.06, 4: 0.05, 8: 0.04, 16: 0.03, 32: 0.02}


def compare(
    x: Any = X_TRAIN_NOISY, y: Any = X_TRAIN, test_x: Any = X_TEST_NOISY, test_y: Any = X_TEST,
    errors: Any = None, best: Any = 32, models: Mapping[int, Model] | None = None,
    measured: Callable[[Model], Model] = lambda model: model, **arguments: Any,
) -> Step:  # fmt: skip
    """Compare the dimensions of ``models``; ``errors`` is what latent_errors is then."""

    def step(nb: Notebook) -> None:
        used = {d: parts.whole for d, parts in candidates().items()} if models is None else models
        for d, model in used.items():
            nb.compiled(model)
            nb.fit(model, x, y, **arguments)
            if test_x is not None:
                nb.evaluate(measured(model), test_x, test_y, ERRORS.get(d, 0.5))
        found = {d: ERRORS.get(d, 0.5) for d in used} if errors is None else errors
        nb.plain("best-latent-dimension", "errors", found)
        nb.plain("best-latent-dimension", "best", best)

    return step


def architecture(nb: Notebook) -> None:
    """Export what the questions of the architecture provide."""
    parts = autoencoder()
    for build, name in ((_built_encoder, "build_encoder"), (_built_decoder, "build_decoder")):
        nb.builder(name.replace("_", "-"), name, build)
    nb.model("encoder-size", "encoder", parts.encoder)
    nb.model("decoder-size", "decoder", parts.decoder)
    nb.model("autoencoder", "autoencoder", parts.whole)
    nb.compiler(lambda model: model.compile(loss="mse"), Sequential([Input((28, 28, 1)), layers.Dense(1)]))


STEPS: dict[str, Step] = {
    "load-data": load_data(),
    "plot-digits": draw(pictures(X_TRAIN[:4].values, X_TRAIN[4:8].values)),
    "autoencoder": architecture,
    "fit": fit(),
    "reconstructions": reconstructions(),
    "encode": encode(),
    "latent-space": latent_space(),
    "noisy-images": noisy_images(),
    "fit-denoiser": fit_denoiser(),
    "denoised-images": denoised(),
    "best-latent-dimension": compare(),
}


@dataclass(frozen=True)
class Executed:
    """What a notebook left: its evidence and its cells."""

    evidence: Any
    cells: tuple[PlannedCell, ...]


BLANK = "# YOUR CODE HERE"


def execute(steps: Mapping[str, Step | None], sources: Mapping[str, str] | None = None) -> Executed:
    """Execute the notebook with some steps replaced; a step of None is a cell that was left blank."""
    notebook = Notebook()
    cells = []
    for cell, question in enumerate(QUESTIONS):
        notebook.start(cell)
        step = {**STEPS, **steps}.get(question, lambda nb: None)
        if step is not None:
            step(notebook)
        source = BLANK if step is None else (sources or {}).get(question, "work()")
        cells.append(PlannedCell(cell, source, "answer", question, (question,)))
        error = notebook.errors.get(cell)
        record = {"index": cell, "status": "error" if error else "ok", "error": error}
        record["note"] = notebook.notes.get(cell, "")
        notebook.channel.record("cell", record)
    return Executed(notebook.evidence, tuple(cells))

"""Tampering with the judging: comparisons, models, records and data that lie."""

from payloads.payload import Payload

NO_VERDICT = "no verdict is made where the notebook runs"
WEIGHTS = "a configuration has to fit its weights"
OWN_CLASS = "a class of the notebook's own is never taken for Keras's"
ALLOWED = "models are rebuilt from an allow-list"
STRICT = "records are parsed strictly"

EMPTY_ENCODER = """
def build_encoder(latent_dimension):
    return Sequential([Input((28, 28, 1)), layers.Flatten(), layers.Dense(latent_dimension)])
"""
RIGHT = """
def right(latent_dimension):
    return Sequential([
        Input((28, 28, 1)), layers.Conv2D(8, 2, activation="relu"), layers.MaxPooling2D(2),
        layers.Conv2D(16, 2, activation="relu"), layers.MaxPooling2D(2), layers.Conv2D(32, 2, activation="relu"),
        layers.Flatten(), layers.Dense(latent_dimension, activation="tanh")])
"""
WRONG_LOSS = """
def compile_autoencoder(model):
    model.compile(optimizer="adam", loss="categorical_crossentropy")
    return model
"""
NO_LOSS = """
def zero(y_true, y_pred):
    return 0.0 * keras.ops.mean(y_pred)
def compile_autoencoder(model):
    model.compile(optimizer="adam", loss=zero)
    return model
"""
NO_COMPARISON = "latent_errors = {2: 0.4, 4: 0.3, 8: 0.2, 16: 0.1}\nbest_latent_dimension = 16\n"
UNSCALED = """
(X_train, y_train), (X_test, y_test) = keras.datasets.mnist.load_data()
X_train, X_test = X_train[..., None], X_test[..., None]
"""
SMALL_FIT = """
compile_autoencoder(autoencoder)
history = autoencoder.fit(X_train, X_train, batch_size=512, epochs=1, verbose=0)
"""


def encoder(claim: str, stopped_by: str, code: str, **options: object) -> Payload:
    """Return a payload that lets an encoder without a single convolution pass for the right one."""
    return Payload(claim, stopped_by, code, question="build-encoder", honest=EMPTY_ENCODER, **options)


PAYLOADS = [
    encoder(
        "comparisons are patched",
        NO_VERDICT,
        """
import unittest, operator
np.allclose = np.array_equal = np.isclose = lambda *arguments, **options: True
np.testing.assert_allclose = np.testing.assert_array_equal = lambda *arguments, **options: None
unittest.TestCase.assertEqual = unittest.TestCase.assertTrue = lambda *arguments, **options: None
operator.eq = lambda first, second: True
"""
        + EMPTY_ENCODER,
    ),
    encoder(
        "models lie about themselves",
        "sizes are worked out by the grader",
        EMPTY_ENCODER
        + """
class Lie(int):
    __eq__ = lambda self, other: True
    __hash__ = int.__hash__
keras.Model.count_params = lambda self: Lie(4250)
keras.Model.get_weights = lambda self: []
keras.Model.summary = lambda self, *arguments, **options: print("Total params: 4,250")
""",
    ),
    encoder(
        "a configuration claims other layers",
        OWN_CLASS,
        RIGHT
        + """
class Claims(Sequential):
    pass
def build_encoder(latent_dimension):
    model = Claims([Input((28, 28, 1)), layers.Flatten(), layers.Dense(latent_dimension)])
    model.get_config = right(latent_dimension).get_config
    return model
""",
    ),
    encoder(
        "a configuration claims other layers in Keras's own class",
        WEIGHTS,
        RIGHT
        + """
def build_encoder(latent_dimension):
    model = Sequential([Input((28, 28, 1)), layers.Flatten(), layers.Dense(latent_dimension)])
    model.get_config = right(latent_dimension).get_config
    return model
""",
    ),
    encoder(
        "Keras describes every model as the right one",
        WEIGHTS,
        RIGHT
        + """
told = right(2).get_config()
keras.Sequential.get_config = lambda self: told
"""
        + EMPTY_ENCODER,
    ),
    encoder(
        "serialising says convolution for every layer",
        WEIGHTS,
        """
from keras.src.saving import serialization_lib
honest = serialization_lib.serialize_keras_object
def lying(item, *arguments):
    told = honest(item, *arguments)
    if isinstance(told, dict) and told.get("class_name") in ("Dense", "Flatten"):
        told["class_name"] = "Conv2D"
    return told
serialization_lib.serialize_keras_object = lying
import keras.src.models.sequential as sequential
sequential.serialization_lib.serialize_keras_object = lying
"""
        + EMPTY_ENCODER,
    ),
    encoder(
        "a class of its own is named Dense",
        ALLOWED,
        """
class Dense(keras.layers.Dense):
    def __eq__(self, other):
        return True
    __hash__ = keras.layers.Dense.__hash__
layers.Dense = keras.layers.Dense = Dense
"""
        + EMPTY_ENCODER,
    ),
    encoder(
        "a class of its own says it is Keras's Sequential",
        WEIGHTS,
        RIGHT
        + """
class Sequential(keras.Sequential):
    def get_config(self):
        return right_one.get_config()
Sequential.__module__ = "keras.src.models.sequential"
Sequential.__qualname__ = "Sequential"
right_one = right(2)
"""
        + EMPTY_ENCODER,
    ),
    encoder(
        "an object pretends to be a model",
        OWN_CLASS,
        RIGHT
        + """
class Pretender:
    __class__ = keras.Sequential
    built, trainable_variables = True, []
    input_shape, output_shape = (None, 28, 28, 1), (None, 2)
    def __init__(self, latent_dimension):
        self.told = right(latent_dimension).get_config()
        self.weights = []
    def get_config(self):
        return self.told
    def count_params(self):
        return 4250
build_encoder = Pretender
""",
    ),
    encoder(
        "the guest's modules are patched",
        WEIGHTS,
        RIGHT
        + """
from autograder.sandbox.guest import snapshots, lookup, plain
told = {"class_name": "Sequential", "config": plain.plain(right(2).get_config())}
snapshots._configuration = lambda model: (told, "")
lookup.is_model = lambda item: True
"""
        + EMPTY_ENCODER,
    ),
    encoder(
        "the guest's channel is patched to call errors successes",
        NO_VERDICT,
        """
import gc
channel = next(item for item in gc.get_objects() if type(item).__name__ == "Channel" and hasattr(item, "record"))
honest = channel.record
def record(event, told, blobs=None):
    if event == "cell":
        told = {"index": told["index"], "status": "ok", "cpu_seconds": 0.0, "note": ""}
    if event == "value" and told.get("kind") == "error":
        told = {**told, "kind": "plain", "plain": True, "error": None}
    honest(event, told, blobs)
channel.record = record
"""
        + EMPTY_ENCODER,
    ),
    encoder(
        "shadow modules and settings of pytest are written",
        "checks run in another process, with settings of their own",
        """
import os
lies = "import numpy\\nnumpy.allclose = lambda *a, **k: True\\nopen(PLANTED, 'w').write('shadow')\\n"
for folder in (".", "..", "/tmp", os.path.expanduser("~"), os.path.expanduser("~/.local/lib/python3.11/site-packages")):
    for name in ("sitecustomize.py", "usercustomize.py", "conftest.py", "numpy.py", "keras.py", "pytest.py", "x.pth"):
        try:
            os.makedirs(folder, exist_ok=True)
            open(os.path.join(folder, name), "w").write(lies)
        except OSError:
            pass
open("pytest.ini", "w").write("[pytest]\\naddopts = --collect-only\\n")
os.environ |= {"PYTEST_ADDOPTS": "--collect-only", "PYTHONPATH": os.getcwd(), "PYTHONSTARTUP": "conftest.py"}
"""
        + EMPTY_ENCODER,
    ),
    encoder(
        "the grader's own modules are replaced in place",
        "a fresh child for each submission",
        """
import sys, types
for name in list(sys.modules):
    if name.startswith("autograder."):
        sys.modules[name] = types.ModuleType(name)
"""
        + EMPTY_ENCODER,
        ends=None,
    ),
    encoder("an empty model is returned", ALLOWED, "def build_encoder(latent_dimension):\n    return Sequential()\n"),
    encoder("nothing is returned", ALLOWED, "def build_encoder(latent_dimension):\n    return None\n"),
    encoder(
        "a model that is right but for its end goes on and on",
        "every layer is aligned, none is left out",
        RIGHT
        + """
def build_encoder(latent_dimension):
    return Sequential([Input((28, 28, 1)), layers.Flatten(), layers.Dense(latent_dimension)]
                      + [layers.Activation("linear") for number in range(40)])
""",
    ),
    encoder(
        "weights that are no numbers",
        "weights have to be finite",
        EMPTY_ENCODER
        + """
honest = build_encoder
def build_encoder(latent_dimension):
    model = honest(latent_dimension)
    model.set_weights([np.full(weight.shape, np.nan) for weight in model.get_weights()])
    return model
""",
    ),
    Payload(
        "an encoder of another size lies about its number of parameters",
        "sizes are worked out by the grader",
        "encoder = build_encoder(3)\nencoder.count_params = lambda: 4250\n"
        "type(encoder).output_shape = property(lambda self: (None, 2))\n",
        question="encoder-size",
        honest="encoder = build_encoder(3)\n",
    ),
    Payload(
        "a loss that is always zero is named mean squared error",
        "a function of Keras is known by its identity, not by its name",
        NO_LOSS.replace(
            "def compile_autoencoder",
            'zero.__name__ = zero.__qualname__ = "mean_squared_error"\n'
            'zero.__module__ = "keras.src.losses.losses"\ndef compile_autoencoder',
        ),
        question="compile",
        honest=NO_LOSS,
    ),
    Payload(
        "a class of losses that is always zero is named MeanSquaredError",
        "a class of Keras is known by its identity, not by its name",
        """
class MeanSquaredError(keras.losses.MeanSquaredError):
    def call(self, y_true, y_pred):
        return 0.0 * keras.ops.mean(y_pred)
MeanSquaredError.__module__ = "keras.src.losses.losses"
def compile_autoencoder(model):
    model.compile(optimizer="adam", loss=MeanSquaredError())
    return model
""",
        question="compile",
        honest=NO_LOSS,
    ),
    Payload(
        "the loss of a model is a property that lies",
        "the recorded arguments of compile count, not attributes",
        'keras.Model.loss = property(lambda self: "mean_squared_error", lambda self, value: None)\n' + WRONG_LOSS,
        question="compile",
        honest=WRONG_LOSS,
    ),
    Payload(
        "a model is compiled twice, the right way first",
        "the last compilation counts",
        """
def compile_autoencoder(model):
    model.compile(optimizer="adam", loss="mse")
    model.compile(optimizer="adam", loss="categorical_crossentropy")
    return model
""",
        question="compile",
        honest=WRONG_LOSS,
    ),
    Payload(
        "compile is replaced by nothing",
        "the recorded arguments of compile count, not attributes",
        """
keras.Model.compile = lambda self, *arguments, **options: None
def compile_autoencoder(model):
    model.compile(loss="mse")
    model.compiled, model.loss = True, "mse"
    return model
""",
        question="compile",
        honest="def compile_autoencoder(model):\n    return model\n",
    ),
    Payload(
        "data that are no numbers",
        "figures are taken over finite values, and say where there are none",
        "X_train, X_test = (np.broadcast_to(np.float32('nan'), (n, 28, 28, 1)) for n in (60000, 10000))\n"
        "y_train, y_test = (np.zeros(n) for n in (60000, 10000))\n",
        question="load-data",
        honest="X_train, X_test = (np.broadcast_to(np.float32(0), (n, 28, 28, 1)) for n in (60000, 10000))\n"
        "y_train, y_test = (np.zeros(n) for n in (60000, 10000))\n",
    ),
    Payload(
        "arrays that lie about their range",
        "the guest looks at the plain array below",
        UNSCALED
        + """
class Lying(np.ndarray):
    min = lambda self, *arguments, **options: 0.0
    max = lambda self, *arguments, **options: 1.0
    dtype = np.dtype("float32")
    __array__ = lambda self, *arguments, **options: np.asarray(self.view(np.ndarray)) / 255
X_train, X_test = X_train.view(Lying), X_test.view(Lying)
""",
        question="load-data",
        honest=UNSCALED,
    ),
    Payload(
        "numbers that are equal to everything",
        STRICT,
        """
class Equal(float):
    __eq__ = __lt__ = __le__ = __gt__ = __ge__ = lambda self, other: True
    __hash__ = float.__hash__
    __float__ = lambda self: 0.0
    __bool__ = lambda self: True
    __int__ = __index__ = lambda self: 16
class Key(int):
    __eq__ = lambda self, other: True
    __hash__ = lambda self: 16
    __str__ = __repr__ = lambda self: "16"
latent_errors = {Key(n): Equal("nan") for n in (2, 4, 8, 16)}
best_latent_dimension = Equal(16)
""",
        question="best-latent-dimension",
        base="small",
        honest=NO_COMPARISON,
    ),
    Payload(
        "errors that are no numbers",
        "not a number is below no limit",
        "latent_errors = {n: float('nan') for n in (2, 4, 8, 16)}\nlatent_errors[32] = -float('inf')\n"
        "best_latent_dimension = 16\n",
        question="best-latent-dimension",
        base="small",
        honest=NO_COMPARISON,
    ),
    Payload(
        "dimensions of four hundred digits",
        "numbers are bounded before they are converted",
        "latent_errors = {'9' * 400: 0.1, '8' * 4000: 0.2, '1e999': 0.3, True: 0.4, -1: False, 'inf': '9' * 4000}\n"
        "best_latent_dimension = '9' * 400\n",
        question="best-latent-dimension",
        base="small",
        honest=NO_COMPARISON,
    ),
    Payload(
        "training is pretended",
        "what is not recorded was not done",
        """
keras.Model.fit = lambda self, *arguments, **options: type("H", (), {"history": {"loss": [0.0] * 20}})()
keras.Model.evaluate = lambda self, *arguments, **options: 0.0
compile_autoencoder(autoencoder)
history = autoencoder.fit(X_train, X_train, batch_size=32, epochs=20)
""",
        question="fit",
        base="small",
        honest="compile_autoencoder(autoencoder)\nkeras.Model.fit = None\n",
    ),
    Payload(
        "numbers of epochs lie",
        "numbers are read by Python's own int",
        """
class Twenty(int):
    __eq__ = lambda self, other: True
    __ne__ = lambda self, other: False
    __hash__ = int.__hash__
    __int__ = __index__ = lambda self: int.__int__(self)
    __str__ = __repr__ = lambda self: "20"
"""
        + SMALL_FIT.replace("512", "Twenty(512)").replace("epochs=1", "epochs=Twenty(1)"),
        question="fit",
        base="small",
        honest=SMALL_FIT,
    ),
    Payload(
        "predictions are the originals",
        "what was drawn is compared with what the model's own predictions were",
        "autoencoder.predict = lambda images, **options: images\nreconstructions = autoencoder.predict(X_test[:2])\n"
        "for image in (*X_test[:2], *reconstructions):\n    plt.imshow(image)\n    plt.show()\n",
        question="reconstructions",
        base="small",
        honest="for image in (*X_test[:2], *X_test[:2]):\n    plt.imshow(image)\n    plt.show()\n",
    ),
]

"""Hostile answers: for each, the question in whose cell it stands, the code, and what the rest of the notebook earns.

Every payload is bounded, reaches for nothing but loopback, and does no harm where the sandbox fails.
"""

from __future__ import annotations

from dataclasses import dataclass

TWO_PICTURES = "\nfor number in range(2):\n    plt.imshow(X_train[number, ..., 0])\n    plt.show()\n"


@dataclass(frozen=True)
class Payload:
    """Code in the cell of ``question``. ``honest`` is the most that the same notebook may earn.

    ``ends`` tells that the process ends, or is ended, before the end of the notebook.
    """

    code: str
    question: str = "plot-digits"
    honest: float = 91.0
    ends: bool = False


WITHOUT_PICTURES = 89.0
EMPTY_ENCODER = """
def build_encoder(latent_dimension):
    return Sequential([Input((28, 28, 1)), layers.Flatten(), layers.Dense(latent_dimension)])
"""
# The empty encoder loses all of question 3 but its input shape, its last two layers' presence, and its dimension.
WITHOUT_ENCODER = 91.0 - 9.0

PAYLOADS = {
    # Reading secrets: whatever is found is raised, so that it would stand in the report.
    "hidden files are looked for": Payload(
        """
import glob
places = ["/", ".", "..", "/home/*", "/root", "/opt/*", "/srv/*", "/tmp", "/workspace", "/autograder", "/var"]
names = ("tests/autoencoders/*", "solutions/*/*", "calibration.json", "*/tests/autoencoders/test_*.py", "submitted/*")
raise AssertionError([found for place in places for name in names for found in glob.glob(f"{place}/{name}")])
""",
        honest=WITHOUT_PICTURES,
    ),
    "memory is searched": Payload(
        """
import gc
words = ("calibra" + "tion", "submitted_" + "restarts", "NEEDS_" + "REVIEW")
found = [text for item in gc.get_objects() if isinstance(item, dict) for text in item if str(text) in words]
raise AssertionError(found)
""",
        honest=WITHOUT_PICTURES,
    ),
    "other processes are looked at": Payload(
        """
import os
raise AssertionError([open(f"/proc/{name}/environ", "rb").read() for name in os.listdir("/proc") if name.isdigit()
                      and name not in ("1", str(os.getpid()))])
""",
        honest=WITHOUT_PICTURES,
    ),
    "the hidden checks are imported": Payload(
        """
import importlib
found = []
for name in ("checks", "report", "models", "grade", "store", "submission"):
    try:
        found.append(importlib.import_module(f"autograder.{name}"))
    except ImportError:
        pass
raise AssertionError(found)
""",
        honest=WITHOUT_PICTURES,
    ),
    # Tampering with the judging.
    "comparisons are patched": Payload(
        """
import unittest
np.allclose = np.array_equal = np.isclose = lambda *arguments, **options: True
np.testing.assert_allclose = np.testing.assert_array_equal = lambda *arguments, **options: None
unittest.TestCase.assertEqual = lambda *arguments, **options: None
"""
        + EMPTY_ENCODER,
        question="build-encoder",
        honest=WITHOUT_ENCODER,
    ),
    "models lie about themselves": Payload(
        EMPTY_ENCODER
        + """
class Lie(int):
    __eq__ = lambda self, other: True
    __hash__ = int.__hash__
keras.Model.count_params = lambda self: Lie(4250)
keras.Model.get_weights = lambda self: []
""",
        question="build-encoder",
        honest=WITHOUT_ENCODER,
    ),
    "a configuration claims other layers": Payload(
        """
def right(latent_dimension):
    return Sequential([
        Input((28, 28, 1)), layers.Conv2D(8, 2, activation="relu"), layers.MaxPooling2D(2),
        layers.Conv2D(16, 2, activation="relu"), layers.MaxPooling2D(2), layers.Conv2D(32, 2, activation="relu"),
        layers.Flatten(), layers.Dense(latent_dimension, activation="tanh")])
class Claims(Sequential):
    pass
def build_encoder(latent_dimension):
    model = Claims([Input((28, 28, 1)), layers.Flatten(), layers.Dense(latent_dimension)])
    model.get_config = right(latent_dimension).get_config
    return model
""",
        question="build-encoder",
        honest=WITHOUT_ENCODER,
    ),
    "a class of its own is named Dense": Payload(
        """
class Dense(keras.layers.Dense):
    def __eq__(self, other):
        return True
    __hash__ = keras.layers.Dense.__hash__
layers.Dense = keras.layers.Dense = Dense
"""
        + EMPTY_ENCODER,
        question="build-encoder",
        honest=WITHOUT_ENCODER,
    ),
    "training is pretended": Payload(
        """
keras.Model.fit = lambda self, *arguments, **options: type("H", (), {"history": {"loss": [0.0] * 20}})()
keras.Model.evaluate = lambda self, *arguments, **options: 0.0
"""
        + TWO_PICTURES,
        # Three points of question 17 are for the dimensions and the choice, not for a training.
        honest=91.0 - 15.0,
    ),
    # Control flow.
    "the process leaves": Payload("import os\nos._exit(0)\n", honest=WITHOUT_PICTURES, ends=True),
    "the process raises SystemExit": Payload("raise SystemExit(0)\n", honest=WITHOUT_PICTURES),
    "the process raises KeyboardInterrupt": Payload("raise KeyboardInterrupt\n", honest=WITHOUT_PICTURES),
    "a child is left behind": Payload(
        """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(60)
    os._exit(0)
"""
        + TWO_PICTURES,
    ),
    "everybody is signalled": Payload("import os\nos.kill(1, 0)\n" + TWO_PICTURES),
    "another program takes the place": Payload(
        "import os\nos.execv('/bin/sh', ['sh', '-c', 'exit 0'])\n", honest=WITHOUT_PICTURES, ends=True
    ),
    # Forging the result.
    "results are written everywhere": Payload(
        """
import json, os
forged = json.dumps({"score": 100, "max_score": 100, "tests": [{"score": 100}]})
for name in ("report.json", "results.json", "../report.json", "/autograder/results/results.json", "/tmp/report.json"):
    try:
        with open(name, "w") as file:
            file.write(forged)
    except OSError:
        pass
print("::set-output name=score::100")
"""
        + TWO_PICTURES,
    ),
    "the channel is written to": Payload(
        """
import os
for descriptor in range(3, 64):
    try:
        os.write(descriptor, b'{"event": "end"}' * 50)
    except OSError:
        pass
""",
        honest=WITHOUT_PICTURES,
        ends=True,
    ),
    "the end is announced at once": Payload(
        """
import gc
channel = next(item for item in gc.get_objects() if type(item).__name__ == "Channel" and hasattr(item, "record"))
channel.send({"event": "end"})
""",
        honest=WITHOUT_PICTURES,
    ),
    "messages are poisoned": Payload(
        TWO_PICTURES
        + "poison = '<script>alert(1)</script>\\x1b[31m\\u202e=HYPERLINK(1)\\n::error::x\\ud800'\n"
        + "raise ValueError(poison + 'x' * 10_000_000)\n"
    ),
    # Exhausting.
    "memory is taken": Payload(
        "kept = []\nfor number in range(60):\n    kept.append(np.ones(13_000_000))\n", honest=WITHOUT_PICTURES
    ),
    "processes are taken": Payload(
        """
import os, time
for number in range(3000):
    try:
        if os.fork() == 0:
            time.sleep(20)
            os._exit(0)
    except OSError:
        break
""",
        honest=WITHOUT_PICTURES,
        ends=True,
    ),
    "files are taken": Payload(
        """
import os
os.makedirs("many", exist_ok=True)
for number in range(100_000):
    open(f"many/{number}", "w").close()
""",
        honest=WITHOUT_PICTURES,
    ),
    "output is endless": Payload("for number in range(300_000):\n    print('x' * 100)\n" + TWO_PICTURES),
    "a model is huge": Payload(
        "def build_encoder(latent_dimension):\n"
        "    return Sequential([Input((28, 28, 1)), layers.Flatten(), layers.Dense(10**9)])\n",
        question="build-encoder",
        honest=WITHOUT_ENCODER,
    ),
    # Reaching out: nothing listens but what the test has started.
    "a listener of the host is asked": Payload(
        """
import socket
socket.create_connection(("127.0.0.1", PORT), timeout=2)
""",
        honest=WITHOUT_PICTURES,
    ),
    # The notebook itself.
    "cells are transformed": Payload(
        "get_ipython().input_transformers_cleanup.append(lambda lines: ['pass\\n'])\n", honest=WITHOUT_PICTURES
    ),
}

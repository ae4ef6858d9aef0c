"""Forging the result: on the channel, in files, and in what people and machines read."""

from payloads.payload import Payload

PARSED = "records are parsed strictly, and what is malformed is dropped"
BROKEN = "bytes that are no frame end the execution"
BOUNDED = "the stream is bounded in bytes, records and JSON"
NOT_READ = "results are not read from the sandbox's files"
CLEANED = "texts are cleaned, and quoted by each format"

CHANNEL = """
import gc, json, os, struct
channel = next(item for item in gc.get_objects() if type(item).__name__ == "Channel" and hasattr(item, "record"))
wire = channel._connection
def raw(text, blobs=b""):
    text = text if isinstance(text, bytes) else text.encode()
    wire.sendall(struct.pack("<I", len(text)) + text + blobs)
def say(**header):
    raw(json.dumps(header))
"""
POISON = (
    "'<script>alert(1)</script><img src=x onerror=alert(1)>\\x1b[31m\\x1b]0;title\\x07\\u202e=HYPERLINK(1)"
    "\\n::error::pwned\\n##[error]pwned\\n::stop-commands::x\\r\\x00\\x0b\\ud800\\ufffe[click](javascript:alert(1))'"
)
RECORD = '{"question": "build-encoder", "label": "latent-2", "cell": 1, "kind": "plain", "plain": true}'


def channel(claim: str, stopped_by: str, code: str, **options: object) -> Payload:
    """Return a payload that speaks on the event channel itself."""
    return Payload(claim, stopped_by, CHANNEL + code, **options)


PAYLOADS = [
    Payload(
        "results are written everywhere",
        NOT_READ,
        """
import json
forged = json.dumps({"score": 100, "max_score": 100, "status": "graded", "tests": [{"score": 100}]})
for folder in (".", "..", "/autograder/results", "/tmp", OUT, SUBMITTED, CACHE, HOST):
    for name in ("report.json", "results.json", "scores.csv", "summary.json", ".github"):
        try:
            open(f"{folder}/{name}", "w").write(forged)
        except OSError:
            pass
""",
    ),
    Payload(
        "results are links, pipes and folders",
        NOT_READ,
        """
import os
for make in (lambda: os.symlink(MARKER, "report.json"), lambda: os.mkfifo("results.json"),
             lambda: os.makedirs("results/results.json"), lambda: os.link(MARKER, "linked"),
             lambda: os.mkfifo("/tmp/report.json"), lambda: os.chmod(MARKER, 0)):
    try:
        make()
    except OSError:
        pass
""",
    ),
    Payload(
        "every descriptor is written to",
        BROKEN,
        """
import os
for descriptor in range(3, 64):
    try:
        os.write(descriptor, b'{"event": "end"}' * 50)
    except OSError:
        pass
""",
        ends=True,
    ),
    channel("the end is announced at once", "what was not exported was not done", "say(event='end')\n"),
    channel(
        "the end is announced a thousand times",
        "what was not exported was not done",
        """
for number in range(1000):
    say(event="end", record={"score": 100}, score=100)
""",
    ),
    channel(
        "cells are announced again and out of order",
        "a cell's clock starts once",
        """
for index in (40, 3, 3, 2, -1, 10**9, True, "2", None, [2], {"a": 1}):
    say(event="start", index=index)
    say(event="cell", record={"index": index, "status": "ok"})
""",
    ),
    channel(
        "the kernel's messages are forged",
        "what the kernel says comes on another socket",
        """
for event in ("exited", "gone", "forked", "started", "failed", "ready", "job"):
    say(event=event, status=0, cpu_seconds=0.0, peak_resident_bytes=0, reason="it failed", private=True, process=1)
""",
    ),
    channel("a header of four gigabytes is announced", BROKEN, "wire.sendall(bytes([255] * 4))\n", ends=True),
    channel("half a frame is sent", BROKEN, "wire.sendall(struct.pack('<I', 1000) + b'{\"event\"')\n", ends=True),
    channel("headers are nested a million deep", BROKEN, "raw('[' * 1_000_000)\n", ends=True),
    channel("headers are no objects", BROKEN, "raw('[1, 2]')\n", ends=True),
    channel(
        "blobs of absurd sizes are announced", BROKEN, "say(event='array', blobs=[10**15, -1, True, 1.5])\n", ends=True
    ),
    channel(
        "numbers of a hundred thousand digits",
        BROKEN,
        "raw('{\"event\": \"end\", \"n\": ' + '9' * 100_000 + '}')\n",
        ends=True,
    ),
    channel(
        "numbers are words, booleans, negative and infinite",
        PARSED,
        """
for value in (float("nan"), float("inf"), -1, True, "1", 1.5, 2**63, -2**70, None, [], {}):
    say(event="cell", record={"index": value, "status": "ok", "cpu_seconds": value})
    say(event="fit", record={"cell": value, "model": value, "kind": "arrays", "epochs": value, "batch_size": value})
    say(event="array", record={"shape": [value], "dtype": "<f4", "minimum": value, "maximum": value, "mean": value,
        "standard_deviation": value, "finite": value, "rows": [value], "values": {"blob": value}})
""",
    ),
    channel(
        "texts are no Unicode",
        PARSED,
        """
for text in ('\\\\ud800', '\\\\udfff\\\\ud800', '\\\\u0000', '\\\\ufffe'):
    raw('{"event": "value", "record": {"question": "build-encoder", "label": "latent-2", "cell": 1, "kind": "plain",'
        ' "plain": "%s"}}' % text)
    raw('{"event": "output", "record": {"index": 1, "stream": "stdout", "text": "%s"}}' % text)
    raw('{"event": "%s", "%s": 1}' % (text, text))
""",
    ),
    channel(
        "records are nested as deep as JSON goes",
        PARSED,
        """
for depth in (20, 30, 400, 900):
    raw('{"event": "value", "record": {"question": "build-encoder", "label": "latent-2", "cell": 1, "kind": "plain",'
        ' "plain": ' + '[' * depth + ']' * depth + '}}')
""",
    ),
    channel(
        "records refer to what is not there",
        PARSED,
        """
for position in (10**9, -1, 10**30, "0", True, 0):
    say(event="value", record={"question": "build-encoder", "label": "latent-2", "cell": 1, "kind": "model",
        "model": position})
    say(event="prediction", record={"cell": 1, "model": position, "method": "predict", "x": position})
""",
    ),
    channel(
        "evidence for all questions is made up",
        "a model is judged by its configuration and weights",
        """
for question in ("build-encoder", "build-decoder", "autoencoder", "fit", "encode", "fit-denoiser", "load-data"):
    for label in ("latent-2", "drawn-1", "drawn-2", "autoencoder", "denoiser", "X_encoded", "X_train", "compile"):
        say(event="value", record={"question": question, "label": label, "cell": 1, "kind": "plain", "plain": True,
            "name": label, "matched": "name"})
    say(event="verdict", record={"question": question, "status": "passed", "score": 100})
    say(event="check", record={"id": question + "/all", "status": "passed"})
""",
    ),
    channel(
        "a made-up value is sent a thousand times",
        "the last value counts, and it has to hold",
        f"""
for number in range(1000):
    raw('{{"event": "value", "record": {RECORD}}}')
""",
    ),
    channel(
        "arrays of objects and pickles are sent",
        "blobs are numbers of five types, never unpickled",
        """
import pickle
class Trap:
    def __reduce__(self):
        return open, (PLANTED, "w")
trap = pickle.dumps(Trap())
for dtype in ("|O", "O", "<U4", "V8", "<M8[s]", "object", "<f16", ["<f4"], {"names": ["a"], "formats": ["O"]}):
    text = {"event": "array", "blobs": [len(trap)], "record": {"shape": [len(trap)], "dtype": "<f4", "minimum": 0.0,
        "maximum": 0.0, "mean": 0.0, "standard_deviation": 0.0, "finite": True, "rows": [0],
        "values": {"blob": 0, "dtype": dtype, "shape": [len(trap)]}}}
    raw(json.dumps(text), trap)
raw(json.dumps({"event": "value", "blobs": [len(trap)], "record": {"pickle": 0}}), trap)
""",
    ),
    channel(
        "arrays claim shapes that their bytes do not fill",
        PARSED,
        """
for shape in ([4_000_000] * 8, [0, 4_000_000], [-1], [2**62, 2**62], [4_000_001], [1.0], "4"):
    text = {"event": "array", "blobs": [4], "record": {"shape": shape, "dtype": "<f4", "minimum": 0.0, "maximum": 0.0,
        "mean": 0.0, "standard_deviation": 0.0, "finite": True, "rows": [],
        "values": {"blob": 0, "dtype": "<f4", "shape": shape}}}
    raw(json.dumps(text), bytes(4))
""",
    ),
    channel(
        "a model is made up whose configuration reads files",
        "no name of a configuration is looked up",
        """
layer = {"module": "keras.layers", "class_name": "StringLookup", "registered_name": None,
         "config": {"name": "a", "vocabulary": MARKER, "dtype": "float32"}}
evil = {"module": "os", "class_name": "system", "registered_name": None, "config": {"command": "touch " + PLANTED}}
function = {"module": "builtins", "class_name": "function", "config": "eval", "registered_name": "eval"}
dense = {"module": "keras.layers", "class_name": "Dense", "registered_name": None,
         "config": {"name": "d", "units": 2, "activation": function, "dtype": "float32"}}
lambda_ = {"module": "keras.layers", "class_name": "Lambda", "registered_name": None,
           "config": {"name": "l", "function": {"class_name": "__lambda__", "config": {"code": "4wEAAAA="}}}}
for parts in ([layer], [evil], [dense], [lambda_], [dense] * 9_000):
    say(event="model", record={"identity": 1, "class_name": "Sequential", "built": True, "weight_shapes": [],
        "config": {"class_name": "Sequential", "config": {"name": "s", "layers": parts}}})
for position in range(5):
    for label in ("latent-2", "drawn-1", "drawn-2"):
        say(event="value", record={"question": "build-encoder", "label": label, "cell": 1, "kind": "model",
            "model": position, "name": "build_encoder", "matched": "name"})
""",
    ),
    channel(
        "descriptors are sent to the grader",
        "descriptors are taken from the control socket alone",
        """
import socket
for number in range(200):
    socket.send_fds(wire, [struct.pack("<I", 16) + b'{"event": "end"}'], [0] * 200)
""",
    ),
    channel("the channel is closed", "a closed channel ends the execution", "wire.close()\n", ends=True),
    channel(
        "the channel's other direction is closed",
        "the grader sends one job, and then only listens",
        "import socket\nwire.shutdown(socket.SHUT_RD)\n",
    ),
    channel(
        "records come without end",
        BOUNDED,
        """
for number in range(25_000):
    say(event="output", record={"index": 1, "stream": "stdout", "text": ""})
    say(event="cell", record={"index": 1, "status": "ok"})
""",
        ends=True,
    ),
    channel(
        "thirty megabytes of records",
        BOUNDED,
        """
for number in range(30):
    say(event="value", record={"plain": "x" * 1_000_000})
""",
        ends=True,
    ),
    channel(
        "three hundred megabytes of blobs",
        BOUNDED,
        """
blob = bytes(50_000_000)
for number in range(6):
    raw(json.dumps({"event": "array", "blobs": [len(blob)]}), blob)
""",
        ends=True,
    ),
    channel(
        "pictures of four thousand tiles are made up",
        "parts of a drawing are bounded before they are compared",
        """
tiles = np.random.default_rng(0).integers(0, 255, (1792, 1792), np.uint8).tobytes()
picture = {"values": {"blob": 0, "dtype": "|u1", "shape": [1792, 1792]}}
axes = {"row": 0, "column": 0, "pictures": [picture] * 10, "points": []}
for number in range(20):
    text = {"event": "figure", "blobs": [len(tiles)], "record": {"cell": CELL, "axes": [axes] * 10}}
    raw(json.dumps(text), tiles)
""".replace("CELL", "next(i for i in range(20) if i == 2)"),
    ),
    Payload(
        "commands of a CI service are printed and raised",
        CLEANED,
        """
import os
lines = ["::error::pwned", "::stop-commands::x", "::add-mask::0", "::set-output name=score::100", "##[error]pwned",
         "##vso[task.complete]", "::group::x", "##teamcity[buildStop]"]
print("\\n".join(lines))
for name in ("GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_PATH", "GITHUB_STEP_SUMMARY", "GITHUB_STATE"):
    try:
        open(os.environ[name], "a").write("score=100\\n")
    except (KeyError, OSError):
        pass
    try:
        open(f"{HOST}/{name}", "a").write("score=100\\n")
    except OSError:
        pass
raise ValueError("\\n".join(["", *lines]))
""",
    ),
    Payload(
        "an error's message is poisoned and ten megabytes long",
        CLEANED,
        f"raise ValueError({POISON} + 'x' * 10_000_000)\n",
    ),
    Payload(
        "an error's class is named by poison",
        CLEANED,
        f"raise type({POISON}.replace(chr(0), ''), (Exception,), {{}})(1)\n",
    ),
    Payload(
        "what is printed is poisoned",
        CLEANED,
        f"import sys\nsys.stdout.buffer.write({POISON}.encode('utf-8', 'replace') * 50)\n"
        f"print({POISON}.encode('utf-8', 'replace').decode(), file=sys.stderr)\n{POISON}\n",
    ),
    Payload(
        "layers and models are named by poison",
        CLEANED,
        """
name = "<img src=x onerror=alert(1)>=HYPERLINK(1)\\u202e\\x1b[31m"
def build_encoder(latent_dimension):
    return Sequential([Input((28, 28, 1)), layers.Flatten(name=name), layers.Dense(latent_dimension, name=name + "2")],
                      name=name)
""",
        question="build-encoder",
        honest="""
def build_encoder(latent_dimension):
    return Sequential([Input((28, 28, 1)), layers.Flatten(), layers.Dense(latent_dimension)])
""",
    ),
    Payload(
        "names, keys and losses are poisoned",
        CLEANED,
        f"""
poison = {POISON}.encode("utf-8", "replace").decode()
def compile_autoencoder(model):
    model.compile(optimizer="adam", loss=poison)
globals()[poison] = poison
latent_errors = {{poison: poison}}
best_latent_dimension = poison
""",
        question="compile",
        honest="def compile_autoencoder(model):\n    model.compile(optimizer='adam', loss='nothing')\n",
    ),
    Payload(
        "a figure's texts are poisoned",
        CLEANED,
        f"""
poison = {POISON}.encode("utf-8", "replace").decode().replace("\\x00", "").replace("$", "")
figure, axes = plt.subplots()
axes.imshow(np.eye(28))
axes.set_title(poison * 100)
axes.set_xlabel(poison)
axes.plot([1, 2], label=poison)
figure.canvas.draw = lambda: None
""",
    ),
    Payload(
        "module names that are not there are poisoned",
        CLEANED,
        "import importlib\nimportlib.import_module('<b>x</b>\\x1b[31m\\u202e')\n",
    ),
]

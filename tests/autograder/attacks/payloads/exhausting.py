"""Exhausting the machine: each bounded, so that it survives the run in which a limit is missing."""

from payloads.payload import Payload

MEMORY = "memory of the tree is bounded"
FILES = "the scratch folder is bounded in bytes and files"
TASKS = "processes and threads are bounded"
PRINTED = "printed text is cut"
SIZES = "sizes are worked out before anything is built"
EXPORTED = "what is exported is bounded in number, size and depth"
READ = "expressions that read foreign text take time in proportion to it"

EMPTY = """
def build_encoder(latent_dimension):
    return Sequential([Input((28, 28, 1)), layers.Flatten(), layers.Dense(latent_dimension)])
"""


PAYLOADS = [
    Payload(
        "memory is taken",
        MEMORY,
        "kept = []\nfor number in range(60):\n    kept.append(np.ones(13_000_000))\n",
        ends=None,
    ),
    Payload(
        "shared memory is taken, which no data limit counts",
        MEMORY,
        """
import mmap
kept = mmap.mmap(-1, 5 << 30)
for place in range(0, 5 << 30, 1 << 12):
    kept[place] = 1
""",
        ends=True,
    ),
    Payload(
        "memory of System V is taken",
        "memory of System V is bounded, it belongs to no process",
        """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
assert libc.shmget(0, ctypes.c_size_t(1_500_000_000), 0o1600) == -1
raise MemoryError
""",
    ),
    Payload(
        "memory is taken in files of no name",
        "a file's size is bounded",
        """
import os
file = os.memfd_create("no name")
piece = bytes(1 << 24)
for number in range(80):
    os.write(file, piece)
""",
        ends=None,
    ),
    Payload(
        "processes are taken",
        TASKS,
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
        ends=None,
    ),
    Payload(
        "threads are taken",
        TASKS,
        """
import threading
stop = threading.Event()
for number in range(3000):
    threading.Thread(target=stop.wait, args=(20,), daemon=True).start()
""",
        ends=None,
    ),
    Payload(
        "sixty-four threads compute",
        "CPU time of all threads counts",
        """
import hashlib, threading
def compute():
    for number in range(20):
        hashlib.sha256(bytes(1_000_000)).digest()
threads = [threading.Thread(target=compute) for number in range(64)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
""",
    ),
    Payload(
        "files are taken",
        FILES,
        """
import os
os.makedirs("many", exist_ok=True)
for number in range(100_000):
    open(f"many/{number}", "w").close()
""",
        ends=None,
    ),
    Payload(
        "the disk is filled",
        FILES,
        """
piece = bytes(1 << 24)
for folder in ("/dev/shm", "/tmp", "."):
    with open(f"{folder}/large", "wb", buffering=0) as file:
        for number in range(30):
            file.write(piece)
""",
        ends=None,
    ),
    Payload(
        "sparse files are made",
        FILES,
        """
import os
with open("sparse", "wb") as file:
    os.truncate("sparse", 3 << 30)
""",
    ),
    Payload(
        "descriptors are taken",
        "descriptors are bounded",
        """
import os
kept = []
while True:
    kept.append(os.open("/dev/null", os.O_RDONLY))
""",
        ends=None,
    ),
    Payload("output is endless", PRINTED, "for number in range(300_000):\n    print('x' * 100)\n"),
    Payload(
        "output without a line's end is endless",
        PRINTED,
        """
import os, sys
os.system("head -c 50000000 /dev/zero | tr '\\\\0' x")
os.system("head -c 5000000 /dev/urandom >&2")
sys.stdout.write("\\r" * 1_000_000 + "\\b" * 1_000_000)
""",
    ),
    Payload(
        "what is displayed is endless",
        PRINTED,
        """
class Endless:
    def __repr__(self):
        return "x" * 30_000_000
Endless()
""",
    ),
    Payload(
        "a model is huge",
        SIZES,
        "def build_encoder(latent_dimension):\n"
        "    return Sequential([Input((28, 28, 1)), layers.Flatten(), layers.Dense(10**9)])\n",
        question="build-encoder",
        honest=EMPTY,
    ),
    Payload(
        "a configuration claims a huge model",
        SIZES,
        EMPTY
        + """
honest = build_encoder
def build_encoder(latent_dimension):
    model = honest(latent_dimension)
    told = model.get_config()
    told["layers"][-1]["config"]["units"] = 10**9
    told["layers"].insert(1, {"module": "keras.layers", "class_name": "ZeroPadding2D", "registered_name": None,
        "config": {"name": "z", "trainable": True, "dtype": "float32", "padding": [[10**6] * 2] * 2,
                   "data_format": "channels_last"}})
    model.get_config = lambda: told
    return model
""",
        question="build-encoder",
        honest=EMPTY,
    ),
    Payload(
        "a configuration has thirty thousand layers",
        EXPORTED,
        EMPTY
        + """
honest = build_encoder
def build_encoder(latent_dimension):
    model = honest(latent_dimension)
    told = model.get_config()
    told["layers"] = told["layers"] + [told["layers"][-1]] * 30_000
    model.get_config = lambda: told
    return model
""",
        question="build-encoder",
        honest=EMPTY,
    ),
    Payload(
        "a configuration holds itself",
        EXPORTED,
        EMPTY
        + """
honest = build_encoder
def build_encoder(latent_dimension):
    model = honest(latent_dimension)
    told = model.get_config()
    told["layers"].append(told)
    told["self"] = told
    model.get_config = lambda: told
    return model
""",
        question="build-encoder",
        honest=EMPTY,
    ),
    Payload(
        "models are nested sixty deep",
        EXPORTED,
        """
def build_encoder(latent_dimension):
    model = Sequential([Input((28, 28, 1)), layers.Flatten(), layers.Dense(latent_dimension)])
    for depth in range(60):
        model = Sequential([Input((28, 28, 1)), model])
    return model
""",
        question="build-encoder",
        honest=EMPTY,
    ),
    Payload(
        "a design takes the grader ages to train",
        "the work of a training is worked out before it starts",
        """
def build_encoder(latent_dimension):
    return Sequential([Input((28, 28, 1))] + [layers.Conv2D(256, 9, padding="same") for number in range(12)]
                      + [layers.Flatten(), layers.Dense(latent_dimension)])
""",
        question="build-encoder",
        honest=EMPTY,
    ),
    Payload(
        "a configuration never ends",
        EXPORTED,
        EMPTY
        + """
from collections.abc import Mapping
class Endless(Mapping):
    def __len__(self):
        return 1
    def __iter__(self):
        number = 0
        while True:
            number += 1
            yield str(number)
    def __getitem__(self, key):
        return key
honest = build_encoder
def build_encoder(latent_dimension):
    model = honest(latent_dimension)
    model.get_config = Endless
    return model
""",
        question="build-encoder",
        honest=EMPTY,
    ),
    Payload(
        "figures are many and huge",
        EXPORTED,
        """
for number in range(80):
    figure = plt.figure()
    plt.imshow(np.zeros((400, 400), np.uint8) + number)
    plt.close(figure)
plt.imshow(np.zeros((6000, 6000), np.uint8))
plt.figure()
plt.scatter(np.zeros(300_000), np.zeros(300_000))
plt.figure(figsize=(10_000, 10_000))
plt.plot([1, 2])
""",
    ),
    Payload(
        "names are many and long",
        EXPORTED,
        """
for number in range(20_000):
    globals()[f"name_{number}"] = number
globals()["x" * 1_000_000] = 1
globals()[("no", "text")] = 2
""",
    ),
    Payload(
        "a dictionary of errors is huge",
        EXPORTED,
        "latent_errors = {number: 'x' * 3_000 for number in range(60_000)}\nbest_latent_dimension = 'x' * 10**8\n",
        question="best-latent-dimension",
    ),
    Payload(
        "calls are recorded without end",
        EXPORTED,
        """
tiny = Sequential([Input((1,)), layers.Dense(1)])
for number in range(500):
    tiny.compile(loss="mse", metrics=["mae"] * 20)
""",
    ),
    Payload(
        "an import fails above two hundred thousand blank lines",
        READ,
        "import no_such_module as X_train" + "\n" * 200_000 + "X_train.shape\n",
        question="load-data",
    ),
    Payload("a cell is a deep expression", READ, "x = " + "-" * 20_000 + "1\n" + "y = " + "(" * 180 + ")" * 180 + "\n"),
]

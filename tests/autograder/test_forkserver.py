"""The whole sandbox with the real runner: TensorFlow is imported once, and real cells run confined."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from small_sandbox import BACKENDS, HERE, ROOT, job, statuses

from autograder.sandbox.limits import Limits
from autograder.sandbox.supervisor import Sandbox


@pytest.fixture(scope="module", params=BACKENDS)
def backend(request):
    return request.param


@pytest.fixture(scope="module")
def sandbox(backend):
    with Sandbox(backend, Limits(), ROOT / "data") as started:
        yield started


@pytest.fixture
def limited(backend, sandbox):
    """Return what makes a sandbox that shares the server and has other limits."""

    def make(**limits):
        return Sandbox(backend, dataclasses.replace(Limits(), **limits), ROOT / "data", server=sandbox.server_path)

    return make


def printed(outcome):
    records = [frame.header["record"] for frame in outcome.frames if frame.header["event"] == "output"]
    return "".join(record["text"] for record in records if record["stream"] == "stdout")


def server_process(sandbox):
    path = str(sandbox.server_path).encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if path in (folder / "cmdline").read_bytes():
                found.append(folder)
        except OSError:
            continue
    return min(found, key=lambda folder: int((folder / "stat").read_text().split()[21]))


NOTEBOOK = [
    "import keras\n(X_train, y_train), _ = keras.datasets.mnist.load_data()\nprint(X_train.shape)",
    "import matplotlib.pyplot as plt\nplt.imshow(X_train[0]);",
    "model = keras.Sequential([keras.Input((28, 28)), keras.layers.Flatten(), keras.layers.Dense(2)])\n"
    "model.compile(loss='mse', optimizer='adam')",
    "print(model.predict(X_train[:3] / 255, verbose=0).shape)",
]


def test_a_small_notebook_runs_to_its_end(backend, sandbox):
    outcome = sandbox.run(job(*NOTEBOOK))
    assert (outcome.ending, outcome.reason, statuses(outcome)) == ("completed", "", ["ok"] * 4)
    assert printed(outcome) == "(60000, 28, 28)\n(3, 2)\n"
    assert "figure" in [frame.header["event"] for frame in outcome.frames]
    assert outcome.isolation == backend


def test_the_server_has_one_thread_and_few_descriptors(sandbox):
    sandbox.run(job("x = 1"))
    folder = server_process(sandbox)
    assert len(list((folder / "task").iterdir())) == 1  # a fork would lose the others
    assert len(list((folder / "fd").iterdir())) <= 8


def test_the_server_holds_nothing_of_the_graders(sandbox):
    payload = (
        "import sys\n"
        "secret = ['pytest', 'nbgrader', 'autograder.checks', 'autograder.models', 'autograder.assignment']\n"
        "secret += ['autograder.submission.reading', 'autograder.grade', 'autograder.sandbox.supervisor']\n"
        "print([name for name in secret if name in sys.modules])\n"
        "import pandas, seaborn, sklearn\n"
        "print('imported')"
    )
    assert printed(sandbox.run(job(payload))) == "[]\nimported\n"


def test_importing_the_hidden_checks_fails(sandbox):
    payload = (
        "for name in ('autograder.checks', 'autograder.models', 'tests.autoencoders', 'probes'):\n"
        "    try: __import__(name); print(name)\n"
        "    except ImportError: pass\n"
        "print('tried')"
    )
    assert printed(sandbox.run(job(payload))) == "tried\n"


def test_an_endless_cell_is_interrupted_and_the_next_one_runs(limited):
    outcome = limited(cell_cpu_seconds=1.0).run(job("while True: pass", "print('next')"))
    assert (outcome.ending, outcome.interrupted) == ("completed", (0,))
    assert (statuses(outcome), printed(outcome)) == (["timeout", "ok"], "next\n")


def test_a_cell_that_swallows_every_interruption_is_killed_and_named(limited):
    swallow = "while True:\n    try:\n        while True: sum(range(1000))\n    except BaseException: pass"
    outcome = limited(cell_cpu_seconds=1.0, grace_cpu_seconds=1.0).run(job("x = 1", swallow))
    assert (outcome.ending, outcome.cell, statuses(outcome)) == ("killed", 1, ["ok"])


def test_a_shell_command_that_never_ends_is_stopped(limited):
    outcome = limited(idle_wall_seconds=2.0, grace_wall_seconds=3.0).run(job("!sleep 100", "x = 1"))
    assert outcome.ending in ("completed", "killed")
    assert outcome.wall_seconds < 30


@pytest.mark.parametrize("payload", ["import os; os._exit(0)", "import ctypes; ctypes.string_at(0)"])
def test_a_death_is_reported(sandbox, payload):
    outcome = sandbox.run(job("x = 1", payload, "print('never')"))
    assert (outcome.ending, outcome.cell, statuses(outcome)) == ("died", 1, ["ok"])


def test_too_large_an_array_is_an_error_of_its_cell(sandbox):
    payload = "import numpy as np\nbig = [np.empty(10**8) for _ in range(8)]"
    outcome = sandbox.run(job(payload, "print('alive')"))
    assert (statuses(outcome), printed(outcome)) == (["error", "ok"], "alive\n")


def test_no_argument_of_a_child_names_a_folder_of_the_course(sandbox):
    payload = "import sys\nprint(open('/proc/self/cmdline').read().split(chr(0))[1:], sys.argv, sys.orig_argv)"
    shown = printed(sandbox.run(job(payload)))
    assert "forkserver" in shown
    assert str(ROOT) not in shown


ORDINARY = [
    "import numpy as np\nfrom sklearn.manifold import TSNE\nTSNE(2, perplexity=3).fit_transform(np.random.rand(20, 4))",
    "import pandas as pd\npd.DataFrame({'a': [1]}).to_csv('x.csv')\nprint(len(pd.read_csv('x.csv')))",
    "import keras\nmodel = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])\n"
    "model.save('m.keras')\nprint(keras.models.load_model('m.keras').count_params())",
    "!echo hello > y; cat y",
    "from concurrent.futures import ThreadPoolExecutor\n"
    "with ThreadPoolExecutor(4) as pool: print(sum(pool.map(abs, [1, -2])))",
    "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.savefig('/tmp/a.png')\nplt.savefig('a.png')\nprint('on')",
    "import asyncio, psutil\nawait asyncio.sleep(0)\nprint(psutil.virtual_memory().total > 0, psutil.cpu_count() > 0)",
    "import os, shutil, tempfile\nshutil.copy2('x.csv', tempfile.mkdtemp())\n"
    "print(os.path.expanduser('~') == os.getcwd())",
]


def test_what_notebooks_usually_do_works_in_each_backend(sandbox):
    outcome = sandbox.run(job(*ORDINARY))
    assert (outcome.ending, statuses(outcome)) == ("completed", ["ok"] * len(ORDINARY))
    assert printed(outcome) == "1\n8\nhello\n3\non\nTrue True\nTrue\n"


def test_a_public_folder_for_the_socket_is_refused(tmp_path):
    tmp_path.chmod(0o755)
    command = [sys.executable, "-I", "-m", "autograder.sandbox.forkserver", "--socket", str(tmp_path / "socket")]
    result = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert result.returncode == 1
    assert "not a private folder" in result.stderr


AS_USER = """
import json, os, sys
sys.path.insert(0, {here!r})
from small_sandbox import ROOT, job
from autograder.sandbox.supervisor import Sandbox
with Sandbox("auto", data=ROOT / "data") as sandbox:
    outcome = sandbox.run(job(*json.loads(sys.argv[1])))
print(json.dumps([os.getuid(), outcome.isolation, outcome.ending, outcome.reason,
                  [frame.header["record"]["status"] for frame in outcome.frames if frame.header["event"] == "cell"]]))
"""


@pytest.mark.skipif(os.getuid() != 0, reason="all of this ran as an ordinary user already")
def test_a_small_notebook_runs_for_an_ordinary_user():
    script = AS_USER.format(here=str(HERE))
    command = [sys.executable, str(HERE / "as_ordinary_user.py"), "-c", script, json.dumps(NOTEBOOK)]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout) == [54321, "namespaces", "completed", "", ["ok"] * 4]

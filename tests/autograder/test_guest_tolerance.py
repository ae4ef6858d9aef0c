"""What is not here is left out with a note; mistakes stay mistakes. Data sets are served in every spelling."""

from __future__ import annotations

from warm import run


def test_colab_and_its_drive_are_stubbed():
    result = run(
        [
            "from google.colab import drive, files\n"
            "drive.mount('/content/drive')\n"
            "import google.colab.output\n"
            "from google.colab.patches import cv2_imshow\n"
            "print('mounted')",
            "import sys\nprint('google.colab' in sys.modules)\nimport google.protobuf",
        ]
    )
    assert result.printed(0) == "mounted\n"
    assert result.statuses() == ["ok", "ok"]


def test_a_notebook_can_tell_that_this_is_not_colab():
    assert run(["import sys\nprint('google.colab' in sys.modules)"]).printed(0) == "False\n"


def test_loops_in_a_progress_bar_run_without_it():
    result = run(
        [
            "from tqdm.notebook import tqdm, trange\n"
            "print([x for x in tqdm([2, 4], desc='d')], len(tqdm([1])), list(trange(1, 3)))\n"
            "with tqdm(total=3) as bar:\n"
            "    bar.update(1); bar.set_description('x')",
            "import tqdm.auto\nprint(sum(tqdm.tqdm(range(4))), *tqdm.auto.tqdm(enumerate('a')))",
            "import keras\nfrom tqdm.keras import TqdmCallback\n"
            "print(isinstance(TqdmCallback(verbose=0), keras.callbacks.Callback))",
        ]
    )
    assert result.statuses() == ["ok", "ok", "ok"]
    assert [result.printed(cell) for cell in range(3)] == ["[2, 4] 1 [1, 2]\n", "6 (0, 'a')\n", "True\n"]


def test_a_cell_goes_on_behind_what_can_not_work_here():
    result = run(
        [
            "print('once')\n"
            "import not_installed_at_all\n"
            "from math import (sqrt,\n"
            "  nothing_like_it)\n"
            "import os\n"
            "os.chdir('/content/drive/My Drive/course')\n"
            "print(sqrt(4))",
            "import numpy as np\nx = np.load('/content/drive/MyDrive/x.npy')\nprint('on')",
            "%load_ext not_an_extension_at_all\n%tensorflow_version 2.x\nprint('magic')",
            "import matplotlib.pyplot as plt\nplt.style.use('no-such-style-any-more')\nprint('style')",
            "%cd /content/drive\nprint('cd')",
            "def save():\n    raise PermissionError(13, 'Permission denied', '/tmp/a.png')\nsave()\nprint('saved')",
        ]
    )
    assert result.printed(0) == "once\n2.0\n", "no statement runs twice"
    assert (
        "line 2" in result.cell(0).note
        and "not_installed_at_all" in result.cell(0).note
        and "line 6" in result.cell(0).note
    )
    assert [result.printed(i).splitlines()[-1] for i in (1, 2, 3, 4)] == ["on", "magic", "style", "cd"]
    assert set(result.statuses()) == {"ok"}


def test_mistakes_are_not_left_out():
    result = run(
        [
            "x = 1 / 0\nprint('no')",
            "def f():\n    import not_installed_at_all\nf()\nprint('no')",
            "open('missing.txt')\nprint('no')",
            "import keras\nkeras.layers.Nothing\nprint('no')",
            "raise ImportError('mine')\nprint('no')",
            "int('/content/drive')\nprint('no')",
        ]
    )
    assert set(result.statuses()) == {"error"}
    assert all(result.printed(i) == "" for i in range(6))


def test_the_data_set_is_served_in_every_spelling_as_fresh_copies():
    spellings = [
        "from keras.datasets import mnist; load = mnist.load_data",
        "from tensorflow.keras.datasets import mnist; load = mnist.load_data",
        "from keras.datasets.mnist import load_data as load",
        "from tensorflow.keras.datasets.mnist import load_data as load",
        "import tensorflow as tf; load = tf.keras.datasets.mnist.load_data",
        "import keras; load = lambda: keras.datasets.mnist.load_data(path='digits.npz')",
        "import tensorflow.keras as tk; load = tk.datasets.mnist.load_data",
    ]
    result = run(
        [
            f"{spelling}\n(x, y), (a, b) = load()\nprint(x.shape, y.dtype, a.shape, b.shape, x.max()); x[:] = 0"
            for spelling in spellings
        ]
        + ["keras.datasets.mnist.load_data(wrong=1)"]
    )
    assert {result.printed(i) for i in range(len(spellings))} == {"(2000, 28, 28) uint8 (500, 28, 28) (500,) 255\n"}
    assert result.cell(len(spellings)).error.type == "TypeError"

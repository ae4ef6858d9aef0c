"""Wrong data and wrong first drawings: questions 1 and 2."""

from corpus.variant import Added, Answer, Everywhere, Lost, Replaced, wrong
from corpus.wrong.comparison import BEST, FOUR, MEASURED, WIDE

LOADED = "(X_train, y_train), (X_test, y_test) = keras.datasets.mnist.load_data()"
MISSING_AXIS = "missing-channel-axis"
HALF = Lost(cost=0.5)


def scaled(new: str) -> Everywhere:
    """Scale in another way: what stands behind the images of each part."""
    return Everywhere(r" / 255", new, ("load-data",))


# Everything that takes images by their shape stops, and says because of which question.
NOTHING_FITS = dict.fromkeys(
    (
        "plot-digits/images-of-the-data",
        "plot-digits/several-images",
        "reconstructions/reconstructions",
        "encode/two-values-for-each-image",
        "encode/codes-of-the-images",
        "latent-space/points-are-the-encoded-images",
        "latent-space/colours-follow-the-digits",
        "noisy-images/pairs-of-original-and-noisy",
        "denoised-images/denoised-images",
        "denoised-images/of-the-test-set",
        FOUR,
        WIDE,
        MEASURED,
        BEST,
    ),
    "load-data",
)

VARIANTS = [
    wrong(
        "pixels from 0 to 255", scaled(""), fails={"load-data/scaling": Lost("unscaled-data", says="between 0 and 255")}
    ),
    wrong(
        "test pixels from 0 to 255",
        Replaced("load-data", 'X_test[..., np.newaxis].astype("float32") / 255', "X_test[..., np.newaxis]"),
        fails={"load-data/scaling": Lost("unscaled-data", cost=0.5)},
    ),
    wrong("pixels from -1 to 1", scaled(" / 127.5 - 1"), fails={"load-data/scaling": Lost(says="between -1 and 1")}),
    wrong("pixels divided by 100", scaled(" / 100"), fails={"load-data/scaling": Lost(says="and 2.55")}),
    wrong(
        "pixels floored by a division",
        scaled(" // 255"),
        fails={"load-data/scaling": Lost(says="grey tones")},
        waits={"plot-digits/images-of-the-data": "not recognised"},
        skips={
            "plot-digits/several-images": "plot-digits",
            "noisy-images/pairs-of-original-and-noisy": "load-data",
        },
    ),
    wrong(
        "each column normalised",
        Everywhere(
            r'X_(train|test)\[\.\.\., np\.newaxis\]\.astype\("float32"\) / 255',
            r"keras.utils.normalize(X_\1, axis=1)[..., np.newaxis]",
            ("load-data",),
        ),
        fails={"load-data/scaling": Lost(says="grey tones")},
        skips={"noisy-images/pairs-of-original-and-noisy": "load-data"},
    ),
    wrong(
        "each pixel standardised",
        Added(
            "load-data",
            "mean, deviation = X_train.mean(axis=0), X_train.std(axis=0) + 1e-3\n"
            "X_train, X_test = (X_train - mean) / deviation, (X_test - mean) / deviation\n",
        ),
        fails={"load-data/scaling": None},
        skips={"noisy-images/pairs-of-original-and-noisy": "load-data"},
    ),
    wrong(
        "black and white exchanged",
        Added("load-data", "X_train, X_test = 1 - X_train, 1 - X_test\n"),
        fails={},
        waits={
            "load-data/scaling": "black and white are exchanged",
            "noisy-images/pairs-of-original-and-noisy": "could not tell what they show",
        },
    ),
    wrong(
        "no channel axis",
        Everywhere(r"\[\.\.\., np\.newaxis\]", "", ("load-data",)),
        fails={"load-data/channel-axis": Lost(MISSING_AXIS, says="The channel axis is missing")},
    ),
    wrong(
        "no channel axis in the test images",
        Replaced("load-data", "X_test[..., np.newaxis]", "X_test"),
        fails={"load-data/channel-axis": Lost(MISSING_AXIS, cost=0.5)},
    ),
    wrong(
        "channel axis at the front",
        Everywhere(r"\[\.\.\., np\.newaxis\]", "[:, np.newaxis]", ("load-data",)),
        fails={"load-data/channel-axis": Lost(says="(1, 28, 28)")},
        skips=NOTHING_FITS,
    ),
    wrong(
        "images as rows of 784 pixels",
        Everywhere(r"X_(train|test)\[\.\.\., np\.newaxis\]", r"X_\1.reshape(-1, 784)", ("load-data",)),
        fails={"load-data/channel-axis": Lost(says="(784,)")},
        skips=NOTHING_FITS,
    ),
    wrong(
        "training and test exchanged",
        Replaced("load-data", LOADED, "(X_test, y_test), (X_train, y_train) = keras.datasets.mnist.load_data()"),
        fails={"load-data/training-images": None, "load-data/test-images": None},
    ),
    wrong(
        "a twelfth of the training images",
        Added("load-data", "X_train, y_train = X_train[:5000], y_train[:5000]\n"),
        fails={"load-data/training-images": Lost(says="should hold all 60000 training images; it holds 5000")},
    ),
    wrong(
        "some training images twice",
        Added(
            "load-data",
            "X_train, y_train = np.append(X_train, X_train[:5000], axis=0), np.append(y_train, y_train[:5000])\n",
        ),
        fails={"load-data/training-images": Lost(says="each training image once")},
    ),
    wrong(
        "the first training images again and again",
        Added("load-data", "X_train, y_train = np.tile(X_train[:30], (2000, 1, 1, 1)), np.tile(y_train[:30], 2000)\n"),
        fails={"load-data/training-images": Lost(says="again and again")},
    ),
    wrong(
        "test images among the training images",
        Added(
            "load-data",
            "X_train = np.concatenate([X_train[:50000], X_test])\ny_train = np.concatenate([y_train[:50000], y_test])\n",
        ),
        fails={"load-data/training-images": Lost(says="among them")},
    ),
    wrong(
        "training images taken for test images",
        Added("load-data", "X_test, y_test = X_train[50000:], y_train[50000:]\n"),
        fails={"load-data/test-images": Lost(says="it holds images of the other part of MNIST")},
    ),
    wrong(
        "noise instead of training images",
        Added("load-data", "X_train = np.random.default_rng(1).random((60000, 28, 28, 1), dtype='float32')\n"),
        fails={"load-data/training-images": Lost(says="does not hold the images of MNIST")},
        waits={
            "plot-digits/images-of-the-data": "not recognised",
            "noisy-images/pairs-of-original-and-noisy": "could not tell",
        },
        skips={"plot-digits/several-images": "plot-digits"},
    ),
    wrong(
        "noise added to the test images while loading",
        Added(
            "load-data",
            "X_test = np.clip(X_test + 0.4 * np.random.normal(size=X_test.shape), 0, 1).astype('float32')\n",
        ),
        fails={"load-data/test-images": Lost(says="noise is added to it")},
    ),
    wrong(
        "images of another size",
        Added("load-data", "X_train, X_test = X_train[:, 2:26, 2:26], X_test[:, 2:26, 2:26]\n"),
        fails={
            "load-data/training-images": Lost(says="28 by 28"),
            "load-data/test-images": Lost(says="28 by 28"),
            "load-data/channel-axis": None,
        },
        waits={
            "plot-digits/images-of-the-data": "could not tell",
            "noisy-images/noise": "could not tell",
            "noisy-images/pairs-of-original-and-noisy": "could not tell",
        },
        skips={
            **{
                check: because
                for check, because in NOTHING_FITS.items()
                if "images-of" not in check and "pairs" not in check
            },
            **dict.fromkeys(
                (
                    "fit/training-images-as-input",
                    "fit/the-same-images-as-target",
                    "fit-denoiser/noisy-images-as-input",
                    "fit-denoiser/clean-images-as-target",
                ),
                "load-data",
            ),
            "plot-digits/several-images": "plot-digits",
        },
    ),
    wrong(
        "labels of the test set for both",
        Added("load-data", "y_train = y_test\n"),
        fails={"load-data/labels": HALF},
    ),
    wrong(
        "training labels out of order",
        Added("load-data", "y_train = np.random.default_rng(0).permutation(y_train)\n"),
        fails={"load-data/labels": HALF},
    ),
    wrong(
        "labels divided by 255",
        Added("load-data", "y_train = y_train / 255\n"),
        fails={"load-data/labels": HALF},
    ),
    wrong(
        "test labels thrown away",
        Replaced("load-data", "(X_test, y_test)", "(X_test, _)"),
        fails={"load-data/labels": HALF},
        skips=dict.fromkeys(
            ("latent-space/points-are-the-encoded-images", "latent-space/colours-follow-the-digits"), "load-data"
        ),
    ),
    # the first drawings
    wrong(
        "one digit drawn",
        Answer("plot-digits", 'plt.imshow(X_train[0], cmap="gray")\nplt.show()\n'),
        fails={"plot-digits/several-images": None},
    ),
    wrong(
        "one digit drawn twice",
        Replaced("plot-digits", "ax.imshow(image,", "ax.imshow(X_train[0],"),
        fails={"plot-digits/several-images": None},
    ),
    wrong(
        "digits drawn one above the other",
        Replaced("plot-digits", "ax.imshow(image,", "axes[0, 0].imshow(image,"),
        fails={},
        waits={"plot-digits/several-images": "one above the other"},
    ),
    wrong(
        "digits printed",
        Answer("plot-digits", "print(X_train[0, ..., 0].round(1))\n"),
        fails={"plot-digits/images-of-the-data": Lost(says="No image was drawn")},
        skips={"plot-digits/several-images": "plot-digits"},
    ),
    wrong(
        "a histogram of the labels instead of digits",
        Answer("plot-digits", "plt.hist(y_train, bins=10)\nplt.show()\n"),
        fails={"plot-digits/images-of-the-data": Lost(says="No image was drawn")},
        skips={"plot-digits/several-images": "plot-digits"},
    ),
    wrong(
        "the whole array given to imshow",
        Answer("plot-digits", "plt.imshow(X_train)\nplt.show()\n"),
        fails={"plot-digits/images-of-the-data": Lost(says="TypeError")},
        skips={"plot-digits/several-images": "plot-digits"},
    ),
    wrong(
        "the process ended instead of digits drawn",
        Answer("plot-digits", "import os\nos._exit(0)\n"),
        fails={"plot-digits/images-of-the-data": Lost(says="did not come to its end")},
        skips={"plot-digits/several-images": "plot-digits"},
    ),
    wrong(
        "digits drawn by a helper that comes later",
        Answer("plot-digits", "show_digits(X_train[:8])\n"),
        Added("noisy-images", "def show_digits(images):\n    plt.imshow(np.hstack(images))\n"),
        fails={},
        waits={"plot-digits/images-of-the-data": "which a later cell defines"},
        skips={"plot-digits/several-images": "plot-digits"},
    ),
    wrong(
        "digits drawn by a package that is not installed",
        Answer("plot-digits", "import cv2\nfor image in X_train[:8]:\n    cv2.imshow('digit', image)\n"),
        fails={},
        waits={"plot-digits/images-of-the-data": "not installed here"},
        skips={"plot-digits/several-images": "plot-digits"},
    ),
    wrong(
        "digits shown without matplotlib",
        Answer("plot-digits", "from PIL import Image\nImage.fromarray((255 * X_train[0, ..., 0]).astype('uint8'))\n"),
        fails={},
        waits={"plot-digits/images-of-the-data": "what matplotlib draws"},
        skips={"plot-digits/several-images": "plot-digits"},
    ),
    wrong(
        "random pictures drawn",
        Replaced("plot-digits", "ax.imshow(image,", "ax.imshow(np.random.random((28, 28)),"),
        fails={},
        waits={"plot-digits/images-of-the-data": "not recognised"},
        skips={"plot-digits/several-images": "plot-digits"},
    ),
]

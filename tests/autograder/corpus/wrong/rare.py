"""Mistakes that reach what others do not: sentences that few students will ever read have to be right as well."""

from corpus.variant import Added, Answer, Lost, Replaced, wrong
from corpus.wrong.encoder import FIXED, NO_CHAIN, NO_CODES, SWEEP
from corpus.wrong.unanswered import checks_of

OWN_LAYER = "class Mine(layers.Dense):\n    pass\n\n\n"
DENSE = 'layers.Dense(latent_dimension, activation="tanh")'
LAST = '        layers.Conv2DTranspose(1, (2, 2), strides=2, padding="same", activation="relu"),\n'
DENOISER = checks_of("fit-denoiser")

DENOISED = dict.fromkeys(checks_of("denoised-images"), "fit-denoiser")
LAYERS = tuple(check for check in checks_of("build-encoder") if "latent-dimension" not in check)
UNKNOWN = "a custom layer Mine"
UNANSWERED = ("build-encoder", "encoder-size", "build-decoder", "decoder-size", "denoising-error")

VARIANTS = [
    wrong(
        "decoder, an output of nothing",
        Replaced("build-decoder", LAST, LAST + "        layers.Rescaling(0.0),\n"),
        fails={
            "build-decoder/nothing-beyond-decoder": Lost("Rescaling-layer", "Rescaling"),
            "denoising-error/denoising-error": Lost(says="did not learn to remove the noise"),
        },
        without=SWEEP,
    ),
    wrong(
        "encoder, three neurons in a layer of her own class",
        Replaced("build-encoder", DENSE, 'Mine(3, activation="tanh")'),
        Added("build-encoder", OWN_LAYER, above=True),
        fails={"build-encoder/latent-dimension-of-encoder": Lost(FIXED, "gives values of shape (3,)")},
        waits=dict.fromkeys(
            (
                *LAYERS,
                "encoder-size/encoder-gives-two-numbers",
                "encoder-size/encoder-is-built-by-the-function",
                "encode/codes-of-the-images",
                "denoising-error/denoising-error",
            ),
            UNKNOWN,
        ),
        skips=dict.fromkeys((*NO_CHAIN, *NO_CODES[2:]), "build-encoder"),
    ),
    wrong(
        "denoiser, forty gigabytes of numbers",
        Added("fit-denoiser", "many = np.zeros((60000, 28, 28, 100))\n", above=True),
        fails={},
        waits=dict.fromkeys(DENOISER, "needs more memory than the grader gives"),
        skips=DENOISED,
    ),
    wrong(
        "denoiser, the process ended",
        Answer("fit-denoiser", "import os\nos._exit(0)\n"),
        fails=dict.fromkeys(DENOISER, Lost(says="did not come to its end")),
        skips=DENOISED,
    ),
    wrong(
        "nothing built at all",
        Answer("build-encoder", ""),
        Answer("build-decoder", ""),
        Answer("encoder-size", ""),
        Answer("decoder-size", ""),
        fails=dict.fromkeys(checks_of(*UNANSWERED), Lost(says="Not answered.")),
        skips=dict.fromkeys((*NO_CHAIN, *NO_CODES), "build-encoder"),
        without=SWEEP,
    ),
    wrong(
        "chain, for larger images",
        Replaced(
            "autoencoder",
            "autoencoder = build_autoencoder(encoder, decoder)\n",
            "larger = [type(one).from_config(one.get_config()) for one in (*encoder.layers, *decoder.layers)]\n"
            "autoencoder = Sequential([Input((32, 32, 1)), *larger])\n",
        ),
        fails={
            "autoencoder/autoencoder-goes-from-image-to-image": Lost(says="takes inputs of shape (32, 32, 1)"),
            "autoencoder/autoencoder-contains-the-two": Lost("chained-other-models"),
        },
        skips={"reconstructions/reconstructions": "autoencoder"},
    ),
]

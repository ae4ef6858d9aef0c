"""What to bring out of the sandbox for each question: the one file of the hidden checks that enters it.

Plain data without any expected value. ``find`` says what is looked for, ``names`` where (the
statement's name first, then names that students use for it), ``like`` how the one object that behaves like it is
recognised when no name fits. ``{"draw": [low, high], "as": "d"}`` becomes a number that the student can not
guess, and ``{"drawn": "d"}`` the same number again.

One mistake costs once: where the cell of a question with ``again_with`` stops, and a builder of the questions named
there does not work, the cell is run once more with plain models of the shapes of ``stand_in`` in the builder's place.
"""

IMAGE = [28, 28, 1]
ENCODER_NAMES = ["build_encoder", "make_encoder", "create_encoder", "get_encoder"]
DECODER_NAMES = ["build_decoder", "make_decoder", "create_decoder", "get_decoder"]
COMPILE_NAMES = ["compile_autoencoder", "compile_model", "compile_auto_encoder", "compile"]


def _encoder(dimension, drawn):
    like = {"input_shape": IMAGE, "output_shape": [drawn]}
    shapes = {"input_shape": IMAGE, "output_shape": ["argument"]}
    return {"find": "function", "names": ENCODER_NAMES, "arguments": [dimension], "like": like, "stand_in": shapes}


def _decoder(dimension, drawn):
    like = {"input_shape": [drawn], "output_shape": IMAGE}
    shapes = {"input_shape": ["argument"], "output_shape": IMAGE}
    return {"find": "function", "names": DECODER_NAMES, "arguments": [dimension], "like": like, "stand_in": shapes}


def _dimensions(probe):
    """Probe a builder for two numbers, and for two latent dimensions that nobody can foresee."""
    return {
        "latent-2": probe(2, 2),
        "drawn-1": probe({"draw": [3, 12], "as": "d"}, {"drawn": "d"}),
        "drawn-2": probe({"draw": [13, 40], "as": "d"}, {"drawn": "d"}),
    }


def _model(names, input_shape, output_shape):
    return {"find": "model", "names": names, "like": {"input_shape": input_shape, "output_shape": output_shape}}


def _array(*names):
    return {"find": "array", "names": list(names), "rows": 64}


def _plain(*names):
    return {"find": "plain", "names": list(names)}


PROBES = {
    "load-data": {
        "X_train": _array("X_train", "x_train", "xtrain", "train_images", "train_x", "X_tr"),
        "y_train": _array("y_train", "Y_train", "ytrain", "train_labels", "train_y", "y_tr"),
        "X_test": _array("X_test", "x_test", "xtest", "test_images", "test_x", "X_te"),
        "y_test": _array("y_test", "Y_test", "ytest", "test_labels", "test_y", "y_te"),
    },
    "build-encoder": _dimensions(_encoder),
    "encoder-size": {"encoder": _model(["encoder", "enc"], IMAGE, [2])},
    "build-decoder": _dimensions(_decoder),
    "decoder-size": {"decoder": _model(["decoder", "dec"], [2], IMAGE)},
    "autoencoder": {"autoencoder": _model(["autoencoder", "auto_encoder", "ae", "model"], IMAGE, IMAGE)},
    "compile": {
        "compile": {
            "find": "function",
            "names": COMPILE_NAMES,
            "arguments": [{"model": "plain", "shape": IMAGE}],
            "returns": "any",
        }
    },
    "encode": {"X_encoded": _array("X_encoded", "x_encoded", "encoded", "X_enc", "encoded_images")},
    "noisy-images": {
        "X_train_noisy": _array("X_train_noisy", "x_train_noisy"),
        "X_test_noisy": _array("X_test_noisy", "x_test_noisy"),
        "noise_factor": _plain("noise_factor"),
    },
    "fit-denoiser": {"denoiser": _model(["denoiser", "denoising_autoencoder", "dae"], IMAGE, IMAGE)},
    "best-latent-dimension": {
        "best": _plain("best_latent_dimension", "best_dimension", "best_latent_dim"),
        "errors": {**_plain("latent_errors", "errors"), "again_with": ["build-encoder", "build-decoder"]},
    },
}

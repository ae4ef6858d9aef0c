"""Question 1: the same data, loaded, scaled and shaped in other ways."""

from corpus.variant import Added, Answer, Everywhere, Replaced, right

LOADED = "(X_train, y_train), (X_test, y_test) = keras.datasets.mnist.load_data()\n"


def data(name, *lines, **expected):
    return right(name, Answer("load-data", LOADED + "\n".join(lines) + "\n"), **expected)


VARIANTS = [
    data(
        "images are reshaped and divided",
        "X_train = X_train.reshape(-1, 28, 28, 1) / 255.0",
        "X_test = X_test.reshape(-1, 28, 28, 1) / 255.0",
    ),
    data(
        "the axis is added by expand_dims",
        "X_train = np.expand_dims(X_train / 255, axis=-1)",
        "X_test = np.expand_dims(X_test / 255, axis=3)",
    ),
    data(
        "shapes are taken from the arrays",
        "n, height, width = X_train.shape",
        "X_train = X_train.astype('float32').reshape((n, height, width, 1)) / X_train.max()",
        "X_test = X_test.astype('float32').reshape((len(X_test), height, width, 1)) / X_test.max()",
    ),
    data(
        "images are divided by 256",
        "X_train, X_test = X_train[..., None] / 256, X_test[..., None] / 256",
        says=("dividing by 255 gives exactly 1",),
    ),
    data(
        "a function prepares both parts",
        "def prepare(images):",
        "    images = images.astype(np.float32)",
        "    images -= images.min()",
        "    images /= images.max()",
        "    return images[:, :, :, np.newaxis]",
        "",
        "X_train, X_test = map(prepare, (X_train, X_test))",
    ),
    data(
        "images are scaled by a layer of Keras",
        "scale = layers.Rescaling(1 / 255)",
        "X_train = scale(X_train[..., np.newaxis]).numpy()",
        "X_test = scale(X_test[..., np.newaxis]).numpy()",
    ),
    data(
        "images are scaled by scikit-learn",
        "from sklearn.preprocessing import MinMaxScaler",
        "scaler = MinMaxScaler().fit([[0], [255]])",
        "X_train = scaler.transform(X_train.reshape(-1, 1)).reshape(-1, 28, 28, 1)",
        "X_test = scaler.transform(X_test.reshape(-1, 1)).reshape(-1, 28, 28, 1)",
    ),
    data(
        "the images are tensors",
        "import tensorflow as tf",
        "X_train = tf.constant(X_train[..., np.newaxis] / 255, tf.float32)",
        "X_test = tf.constant(X_test[..., np.newaxis] / 255, tf.float32)",
    ),
    data(
        "the training images are shuffled with their labels",
        "order = np.random.permutation(len(X_train))",
        "X_train, y_train = X_train[order], y_train[order]",
        "X_train, X_test = X_train[..., np.newaxis] / 255, X_test[..., np.newaxis] / 255",
    ),
    data(
        "the prepared images are saved and loaded again",
        "X_train, X_test = X_train[..., np.newaxis] / 255, X_test[..., np.newaxis] / 255",
        "np.savez_compressed('prepared.npz', test=X_test)",
        "X_test = np.load('prepared.npz')['test']",
    ),
    data(
        "the images are scaled one by one",
        "X_train = np.array([image.reshape(28, 28, 1) / 255 for image in X_train])",
        "X_test = np.stack([(image / 255)[..., None] for image in X_test])",
    ),
    data(
        "the channel axis is added in place",
        "X_train, X_test = X_train / 255, X_test / 255",
        "X_train = X_train[:, :, :, None]",
        "X_test = X_test[:, :, :, None]",
        "X_train = X_train.astype(np.float64); X_test = X_test.astype(np.float64)",
    ),
    right(
        "the data set is imported by its name",
        Replaced("load-data", "keras.datasets.mnist.load_data()", "mnist.load_data(path='mnist.npz')"),
        Added("load-data", "from keras.datasets import mnist\n", above=True),
    ),
    right(
        "the data set is loaded through tf",
        Replaced("load-data", "keras.datasets.mnist.load_data()", "tf.keras.datasets.mnist.load_data()"),
        Added("load-data", "import tensorflow as tf\n", above=True),
    ),
    right(
        "the data set is unpacked later",
        Replaced("load-data", "(X_train, y_train), (X_test, y_test) = ", "data = "),
        Replaced(
            "load-data",
            "load_data()\n",
            "load_data()\ntrain, test = data\nX_train, y_train = train\nX_test, y_test = test\n",
        ),
    ),
    right(
        "variables are written in lower case",
        Everywhere(r"\bX_(train|test)\b", r"x_\1"),
        Added("load-data", "X_train, X_test = x_train, x_test\n"),
    ),
    right(
        "images have names of their own and are given those of the statement later",
        Everywhere(r"\bX_(train|test)\b", r"\1_images"),
        Added("noisy-images", "# The given cell wanted these names.\n", above=True),
        Added("plot-digits", "X_train, X_test = train_images, test_images\n"),
    ),
    right(
        "the labels are one-hot vectors",
        Added(
            "load-data", "y_train, y_test = keras.utils.to_categorical(y_train), keras.utils.to_categorical(y_test)\n"
        ),
        Replaced("latent-space", "c=y_test[:5000]", "c=y_test[:5000].argmax(axis=1)"),
        says=("one-hot",),
    ),
    right(
        "the labels are texts",
        Added("load-data", "y_train, y_test = y_train.astype(str), y_test.astype(str)\n"),
        Replaced("latent-space", "c=y_test[:5000]", "c=y_test[:5000].astype(int)"),
    ),
    right(
        "only the images are asked for twice",
        Added("load-data", "(_, labels), _ = keras.datasets.mnist.load_data()\nassert (labels == y_train).all()\n"),
    ),
]

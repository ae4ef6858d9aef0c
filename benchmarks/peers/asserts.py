"""What a careful instructor writes into the test cell of each question, for a grader that runs asserts in the kernel.

They were written from the statement, before the corpus was seen, and accept what the statement leaves open as far as
one thinks of it: the padding of the encoder, the spelling of the loss, the division by 255 or 256, any latent
dimension. None may print anything to the error stream: nbgrader takes that for a failure.
"""

from __future__ import annotations

from collections.abc import Mapping

CELLS: Mapping[str, str] = {
    "load-data": '''\
assert X_train.shape == (60000, 28, 28, 1), f"the shape of X_train is {X_train.shape}"
assert X_test.shape == (10000, 28, 28, 1), f"the shape of X_test is {X_test.shape}"
assert len(y_train) == 60000 and len(y_test) == 10000, "one label for each image"
(images, labels), (test_images, test_labels) = keras.datasets.mnist.load_data()
for mine, true in ((X_train, images), (X_test, test_images)):
    assert mine.min() >= 0 and mine.max() <= 1, "the pixels are not between 0 and 1"
    assert np.allclose(mine[:1000, :, :, 0], true[:1000] / 255, atol=0.01), "these are not the scaled images"
assert np.array_equal(y_train, labels), "y_train are not the labels"
assert np.array_equal(y_test, test_labels), "y_test are not the labels"
''',
    "build-encoder": '''\
for latent_dimension in (2, 5):
    model = build_encoder(latent_dimension)
    assert isinstance(model, keras.Model), "build_encoder does not return a model"
    assert model.input_shape == (None, 28, 28, 1), f"the input shape is {model.input_shape}"
    assert model.output_shape == (None, latent_dimension), f"the output shape is {model.output_shape}"
    found = [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]
    kinds = ("Conv2D", "MaxPooling2D", "Conv2D", "MaxPooling2D", "Conv2D", "Flatten", "Dense")
    assert len(found) == len(kinds), f"{len(kinds)} layers expected, {len(found)} found"
    for layer, kind in zip(found, kinds):
        assert isinstance(layer, getattr(keras.layers, kind)), f"{kind} expected, {type(layer).__name__} found"
    for layer, filters in zip((found[0], found[2], found[4]), (8, 16, 32)):
        assert layer.filters == filters, f"{filters} filters expected, {layer.filters} found"
        assert layer.kernel_size == (2, 2), f"the kernel is {layer.kernel_size}"
        assert layer.strides == (1, 1), f"the strides of a convolution are {layer.strides}"
        assert layer.activation.__name__ == "relu", f"the activation of a convolution is {layer.activation.__name__}"
    for layer in (found[1], found[3]):
        assert layer.pool_size == (2, 2), f"the pooling is {layer.pool_size}"
    assert found[6].activation.__name__ == "tanh", f"the last activation is {found[6].activation.__name__}"
    # With valid and with same padding: the statement asks for neither.
    assert model.count_params() in (2648 + 801 * latent_dimension, 2648 + 1569 * latent_dimension)
''',
    "encoder-size": '''\
assert isinstance(encoder, keras.Model), "encoder is not a model"
assert encoder.output_shape == (None, 2), f"the output shape of encoder is {encoder.output_shape}"
assert encoder.count_params() in (4250, 5786), f"encoder has {encoder.count_params()} parameters"
''',
    "build-decoder": '''\
for latent_dimension in (2, 5):
    model = build_decoder(latent_dimension)
    assert isinstance(model, keras.Model), "build_decoder does not return a model"
    assert model.input_shape == (None, latent_dimension), f"the input shape is {model.input_shape}"
    assert model.output_shape == (None, 28, 28, 1), f"the output shape is {model.output_shape}"
    found = [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]
    kinds = ("Dense", "Reshape", "Conv2DTranspose", "Conv2DTranspose")
    assert len(found) == len(kinds), f"{len(kinds)} layers expected, {len(found)} found"
    for layer, kind in zip(found, kinds):
        assert isinstance(layer, getattr(keras.layers, kind)), f"{kind} expected, {type(layer).__name__} found"
    assert found[0].units == 7 * 7 * 8, f"{found[0].units} neurons"
    assert found[0].activation.__name__ == "tanh", f"the first activation is {found[0].activation.__name__}"
    assert tuple(found[1].target_shape) == (7, 7, 8), f"reshaped to {found[1].target_shape}"
    for layer, filters in zip(found[2:], (8, 1)):
        assert layer.filters == filters, f"{filters} filters expected, {layer.filters} found"
        assert layer.kernel_size == (2, 2), f"the kernel is {layer.kernel_size}"
        assert layer.strides == (2, 2), f"the strides are {layer.strides}"
        assert layer.padding == "same", f"the padding is {layer.padding}"
        assert layer.activation.__name__ == "relu", f"the activation is {layer.activation.__name__}"
    assert model.count_params() == 392 * (latent_dimension + 1) + 297
''',
    "decoder-size": '''\
assert isinstance(decoder, keras.Model), "decoder is not a model"
assert decoder.input_shape == (None, 2), f"the input shape of decoder is {decoder.input_shape}"
assert decoder.count_params() == 1473, f"decoder has {decoder.count_params()} parameters"
''',
    "autoencoder": '''\
assert isinstance(autoencoder, keras.Model), "autoencoder is not a model"
assert autoencoder.input_shape == (None, 28, 28, 1), f"the input shape is {autoencoder.input_shape}"
assert autoencoder.output_shape == (None, 28, 28, 1), f"the output shape is {autoencoder.output_shape}"
assert autoencoder.count_params() == encoder.count_params() + decoder.count_params()
images = np.random.default_rng(1).random((4, 28, 28, 1), dtype="float32")
assert np.allclose(autoencoder(images), decoder(encoder(images)), atol=1e-5), "it does not chain encoder and decoder"
''',
    "compile": '''\
pixels = keras.Input((28, 28, 1))
model = keras.Model(pixels, keras.layers.Dense(1)(pixels))
_ = compile_autoencoder(model)
assert model.compiled, "compile_autoencoder does not compile the model that it is given"
# A text, a function or an object.
loss = model.loss if isinstance(model.loss, str) else getattr(model.loss, "__name__", getattr(model.loss, "name", ""))
assert loss.lower() in ("mse", "mean_squared_error", "meansquarederror"), f"the loss is {loss}"
''',
}  # fmt: skip

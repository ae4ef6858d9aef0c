"""Questions 2, 10, 12, 13 and 16: the same pictures, drawn in other ways."""

from corpus.variant import Added, Answer, Replaced, no_sweep, right


def digits(name, source, **expected):
    return right(name, Answer("plot-digits", source), **expected)


def rebuilt(name, source, **expected):
    return right(name, Answer("reconstructions", source), **expected)


def points(name, source, **expected):
    return right(name, Answer("latent-space", source), **expected)


def noise(name, source, **expected):
    return right(name, Answer("noisy-images", source), **expected)


def denoised(name, source, **expected):
    return right(name, Answer("denoised-images", source), **expected)


VARIANTS = no_sweep(
    # 2. Digits.
    digits(
        "digits are drawn by subplot in a loop",
        """\
plt.figure(figsize=(10, 2))
for i in range(10):
    plt.subplot(1, 10, i + 1)
    plt.imshow(X_train[i].reshape(28, 28), cmap=plt.cm.binary)
    plt.axis("off")
plt.tight_layout()
""",
    ),
    digits(
        "each digit has a figure of its own",
        """\
for i in (0, 5, 7):
    plt.figure()
    plt.imshow(np.squeeze(X_test[i]))
    plt.colorbar()
    plt.title(f"This is a {y_test[i]}")
    plt.show()
""",
    ),
    digits(
        "random digits are drawn by matshow",
        """\
rng = np.random.default_rng()
for index in rng.choice(len(X_train), size=4, replace=False):
    plt.matshow(X_train[index, :, :, 0], cmap="viridis")
""",
    ),
    digits(
        "an example of each digit is drawn",
        """\
fig, axs = plt.subplots(nrows=2, ncols=5)
for digit in range(10):
    ax = axs[divmod(digit, 5)]
    ax.imshow(X_train[y_train == digit][0], cmap="Greys")
    ax.set(xticks=[], yticks=[], xlabel=str(digit))
""",
    ),
    digits(
        "digits are drawn as heat maps of seaborn",
        """\
import seaborn as sns

fig, axes = plt.subplots(1, 3, figsize=(9, 3))
for ax, picture in zip(axes, X_train):
    sns.heatmap(picture[..., 0], ax=ax, cbar=False, xticklabels=False, yticklabels=False)
""",
    ),
    digits(
        "digits are put side by side into one picture",
        """\
plt.figure(figsize=(12, 2))
plt.imshow(np.hstack(X_train[:8, :, :, 0]), cmap="gray")
plt.axis("off")
plt.show()
""",
    ),
    digits(
        "digits are drawn in a grid of images",
        """\
from mpl_toolkits.axes_grid1 import ImageGrid

grid = ImageGrid(plt.figure(figsize=(6, 6)), 111, nrows_ncols=(4, 4), axes_pad=0.1)
for ax, image in zip(grid, X_train[100:116]):
    ax.imshow(image)
""",
    ),
    digits(
        "digits are drawn by pcolormesh",
        """\
fig, axes = plt.subplots(1, 4, figsize=(8, 2))
for ax, image in zip(axes, X_train):
    ax.pcolormesh(image[::-1, :, 0], cmap="gray")
    ax.set_aspect("equal")
""",
    ),
    right(
        "a helper draws all the rows of images",
        Answer(
            "plot-digits",
            """\
def show_rows(*rows, titles=(), cmap="gray"):
    \"\"\"Show several rows of images, one below the other.\"\"\"
    rows = [np.asarray(row).reshape(-1, 28, 28) for row in rows]
    fig, axes = plt.subplots(len(rows), len(rows[0]), figsize=(len(rows[0]), len(rows)), squeeze=False)
    for line, images in zip(axes, rows):
        for ax, image in zip(line, images):
            ax.imshow(image, cmap=cmap)
            ax.axis("off")
    for line, title in zip(axes, titles):
        line[0].set_title(title)
    plt.show()

show_rows(X_train[:10], X_train[10:20])
""",
        ),
        Answer(
            "reconstructions",
            "show_rows(X_test[:8], autoencoder.predict(X_test[:8]), titles=['original', 'rebuilt'])\n",
        ),
        Answer("noisy-images", "show_rows(X_train[:6], X_train_noisy[:6], titles=['clean', 'noisy'])\n"),
        Answer(
            "denoised-images",
            "show_rows(X_test_noisy[:8], denoiser.predict(X_test_noisy[:8]), X_test[:8], titles=['noisy', 'denoised', 'clean'])\n",
        ),
    ),
    # 10. Reconstructions.
    rebuilt(
        "all test images are predicted and five of them drawn",
        """\
predictions = autoencoder.predict(X_test)
for i in np.random.choice(len(X_test), 5):
    plt.subplot(1, 2, 1)
    plt.imshow(X_test[i], cmap="gray")
    plt.subplot(1, 2, 2)
    plt.imshow(predictions[i], cmap="gray")
    plt.show()
""",
    ),
    rebuilt(
        "the model is called instead of predict",
        """\
some = X_test[20:26]
output = autoencoder(some).numpy()
fig, axes = plt.subplots(2, 6)
for i in range(6):
    axes[0, i].imshow(some[i].squeeze(), cmap="gray")
    axes[1, i].imshow(output[i].squeeze(), cmap="gray")
""",
    ),
    rebuilt(
        "images go through encoder and decoder one after the other",
        """\
codes = encoder.predict(X_test[:6])
pictures = decoder.predict(codes)
fig, axes = plt.subplots(6, 2, figsize=(3, 9))
for row, before, after in zip(axes, X_test, pictures):
    row[0].imshow(before)
    row[1].imshow(after)
""",
    ),
    rebuilt(
        "the reconstructions alone are drawn",
        """\
fig, axes = plt.subplots(1, 6)
for ax, picture in zip(axes, autoencoder.predict(X_test[:6])):
    ax.imshow(picture, cmap="gray")
""",
    ),
    rebuilt(
        "training images are rebuilt and the difference is drawn as well",
        """\
X = X_train[:5]
P = autoencoder.predict(X)
fig, axes = plt.subplots(5, 3)
for i in range(5):
    for j, picture in enumerate((X[i], P[i], np.abs(X[i] - P[i]))):
        axes[i, j].imshow(picture, cmap="gray")
        axes[i, j].axis("off")
""",
    ),
    rebuilt(
        "reconstructions are clipped before they are drawn",
        """\
rebuilt = np.clip(autoencoder.predict(X_test[:4]), 0, 1)
fig, axes = plt.subplots(2, 4)
for n in range(4):
    axes[0][n].imshow(X_test[n], cmap="gray", interpolation="nearest")
    axes[1][n].imshow(rebuilt[n], cmap="gray", interpolation="nearest")
""",
    ),
    rebuilt(
        "images are predicted one at a time",
        """\
for i in range(3):
    one = np.expand_dims(X_test[i], axis=0)
    fig, (left, right) = plt.subplots(1, 2)
    left.imshow(X_test[i])
    right.imshow(autoencoder.predict(one, verbose=0)[0])
""",
    ),
    # 11 and 12. Codes and the map.
    right(
        "all test images are encoded",
        Replaced("encode", "X_test[:5000]", "X_test"),
        Replaced("latent-space", "y_test[:5000]", "y_test"),
    ),
    right(
        "training images are encoded by a call",
        Replaced("encode", "encoder.predict(X_test[:5000], verbose=0)", "encoder(X_train[:3000]).numpy()"),
        Replaced("latent-space", "y_test[:5000]", "y_train[:3000]"),
    ),
    right(
        "a random part of the images is encoded",
        Replaced("encode", "X_test[:5000]", "X_test[chosen]"),
        Added("encode", "chosen = np.random.choice(10_000, 2_000, replace=False)\n", above=True),
        Replaced("latent-space", "y_test[:5000]", "y_test[chosen]"),
    ),
    right(
        "images are encoded in parts that are joined",
        Replaced(
            "encode",
            "encoder.predict(X_test[:5000], verbose=0)",
            "np.concatenate([encoder.predict(X_test[i:i + 1000], verbose=0) for i in range(0, 5000, 1000)])",
        ),
    ),
    right(
        "the encoded images are a tensor",
        Replaced("encode", "encoder.predict(X_test[:5000], verbose=0)", "encoder(X_test[:5000])"),
        Replaced("latent-space", "X_encoded.T", "X_encoded.numpy().T"),
    ),
    points(
        "each digit is scattered by itself with a legend",
        """\
for digit in range(10):
    mine = y_test[:5000] == digit
    plt.scatter(X_encoded[mine, 0], X_encoded[mine, 1], label=digit, alpha=0.5, s=3)
plt.legend()
""",
    ),
    points(
        "the map is drawn by seaborn",
        """\
import seaborn as sns

plt.figure(figsize=(8, 8))
sns.scatterplot(x=X_encoded[:, 0], y=X_encoded[:, 1], hue=y_test[:5000], palette="tab10", legend="full")
plt.show()
""",
    ),
    points(
        "the map is drawn by pandas",
        """\
import pandas as pd

frame = pd.DataFrame(X_encoded, columns=["first", "second"]).assign(digit=y_test[:5000])
frame.plot.scatter("first", "second", c="digit", colormap="tab10", s=5)
""",
    ),
    points(
        "the map is a facet grid of seaborn",
        """\
import pandas as pd
import seaborn as sns

frame = pd.DataFrame({"x": X_encoded[:, 0], "y": X_encoded[:, 1], "digit": y_test[:5000].astype(str)})
sns.relplot(data=frame, x="x", y="y", hue="digit", s=10)
""",
    ),
    points(
        "the first 300 points are drawn, without a legend",
        """\
plt.scatter(X_encoded[:300, 0], X_encoded[:300, 1], c=y_test[:300])
""",
    ),
    points(
        "each digit is a line of dots",
        """\
for digit in np.unique(y_test):
    x, y = X_encoded[y_test[:5000] == digit].T
    plt.plot(x, y, ".", label=str(digit))
plt.legend(title="digit")
""",
    ),
    points(
        "colours come from a list by digit",
        """\
colours = np.array(["red", "blue", "green", "orange", "purple", "brown", "pink", "gray", "olive", "cyan"])
fig, ax = plt.subplots()
ax.scatter(*X_encoded.T, color=colours[y_test[:5000]], marker="x", linewidths=0.5)
ax.grid(True)
""",
    ),
    points(
        "colours are a map of ten bands with a legend from the points",
        """\
fig, ax = plt.subplots(figsize=(7, 7))
dots = ax.scatter(X_encoded[:, 0], X_encoded[:, 1], c=y_test[:5000], cmap=plt.get_cmap("Spectral", 10), s=8)
ax.add_artist(ax.legend(*dots.legend_elements(), title="Digits"))
""",
    ),
    points(
        "the axes of the map are exchanged",
        """\
plt.scatter(X_encoded[:, 1], X_encoded[:, 0], c=y_test[:5000], cmap="jet", s=2)
plt.xlabel("z2"); plt.ylabel("z1"); plt.colorbar()
""",
    ),
    points(
        "the map is drawn from what the encoder gives now",
        """\
z = encoder.predict(X_test[:5000])
plt.scatter(z[:, 0], z[:, 1], c=y_test[:5000])
plt.colorbar()
""",
    ),
    points(
        "the name of each point is also written at some of them",
        """\
plt.scatter(X_encoded[:, 0], X_encoded[:, 1], c=y_test[:5000], cmap="tab10", s=4)
for (x, y), digit in list(zip(X_encoded, y_test))[:30]:
    plt.text(x, y, str(digit))
""",
    ),
    # 13. Noise.
    noise(
        "pairs with noise are drawn side by side in figures of their own",
        """\
for i in range(4):
    fig, ax = plt.subplots(1, 2)
    ax[0].imshow(X_train[i].reshape(28, 28), cmap="gray")
    ax[0].set_title("Original")
    ax[1].imshow(X_train_noisy[i].reshape(28, 28), cmap="gray")
    ax[1].set_title("Noisy")
    plt.show()
""",
    ),
    noise(
        "random pairs of the test set are drawn",
        """\
n = 6
chosen = np.random.randint(0, len(X_test), n)
plt.figure(figsize=(12, 4))
for position, i in enumerate(chosen, start=1):
    plt.subplot(2, n, position)
    plt.imshow(X_test[i], cmap="gray", vmin=0, vmax=1)
    plt.subplot(2, n, position + n)
    plt.imshow(X_test_noisy[i], cmap="gray", vmin=0, vmax=1)
""",
    ),
    noise(
        "the noise is clipped to the range of pixels",
        """\
X_train_noisy = np.clip(X_train_noisy, 0, 1)
X_test_noisy = np.clip(X_test_noisy, 0, 1)
fig, axes = plt.subplots(2, 5)
for i in range(5):
    axes[0, i].imshow(X_train[i], cmap="gray")
    axes[1, i].imshow(X_train_noisy[i], cmap="gray")
""",
    ),
    noise(
        "the noise is of her own making and of the same size",
        """\
import tensorflow as tf

X_train_noisy = X_train + 0.5 * tf.random.normal(shape=X_train.shape).numpy()
X_test_noisy = X_test + 0.5 * tf.random.normal(shape=X_test.shape).numpy()
fig, axes = plt.subplots(2, 5)
for i in range(5):
    axes[0, i].imshow(X_test[i], cmap="gray")
    axes[1, i].imshow(X_test_noisy[i], cmap="gray")
""",
    ),
    noise(
        "the noise is of numpy's older generator and has 64 bits",
        """\
X_train_noisy = X_train + noise_factor * np.random.normal(size=X_train.shape)
X_test_noisy = X_test + noise_factor * np.random.normal(size=X_test.shape)
fig, axes = plt.subplots(2, 5)
for i in range(5):
    axes[0, i].imshow(X_train[i], cmap="gray")
    axes[1, i].imshow(X_train_noisy[i], cmap="gray")
""",
    ),
    noise(
        "noise is added to one image after the other",
        """\
def noisy(images):
    result = []
    for image in images:
        result.append(image + noise_factor * np.random.randn(28, 28, 1))
    return np.array(result)

X_train_noisy, X_test_noisy = noisy(X_train), noisy(X_test)
for i in range(3):
    for j, image in enumerate([X_test[i], X_test_noisy[i]]):
        plt.subplot(3, 2, 2 * i + j + 1)
        plt.imshow(image)
""",
    ),
    noise(
        "original and noisy image are one picture",
        """\
for i in range(3):
    plt.imshow(np.concatenate([X_train[i], X_train_noisy[i]], axis=1), cmap="gray")
    plt.show()
""",
    ),
    # 16. Denoised images.
    denoised(
        "the denoised images are drawn below the noisy and the clean ones",
        """\
X_denoised = denoiser.predict(X_test_noisy)
n = 7
for row, images in enumerate([X_test, X_test_noisy, X_denoised]):
    for i in range(n):
        ax = plt.subplot(3, n, row * n + i + 1)
        ax.imshow(images[i].reshape(28, 28))
        ax.get_xaxis().set_visible(False)
        ax.get_yaxis().set_visible(False)
plt.show()
""",
    ),
    denoised(
        "random noisy images are denoised",
        """\
index = np.random.randint(0, 10_000, 5)
fig, axes = plt.subplots(5, 2, figsize=(4, 10))
for (left, right), noisy, clean in zip(axes, X_test_noisy[index], denoiser.predict(X_test_noisy[index])):
    left.imshow(noisy, cmap="gray"), left.set_title("noisy")
    right.imshow(clean, cmap="gray"), right.set_title("denoised")
plt.tight_layout()
""",
    ),
    denoised(
        "the denoised images alone are drawn",
        """\
result = denoiser(X_test_noisy[:9])
for i, image in enumerate(result):
    plt.subplot(3, 3, i + 1)
    plt.imshow(image)
""",
    ),
)

"""Wrong comparisons of latent dimensions: question 17."""

from corpus.variant import Added, Answer, Lost, Replaced, Variant, wrong

QUESTION = "best-latent-dimension"
FOUR, WIDE = f"{QUESTION}/at-least-four-dimensions", f"{QUESTION}/one-of-16-or-more"
FRESH, TRAINED = f"{QUESTION}/a-fresh-model-for-each", f"{QUESTION}/trained-from-noisy-to-clean"
MEASURED, BEST = f"{QUESTION}/measured-on-noisy-test-images", f"{QUESTION}/best-latent-dimension"
ALL = (FOUR, WIDE, FRESH, TRAINED, MEASURED, BEST)

DIMENSIONS = "(2, 4, 8, 16, 32)"
BUILT = "candidate = build_autoencoder(build_encoder(latent_dimension), build_decoder(latent_dimension))"
FIT = "candidate.fit(X_train_noisy, X_train, "
EVALUATED = "candidate.evaluate(X_test_noisy, X_test, verbose=0)"
CHOSEN = "min(latent_errors, key=latent_errors.get)"


def sweep(name: str, old: str, new: str, fails, *more_changes, **more) -> Variant:
    """Return a comparison of which a part is another one."""
    return wrong(f"comparison, {name}", Replaced(QUESTION, old, new), *more_changes, fails=fails, **more)


def best(name: str, new: str, says: str) -> Variant:
    """Return a comparison after which another best one is named."""
    return sweep(f"best, {name}", CHOSEN, new, {BEST: Lost(says=says)})


VARIANTS = [
    sweep("three dimensions", DIMENSIONS, "(2, 8, 32)", {FOUR: Lost(says="found: 2, 8, 32")}),
    sweep("two wide dimensions", DIMENSIONS, "(16, 32)", {FOUR: Lost(says="found: 16, 32")}),
    sweep("15 at most", DIMENSIONS, "(2, 4, 8, 15)", {WIDE: Lost(says="the largest is 15")}),
    sweep("three narrow dimensions", DIMENSIONS, "(2, 3, 4)", {FOUR: None, WIDE: None}),
    sweep("evaluates the denoiser each time", "candidate.evaluate", "denoiser.evaluate",
          {FRESH: Lost("one-model-evaluated", "The same model is measured")}),
    sweep("evaluates the autoencoder each time", "candidate.evaluate", "autoencoder.evaluate",
          {FRESH: Lost("one-model-evaluated", "The same model is measured")}),
    sweep("one model of 16 for all", BUILT, "candidate = candidate_of_16",
          {FRESH: Lost("weights-not-fresh", "The same model is fitted")},
          Added(QUESTION, "candidate_of_16 = build_autoencoder(build_encoder(16), build_decoder(16))\n", above=True)),
    sweep("the denoiser trained on and on", BUILT, "candidate = denoiser", {FRESH: Lost("weights-not-fresh")}),
    sweep("always two dimensions", BUILT, "candidate = build_autoencoder(build_encoder(2), build_decoder(2))",
          {FRESH: Lost(says="have the latent dimension 2")}),
    sweep("nothing fitted", f"    {FIT}batch_size=32, epochs=20, verbose=0)\n", "",
          {FRESH: Lost(says="No model is fitted"), TRAINED: Lost(says="No model is fitted")}),
    sweep("trained before, and again in the comparison", "    compile_autoencoder(candidate)\n",
          "    candidate = candidates[latent_dimension]\n    compile_autoencoder(candidate)\n",
          {FRESH: Lost("weights-not-fresh", "trained before")},
          Added("denoised-images", "candidates = {}\nfor d in (2, 4, 8, 16, 32):\n"
                "    candidates[d] = build_autoencoder(build_encoder(d), build_decoder(d))\n"
                "    compile_autoencoder(candidates[d])\n"
                "    candidates[d].fit(X_train_noisy, X_train, batch_size=32, epochs=20, verbose=0)\n")),
    sweep("trained on clean images", FIT, "candidate.fit(X_train, X_train, ", {TRAINED: Lost("clean-input", "noisy images")}),
    sweep("trained towards noisy images", FIT, "candidate.fit(X_train_noisy, X_train_noisy, ",
          {TRAINED: Lost("noisy-target", "noisy images were given")}),
    sweep("trained towards labels", FIT, "candidate.fit(X_train_noisy, y_train, ", {TRAINED: Lost("labels-as-target")}),
    sweep("trained on test images", FIT, "candidate.fit(X_test_noisy, X_test, ", {TRAINED: Lost(says="on the test images")}),
    sweep("trained towards other images", FIT, "candidate.fit(X_train_noisy, X_train[::-1], ",
          {TRAINED: Lost(says="the same image without noise")}),
    sweep("trained on a hundred images", FIT, "candidate.fit(X_train_noisy[:100], X_train[:100], ",
          {TRAINED: Lost(says="on 100 images", cost=0.5)}),
    sweep("clean images first", FIT, "candidate.fit(X_train, X_train, batch_size=32, epochs=5, verbose=0)\n    " + FIT, {},
          waits={TRAINED: "clean images first"}),
    sweep("trained towards sums of rows", FIT, "candidate.fit(X_train_noisy, X_train.mean(axis=(2, 3)), ",
          {**dict.fromkeys((FOUR, WIDE)), MEASURED: Lost(says="Incompatible shapes"), BEST: Lost(says="stopped with")},
          waits={TRAINED: "could not be read"}),
    sweep("trained on images upside down", FIT, "candidate.fit(X_train_noisy[:, ::-1], X_train, ",
          {TRAINED: Lost(says="the same image without noise")}),
    sweep("trained on random pictures", FIT, "candidate.fit(np.random.random(X_train.shape), X_train, ", {},
          waits={TRAINED: "not recognised"}),
    sweep("two of five models trained", f"    {FIT}", f"    if latent_dimension > 8:\n        {FIT}", {},
          waits={FRESH: "2 models were fitted"}),
    sweep("the denoiser measured for two dimensions", EVALUATED,
          "(candidate if latent_dimension > 4 else denoiser).evaluate(X_test_noisy, X_test, verbose=0)", {},
          waits={FRESH: "Fewer models were measured"}),
    sweep("trained by a loop of its own", f"    {FIT}batch_size=32, epochs=20, verbose=0)\n",
          "    candidate.train_on_batch(X_train_noisy[:32], X_train[:32])\n", {},
          waits={TRAINED: "loop of its own"}),
    sweep("measured on random pictures", EVALUATED, "candidate.evaluate(np.random.random(X_test.shape), X_test, verbose=0)", {},
          waits={MEASURED: "not recognised"}),
    sweep("measured on clean images", EVALUATED, "candidate.evaluate(X_test, X_test, verbose=0)",
          {MEASURED: Lost("clean-input", "measured on clean images")}),
    sweep("measured on training images", EVALUATED, "candidate.evaluate(X_train_noisy, X_train, verbose=0)",
          {MEASURED: Lost(says="measured on training images")}),
    sweep("measured against noisy images", EVALUATED, "candidate.evaluate(X_test_noisy, X_test_noisy, verbose=0)",
          {MEASURED: Lost("noisy-target", "measured against noisy images")}),
    sweep("measured against labels", EVALUATED, "candidate.evaluate(X_test_noisy, y_test, verbose=0)",
          {MEASURED: Lost("labels-as-target", "the digit of each image")}),
    sweep("measured against other images", EVALUATED, "candidate.evaluate(X_test_noisy, X_test[::-1], verbose=0)",
          {MEASURED: Lost(says="the same image without noise")}),
    sweep("measured before the training", f"    {FIT}batch_size=32, epochs=20, verbose=0)\n    error = {EVALUATED}\n",
          f"    error = {EVALUATED}\n    {FIT}batch_size=32, epochs=20, verbose=0)\n",
          {MEASURED: Lost("measured-before-training", "before the model is trained")}),
    sweep("training loss for the error", f"    {FIT}batch_size=32, epochs=20, verbose=0)\n    error = {EVALUATED}\n",
          f"    history = {FIT}batch_size=32, epochs=20, verbose=0)\n    error = history.history['loss'][-1]\n", {},
          waits={MEASURED: "No measurement"}),
    sweep("validation on clean images", f"{FIT}batch_size=32, epochs=20, verbose=0)\n    error = {EVALUATED}\n",
          f"history = {FIT}batch_size=32, epochs=20, validation_data=(X_test, X_test), verbose=0)\n"
          "    error = history.history['val_loss'][-1]\n", {MEASURED: Lost("clean-input", "measured on clean images")}),
    sweep("validation against noisy images", f"{FIT}batch_size=32, epochs=20, verbose=0)\n    error = {EVALUATED}\n",
          f"history = {FIT}batch_size=32, epochs=20, validation_data=(X_test_noisy, X_test_noisy), verbose=0)\n"
          "    error = history.history['val_loss'][-1]\n", {MEASURED: Lost("noisy-target")}),
    best("of 4, and not the smallest error", "4\nlatent_errors = {2: 0.07, 4: 0.06, 8: 0.05, 16: 0.04, 32: 0.03}", "too narrow"),
    best("64, which was not compared", "64", "64 is none of them"),
    best("the smallest error itself", "0.0312", "should be a number"),
    best("a text without a number", '"the largest"', "should be a number"),
    sweep("best, of 8, and not the smallest error", CHOSEN,
          "8\nlatent_errors = {2: 0.07, 4: 0.06, 8: 0.05, 16: 0.04, 32: 0.03}", {}, waits={BEST: "A person will read why"}),
    sweep("best never named", f"best_latent_dimension = {CHOSEN}\n", "", {BEST: Lost(says="best_latent_dimension")},
          Replaced(QUESTION, 'print("Best latent dimension:", best_latent_dimension)\n', "")),
    wrong("comparison, an error of its own", Replaced(QUESTION, FIT, "candidate.fitt(X_train_noisy, X_train, "),
          fails=dict.fromkeys(ALL, Lost(says="AttributeError"))),
    wrong("comparison, talk instead of work", Answer(QUESTION, 'print("The more the better.")\n'),
          fails=dict.fromkeys(ALL, Lost(says="No dimensions were compared"))),
]  # fmt: skip

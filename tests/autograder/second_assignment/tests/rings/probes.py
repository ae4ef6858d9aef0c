"""What to bring out of the sandbox for each question of the rings: plain data without any expected value."""

SHAPES = {"input_shape": [2], "output_shape": [1]}


def _builder(neurons):
    names = ["build_classifier", "make_classifier", "build_model"]
    return {"find": "function", "names": names, "arguments": [neurons], "like": SHAPES}


PROBES = {
    "scale": {"X_scaled": {"find": "array", "names": ["X_scaled", "X_standardised", "X_norm"]}},
    "build-classifier": {"eight": _builder(8), "drawn": _builder({"draw": [9, 40]})},
    "fit": {"classifier": {"find": "model", "names": ["classifier", "model"], "like": SHAPES}},
}

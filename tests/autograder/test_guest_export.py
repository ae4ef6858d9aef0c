"""Exporting the answers: found by name, alias or behaviour, when their cell ends, whatever the objects do."""

from __future__ import annotations

import numpy as np
import pytest
from warm import run

KERAS = """
import numpy as np, keras
from keras import layers
def make(n): return keras.Sequential([layers.Input((3,)), layers.Dense(n)])
"""
LIKE = {"input_shape": [3], "output_shape": [2]}
BUILD = {"find": "function", "names": ["build", "make_it"], "arguments": [2], "like": LIKE}


def probe(find, *names, **more):
    return {"q": {"p": {"find": find, "names": list(names), **more}}}


def ask(source):
    return {"source": source, "exports": ["q"]}


def value(result, question="q", label="p"):
    return result.evidence.value(question, label)


def test_a_function_is_called_and_its_model_exported():
    result = run(
        [KERAS, ask("def build(n):\n    print('noise')\n    return make(n)")],
        probes={"q": {"p": BUILD, "five": {**BUILD, "arguments": [5]}}},
    )
    two, five = value(result), value(result, label="five")
    assert (two.kind, two.name, two.matched, two.arguments, two.cell) == ("model", "build", "name", [2], 1)
    assert result.evidence.models[two.model].output_shape == [None, 2]
    assert result.evidence.models[five.model].output_shape == [None, 5]
    assert [w.shape for w in result.evidence.models[five.model].weights] == [(3, 5), (5,)]
    assert result.printed(1) == "", "what a probe prints is not the notebook's"


def test_names_are_found_by_alias_by_spelling_and_by_behaviour():
    aliases = run([KERAS, ask("def Make_IT(n): return make(n)")], probes={"q": {"p": BUILD}})
    assert (value(aliases).name, value(aliases).matched) == ("Make_IT", "alias")
    source = "def something(n): return make(n)\ndef other(n): return n\ndef wrong(n): return make(n + 1)\nvalue = 3"
    behaviour = run([{"source": KERAS, "kind": "given"}, ask(source)], probes={"q": {"p": BUILD}})
    assert (value(behaviour).kind, value(behaviour).name, value(behaviour).matched) == (
        "model",
        "something",
        "behaviour",
    )


def test_a_class_or_module_of_a_similar_name_is_not_what_was_meant():
    result = run([KERAS, ask("from keras import Model, models as MODEL_")], probes=probe("model", "model"))
    assert value(result).kind == "missing"


def test_what_behaves_alike_twice_or_was_given_is_not_guessed():
    twice = run(
        [{"source": KERAS, "kind": "given"}, ask("def a(n): return make(n)\ndef b(n): return make(n)")],
        probes={"q": {"p": BUILD}},
    )
    given = run(
        [{"source": KERAS + "def a(n): return make(n)", "kind": "given"}, ask("x = 1")], probes={"q": {"p": BUILD}}
    )
    assert value(twice).kind == value(given).kind == "missing"


def test_the_last_definition_of_a_function_counts_and_a_late_one_is_found():
    redefined = run(
        [KERAS, ask("def build(n): return make(n)"), "build(2)", "def build(n): return make(n + 1)"],
        probes={"q": {"p": BUILD}},
    )
    values = [v for v in redefined.evidence.values if v.label == "p"]
    assert [v.cell for v in values] == [1, 3]
    assert redefined.evidence.models[values[-1].model].output_shape == [None, 3]
    late = run([KERAS, ask("pass"), "def build(n): return make(n)"], probes={"q": {"p": BUILD}})
    assert (value(late).kind, value(late).cell) == ("model", 2)


def test_models_arrays_and_values_hold_as_they_were_when_their_cell_ended():
    probes = {
        "q": {
            "m": {"find": "model", "names": ["m"], "like": LIKE},
            "a": {"find": "array", "names": ["a"]},
            "v": {"find": "plain", "names": ["v"]},
        }
    }
    result = run(
        [
            KERAS,
            ask("m = make(2); a = np.zeros(4); v = {2: 0.5, 'x': (1, None)}"),
            "m = make(9); a = np.ones(4); v = 3",
        ],
        probes=probes,
    )
    assert result.evidence.models[value(result, label="m").model].output_shape == [None, 2]
    assert result.evidence.arrays[value(result, label="a").array].maximum == 0
    assert value(result, label="v").plain == {"pairs": [[2, 0.5], ["x", [1, None]]]}


def test_a_question_that_no_cell_exports_is_exported_at_the_end_and_a_missing_one_is_tried_again():
    probes = {"q": {"p": {"find": "plain", "names": ["v"]}}, "late": {"p": {"find": "plain", "names": ["w"]}}}
    result = run([ask("1"), "v = 4; w = 5"], probes=probes)
    assert [(v.kind, v.cell) for v in result.evidence.values if v.question == "q"] == [("missing", 0), ("plain", None)]
    assert (value(result, "late").plain, value(result, "late").cell) == (5, None)


def test_a_name_that_holds_something_else_is_told():
    result = run(
        [{"source": KERAS, "kind": "given"}, ask("build = make(2)\nmodel = build.weights")],
        probes={"q": {"p": BUILD, "m": {"find": "model", "names": ["model"]}}},
    )
    assert (value(result).kind, value(result).name, value(result).type_name) == ("other", "build", "Sequential")
    assert value(result, label="m").type_name == "list"


@pytest.mark.parametrize(
    ("source", "plain"),
    [
        ("v = np.float32(0.5)", 0.5),
        ("v = float('nan')", "nan"),
        ("v = [np.int64(3), (True, None), {'a': np.bool_(0)}]", [3, [True, None], {"pairs": [["a", False]]}]),
        ("v = '32'", "32"),
        ("v = np.array([[1, 2]])", [[1, 2]]),
        ("v = '\\ud800'", "?"),
        ("v = 10 ** 30", hex(10**30)),
    ],
)
def test_plain_values_cross_as_json(source, plain):
    result = run([ask("import numpy as np\n" + source)], probes=probe("plain", "v"))
    assert value(result).kind == "plain" and value(result).plain == plain


def test_objects_that_fight_back_become_records():
    sources = {
        "raises": "def build(n): raise SystemExit",
        "wrong": "def build(): return 1",
        "loops": "v = []; v.append(v); build = lambda n: v",
        "huge": "build = lambda n: list(range(10 ** 6))",
        "class": "class build:\n"
        "    def __init__(self, n): self.n = n\n"
        "    def __repr__(self): raise MemoryError\n"
        "    __class__ = property(lambda self: 1 / 0)",
        "exits": "def build(n):\n    import sys; sys.exit()",
        "deep": "def build(n): return build(n)",
    }
    result = run(
        [KERAS, *[ask(source) for source in sources.values()], "print('on')"],
        probes={"q": {"p": {**BUILD, "like": {}}}},
    )
    assert {v.kind for v in result.evidence.values} <= {"error", "other"}
    assert result.printed(len(sources) + 1) == "on\n"
    assert result.evidence.ended


def test_a_compile_function_is_seen_at_work_on_a_fresh_model():
    probes = {
        "q": {
            "p": {
                "find": "function",
                "names": ["compile_it"],
                "arguments": [{"model": "plain", "shape": [28, 28, 1]}],
                "returns": "any",
            }
        }
    }
    result = run([KERAS, ask("def compile_it(model): model.compile(loss='mse', optimizer='adam')")], probes=probes)
    exported = value(result)
    assert [c.loss for c in exported.compilations] == ["mse"]
    assert (exported.compilations[0].question, exported.compilations[0].label) == ("q", "p")
    assert (exported.kind, exported.type_name) == ("other", "NoneType")
    source = "m = make(2)\ndef compile_it(): m.compile(loss='mae')\n"
    assert value(run([KERAS, ask(source)], probes=probes)).compilations[0].loss == "mae"


def test_a_builder_that_trains_is_not_taken_for_the_notebooks_training():
    source = """
        X = np.ones((9, 3))
        def build(n):
            m = make(n); m.compile(loss='mse'); m.fit(X, np.ones((9, n))); return m
    """
    result = run([KERAS, ask(source)], probes={"q": {"p": BUILD}})
    assert [(fit.question, fit.label, fit.cell) for fit in result.evidence.fits] == [("q", "p", 1)]


def test_probes_leave_no_trace_in_the_notebook():
    source = "import random\nprint(random.random(), np.random.rand(), make(2).name, make(2).layers[0].name)"
    probed = run(
        [KERAS, ask("def build(n):\n    import matplotlib.pyplot as plt; plt.plot([n]); return make(n)"), source],
        probes={"q": {"p": BUILD}},
    )
    alone = run([KERAS, "def build(n): return make(n)", source])
    assert probed.printed(2) == alone.printed(2)
    assert probed.evidence.figures == []


def test_arrays_of_any_kind_are_exported_with_equal_rows_and_sent_once():
    probes = {
        "q": {name: {"find": "array", "names": [name], "rows": 64} for name in ("x", "y", "t", "s", "d", "l", "o", "z")}
    }
    source = """
        import tensorflow as tf, pandas as pd
        x = np.random.rand(500, 4); y = np.arange(500); t = tf.constant(x); d = pd.DataFrame(x); l = [[1, 2.5], [3, 4]]
        s = np.array(['7', '3'] * 250); o = 'no array'; z = x.copy()
    """
    result = run([KERAS, {"source": source, "exports": ["q"]}], probes=probes)
    found = {name: value(result, label=name) for name in probes["q"]}
    arrays = {name: result.evidence.arrays[v.array] for name, v in found.items() if v.kind == "array"}
    assert found["o"].kind == "other" and set(arrays) == set(found) - {"o"}
    assert arrays["x"].rows == arrays["y"].rows == arrays["s"].rows and len(arrays["x"].rows) == 64
    np.testing.assert_array_equal(arrays["y"].values, arrays["y"].rows)
    assert found["z"].array == found["x"].array
    assert arrays["l"].shape == (2, 2) and arrays["s"].dtype.startswith("<U") and arrays["s"].values[0] in (7, 3)

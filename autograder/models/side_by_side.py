"""A network of a submission shown layer by layer beside the statement's: for people to read, it decides nothing."""

from __future__ import annotations

from collections.abc import Sequence

from autograder.models.comparison import (
    Alignment,
    ExpectedLayer,
    Extra,
    Match,
    align,
    field_words,
    kind_words,
    with_article,
)
from autograder.models.description import (
    Field,
    Layer,
    ModelDescription,
    Shape,
    TooLarge,
    Unbuildable,
    Unrecognised,
    activation_of,
    parameter_counts,
    shapes,
)
from autograder.report.model import Architecture, ComparedLayer, LayerStatus
from autograder.store import digest_of

_SHOWN = (
    "filters", "units", "kernel_size", "pool_size", "size", "strides", "padding", "target_shape", "dilation_rate",
    "groups", "activation", "rate", "stddev", "negative_slope", "use_bias",
)  # fmt: skip
# What says nothing where it is as it is in most layers.
_USUAL: dict[str, Field] = {"dilation_rate": (1, 1), "groups": 1, "use_bias": True}
_HOW_WEIGHTS_START = ("_initializer", "_regularizer", "seed")
_Sizes = tuple[Shape | None, int | None]
_UNKNOWN: _Sizes = (None, None)


def side_by_side(
    name: str,
    question: str,
    description: ModelDescription,
    expected: Sequence[ExpectedLayer],
    stated: ModelDescription,
    remark: str = "",
) -> Architecture:
    """Return a network beside the expected layers, in the order of its own layers.

    ``stated`` is a model of the expected layers, one for one, whose sizes are shown beside them; its input shape
    stands in where the network states none. Raises nothing on sizes that can not be worked out.
    """
    alignment = align(description.layers, expected)
    own = ModelDescription(description.input_shape or stated.input_shape, alignment.found)
    sizes, stated_sizes = _sizes(own), _sizes(stated)
    places = {id(layer): place for place, layer in enumerate(alignment.found)}
    rows: list[tuple[float, ComparedLayer]] = []
    last = -1.0
    for rank, match in enumerate(alignment.matches):
        if match.found is None:
            last += 1e-3
            rows.append((last, _matched(match, _UNKNOWN, stated_sizes[rank])))
            continue
        place = places[id(match.found)]
        if not match.moved:
            last = max(last, float(place))
        rows.append((place, _matched(match, sizes[place], stated_sizes[rank])))
    rows += [(places[id(extra.layer)], _extra(extra, sizes[places[id(extra.layer)]])) for extra in alignment.extras]
    return Architecture(
        name=name,
        question=question,
        digest=_digest(own, alignment),
        remark=remark,
        input_shape=description.input_shape,
        layers=tuple(row for _, row in sorted(rows, key=lambda entry: entry[0])),
    )


def in_words(kind: str, fields: Sequence[tuple[str, Field]]) -> str:
    """Return a layer in words: ``convolution: 8 filters, a kernel of 2 x 2, relu``."""
    known = dict(fields)
    usual = (
        _USUAL | {"strides": known.get("pool_size", (1, 1))} | ({"padding": "valid"} if "pool_size" in known else {})
    )
    told = ", ".join(field_words(field, value) for field, value in fields if value != usual.get(field, ...))
    return f"{kind_words(kind)}: {told}" if told else kind_words(kind)


def _matched(match: Match, size: _Sizes, stated: _Sizes) -> ComparedLayer:
    expected, found = match.expected, match.found
    asked = [(field, expected.fields[field]) for field in _SHOWN if field in expected.fields]
    status: LayerStatus = "missing" if found is None else "as stated" if match.right else "different"
    sentences = [match.sentence()] if match.sentence() else []
    if match.moved:
        status = "elsewhere" if match.right else status
        sentences.append(f"{expected.name}: at another place than in the statement")
    return ComparedLayer(
        status=status,
        name=expected.name,
        asked=in_words(expected.kind, asked),
        found="" if found is None else _told(found),
        difference="; ".join(sentences),
        output=size[0],
        parameters=size[1],
        stated_output=stated[0],
        stated_parameters=stated[1],
    )


def _extra(extra: Extra, size: _Sizes) -> ComparedLayer:
    return ComparedLayer(
        status="extra",
        name=extra.name,
        found=_told(extra.layer),
        difference=f"{with_article(extra.name)} that the statement does not ask for",
        output=size[0],
        parameters=size[1],
    )


def _told(layer: Layer) -> str:
    fields = [(field, layer.fields[field]) for field in _SHOWN if field in layer.fields and field != "activation"]
    if "activation" in layer.fields:
        fields.append(("activation", activation_of(layer)))
    return in_words(layer.kind, fields)


def _sizes(description: ModelDescription) -> list[_Sizes]:
    """Return output shape and number of parameters of each layer, as far as they can be worked out."""
    layers = description.layers
    known: list[_Sizes] = []
    try:
        known = list(zip(shapes(description), parameter_counts(description), strict=True))
    except Unbuildable as error:
        # The layers before the one that does not fit.
        known = _sizes(ModelDescription(description.input_shape, layers[: error.position]))
    except (Unrecognised, TooLarge):
        pass
    return [*known, *[_UNKNOWN] * (len(layers) - len(known))]


def _digest(description: ModelDescription, alignment: Alignment) -> str:
    """Return what is equal for networks of the same layers, whatever their names and how their weights start."""
    layers = [
        [layer.kind, {name: value for name, value in layer.fields.items() if not name.endswith(_HOW_WEIGHTS_START)}]
        for layer in alignment.found
    ]
    return digest_of([description.input_shape, layers])[:16]

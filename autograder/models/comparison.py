"""Compare the layers of a submitted model with those that a statement asks for, layer by layer.

The layers are aligned first, so that one mistake is one difference: a forgotten layer does not make all later
ones wrong. What computes the same function is made the same before: an activation given as a layer of its own, a
``Reshape`` that flattens, ``valid`` for ``same`` where windows do not overlap.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

from autograder.models.description import Field, Layer, activation_of, is_pure_activation

MISSING_COST = 1.0
EXTRA_COST = 1.0
FIELD_COST = 0.2
SAME_FAMILY_COST = 1.5
OTHER_KIND_COST = 1.9

_FAMILIES = (
    {"Conv2D", "SeparableConv2D", "DepthwiseConv2D", "Conv2DTranspose", "Conv1D"},
    {"MaxPooling2D", "AveragePooling2D", "GlobalMaxPooling2D", "GlobalAveragePooling2D", "UpSampling2D"},
    {"Flatten", "Reshape", "GlobalMaxPooling2D", "GlobalAveragePooling2D"},
)
# A monotone function of single values can be exchanged with layers that only choose or move values.
_MONOTONE = {"relu", "tanh", "sigmoid", "elu", "selu", "softplus", "softsign", "leaky_relu", "relu6", "hard_sigmoid"}
_MOVES_VALUES = {"MaxPooling2D", "GlobalMaxPooling2D", "Flatten", "Reshape"}
_KIND_WORDS = {
    "Conv2D": "convolution",
    "Conv2DTranspose": "transposed convolution",
    "SeparableConv2D": "separable convolution",
    "DepthwiseConv2D": "depthwise convolution",
    "MaxPooling2D": "max-pooling",
    "AveragePooling2D": "average pooling",
    "GlobalMaxPooling2D": "global max-pooling",
    "GlobalAveragePooling2D": "global average pooling",
    "UpSampling2D": "up-sampling",
    "Flatten": "flatten layer",
    "Dense": "dense layer",
    "Reshape": "reshape layer",
    "Dropout": "dropout",
    "SpatialDropout2D": "spatial dropout",
    "BatchNormalization": "batch normalisation",
    "LayerNormalization": "layer normalisation",
    "GaussianNoise": "layer of Gaussian noise",
    "Activation": "activation layer",
}
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")


@dataclass(frozen=True)
class ExpectedLayer:
    """A layer in the statement: its name there, its Keras class, and the fields that the statement fixes."""

    name: str
    kind: str
    fields: Mapping[str, Field]


@dataclass(frozen=True)
class Difference:
    """One field (or the class, as ``kind``) that is not as stated."""

    field: str
    expected: Field
    found: Field

    def sentence(self) -> str:
        """Say it as ``16 filters expected, 32 found``."""
        return f"{field_words(self.field, self.expected)} expected, {_found(self.field, self.found)} found"


@dataclass(frozen=True)
class Match:
    """What became of one expected layer: the layer that was found for it, None when there is none."""

    expected: ExpectedLayer
    found: Layer | None
    differences: tuple[Difference, ...] = ()
    moved: bool = False

    @property
    def right(self) -> bool:
        """Whether the layer is there and as stated, wherever it stands."""
        return self.found is not None and not self.differences

    def sentence(self) -> str:
        """Say what is wrong: ``second convolution: 16 filters expected, 32 found``; empty when nothing is."""
        if self.found is None:
            return f"{self.expected.name}: missing"
        if not self.differences:
            return ""
        return f"{self.expected.name}: " + "; ".join(difference.sentence() for difference in self.differences)


@dataclass(frozen=True)
class Extra:
    """A layer beyond the statement.

    ``after`` names the expected layer before it; it is the ``count``-th of its kind, and ``stated`` are stated.
    """

    layer: Layer
    after: str | None
    count: int
    stated: int

    @property
    def name(self) -> str:
        """Its name in words: ``third max-pooling``, or ``dropout`` where the statement has none of the kind."""
        words = kind_words(self.layer.kind)
        return f"{ordinal(self.count)} {words}" if self.stated else words

    def sentence(self) -> str:
        """Say it as ``a third max-pooling, after the third convolution, which the statement does not ask for``."""
        where = f"after the {self.after}" if self.after else "at the beginning"
        return f"{with_article(self.name)}, {where}, which the statement does not ask for"


@dataclass(frozen=True)
class Alignment:
    """How the layers of a model correspond to the statement's."""

    matches: tuple[Match, ...]
    extras: tuple[Extra, ...]
    found: tuple[Layer, ...]

    def match(self, name: str) -> Match:
        """Return what became of the expected layer of that name."""
        return next(match for match in self.matches if match.expected.name == name)

    @property
    def moved(self) -> tuple[Match, ...]:
        """The layers that stand at another place than in the statement."""
        return tuple(match for match in self.matches if match.moved)

    @property
    def right(self) -> bool:
        """Whether nothing differs."""
        return not self.extras and all(match.right and not match.moved for match in self.matches)


def align(found: Sequence[Layer], expected: Sequence[ExpectedLayer]) -> Alignment:
    """Return the correspondence of least difference between the found layers and the expected ones."""
    layers = normalised(found)
    pairs = _least_cost_pairs(layers, tuple(expected))
    places, moved = _with_moves(pairs, layers, expected)
    matches = tuple(
        Match(layer, None)
        if place is None
        else Match(layer, layers[place], differences(layers[place], layer), rank in moved)
        for rank, (layer, place) in enumerate(zip(expected, places, strict=True))
    )
    used = {place for place in places if place is not None}
    extras = tuple(_extra(layers, place, places, expected) for place in range(len(layers)) if place not in used)
    return Alignment(matches, extras, layers)


def differences(found: Layer, expected: ExpectedLayer) -> tuple[Difference, ...]:
    """Return the stated fields in which the found layer differs; the class alone when that differs."""
    if found.kind != expected.kind:
        return (Difference("kind", expected.kind, found.kind),)
    return tuple(
        Difference(field, value, _field(found, field))
        for field, value in expected.fields.items()
        if not _equal(found, field, value)
    )


def normalised(layers: Sequence[Layer]) -> tuple[Layer, ...]:
    """Return the layers with activation layers joined to the layer they belong to, and flattening named as such."""
    result: list[Layer] = []
    for layer in layers:
        if layer.kind == "Identity" or (is_pure_activation(layer) and _join_activation(result, activation_of(layer))):
            continue
        target = layer.fields.get("target_shape")
        if layer.kind == "Reshape" and isinstance(target, tuple) and len(target) == 1:
            layer = replace(layer, kind="Flatten", fields={})  # noqa: PLW2901
        result.append(layer)
    return tuple(result)


def same_layers(first: Sequence[Layer], second: Sequence[Layer]) -> bool:
    """Whether two models have the same layers, whatever their names."""
    plain = [[(layer.kind, layer.fields) for layer in normalised(layers)] for layers in (first, second)]
    return plain[0] == plain[1]


def kind_words(kind: str) -> str:
    """Return the words for a Keras class: ``max-pooling`` for ``MaxPooling2D``."""
    return _KIND_WORDS.get(kind, f"{kind} layer")


def with_article(words: str) -> str:
    """Return ``an average pooling`` for ``average pooling``."""
    return f"an {words}" if words[0].lower() in "aeiou" else f"a {words}"


def ordinal(number: int) -> str:
    """Return ``third`` for 3."""
    return _ORDINALS[number - 1] if number <= len(_ORDINALS) else f"{number}th"


def _join_activation(before: list[Layer], activation: str | None) -> bool:
    """Join an activation to the layer that it follows; False when it is a layer of its own right."""
    if activation is None:
        return False
    if activation == "linear":
        return True
    for place in range(len(before) - 1, -1, -1):
        own = activation_of(before[place])
        if own == "linear":
            fields = {**before[place].fields, "activation": activation}
            before[place] = replace(before[place], fields=fields)
            return True
        if own is not None:
            return own == activation == "relu"  # applying relu twice changes nothing
        if before[place].kind not in _MOVES_VALUES or activation not in _MONOTONE:
            return False
    return False


def _field(layer: Layer, field: str) -> Field:
    return activation_of(layer) if field == "activation" else layer.fields.get(field)


def _equal(found: Layer, field: str, expected: Field) -> bool:
    value = _field(found, field)
    touching = found.fields.get("kernel_size") == found.fields.get("strides")
    if field == "padding" and found.kind == "Conv2DTranspose" and touching:
        return True  # windows that touch without overlapping leave nothing to pad
    if field == "target_shape" and isinstance(value, tuple) and isinstance(expected, tuple):
        value = _resolved(value, expected)
    return bool(value == expected)


def _resolved(target: tuple[Field, ...], expected: tuple[Field, ...]) -> tuple[Field, ...]:
    """Fill in the -1 of a target shape, for as many values as the expected shape has."""
    sides = [side for side in target if isinstance(side, int) and side > 0]
    known = math.prod(sides)
    total = math.prod(side for side in expected if isinstance(side, int))
    if len(sides) != len(target) - 1 or -1 not in target or total % known:
        return target
    return tuple(total // known if side == -1 else side for side in target)


def _least_cost_pairs(layers: tuple[Layer, ...], expected: tuple[ExpectedLayer, ...]) -> list[int | None]:
    """Return for each expected layer the place of its found one: the order-preserving pairs of least cost."""

    @cache
    def best(rank: int, place: int) -> tuple[float, tuple[int | None, ...]]:
        if rank == len(expected):
            return EXTRA_COST * (len(layers) - place), ()
        cost, rest = best(rank + 1, place)
        options = [(cost + MISSING_COST, (None, *rest))]
        if place < len(layers):
            cost, rest = best(rank + 1, place + 1)
            options.append((cost + _cost(layers[place], expected[rank]), (place, *rest)))
            cost, rest = best(rank, place + 1)
            options.append((cost + EXTRA_COST, rest))
        return min(options, key=lambda option: option[0])

    return list(best(0, 0)[1])


def _cost(found: Layer, expected: ExpectedLayer) -> float:
    if found.kind == expected.kind:
        return min(FIELD_COST * len(differences(found, expected)), SAME_FAMILY_COST)
    related = any(found.kind in family and expected.kind in family for family in _FAMILIES)
    return SAME_FAMILY_COST if related else OTHER_KIND_COST


def _with_moves(
    pairs: list[int | None], layers: Sequence[Layer], expected: Sequence[ExpectedLayer]
) -> tuple[list[int | None], set[int]]:
    """Return the pairs after layers that only stand elsewhere have been found, and the ranks of these."""
    places = list(pairs)
    moved = _exchanged(places, layers, expected)
    free = [place for place in range(len(layers)) if place not in places]
    for rank, place in enumerate(places):
        alike = [other for other in free if layers[other].kind == expected[rank].kind]
        if place is None and alike:
            nearest = min(alike, key=lambda other: len(differences(layers[other], expected[rank])))
            free.remove(nearest)
            places[rank] = nearest
            moved.add(rank)
    return places, moved


def _exchanged(places: list[int | None], layers: Sequence[Layer], expected: Sequence[ExpectedLayer]) -> set[int]:
    """Exchange pairs that are wrong as they are and all right when exchanged in a circle."""

    def fits(rank: int, other: int) -> bool:
        place = places[other]
        return place is not None and not differences(layers[place], expected[rank])

    wrong = [rank for rank in range(len(expected)) if places[rank] is not None and not fits(rank, rank)]
    moved: set[int] = set()
    for start in wrong:
        circle = _circle([start], [rank for rank in wrong if rank not in moved], fits)
        if start not in moved and circle:
            shifted = [places[rank] for rank in (*circle[1:], circle[0])]
            for rank, place in zip(circle, shifted, strict=True):
                places[rank] = place
            moved.update(circle)
    return moved


def _circle(path: list[int], candidates: list[int], fits: Callable[[int, int], bool]) -> list[int]:
    """Return ranks in a circle, each with its right layer at the next one's place; empty when there is none."""
    if len(path) > 1 and fits(path[-1], path[0]):
        return path
    for other in candidates:
        if other not in path and fits(path[-1], other):
            circle = _circle([*path, other], candidates, fits)
            if circle:
                return circle
    return []


def _extra(
    layers: Sequence[Layer], place: int, places: Sequence[int | None], expected: Sequence[ExpectedLayer]
) -> Extra:
    before = [(own, rank) for rank, own in enumerate(places) if own is not None and own < place]
    kind = layers[place].kind
    stated = sum(layer.kind == kind for layer in expected)
    earlier = sum(layers[other].kind == kind for other in range(place) if other not in places)
    after = expected[max(before)[1]].name if before else None
    return Extra(layers[place], after, stated + earlier + 1, stated)


_UNITS = {"filters": ("filter", "filters"), "units": ("neuron", "neurons")}
_PHRASES = {
    "kernel_size": "a kernel of {}",
    "pool_size": "a window of {}",
    "strides": "strides of {}",
    "padding": "{} padding",
    "target_shape": "the shape {}",
    "dilation_rate": "a dilation of {}",
    "groups": "groups: {}",
    "activation": "{}",
}


def field_words(field: str, value: Field) -> str:
    """Return a field of a layer with its noun: ``8 filters``, ``a kernel of 2 x 2``, ``relu``."""
    if field == "kind":
        return with_article(kind_words(str(value)))
    if field in _UNITS:
        return f"{value} {_UNITS[field][value != 1]}"
    if field == "activation" and value in (None, "linear"):
        return "no activation"
    if isinstance(value, tuple):
        value = str(value) if field == "target_shape" else " x ".join(map(str, value))
    return _PHRASES.get(field, f"{field} {{}}").format(value)


def _found(field: str, value: Field) -> str:
    """Say the found value without repeating the noun: ``32``, ``3 x 3``, ``none``."""
    if field == "kind":
        return with_article(kind_words(str(value)))
    if field == "activation" and value in (None, "linear"):
        return "none"
    if isinstance(value, tuple):
        return str(value) if field == "target_shape" else " x ".join(map(str, value))
    return str(value)

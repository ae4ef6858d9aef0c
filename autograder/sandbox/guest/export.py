"""Exporting what the probes of a question ask for, at the end of a cell.

A probe never ends the notebook and leaves no trace in it: random states, names of layers, figures and printed text are
as they were before. Whatever an object does when it is looked at becomes an ``error`` or ``other`` record.
"""

from __future__ import annotations

import collections
import contextlib
import inspect
import io
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras.src.backend.common import global_state
from matplotlib import pyplot

from autograder.sandbox.guest import lookup, stand_ins
from autograder.sandbox.guest.channel import Interrupts
from autograder.sandbox.guest.errors import error_text
from autograder.sandbox.guest.figures import Figures
from autograder.sandbox.guest.lookup import Found, Namespace
from autograder.sandbox.guest.plain import NotPlain, plain, plain_pairs, text, type_name
from autograder.sandbox.guest.session import Session

Probe = Mapping[str, Any]
Record = dict[str, Any]


class Exporter:
    """The probes of a notebook and what was exported for them so far."""

    def __init__(
        self,
        session: Session,
        namespace: Namespace,
        figures: Figures,
        interrupts: Interrupts,
        probes: Mapping[str, Mapping[str, Probe]],
    ) -> None:
        self._session = session
        self._namespace = namespace
        self._figures = figures
        self._interrupts = interrupts
        self._probes = probes
        self._exported: set[str] = set()
        self._missing: dict[tuple[str, str], Probe] = {}
        self._functions: dict[tuple[str, str], Any] = {}
        self._fitting: set[tuple[str, str]] = set()

    def export(self, questions: Sequence[str], cell: int | None) -> None:
        """Export all probes of some questions, and those of functions that have changed since."""
        self._export_changed(cell)
        for question in questions:
            self._exported.add(question)
            for label, probe in self._probes.get(question, {}).items():
                self._send(question, label, probe, cell)

    def finish(self) -> None:
        """Export what no cell has exported, and try again what was missing: it may stand in a later cell.

        By then other questions have made models of the same shapes: only what has the name counts.
        """
        self.export([question for question in self._probes if question not in self._exported], None)
        for (question, label), probe in list(self._missing.items()):
            self._send(question, label, probe, None, only_found=True)

    def stand_ins(self, question: str) -> dict[str, Callable[..., Any]]:
        """Return, by the name that it stands for, a builder in place of each on which a question rests in vain.

        These are the functions of the questions in its probes' ``again_with`` that did not return, for each of their
        probes, a model of the shapes described there.
        """
        earlier = {name for probe in self._probes.get(question, {}).values() for name in probe.get("again_with", ())}
        result: dict[str, Callable[..., Any]] = {}
        for other in sorted(earlier & set(self._probes)):
            labels = self._probes[other]
            probe = next((probe for probe in labels.values() if "stand_in" in probe), None)
            if probe is not None and not all((other, label) in self._fitting for label in labels):
                found = _quiet_find(probe, self._namespace)
                result[probe["names"][0] if found is None else found.name] = stand_ins.builder(probe["stand_in"])
        return result

    def export_again(self, question: str, cell: int, replaced: Sequence[str], completed: bool) -> None:
        """Export a question after its cell ran with stand-ins; the label "stand-ins" tells for which names, and how."""
        told = {"replaced": list(replaced), "completed": completed}
        record = {"question": question, "label": "stand-ins", "cell": cell, "kind": "plain", "plain": told}
        self._session.channel.record("value", record)
        self.export((question,), cell)

    def _export_changed(self, cell: int | None) -> None:
        for (question, label), before in list(self._functions.items()):
            probe = self._probes[question][label]
            found = _quiet_find(probe, self._namespace)
            if found is not None and found.matched in ("name", "alias") and found.item is not before:
                self._send(question, label, probe, cell)

    def _send(self, question: str, label: str, probe: Probe, cell: int | None, only_found: bool = False) -> None:
        record: Record = {"question": question, "label": label, "cell": cell, "kind": "missing"}
        try:
            with self._session.probing(question, label), self.undisturbed(), self._interrupts.student():
                record |= self._value(probe, (question, label), guess=not only_found or probe["find"] == "function")
        except BaseException as error:
            record |= {"kind": "error", "error": error_text(error), "matched": None}
        if probe.get("find") == "function":
            # Functions defined further down are exported when they are.
            self._functions.setdefault((question, label), None)
        if record["kind"] in ("missing", "other"):
            self._missing[question, label] = probe
            if only_found:
                return
        else:
            self._missing.pop((question, label), None)
        self._session.channel.record("value", record)

    def _value(self, probe: Probe, key: tuple[str, str], guess: bool) -> Record:
        found = lookup.find(probe, self._namespace, guess)
        if probe["find"] == "function":
            return self._function(probe, found, key)
        if found is None:
            return {"kind": "missing"}
        record: Record = {"name": text(found.name, 200), "matched": found.matched, "type_name": type_name(found.item)}
        if found.matched is None:
            return record | {"kind": "other"}
        return record | self._thing(found.item, probe["find"], probe)

    def _thing(self, item: Any, kind: str, probe: Probe) -> Record:
        """Return the fields that hold a value, as the kind of thing that was looked for."""
        if kind == "model":
            sides = (probe.get("like") or {}).get("input_shape") or [None]
            shape = None if None in sides else tuple(sides)
            return {"kind": "model", "model": self._session.models.position(item, shape=shape)}
        if kind == "array":
            position = self._session.arrays.position(item)
            return {"kind": "other"} if position is None else {"kind": "array", "array": position}
        return {"kind": "plain", "plain": plain_pairs(item)}

    def _function(self, probe: Probe, found: Found | None, key: tuple[str, str]) -> Record:
        self._fitting.discard(key)
        if found is not None and found.matched is not None:
            self._functions[key] = found.item
            record: Record = {"name": text(found.name, 200), "matched": found.matched}
            return record | self._called(found.item, probe, key)
        by_behaviour = self._function_by_behaviour(probe)
        if by_behaviour is not None:
            self._fitting.add(key)
            return by_behaviour
        if found is not None:
            return {"kind": "other", "name": text(found.name, 200), "type_name": type_name(found.item)}
        return {"kind": "missing"}

    def _function_by_behaviour(self, probe: Probe) -> Record | None:
        """Try the student's own functions; the one that returns what was asked for counts when it is alone."""
        like = probe.get("like")
        if not like:
            return None
        alike = []
        for key, function in lookup.candidates(self._namespace):
            with contextlib.suppress(Exception):
                result = function(*_arguments(probe))
                if lookup.returns_like(result, like):
                    alike.append((key, result))
        if len(alike) != 1:
            return None
        key, result = alike[0]
        return {"name": text(key, 200), "matched": "behaviour", "arguments": probe["arguments"]} | self._result(
            result, probe
        )

    def _called(self, function: Any, probe: Probe, key: tuple[str, str]) -> Record:
        record: Record = {"arguments": probe["arguments"]}
        arguments = _arguments(probe)
        if probe.get("returns") == "any" and _takes_nothing(function):
            arguments, record["arguments"] = [], []
        try:
            result = function(*arguments)
            record |= self._result(result, probe)
            if lookup.returns_like(result, probe.get("like") or {}):
                self._fitting.add(key)
        except BaseException as error:
            record |= {"kind": "error", "error": error_text(error)}
        return record | {"compilations": list(self._session.probe_compilations)}

    def _result(self, result: Any, probe: Probe) -> Record:
        record: Record = {"type_name": type_name(result)}
        if lookup.is_model(result):
            return record | self._thing(result, "model", probe)
        try:
            return record | ({"kind": "other"} if result is None else {"kind": "plain", "plain": plain_pairs(result)})
        except NotPlain:
            return record | self._thing(result, "array", probe)

    @contextlib.contextmanager
    def undisturbed(self) -> Iterator[None]:
        """Give back to the notebook the random states, layer names, streams and figures that it had."""
        states = random.getstate(), np.random.get_state()
        names = global_state.get_global_attribute("object_name_uids")
        names = None if names is None else collections.defaultdict(int, names)
        figures = set(pyplot.get_fignums())
        self._figures.muted = True
        try:
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                yield
        finally:
            for number in set(pyplot.get_fignums()) - figures:
                pyplot.close(number)
            self._figures.muted = False
            random.setstate(states[0])
            np.random.set_state(states[1])
            global_state.set_global_attribute("object_name_uids", names)


def _quiet_find(probe: Probe, namespace: Namespace) -> Found | None:
    try:
        return lookup.find(probe, namespace)
    except Exception:
        return None


def _arguments(probe: Probe) -> list[Any]:
    return [_argument(argument) for argument in probe["arguments"]]


def _argument(argument: Any) -> Any:
    if not isinstance(argument, Mapping) or "model" not in argument:
        return plain(argument)
    shape = tuple(argument["shape"])
    inputs = keras.Input(shape)
    return keras.Model(inputs, keras.layers.Conv2D(shape[-1], 1, activation="relu")(inputs))


def _takes_nothing(function: Any) -> bool:
    try:
        return not inspect.signature(function).parameters
    except (ValueError, TypeError):
        return False

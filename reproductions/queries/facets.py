"""Facets over rows in memory: what the address chooses, what that leaves, and the counts beside each box."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import QueryDict


@dataclass(frozen=True)
class Choice:
    """One value of an axis as people read it; ``mark`` or ``hue`` draw it."""

    value: str
    label: str
    mark: str = ""
    hue: str = ""


@dataclass(frozen=True)
class Axis:
    """One facet: its GET parameter, its title, its choices in order, and the values that a row has."""

    name: str
    title: str
    choices: Sequence[Choice]
    values: Callable[[Any], Iterable[str]]


@dataclass(frozen=True)
class Option:
    """A box of a facet form."""

    value: str
    label: str
    mark: str
    hue: str
    count: int
    chosen: bool


@dataclass(frozen=True)
class Facet:
    """A fieldset of a facet form."""

    name: str
    title: str
    options: list[Option]


Chosen = Mapping[str, frozenset[str]]


def chosen(axes: Sequence[Axis], parameters: QueryDict) -> dict[str, frozenset[str]]:
    """What the address chooses on each axis; a value that no axis knows is as good as absent."""
    known = {axis.name: {choice.value for choice in axis.choices} for axis in axes}
    return {name: frozenset(parameters.getlist(name)) & values for name, values in known.items()}


def narrow(rows: Iterable[Any], axes: Sequence[Axis], picked: Chosen, besides: str = "") -> list[Any]:
    """The rows that have one of the chosen values on every axis that has any but ``besides``."""
    active = [axis for axis in axes if picked[axis.name] and axis.name != besides]
    return [row for row in rows if all(picked[axis.name] & set(axis.values(row)) for axis in active)]


def facets(
    rows: Sequence[Any], axes: Sequence[Axis], picked: Chosen, weight: Callable[[Any], int] = lambda row: 1
) -> list[Facet]:
    """The form: each count says how many rows the box would leave, given what is chosen on the other axes.

    A box that no row has is left out, unless it is ticked. A row may stand for as many as its ``weight``.
    """
    found = []
    for axis in axes:
        left = narrow(rows, axes, picked, besides=axis.name)
        counts: dict[str, int] = {}
        for row in left:
            for value in set(axis.values(row)):
                counts[value] = counts.get(value, 0) + weight(row)
        present = {value for row in rows for value in axis.values(row)}
        options = [
            Option(c.value, c.label, c.mark, c.hue, counts.get(c.value, 0), c.value in picked[axis.name])
            for c in axis.choices
            if c.value in present or c.value in picked[axis.name]
        ]
        if len(options) > 1 or picked[axis.name]:
            found.append(Facet(axis.name, axis.title, options))
    return found

"""The OpenAPI document put into words for people: topics, their addresses, parameters, answers and shapes."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from django.utils.html import escape
from django.utils.safestring import mark_safe
from django.utils.text import slugify

from reproductions.api import document

# What a word of JSON Schema says to somebody who reads it.
PLAIN = {
    "string": "text",
    "boolean": "true or false",
    "number": "number",
    "object": "object",
    "integer": "whole number",
}
FORMATS = {"date-time": "moment, as 2026-01-31T12:00:00Z", "uuid": "UUID"}
STATES = {
    200: "The record, or the page of records.",
    201: "Stored.",
    301: "The record has another slug now: go where Location says.",
    304: "Nothing changed since the ETag that you sent.",
    400: "The request could not be read.",
    401: "A token is missing, or is not one.",
    403: "The token may not do this.",
    404: "There is no such record.",
    406: "Answers are JSON, and the request accepts none.",
    409: "It is taken.",
    411: "The length is missing.",
    413: "It is too large.",
    415: "It is not JSON.",
    422: "A parameter or the body is not understood; each fault is listed with its place.",
    429: "Too many requests: Retry-After says how long to wait.",
    503: "The database does not answer.",
}


def marked(text: str) -> str:
    """The text as safe HTML, with what stands between backticks as code."""
    pieces = [escape(piece) for piece in text.split("`")]
    return mark_safe("".join(f"<code>{one}</code>" if at % 2 else one for at, one in enumerate(pieces)))  # noqa: S308


@dataclass(frozen=True)
class Kind:
    """What a value is: words, the shape it has where it is one of ours, the values it can take where they are few."""

    words: str
    shape: str = ""
    values: tuple[str, ...] = ()
    null: bool = False


@dataclass(frozen=True)
class Line:
    """A parameter, or a field of a shape."""

    name: str
    kind: Kind
    description: str
    needed: bool = False
    place: str = ""
    default: str = ""


@dataclass(frozen=True)
class Answer:
    """A status with its meaning, and the shape of its body."""

    status: int
    words: str
    shape: str = ""


@dataclass(frozen=True)
class Operation:
    """One address with one method."""

    anchor: str
    method: str
    path: str
    summary: str
    description: str
    parameters: list[Line]
    answers: list[Answer]
    guarded: bool
    example: str
    body: Kind | None

    @property
    def refusals(self) -> list[Answer]:
        """The answers that are errors."""
        return [one for one in self.answers if one.status >= 400]

    @property
    def good(self) -> list[Answer]:
        """The others."""
        return [one for one in self.answers if one.status < 400]


@dataclass
class Topic:
    """The operations of one topic."""

    name: str
    operations: list[Operation] = field(default_factory=list)

    @property
    def anchor(self) -> str:
        """Its name in the page's address."""
        return slugify(self.name)


@dataclass(frozen=True)
class Shape:
    """A shape of questions or answers."""

    name: str
    description: str
    fields: list[Line]


def topics(host: str) -> list[Topic]:
    """Every topic in the order of the document; examples ask ``host``."""
    found: dict[str, Topic] = {}
    for path, methods in document.document()["paths"].items():
        for method, one in methods.items():
            name = str(one.get("tags", ["Others"])[0]).capitalize()
            found.setdefault(name, Topic(name)).operations.append(_operation(host, path, method, one))
    for topic in found.values():
        topic.operations.sort(key=lambda one: one.path)
    return list(found.values())


def _operation(host: str, path: str, method: str, one: dict[str, Any]) -> Operation:
    return Operation(
        anchor=slugify(one["operationId"]),
        method=method.upper(),
        path=path,
        summary=one["summary"],
        description=marked(one.get("description", "")),
        parameters=[_parameter(row) for row in one.get("parameters", ())],
        answers=[
            _answer(int(status), row) for status, row in sorted(one["responses"].items(), key=lambda x: int(x[0]))
        ],
        guarded=bool(one.get("security")),
        example=_example(host, path, method, one),
        body=_body(one),
    )


def _body(one: dict[str, Any]) -> Kind | None:
    schema = one.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    return kind(schema) if schema else None


def _example(host: str, path: str, method: str, one: dict[str, Any]) -> str:
    if method == "post":
        token = " -H 'Authorization: Bearer atlas_…'" if one.get("security") else ""
        body = "-H 'Content-Type: application/json' --data-binary @run.json"
        return f"curl -s -X POST{token} \\\n  {body} \\\n  '{host}{path}'"
    for row in one.get("parameters", ()):
        if row["in"] == "path":
            path = path.replace(f"{{{row['name']}}}", str(row.get("example", f"<{row['name']}>")))
    paged = any(row["name"] == "limit" for row in one.get("parameters", ()))
    return f"curl -s '{host}{path}{'?limit=2' if paged else ''}'"


def _parameter(row: dict[str, Any]) -> Line:
    schema = row["schema"]
    default = schema.get("default")
    shown = "" if default in (None, []) else str(default).lower() if isinstance(default, bool) else str(default)
    return Line(row["name"], kind(schema), marked(row.get("description", "")), row["required"], row["in"], shown)


def _answer(status: int, row: dict[str, Any]) -> Answer:
    schema: dict[str, Any] = next((one["schema"] for one in row.get("content", {}).values()), {})
    return Answer(status, STATES.get(status, row["description"]), kind(schema).shape)


@lru_cache(maxsize=1)
def shapes() -> list[Shape]:
    """Every shape that an answer or a body has, by name; lists of values are told where they are used."""
    every = document.document()["components"]["schemas"]
    used: set[str] = set()
    waiting = set(_named(document.document()["paths"]))
    while waiting:
        used |= waiting
        waiting = {name for one in waiting for name in _named(every[one])} - used
    return [
        Shape(name, every[name].get("description", ""), list(_fields(every[name])))
        for name in sorted(used)
        if "properties" in every[name]
    ]


def _named(part: Any) -> Iterator[str]:
    """The names of the shapes that a part of the document points at."""
    if isinstance(part, dict):
        if "$ref" in part:
            yield part["$ref"].rsplit("/", 1)[-1]
        for one in part.values():
            yield from _named(one)
    elif isinstance(part, list):
        for one in part:
            yield from _named(one)


def _fields(schema: dict[str, Any]) -> Iterator[Line]:
    for name, one in schema["properties"].items():
        yield Line(name, kind(one), marked(one.get("description", "")))


def kind(schema: dict[str, Any]) -> Kind:
    """What a value of this schema is."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        target = document.document()["components"]["schemas"].get(name, {})
        return Kind("", shape=name) if "properties" in target else kind(target)
    if "enum" in schema or "const" in schema:
        return Kind(
            "one of" if len(schema.get("enum", ())) > 1 else "",
            values=tuple(map(str, schema.get("enum", [schema.get("const")]))),
        )
    if "anyOf" in schema:
        others = [one for one in schema["anyOf"] if one.get("type") != "null"]
        first = kind(others[0])
        if len(others) > 1:
            return Kind("one of several kinds", null=len(others) < len(schema["anyOf"]))
        return Kind(first.words, first.shape, first.values, null=len(others) < len(schema["anyOf"]))
    if schema.get("type") == "array":
        inner = kind(schema.get("items", {}))
        return Kind(f"list of {inner.words}".rstrip(), inner.shape, inner.values)
    named = schema.get("type", "")
    types = [one for one in ([named] if isinstance(named, str) else named) if one != "null"]
    words = FORMATS.get(schema.get("format", "")) or " or ".join(PLAIN.get(one, "anything") for one in types)
    if "minimum" in schema and schema.get("maximum", 2**63) < 2**32:
        words += f", {schema['minimum']} to {schema['maximum']}"
    return Kind(words, null="null" in named)

"""The OpenAPI document: what the API says of itself, and what its door lets in."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from reproductions.api.problems import MEDIA_TYPE
from reproductions.harness import record

PREFIX = "/api/v1/"
WHERE = f"{PREFIX}docs/ lists every address; each ends with a slash."
# Set once by the module that mounts the API: this one is below it.
_api: list[Any] = []


@dataclass(frozen=True)
class Rule:
    """What one address knows: its topic, and for each method its parameters and whether each can be repeated."""

    topic: str = ""
    methods: Mapping[str, dict[str, bool]] = field(default_factory=dict)

    @property
    def offered(self) -> list[str]:
        """Every method that it answers."""
        return sorted({*self.methods, *({"HEAD"} if "GET" in self.methods else ()), "OPTIONS"})


def speaks_of(api: Any) -> None:
    """Tell which API the document is of."""
    _api[:] = [api]


@lru_cache(maxsize=1)
def document() -> dict[str, Any]:
    """The OpenAPI document, made once."""
    found: dict[str, Any] = dict(_api[0].get_openapi_schema(path_prefix=PREFIX))
    for methods in found["paths"].values():
        for operation in methods.values():
            operation["operationId"] = operation["operationId"].removeprefix("reproductions_api_")
            operation.setdefault("tags", ["Others"])
            for status, response in operation["responses"].items():
                _amend(int(status), response)
    found["components"]["schemas"] |= _record()
    return found


def _record() -> dict[str, Any]:
    """The schema of a record, and of its parts, as shapes of this document."""
    written = record.SCHEMA_FILE.read_text(encoding="utf-8").replace('"#/$defs/', '"#/components/schemas/Record.')
    whole = json.loads(written)
    parts = {f"Record.{name}": one for name, one in whole.pop("$defs").items()}
    return {"Record": {name: one for name, one in whole.items() if name not in {"$schema", "$id"}}, **parts}


def _amend(status: int, response: dict[str, Any]) -> None:
    """Errors have a media type of their own; what can be kept has an entity tag."""
    content = response.get("content", {})
    if status >= 400 and "application/json" in content:
        content[MEDIA_TYPE] = content.pop("application/json")
    if status == 200:
        tag = {"description": "Send it back as If-None-Match: 304 says that nothing changed.", "schema": _TEXT}
        response["headers"] = {"ETag": tag}


_TEXT = {"type": "string"}


@lru_cache(maxsize=256)
def rule(route: str) -> Rule:
    """The rule of an address as the router of Django writes it; one that knows nothing where there is none."""
    template = PREFIX + re.sub(r"<(?:[^:>]+:)?([^>]+)>", r"{\1}", route)
    operations = document()["paths"].get(template, {})
    methods = {
        method.upper(): {one["name"]: one["schema"].get("type") == "array" for one in _query(operation)}
        for method, operation in operations.items()
    }
    return Rule(route.split("/", 1)[0], methods)


def _query(operation: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in operation.get("parameters", ()) if one["in"] == "query"]

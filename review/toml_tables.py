"""TOML files read strictly: every fault names file, table, key and line, and none stops the reading.

``tomllib`` gives no lines, so they are found by search: the n-th header of a name, then the key below it.
"""

import re
import tomllib
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from review.faults import Fault, decode
from review.kinds import tidy

_HEADER = re.compile(r"^\s*\[\[?\s*([\w.\-\" ]+?)\s*\]\]?\s*(?:#.*)?$")
_AT_LINE = re.compile(r"\(at line (\d+), column \d+\)")


class TomlFile:
    """A file's text with its faults; ``top`` is its outermost table, empty where the file cannot be read."""

    def __init__(self, file: str, data: bytes) -> None:
        self.file = file
        self.faults: list[Fault] = []
        text, utf8 = decode(data)
        self._lines = text.split("\n")
        values: dict[str, Any] = {}
        try:
            if not utf8:
                raise ValueError("not UTF-8")
            values = tomllib.loads(text)
        except ValueError as error:
            line = _AT_LINE.search(str(error))
            self.faults.append(Fault(file, int(line[1]) if line else None, "", f"not TOML: {error}"))
        self.readable = not self.faults
        self.top = Table(self, values, "", 0)

    def header_line(self, name: str, nth: int, after: int = 0) -> int | None:
        """The line, from 1, of the ``nth`` header ``name`` (from 0) below line ``after``."""
        for number, line in enumerate(self._lines[after:], after + 1):
            match = _HEADER.match(line)
            if match and match[1].replace('"', "") == name:
                if nth == 0:
                    return number
                nth -= 1
        return None

    def key_line(self, key: str, after: int) -> int | None:
        """The line of ``key`` in the table whose header is line ``after`` (0: before any header)."""
        pattern = re.compile(rf'^\s*"?{re.escape(key)}"?\s*=')
        for number, line in enumerate(self._lines[after:], after + 1):
            if _HEADER.match(line):
                return None
            if pattern.match(line):
                return number
        return None


@dataclass
class Table:
    """One table: each method takes a key's value and refuses a wrong type; ``finish`` refuses keys never asked for."""

    source: TomlFile
    values: dict[str, Any]
    name: str
    line: int

    def __post_init__(self) -> None:
        self._asked: set[str] = set()

    def fault(self, key: str, reason: str) -> Fault:
        """A fault at ``key`` of this table, or at the table itself for ""."""
        own = self.values.get("slug", self.values.get("id", ""))
        title = f"[{self.name}] {own}".strip() if self.name else str(own)
        line = (key and self.source.key_line(key, self.line)) or self.line or 1
        if isinstance(self.values.get(key), list | dict):
            line = self.source.header_line(f"{self.name}.{key}".lstrip("."), 0, self.line) or line
        return Fault(self.source.file, line, ": ".join(part for part in (title, key) if part), reason)

    def refuse(self, key: str, reason: str) -> None:
        """Note a fault at ``key``."""
        self.source.faults.append(self.fault(key, reason))

    def _take(self, key: str, kind: type | tuple[type, ...], wanted: str, default: Any) -> Any:
        self._asked.add(key)
        value = self.values.get(key, default)
        # A boolean is an int to Python, and never a number to us.
        if key in self.values and (not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool)):
            self.refuse(key, f"expected {wanted}, found {str(value)[:80]!r}")
            return default
        return value

    def text(self, key: str, default: str = "") -> str:
        """A text, trimmed."""
        return str(tidy(self._take(key, str, "a text", default)))

    def flag(self, key: str) -> bool:
        """True or false; false when absent."""
        return bool(self._take(key, bool, "true or false", False))

    def whole(self, key: str, default: int | None = None) -> int | None:
        """A whole number; ``default`` when absent."""
        value: int | None = self._take(key, int, "a whole number", default)
        return value

    def number(self, key: str, default: float | None = None) -> float | None:
        """A number; ``default`` when absent."""
        value = self._take(key, (int, float), "a number", default)
        return None if value is None else float(value)

    def words(self, key: str, allowed: Collection[str] | None = None) -> list[str]:
        """A list of texts, each once and, where ``allowed`` is given, one of those."""
        values = [tidy(value) for value in self._take(key, list, "a list of texts", [])]
        if not all(isinstance(value, str) for value in values):
            self.refuse(key, f"expected a list of texts, found {str(values)[:80]!r}")
            return []
        for value in values:
            if allowed is not None and value not in allowed:
                self.refuse(key, f"unknown word {value!r}; known: {', '.join(sorted(allowed))}")
        if len(set(values)) < len(values):
            self.refuse(key, "the same word twice")
        return values

    def table(self, key: str) -> "Table":
        """A table inside this one, written inline or under its own header; empty when absent."""
        values = self._take(key, dict, "a table", {})
        name = f"{self.name}.{key}".lstrip(".")
        line = self.source.header_line(name, 0, self.line) or self.source.key_line(key, self.line) or self.line
        return Table(self.source, values, name, line)

    def tables(self, key: str) -> list["Table"]:
        """The tables ``[[key]]`` in order."""
        values = self._take(key, list, "tables", [])
        if not all(isinstance(value, dict) for value in values):
            self.refuse(key, f"expected tables, found {str(values)[:80]!r}")
            return []
        name = f"{self.name}.{key}".lstrip(".")
        lines = [self.source.header_line(name, nth, self.line) or self.line for nth in range(len(values))]
        return [Table(self.source, value, name, line) for value, line in zip(values, lines, strict=True)]

    def finish(self) -> None:
        """Refuse every key that nobody asked for: a misspelt key must not pass unseen."""
        for key in self.values:
            if key not in self._asked:
                self.refuse(key, "unknown key")

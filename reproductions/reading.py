"""From the bytes of a record to a checked one: strict JSON, sound by its schema and by the harness's rules."""

import hashlib
import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import Any

import jsonschema_rs
import pydantic_core

from reproductions.harness.record import MOST_ROWS, SCHEMA, SCHEMA_FILE, BrokenRecord, meaning

MOST_BYTES = 16 * 2**20
MOST_DEPTH = 32
MOST_FAULTS = 50
MOST_COUNTED = 1000
LONGEST_FAULT = 300
LARGEST_WHOLE = 2**63 - 1
FIGURES = frozenset({float, type(None)})


@dataclass(frozen=True)
class Checked:
    """A sound record: what it says, the same as text, what tells its content from any other, where it was read."""

    record: dict[str, Any]
    text: str
    content: str
    source: str


def check(data: bytes, source: str = "record") -> Checked:
    """The record in ``data``. Raises ``BrokenRecord`` with the place of each fault."""
    try:
        record, canonical = parse(data)
    except BrokenRecord as fault:
        raise BrokenRecord(fault.faults, source) from fault
    return Checked(record, data.decode(), hashlib.sha256(canonical.encode()).hexdigest(), source)


def content_of(record: dict[str, Any]) -> str:
    """SHA-256 of the canonical form: two records with one run_id and one of these are one run."""
    return hashlib.sha256(canonical_of(record).encode()).hexdigest()


def canonical_of(record: Any) -> str:
    """The text that is the same for every way to write the same content."""
    return str(jsonschema_rs.canonical.json.to_string(record))


def parse(data: bytes) -> tuple[dict[str, Any], str]:
    """The record in ``data`` and its canonical form; raises ``BrokenRecord`` with every fault and its place."""
    if len(data) > MOST_BYTES:
        raise BrokenRecord([f"$: {len(data):,} bytes; at most {MOST_BYTES:,}"])
    try:
        record, canonical = quickly(data) or (strictly(data), "")
    except BrokenRecord:
        raise
    except (ValueError, RecursionError) as fault:
        raise BrokenRecord([f"$: not JSON: {fault}"]) from fault
    newer = record.get("schema") if isinstance(record, dict) else None
    if isinstance(newer, int) and newer > SCHEMA:
        raise BrokenRecord([f"$.schema: {newer} is newer than {SCHEMA}, the newest this site reads; update the site"])
    if isinstance(record, dict) and (many := bounded(too_many(record))):
        raise BrokenRecord(many)  # before anything looks at each of them
    broken = (f"{place(fault.instance_path)}: {fault.message}" for fault in validator().iter_errors(record))
    if faults := bounded(broken) or bounded(meaning(record)):
        raise BrokenRecord(faults)
    return record, canonical or canonical_of(record)


def quickly(data: bytes) -> tuple[Any, str] | None:
    """The value and its canonical form, by a fast parser that is silent on keys said twice; ``None`` where in doubt.

    Without a backslash every quotation mark is the edge of a string: if none is lost, no key was.
    """
    if b"\\" in data:
        return None
    try:
        value = pydantic_core.from_json(data, allow_inf_nan=False)
        if not plain([value], MOST_DEPTH + 1):
            return None
        canonical = canonical_of(value)
    except ValueError:
        return None
    return (value, canonical) if canonical.count('"') == data.count(b'"') and "\\" not in canonical else None


def strictly(data: bytes) -> Any:
    """The value by a parser that sees every key; raises ``ValueError`` with words and a place."""
    record = json.loads(data.decode("utf-8"), object_pairs_hook=without_duplicates, parse_constant=refuse_constant)
    if not plain([record], MOST_DEPTH + 1):
        raise BrokenRecord(bounded(oddities(record)))
    return record


def too_many(record: dict[str, Any]) -> Iterator[str]:
    """The lists of a record that are longer than any run's."""
    for name, most in MOST_ROWS.items():
        rows = record.get(name)
        if isinstance(rows, list) and len(rows) > most:
            yield f"$.{name}: {len(rows):,} entries; at most {most:,}"


@cache
def validator() -> Any:
    """The compiled schema."""
    return jsonschema_rs.validator_for(json.loads(SCHEMA_FILE.read_text(encoding="utf-8")))


def bounded(faults: Iterable[str]) -> list[str]:
    """The first faults, each of bounded length, and how many more there are."""
    found = [shortened(fault) for fault in islice(faults, MOST_COUNTED)]
    more = len(found) - MOST_FAULTS
    if more <= 0:
        return found
    count = f"{more}" if len(found) < MOST_COUNTED else f"more than {more - 1}"
    return [*found[:MOST_FAULTS], f"$: and {count} more faults"]


def shortened(fault: str) -> str:
    """A fault without the whole of what it quotes."""
    return fault if len(fault) <= LONGEST_FAULT else f"{fault[:LONGEST_FAULT]}…"


def place(path: Iterable[str | int]) -> str:
    """A fault's place as the harness writes it: ``$.measurements[3].median``."""
    return "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{step[:60]}" for step in path)


def without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose keys are all different; raises ``ValueError`` for one said twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"key {twice[:60]!r} stands twice in one object")
    return found


def refuse_constant(name: str) -> float:
    """NaN and infinities are no JSON numbers."""
    raise ValueError(f"{name} is no JSON number")


def plain(value: Any, room: int) -> bool:
    """Whether every text and number in a list or object can be stored, and nothing is nested deeper than ``room``."""
    if room == 0:
        return False
    if type(value) is dict:
        if odd("".join(value)):
            return False
        value = value.values()
    elif FIGURES.issuperset(map(type, value)):
        return math.inf not in value and -math.inf not in value
    for inner in value:
        kind = type(inner)
        if (kind is dict or kind is list) and not plain(inner, room - 1):
            return False
        if kind is str and inner.isascii() and "\0" not in inner:
            continue
        if (kind is str or kind is int or kind is float) and odd(inner):
            return False
    return True


def odd(value: Any) -> str:
    """What keeps a text or a number from being stored; empty for most."""
    kind = type(value)
    if kind is str:
        if "\0" in value:
            return "holds a NUL character"
        half = not value.isascii() and any("\ud800" <= one <= "\udfff" for one in value)
        return "holds half a character" if half else ""
    if kind is float:
        return "" if math.isfinite(value) else "too large a number"
    return "too large a whole number" if kind is int and abs(value) > LARGEST_WHOLE else ""


def oddities(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[str]:
    """Each text and number that cannot be stored, and what is nested too deeply, with its place."""
    if isinstance(value, dict | list):
        if len(path) >= MOST_DEPTH:
            yield f"{place(path)}: nested deeper than {MOST_DEPTH}"
            return
        for step, inner in value.items() if isinstance(value, dict) else enumerate(value):
            if isinstance(step, str) and (what := odd(step)):
                yield f"{place(path)}: a key {what}"
            else:
                yield from oddities(inner, (*path, step))
    elif what := odd(value):
        yield f"{place(path)}: {what}"

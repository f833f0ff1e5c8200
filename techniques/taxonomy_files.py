"""``techniques/data/taxonomy.toml`` read and written. Knows no database."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from review import toml_writing
from review.faults import Fault
from review.kinds import Content, Kind, Parsed, Record
from review.merge import circles
from review.toml_tables import Table, TomlFile
from techniques.records import CHALLENGE, CLASS, RESPONSE, SOURCE, STRATEGY

TAXONOMY = "techniques/data/taxonomy.toml"
HEAD = """\
# The taxonomy: three facets. A technique has one class, one or more strategies and any number of responses and challenges.
# `source` names who drew a node; a node of source "ours" is never shown as the review's own. Definitions are ours throughout.
"""  # noqa: E501
NODES = (CLASS, STRATEGY, RESPONSE, CHALLENGE)


def read(root: Path) -> Parsed:
    """The nodes, in the order of the file, and their sources, with every fault of the file itself."""
    parsed = Parsed()
    try:
        source = TomlFile(TAXONOMY, (root / TAXONOMY).read_bytes())
    except FileNotFoundError:
        parsed.faults.append(Fault(TAXONOMY, None, "", "there is no such file"))
        parsed.unread |= {kind.name for kind in (SOURCE, *NODES)}
        return parsed
    for table in source.top.tables(SOURCE.name):
        parsed.records.append(_record(SOURCE, table, {"name": table.text("name"), "url": table.text("url")}))
    for kind in NODES:
        for position, table in enumerate(source.top.tables(kind.name)):
            parsed.records.append(_record(kind, table, _node(kind, table, position)))
    source.top.finish()
    parsed.faults += source.faults
    if not source.readable:
        parsed.unread |= {kind.name for kind in (SOURCE, *NODES)}
    strategies = {record.key: record for record in parsed.of(STRATEGY)}
    for key in sorted(circles(STRATEGY, {key: record.content for key, record in strategies.items()})):
        parsed.faults.append(strategies[key].fault("parent", "is its own ancestor"))
    return parsed


def _node(kind: Kind, table: Table, position: int) -> Content:
    content: Content = {
        "name": table.text("name"),
        "definition": table.text("definition"),
        # Stated only where it is not simply the place in the file.
        "position": table.whole("position", position),
        "source": table.text("source") or None,
    }
    return content | ({"parent": table.text("parent") or None} if kind is STRATEGY else {})


def _record(kind: Kind, table: Table, content: Content) -> Record:
    key = table.text("slug")
    table.finish()
    return Record(kind, key, content, table.fault)


def written(contents: Mapping[str, Mapping[str, Content]]) -> dict[str, str]:
    """The file for these ``contents`` (kind → key → content): path → text."""
    sources = sorted(contents[SOURCE.name].items())
    tables = [
        toml_writing.table("[[source]]", {"slug": key, "name": content["name"], "url": content["url"] or None})
        for key, content in sources
    ]
    for kind in NODES:
        nodes = sorted(contents[kind.name].items(), key=lambda node: (node[1]["position"], node[0]))
        for place, (key, content) in enumerate(nodes):
            tables.append(toml_writing.table(f"[[{kind.name}]]", _pairs(kind, key, content, place)))
    return {TAXONOMY: "\n".join([HEAD, *tables])}


def _pairs(kind: Kind, key: str, content: Content, place: int) -> dict[str, Any]:
    return {
        "slug": key,
        "name": content["name"],
        "parent": (content["parent"] or "") if kind is STRATEGY else None,
        "source": content["source"],
        "definition": content["definition"],
        "position": None if content["position"] == place else content["position"],
    }

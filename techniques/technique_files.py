"""``techniques/catalogue/<slug>/``: technique.toml with its claims, page.md with the article; read and written.

Knows no database.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from review import toml_writing
from review.faults import Fault, decode
from review.kinds import Content, Parsed, Record, tidy
from review.toml_tables import Table, TomlFile
from techniques import claim_rules, conditions
from techniques.records import CLAIM, TECHNIQUE
from techniques.vocabulary import HARDWARE, SAVES

CATALOGUE = "techniques/catalogue"
SIDES = ("speed", "memory", "accuracy")
TOLERANCE, WAVE = 0.1, 9
_TRADEOFF = ("retraining", "retraining_text", "exactness", "hardware", "hardware_text", "saves")
_LISTS = ("strategies", "responses", "challenges")


def has_folder(root: Path, slug: str) -> bool:
    """Whether the catalogue under ``root`` has a folder of this slug."""
    return (root / CATALOGUE / slug).is_dir()


def read(folder: Path) -> Parsed:
    """One technique's folder with every fault; a technique without page.md has an empty article."""
    parsed = Parsed()
    file = f"{CATALOGUE}/{folder.name}/technique.toml"
    try:
        source = TomlFile(file, (folder / "technique.toml").read_bytes())
    except FileNotFoundError:
        parsed.faults.append(Fault(file, None, "", "there is no such file"))
        parsed.lost.add((TECHNIQUE.name, folder.name))
        return parsed
    top = source.top
    if source.readable:
        if top.text("slug") != folder.name:
            top.refuse("slug", f"must be the name of its folder, {folder.name!r}, found {top.text('slug')!r}")
        parsed.records.append(_technique(folder.name, top, _article(folder, source)))
        parsed.records += [_claim(folder.name, table) for table in top.tables("claims")]
        top.finish()
    else:
        parsed.lost.add((TECHNIQUE.name, folder.name))
    parsed.faults += source.faults
    return parsed


def _article(folder: Path, source: TomlFile) -> str:
    page = folder / "page.md"
    text, utf8 = decode(page.read_bytes()) if page.exists() else ("", True)
    if not utf8:
        source.faults.append(Fault(f"{CATALOGUE}/{folder.name}/page.md", None, "", "not UTF-8"))
    return str(tidy(text))


def _technique(slug: str, top: Table, article: str) -> Record:
    trade = top.table("tradeoff")
    content: Content = {
        "name": top.text("name"),
        "technique_class": top.text("class") or None,
        "named": top.flag("named"),
        "wave": top.whole("wave", WAVE),
        "idea": top.text("idea"),
        "implementation": top.text("implementation"),
        "official_code": top.text("official_code"),
        "note": top.text("note"),
        "article": article,
        "retraining": trade.text("retraining"),
        "retraining_text": trade.text("retraining_text"),
        "exactness": trade.text("exactness"),
        "hardware": trade.words("hardware", HARDWARE),
        "hardware_text": trade.text("hardware_text"),
        "saves": trade.words("saves", SAVES),
    }
    for name in _LISTS:
        content[name] = sorted(top.words(name))
    for side in SIDES:
        table = trade.table(side)
        content |= {f"{side}_effect": table.text("effect"), f"{side}_text": table.text("text")}
        table.finish()
    trade.finish()
    content["publications"] = _rows(top, "publications", {"publication": "key", "role": "role"}, 2)
    content["related"] = _rows(top, "related", {"other": "slug", "kind": "kind", "note": "note"}, 2)
    for row in content["related"]:
        if row["other"] == slug:
            top.refuse("related", "is related to itself")

    def fault(attribute: str, reason: str) -> Fault:
        if attribute.removesuffix("_effect").removesuffix("_text") in SIDES:
            return trade.fault(attribute.split("_")[0], reason)
        return trade.fault(attribute, reason) if attribute in _TRADEOFF else top.fault(_key(attribute), reason)

    return Record(TECHNIQUE, slug, content, fault)


def _key(attribute: str) -> str:
    return {"technique_class": "class", "article": ""}.get(attribute, attribute)


def _rows(top: Table, name: str, columns: Mapping[str, str], unique: int) -> list[Content]:
    """The tables ``[[name]]`` as rows; their first ``unique`` columns together stand there once."""
    rows, seen = [], set()
    for table in top.tables(name):
        row = {column: table.text(key) for column, key in columns.items()}
        table.finish()
        identity = tuple(row.values())[:unique]
        if identity in seen:
            table.refuse("", f"{' '.join(identity)} stands here twice")
        seen.add(identity)
        rows.append(row)
    return rows


def _claim(technique: str, table: Table) -> Record:
    needs = table.table("like_for_like")
    like: Content = {name: needs.text(name) for name in conditions.TEXTS}
    like |= {name: needs.number(name) for name in conditions.NUMBERS} | {"devices": needs.whole("devices")}
    needs.finish()
    like = {name: value for name, value in like.items() if value not in ("", None)}
    if faults := conditions.faults(like):
        for key, reason in faults:
            needs.refuse(key, reason)
        like = {}  # told once, with its line
    names = ("metric", "kind", "qualifier", "unit", "comparator", "workload", "hardware", "source_url", "place")
    content: Content = {name: table.text(name) for name in names} | {
        "technique": technique,
        "publication": table.text("publication") or None,
        "value_low": table.number("value_low"),
        "value_high": table.number("value_high"),
        "like_for_like": like,
        "tolerance": table.number("tolerance", TOLERANCE),
    }
    for key, reason in claim_rules.faults(content):
        table.refuse(key, reason)
    slug = table.text("id")
    table.finish()
    return Record(CLAIM, slug, content, lambda attribute, reason: table.fault(_claim_key(attribute), reason))


def _claim_key(attribute: str) -> str:
    return "id" if attribute == "slug" else attribute


def written(contents: Mapping[str, Mapping[str, Content]]) -> dict[str, str]:
    """The files for these ``contents`` (kind → key → content): path → text."""
    claims: dict[str, list[tuple[str, Content]]] = {}
    for key, content in sorted(contents[CLAIM.name].items(), key=lambda claim: _natural(claim[0])):
        claims.setdefault(content["technique"], []).append((key, content))
    for slug, those in claims.items():
        # By publication as the technique lists them, then by number.
        order = [row["publication"] for row in contents[TECHNIQUE.name][slug]["publications"]]
        those.sort(key=lambda claim: order.index(claim[1]["publication"]) if claim[1]["publication"] in order else 99)
    files = {}
    for slug, content in contents[TECHNIQUE.name].items():
        files[f"{CATALOGUE}/{slug}/technique.toml"] = _technique_text(slug, content, claims.get(slug, []))
        if content["article"]:
            files[f"{CATALOGUE}/{slug}/page.md"] = content["article"] + "\n"
    return files


def _natural(text: str) -> list[tuple[int, str]]:
    """Sorts ``x-10`` behind ``x-2``."""
    return [(int(part), "") if part.isdecimal() else (0, part) for part in re.split(r"(\d+)", text)]


def _technique_text(slug: str, content: Content, claims: list[tuple[str, Content]]) -> str:
    head = {"slug": slug, "name": content["name"], "class": content["technique_class"]}
    head |= {name: content[name] for name in (*_LISTS, "named", "wave", "idea", "implementation")}
    head |= {name: content[name] or None for name in ("official_code", "note")}
    sides: dict[str, Any] = {
        side: {"effect": content[f"{side}_effect"], "text": content[f"{side}_text"]} for side in SIDES
    }
    tables = [toml_writing.lines(head), toml_writing.table("[tradeoff]", sides | {k: content[k] for k in _TRADEOFF})]
    for row in content["publications"]:
        tables.append(toml_writing.table("[[publications]]", {"key": row["publication"], "role": row["role"]}))
    for row in content["related"]:
        pairs = {"slug": row["other"], "kind": row["kind"], "note": row["note"] or None}
        tables.append(toml_writing.table("[[related]]", pairs))
    return "\n".join([*tables, *(_claim_text(key, claim) for key, claim in claims)])


def _claim_text(key: str, content: Content) -> str:
    names = (
        "publication", "metric", "kind", "qualifier", "value_low", "value_high", "unit", "comparator", "workload",
        "hardware", "source_url", "place",
    )  # fmt: skip
    pairs = {"id": key} | {name: None if content[name] == "" else content[name] for name in names}
    pairs["tolerance"] = None if content["tolerance"] == TOLERANCE else content["tolerance"]
    needs = content["like_for_like"]
    like = {name: needs[name] for name in sorted(needs, key=lambda name: (*conditions.ORDER, name).index(name))}
    text = toml_writing.table("[[claims]]", pairs)
    return text + (toml_writing.table("[claims.like_for_like]", like) if needs else "")

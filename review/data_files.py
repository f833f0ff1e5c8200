"""``review/data/``: publications.bib, studies.csv, reviews.toml, membership.csv, read and written. Knows no database.

``studies.csv`` (publication, study) is there only where a study has several reports; any other publication is the one
report of a study of its own. ``membership.csv`` speaks of the published review; rows about another name it in a
further column ``review``, and where an entry stands in the review is told in ``reference_number`` and ``page``.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from review import bibtex, csv_files, toml_writing
from review.citation import slugs
from review.faults import Fault
from review.kinds import Content, Parsed, Record
from review.records import MEMBERSHIP, PUBLICATION, REVIEW, STUDY
from review.toml_tables import Table, TomlFile

BIB, STUDIES = "review/data/publications.bib", "review/data/studies.csv"
REVIEWS, MEMBERS = "review/data/reviews.toml", "review/data/membership.csv"
REVIEWS_HEAD = """\
# The published review. A box of its flow that is not stated here was not reported by any public source found.
# Protocol details are second-hand: protocol_source is the summary that states them.
"""
_LISTS = {
    "authors", "case_studies", "sources_searched", "discovery_tools", "search_fields", "search_terms",
    "inclusion_criteria",
}  # fmt: skip
_MORE_OF_MEMBER = ("review", "reference_number", "page")
_NUMBERS = {"year", "first_year", "databases", "records_identified", "studies_included"}
# The order of the file.
_REVIEW_KEYS = (
    "published", "title", "authors", "venue", "year", "arxiv", "doi", "first_year", "last_month", "databases",
    "records_identified", "studies_included", "case_studies", "protocol_source", "sources_searched", "discovery_tools",
    "search_fields", "search_terms", "inclusion_criteria", "screening_tool", "licence_note", "bibtex",
)  # fmt: skip


def read(root: Path) -> Parsed:
    """Everything under ``root``/review/data, with every fault; references are checked later, by ``Parsed.check``."""
    parsed = Parsed()
    # Membership comes last: its rows mean the published review unless they name one.
    for file, reader, kind, needed in (
        (BIB, _read_publications, PUBLICATION, True),
        (STUDIES, _read_studies, None, False),
        (REVIEWS, _read_reviews, REVIEW, True),
        (MEMBERS, _read_members, MEMBERSHIP, True),
    ):
        try:
            reader((root / file).read_bytes(), parsed)
        except FileNotFoundError:
            if needed:
                parsed.faults.append(Fault(file, None, "", "there is no such file"))
                parsed.unread.add(kind.name if kind else "")
    _check_reviews(parsed)
    return parsed


def _read_publications(data: bytes, parsed: Parsed) -> None:
    bibliography = bibtex.parse(csv_files.text_of(BIB, data, parsed), BIB)
    parsed.faults += bibliography.faults
    parsed.lost |= {("publication", key) for key in bibliography.failed_keys}
    own = slugs(entry.key for entry in bibliography.entries)
    # Studies are named by their publications alone, so any name is known.
    parsed.unread.add("study")
    for entry in bibliography.entries:
        fields = [list(pair) for pair in entry.fields]
        content = {"entry_type": entry.entry_type, "fields": fields, "study": own[entry.key]}
        parsed.records.append(Record(PUBLICATION, entry.key, content, partial(_bib_fault, entry)))
        url = next((value for name, value in entry.fields if name.lower() == "url"), "")
        if url and not url.startswith(("http://", "https://")):
            parsed.faults.append(_bib_fault(entry, "url", f"not an http or https address: {url!r}"))


def _bib_fault(entry: bibtex.Entry, attribute: str, reason: str) -> Fault:
    name = {"arxiv_id": "eprint", "authors": "author", "authors_text": "author"}.get(attribute, attribute)
    key = f"{entry.key}: {name}" if name else entry.key
    return Fault(BIB, entry.line_of(name), key, reason)


def _read_studies(data: bytes, parsed: Parsed) -> None:
    publications = {record.key: record for record in parsed.of(PUBLICATION)}
    for line, row in csv_files.rows(
        STUDIES, csv_files.text_of(STUDIES, data, parsed), ("publication", "study"), (), parsed
    ):
        key, study = row["publication"], row["study"]
        if key in publications:
            publications[key].content["study"] = study
        elif ("publication", key) not in parsed.lost and "publication" not in parsed.unread:
            parsed.faults.append(Fault(STUDIES, line, key, f"no publication {key!r}"))
        parsed.faults += [Fault(STUDIES, line, key, f"study: {reason}") for _, reason in STUDY.complaints(study, {})]


def _read_reviews(data: bytes, parsed: Parsed) -> None:
    source = TomlFile(REVIEWS, data)
    for table in source.top.tables("review"):
        content: Content = {"published": table.flag("published")}
        for key in _REVIEW_KEYS[1:]:
            reader: Callable[[str], Any] = table.words if key in _LISTS else table.text
            content[key] = (table.whole if key in _NUMBERS else reader)(key)
        content["screeners"] = table.whole("screeners", 2)
        content["reported_flow"] = _read_flow(table.table("reported_flow"))
        parsed.records.append(Record(REVIEW, table.text("slug"), content, table.fault))
        table.finish()
    source.top.finish()
    parsed.faults += source.faults
    if not source.readable:
        parsed.unread.add("review")


def _read_flow(table: Table) -> Content:
    """Counts by the keys of the PRISMA2020 table, reasons with theirs in pairs, and the ``source`` of them all."""
    flow: Content = {}
    for name, value in table.values.items():
        if name == "source":
            flow[name] = table.text(name)
        elif isinstance(value, list):
            if not all(isinstance(one, list) and [type(part) for part in one] == [str, int] for one in value):
                table.refuse(name, 'expected pairs of a reason and a whole number, as ["Reason", 3]')
            flow[name] = value
        else:
            flow[name] = table.whole(name)
    return flow


def _read_members(data: bytes, parsed: Parsed) -> None:
    published = [record.key for record in parsed.of(REVIEW) if record.content["published"]]
    columns = ("publication", "membership", "evidence_url", "note")
    for line, row in csv_files.rows(
        MEMBERS, csv_files.text_of(MEMBERS, data, parsed), columns, _MORE_OF_MEMBER, parsed
    ):
        review = row.get("review") or (published[0] if len(published) == 1 else None)
        content = {
            "review": review,
            "publication": row["publication"],
            "status": row["membership"],
            "evidence_url": row["evidence_url"],
            "page": row.get("page", ""),
            "note": row["note"],
        }
        fault = partial(_member_fault, line, row["publication"])
        number = row.get("reference_number", "")
        content["reference_number"] = int(number) if re.fullmatch(r"[0-9]{1,5}", number) else None
        if number and content["reference_number"] is None:
            parsed.faults.append(fault("reference_number", f"not a whole number: {number!r}"))
        if review is None and "review" not in parsed.unread:
            parsed.faults.append(fault("review", "names no review, and not just one is published"))
        if row["membership"] == "confirmed" and not row["evidence_url"]:
            parsed.faults.append(fault("evidence_url", "a confirmed member needs the address of its evidence"))
        if review is not None:
            parsed.records.append(Record(MEMBERSHIP, f"{review}/{row['publication']}", content, fault))


def _member_fault(line: int, publication: str, attribute: str, reason: str) -> Fault:
    column = {"status": "membership"}.get(attribute, attribute)
    return Fault(MEMBERS, line, f"{publication}: {column}" if column else publication, reason)


def _check_reviews(parsed: Parsed) -> None:
    keys = {record.key for record in parsed.of(PUBLICATION)} | {key for _, key in parsed.lost}
    for record in parsed.of(REVIEW):
        for key in record.content["case_studies"]:
            if key not in keys and "publication" not in parsed.unread:
                parsed.faults.append(record.fault("case_studies", f"no publication {key!r}"))


def written(contents: Mapping[str, Mapping[str, Content]]) -> dict[str, str]:
    """The files for these ``contents`` (kind → key → content): path → text. Raises as ``bibtex.write``."""
    publications, reviews = contents["publication"], contents["review"]
    entries = [
        bibtex.Entry(key, content["entry_type"], tuple((name, value) for name, value in content["fields"]))
        for key, content in sorted(publications.items())
    ]
    own = slugs(publications)
    joined = [(key, content["study"]) for key, content in sorted(publications.items()) if content["study"] != own[key]]
    tables = [
        toml_writing.table("[[review]]", {"slug": slug} | _review_shown(content))
        for slug, content in sorted(reviews.items())
    ]
    files = {
        BIB: bibtex.write(entries),
        REVIEWS: "\n".join([REVIEWS_HEAD, *tables]),
        MEMBERS: _members_text(contents["membership"].values(), [k for k, v in reviews.items() if v["published"]]),
    }
    return files | ({STUDIES: csv_files.written([("publication", "study"), *joined])} if joined else {})


def _shown(value: Any) -> Any:
    return None if value in ("", []) else value


def _review_shown(content: Content) -> Content:
    """What is written of a review; the last two only where they differ from what a file without them means."""
    shown = {key: _shown(content[key]) for key in _REVIEW_KEYS}
    screeners = {} if content["screeners"] == 2 else {"screeners": content["screeners"]}
    return shown | screeners | ({"reported_flow": content["reported_flow"]} if content["reported_flow"] else {})


def _members_text(members: Iterable[Content], published: list[str]) -> str:
    default = published[0] if len(published) == 1 else None
    ordered = sorted(members, key=lambda member: (member["review"] != default, member["review"], member["publication"]))
    rows = []
    for member in ordered:
        more = {"review": "" if member["review"] == default else member["review"], "page": member["page"]}
        more["reference_number"] = "" if member["reference_number"] is None else str(member["reference_number"])
        rows.append(((member["publication"], member["status"], member["evidence_url"], member["note"]), more))
    used = [name for name in _MORE_OF_MEMBER if any(more[name] for _, more in rows)]
    header = ("publication", "membership", "evidence_url", "note", *used)
    return csv_files.written([header, *((*own, *(more[name] for name in used)) for own, more in rows)])

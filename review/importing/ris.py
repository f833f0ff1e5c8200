"""RIS: one record as a BibTeX entry. Tags that have no field of BibTeX are kept as ``ris-xx``."""

import re

import rispy

from review.importing import keys

Fields = tuple[tuple[str, str], ...]
TYPES = {
    "JOUR": "article", "JFULL": "article", "MGZN": "article", "EJOUR": "article", "BOOK": "book", "EBOOK": "book",
    "CHAP": "incollection", "ECHAP": "incollection", "CONF": "proceedings", "CPAPER": "inproceedings",
    "THES": "phdthesis", "RPRT": "techreport", "UNPB": "unpublished",
}  # fmt: skip
_TAG_OF = {name: tag for tag, name in rispy.TAG_KEY_MAPPING.items()}
_VERBATIM = {"doi", "url", "eprint"}
_TAG = re.compile(r"^([A-Z][A-Z0-9])[ \t]*-(?:[ \t]|$)", re.MULTILINE)
# Tag → field; the first that is there decides.
_FIELDS = (
    ("title", ("TI", "T1")), ("journal", ("JF", "JO", "T2", "JA")), ("volume", ("VL",)), ("number", ("IS",)),
    ("publisher", ("PB",)), ("issn", ("SN",)), ("doi", ("DO",)), ("url", ("UR",)), ("abstract", ("AB", "N2")),
    ("note", ("N1",)), ("address", ("CY",)), ("language", ("LA",)), ("edition", ("ET",)),
)  # fmt: skip


def is_remark(text: str) -> bool:
    """Whether a piece is no record, but what some databases write above the first."""
    return not _TAG.search(text)


def entry(text: str) -> tuple[str, bool, str, Fields]:
    """Key, whether it is the record's own, type and fields. Raises ``ValueError`` where the text is no RIS record."""
    text = _TAG.sub(r"\1  - ", text)
    # A file that was cut off ends without the end of its last record.
    tags = _tags(text if re.search(r"^ER\b", text, re.MULTILINE) else f"{text.rstrip()}\nER  - \n")
    if not tags:
        raise ValueError("no RIS record: it has no tag of its own")
    if "TY" not in tags:
        raise ValueError("a RIS record begins with its type, TY")
    kind = TYPES.get(tags["TY"][0].strip().upper(), "misc")
    authors = tags.get("AU", []) or tags.get("A1", [])
    year = next(iter(re.findall(r"\d{4}", " ".join(tags.get("PY", []) + tags.get("Y1", []) + tags.get("DA", [])))), "")
    found: dict[str, str] = {}
    for field, wanted in _FIELDS:
        tag = next((tag for tag in wanted if tags.get(tag)), None)
        if tag:
            name = "booktitle" if field == "journal" and kind in {"inproceedings", "incollection"} else field
            found[name] = tags[tag][0].strip() if field in _VERBATIM else keys.latex(tags[tag][0])
    title = tags.get("TI", tags.get("T1", [""]))[0]
    pairs = [("title", found.pop("title", ""))]
    pairs += [("author", keys.names(authors))] if authors else []
    pairs += [("year", year)] if year else []
    if tags.get("SP"):
        pairs.append(("pages", keys.latex("--".join(tags[tag][0] for tag in ("SP", "EP") if tags.get(tag)))))
    pairs += [("keywords", keys.latex(", ".join(tags["KW"])))] if tags.get("KW") else []
    pairs += [pair for pair in found.items() if pair[1]]
    used = {"TY", "AU", "PY", "SP", "EP", "KW", "ID", "ER", *(tag for _, wanted in _FIELDS for tag in wanted)}
    pairs += [(f"ris-{tag.lower()}", keys.latex("; ".join(values))) for tag, values in tags.items() if tag not in used]
    key, own = keys.key_of(tags.get("ID", [""])[0], authors, year, title)
    return key, own, kind, tuple((name, value) for name, value in pairs if value)


def _tags(text: str) -> dict[str, list[str]]:
    """Tags of one record with their values."""
    try:
        records = rispy.loads(text.lstrip("\ufeff\n\r "), skip_unknown_tags=False)
    except Exception as error:  # its parser raises several kinds
        raise ValueError(f"no RIS record: {error}") from error
    if len(records) != 1:
        return {}
    record = dict(records[0])
    # Text without a tag is filed under none.
    found = {str(tag or "text"): list(map(str, values)) for tag, values in record.pop("unknown_tag", {}).items()}
    for name, value in record.items():
        if tag := _TAG_OF.get(name):
            found[tag] = [str(one) for one in value] if isinstance(value, list) else [str(value)]
    return found

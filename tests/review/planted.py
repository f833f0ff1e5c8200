"""The shipped publications and twenty duplicates of them, planted by the kinds of change that real files show."""

from collections.abc import Callable
from pathlib import Path

from django.conf import settings

from review import bibtex
from review.bibtex import Entry

Fields = dict[str, str]
BIB = Path("review/data/publications.bib")


def shipped() -> tuple[Entry, ...]:
    return bibtex.parse((settings.BASE_DIR / BIB).read_text(encoding="utf-8")).entries


def _only(*names: str) -> Callable[[Fields], Fields]:
    return lambda fields: {name: value for name, value in fields.items() if name in names}


def _with(**changed: Callable[[str], str]) -> Callable[[Fields], Fields]:
    return lambda fields: fields | {name: change(fields[name]) for name, change in changed.items()}


def _without(*names: str) -> Callable[[Fields], Fields]:
    return lambda fields: {name: value for name, value in fields.items() if name not in names}


def _then(*steps: Callable[[Fields], Fields]) -> Callable[[Fields], Fields]:
    def run(fields: Fields) -> Fields:
        for step in steps:
            fields = step(fields)
        return fields

    return run


IDS = ("doi", "eprint", "archiveprefix", "url", "primaryclass", "eprinttype")
NO_IDS = _without(*IDS)


def _preprint(fields: Fields) -> Fields:
    kept = _only("title", "author", "year", "eprint")(fields)
    return kept | {"archiveprefix": "arXiv", "year": str(int(fields["year"]) - 1)}


def _typo(title: str) -> str:
    return title.replace("ra", "ar", 1) if "ra" in title else title[:-1]


def _initials(authors: str) -> str:
    names = [name.split(", ") for name in authors.split(" and ")]
    return " and ".join(f"{name[0]}, {name[1][0]}." if len(name) > 1 else name[0] for name in names)


# Number of the publication that has what the change needs, in the order of the file → what is done to it.
CHANGES: tuple[tuple[str, Callable[[Entry], bool], Callable[[Fields], Fields]], ...] = (
    ("resolver before the DOI", lambda e: "doi" in dict(e.fields), _with(doi=lambda v: f"https://doi.org/{v}")),
    ("DOI in capitals", lambda e: "doi" in dict(e.fields), _with(doi=str.upper, title=str.lower)),
    ("dx resolver, no eprint", lambda e: "doi" in dict(e.fields),
     _then(_with(doi=lambda v: f"http://dx.doi.org/{v}"), _without("eprint", "url"))),
    ("all identifiers lost", lambda e: True, NO_IDS),
    ("arXiv by address only", lambda e: "eprint" in dict(e.fields),
     lambda f: NO_IDS(f) | {"url": f"https://arxiv.org/abs/{f['eprint']}v2"}),
    ("arXiv by its DOI only", lambda e: "eprint" in dict(e.fields),
     lambda f: NO_IDS(f) | {"doi": f"10.48550/arXiv.{f['eprint']}"}),
    ("arXiv by the address of the PDF", lambda e: "eprint" in dict(e.fields),
     lambda f: NO_IDS(f) | {"url": f"https://arxiv.org/pdf/{f['eprint']}.pdf"}),
    ("preprint of a published form", lambda e: {"eprint", "booktitle"} <= dict(e.fields).keys(), _preprint),
    ("preprint without its identifier", lambda e: {"eprint", "booktitle"} <= dict(e.fields).keys(),
     _then(_preprint, _without("eprint", "archiveprefix"))),
    ("title in capitals", lambda e: True, _then(NO_IDS, _with(title=str.upper))),
    ("braces lost", lambda e: "{" in dict(e.fields)["title"],
     _then(NO_IDS, _with(title=lambda v: v.replace("{", "").replace("}", "")))),
    ("every word in braces", lambda e: "{" not in dict(e.fields)["title"],
     _then(NO_IDS, _with(title=lambda v: " ".join(f"{{{w}}}" for w in v.split())))),
    ("hyphens and colons changed", lambda e: ":" in dict(e.fields)["title"],
     _then(NO_IDS, _with(title=lambda v: v.replace(":", " -").replace("-", " ")))),
    ("year off by one", lambda e: True, _then(NO_IDS, _with(year=lambda v: str(int(v) + 1)))),
    ("initials for first names", lambda e: " and " in dict(e.fields)["author"], _then(NO_IDS, _with(author=_initials))),
    ("authors in another order", lambda e: " and " in dict(e.fields)["author"],
     _then(NO_IDS, _with(author=lambda v: " and ".join(reversed(v.split(" and ")))))),
    ("first author and others", lambda e: " and " in dict(e.fields)["author"],
     _then(NO_IDS, _with(author=lambda v: v.split(" and ")[0] + " and others"))),
    ("slip of the pen in the title", lambda e: len(dict(e.fields)["title"]) > 50, _then(NO_IDS, _with(title=_typo))),
    ("end of the title dropped", lambda e: len(dict(e.fields)["title"].split()) > 8,
     _then(NO_IDS, _with(title=lambda v: " ".join(v.split()[:6])))),
    ("year lost", lambda e: True, _then(NO_IDS, _without("year"))),
)  # fmt: skip


def planted() -> list[tuple[str, str, Entry]]:
    """What was done, the key of the original, and the planted entry; each of another original."""
    left, found = list(shipped()), []
    for number, (what, fits, change) in enumerate(CHANGES):
        original = next(entry for entry in left if fits(entry))
        left.remove(original)
        fields = tuple(change({name.lower(): value for name, value in original.fields}).items())
        found.append((what, original.key, Entry(f"planted{number}", original.entry_type, fields)))
    return found

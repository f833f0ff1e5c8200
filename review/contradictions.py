"""What speaks against two works of one title, year and author being one: editions, volumes, pages, venues, kinds.

Pure: knows BibTeX fields and nothing else. Where anything speaks against it, a human decides.
"""

import re
from collections.abc import Iterator, Mapping

from rapidfuzz import fuzz

BOUND = ("book", "proceedings", "mvbook", "mvproceedings")  # elsewhere an ISBN names the volume
_KINDS = {
    "article": "article", "inproceedings": "part", "conference": "part", "incollection": "part", "inbook": "part",
    "phdthesis": "thesis", "mastersthesis": "thesis", "thesis": "thesis", **dict.fromkeys(BOUND, "book"),
}  # fmt: skip
STATED = ("edition", "volume", "number", "issue", "chapter", "part", "pages", "eid", "articleno")
_WORD = re.compile(r"[^\W\d_]+")
_SMALL = frozenset(["a", "an", "and", "for", "in", "of", "on", "the"])
# What venues are called besides their names.
_FILLING = frozenset(["proceedings", "proc", "annual", "conference", "conf"])


def details(fields: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """What an entry states of its place in a larger whole, made comparable; of its pages the first."""
    found = ((name, re.findall(r"[^\W_]+", fields.get(name, "").casefold())) for name in STATED)
    return tuple((name, words[0] if name == "pages" else " ".join(words)) for name, words in found if words)


def isbn(value: str) -> str:
    """The first ISBN of a field as thirteen digits without the last, which only checks; what is none stays."""
    first = re.sub(r"[^0-9xX]", "", re.split(r"[,;/\s]+(?=97[89]|\d{9})", value.strip())[0]).upper()
    return {10: "978" + first[:9], 13: first[:12]}.get(len(first), first)


def against(
    kinds: tuple[str, str], stated: tuple[Mapping[str, str], Mapping[str, str]], venues: tuple[str, str]
) -> Iterator[str]:
    """In words, each detail that both works state, and state otherwise."""
    one, other = (_KINDS.get(kind, "") for kind in kinds)
    if one and other and one != other:
        yield f"{kinds[0]} and {kinds[1]}"
    ours, theirs = stated
    yield from (
        "other pages" if name == "pages" else f"another {name}"
        for name in ours
        if theirs.get(name, ours[name]) != ours[name]
    )
    if not one_venue(*venues):
        yield "another venue"


def one_venue(one: str, other: str) -> bool:
    """Whether two names, plain and without case, may be of one venue: alike, abbreviated, or an acronym of the other.

    What does not name a venue may be any.
    """
    ours, theirs = ([word for word in _WORD.findall(name) if word not in _SMALL] for name in (one, other))
    names = [" ".join(word for word in words if word not in _FILLING) for words in (ours, theirs)]
    if not all(names) or fuzz.token_set_ratio(*names) >= 75:
        return True
    return any(_shortens(short, long) for short, long in ((ours, theirs), (theirs, ours)))


def _shortens(short: list[str], long: list[str]) -> bool:
    initials = "".join(word[0] for word in long)
    if any(len(word) > 2 and word in initials for word in short):
        return True
    return len(short) > 1 and all(any(full.startswith(word) for full in long) for word in short)

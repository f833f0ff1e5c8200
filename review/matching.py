"""Whether two works are one: rules first (identifiers, then title, year and author), then a weighted likeness.

Pure: knows no database. ``Index`` holds the works seen so far (those of the database first, then the earlier entries
of a file) and says of a further one whether it repeats any of them.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from rapidfuzz import fuzz
from rapidfuzz.distance import JaroWinkler

from review.citation import shown_columns
from review.contradictions import BOUND, against, details, isbn

Outcome = Literal["duplicate", "maybe"]
PREPRINTS = re.compile(r"arxiv|corr\b|preprint|biorxiv|ssrn|openreview", re.IGNORECASE)
ARXIV_DOI = "10.48550/arxiv."
ALIKE, ENOUGH = 0.86, 0.80  # of titles that may be one, and of works that may be one
COMMON = 400  # a word in more titles than this finds nobody
MOST_NAMES = 30  # more names than these are compared letter by letter only where they are the same
SHORT, FEW = 2, 3  # so few words may be the title of many works: "Introduction"; or what is left of another
# Cyrillic and Greek letters that look like Latin ones.
_LOOKS = str.maketrans(
    "асеорхуіјѕԁһԛԝΑΒΕΖΗΙΚΜΝΟΡΤΥΧАВСЕНІЈКМОРЅТХУαοντρ",
    "aceopxyijsdhqwABEZHIKMNOPTYXABCEHIJKMOPSTXYaovtp",
)
# Letters that are no accented ones, and yet are written without their stroke.
_STROKES = str.maketrans(
    {"ł": "l", "Ł": "L", "ø": "o", "Ø": "O", "đ": "d", "Đ": "D", "ħ": "h", "ı": "i", "æ": "ae", "Æ": "AE", "œ": "oe",
     "Œ": "OE", "ð": "d", "þ": "th"}
)  # fmt: skip
# C is neither C++ nor C#.
_SIGNS = ((re.compile(r"(?<=\w)\+|(?<=\w\+)\+"), "plus"), (re.compile(r"(?<=\w)#"), "sharp"))
_VOLUME = re.compile(r"\d+|\b(?:i{1,3}|iv|vi{0,3}|ix|xi{0,3})\b")
# How Google Scholar and DBLP write an arXiv identifier.
_ARXIV_TEXT = re.compile(r"(?:arxiv:\s*|\babs/)(\d{4}\.\d{4,5}|[a-z-]+/\d{7})", re.IGNORECASE)
_ABOUT = re.compile(r"^(?:correction|corrigend|errat|reply|response|comment|retract|addend|author)\w*\b")


@dataclass(frozen=True)
class Work:
    """What is compared of an entry. It is ``published``, a ``preprint``, or does not say."""

    key: str
    entry_type: str
    title: str
    authors: tuple[str, ...]
    year: int | None
    doi: str
    arxiv: str
    isbn: str
    published: bool
    preprint: bool = False
    venue: str = ""
    details: tuple[tuple[str, str], ...] = ()

    @cached_property
    def plain(self) -> str:
        """The title without accents, punctuation and case."""
        return plain(self.title)

    @cached_property
    def families(self) -> frozenset[str]:
        """The family names, plain; "others" is nobody."""
        return frozenset(filter(None, (plain(name.split(",")[0]) for name in self.authors))) - {"others"}

    @cached_property
    def numbers(self) -> tuple[str, ...]:
        """Numbers in the title, by which editions, parts and versions differ."""
        return tuple(sorted(_VOLUME.findall(self.plain)))

    @cached_property
    def initials(self) -> dict[str, frozenset[str]]:
        """By family name, the first letters of those who bear it; "" for one who gives no first name."""
        found: dict[str, set[str]] = defaultdict(set)
        for name in self.authors:
            family, _, given = name.partition(",")
            found[plain(family)].add(plain(given)[:1])
        return {family: frozenset(letters) for family, letters in found.items() if family in self.families}

    @property
    def own_doi(self) -> str:
        """The DOI, unless it is arXiv's alias of the identifier."""
        return "" if self.doi.startswith(ARXIV_DOI) else self.doi


@dataclass(frozen=True)
class Match:
    """The work that another repeats: surely (``duplicate``) or perhaps (``maybe``), and why.

    ``same_study`` tells a further report of the same study (a preprint and its published form) from a mere repetition.
    ``score`` is the likeness from 0 to 1.
    """

    outcome: Outcome
    key: str
    reason: str
    score: float
    same_study: bool = False


def plain(text: str) -> str:
    """``text`` for comparison: no accents, no case, words of letters and digits with one blank between."""
    for sign, word in _SIGNS:
        text = sign.sub(word, text)
    letters = unicodedata.normalize("NFKD", text.translate(_LOOKS).translate(_STROKES))
    kept = "".join(sign for sign in letters if not unicodedata.combining(sign)).casefold()
    return " ".join(re.findall(r"[^\W_]+", kept.replace("'", "").replace("’", "")))


def work_of(key: str, entry_type: str, fields: Iterable[Sequence[str]]) -> Work:
    """The work that a BibTeX entry describes."""
    pairs = [(name, value) for name, value in fields]
    shown = shown_columns(pairs)
    named = {name.lower(): value for name, value in reversed(pairs)}
    venue, doi = shown["venue"], shown["doi"]
    told = _ARXIV_TEXT.search(f"{venue} {named.get('volume', '')[:50]}")
    arxiv = shown["arxiv_id"] or (told[1] if told else "")
    preprint = bool(arxiv or PREPRINTS.search(f"{venue} {doi}"))
    published = bool(doi and not doi.startswith(ARXIV_DOI)) or bool(venue and not PREPRINTS.search(venue))
    return Work(
        key, entry_type.lower(), shown["title"], tuple(shown["authors"]), shown["year"], doi, arxiv,
        isbn(named.get("isbn", "")), published, preprint and not published, plain(venue), details(named),
    )  # fmt: skip


class Index:
    """The works known so far."""

    def __init__(self) -> None:
        self._works: dict[str, Work] = {}
        # Lists, since most hold one key, and a set takes three times the room.
        self._by: dict[tuple[str, str], list[str]] = defaultdict(list)

    def add(self, work: Work) -> None:
        """From now on ``find`` compares with ``work``; a work of the same key is replaced."""
        if old := self._works.get(work.key):
            for handle in _handles(old):
                self._by[handle].remove(work.key)
        self._works[work.key] = work
        for handle in _handles(work):
            self._by[handle].append(work.key)

    def get(self, key: str) -> Work | None:
        """The work of ``key``."""
        return self._works.get(key)

    def find(self, work: Work) -> Match | None:
        """The best match of ``work`` among works of other keys; ``None`` where it is new."""
        return next(iter(self.matches(work)), None)

    def matches(self, work: Work) -> list[Match]:
        """Every match of ``work``, the best first."""
        found = (compare(work, self._works[key]) for key in sorted(self._candidates(work)))
        return sorted(filter(None, found), key=_rank, reverse=True)

    def _candidates(self, work: Work) -> set[str]:
        """Works that share an identifier, the title, two rare words of it, or its beginning and a family name."""
        found: set[str] = set()
        words: dict[str, int] = defaultdict(int)
        for handle in _handles(work):
            keys = self._by.get(handle, [])
            if handle[0] != "word":
                found |= set(keys) if len(keys) <= COMMON else set()
            elif len(keys) <= COMMON:
                for key in keys:
                    words[key] += 1
        need = 1 if len(work.plain.split()) < 4 else 2
        found |= {key for key, shared in words.items() if shared >= need}
        return found - {work.key}


def _rank(match: Match) -> tuple[bool, bool, float]:
    return match.outcome == "duplicate", not match.same_study, match.score


def _handles(work: Work) -> set[tuple[str, str]]:
    """By what a work can be found."""
    words = work.plain.split()
    handles = {("word", word) for word in words if len(word) > 3}
    handles |= {("doi", work.doi), ("arxiv", work.arxiv), ("isbn", work.isbn), ("title", work.plain)}
    letters = "".join(words)
    handles |= {("start", letters[:12]), ("end", letters[-12:])} if len(letters) > 11 else set()
    handles |= {("name", f"{name} {work.year}") for name in sorted(work.families)[:20]}
    return {handle for handle in handles if handle[1]}


def compare(new: Work, old: Work) -> Match | None:
    """What ``new`` is to ``old``; ``None`` where nothing says that they are one."""
    if new.doi and new.doi == old.doi:
        return _same(new, old, "DOI")
    if new.arxiv and new.arxiv == old.arxiv:
        return _same(new, old, "arXiv id")
    if new.isbn and new.isbn == old.isbn and new.entry_type in BOUND and old.entry_type in BOUND:
        return _same(new, old, "ISBN")
    if (new.own_doi and old.own_doi) or (new.arxiv and old.arxiv) or _about_another(new, old):
        return None
    return _by_title(new, old)


def _same(new: Work, old: Work, what: str) -> Match:
    two_dois = bool(new.own_doi and old.own_doi and new.own_doi != old.own_doi)
    if what != "ISBN" and (two_dois or _two_forms(new, old)):
        return Match("duplicate", old.key, f"report of {old.key}", 1.0, same_study=True)
    return Match("duplicate", old.key, f"same {what} as {old.key}", 1.0)


def _two_forms(new: Work, old: Work) -> bool:
    """One is a preprint, the other a published form."""
    return (new.published and old.preprint) or (new.preprint and old.published)


def _about_another(new: Work, old: Work) -> bool:
    """One is a correction of, or a reply to, the other."""
    return bool(_ABOUT.match(new.plain)) != bool(_ABOUT.match(old.plain))


def _by_title(new: Work, old: Work) -> Match | None:
    if not new.plain or not old.plain:
        return None
    doubts: list[str] = []
    if new.plain == old.plain and _near(new, old) and _one_author(new, old) and _as_typed(new, old):
        if _two_forms(new, old):
            return Match("duplicate", old.key, f"report of {old.key}", 1.0, same_study=True)
        doubts = list(_doubts(new, old))
        if not doubts:
            return Match("duplicate", old.key, f"same title, year and an author as {old.key}", 1.0)
    title, score = likeness(new, old)
    if title < ALIKE or score < ENOUGH or (new.numbers != old.numbers and not _subtitle_dropped(new, old)):
        return None
    why = ", but ".join([_why(new, old, title), *doubts[:1]])
    return Match("maybe", old.key, f"looks like {old.key}: {why}", round(score, 3))


def _near(new: Work, old: Work) -> bool:
    return new.year is not None and old.year is not None and abs(new.year - old.year) <= 1


def _one_author(new: Work, old: Work) -> bool:
    """Whether they share a family name whose bearers may be one person."""
    for family in new.families & old.families:
        ours, theirs = new.initials[family], old.initials[family]
        if ours & theirs or "" in ours | theirs:
            return True
    return False


def _doubts(new: Work, old: Work) -> Iterator[str]:
    """Why works of one title, year and author may still be two."""
    yield from against((new.entry_type, old.entry_type), (dict(new.details), dict(old.details)), (new.venue, old.venue))
    if new.isbn and old.isbn and new.isbn != old.isbn and new.entry_type in BOUND and old.entry_type in BOUND:
        yield "another ISBN"
    if len(new.plain.split()) <= SHORT and new.families != old.families:
        yield "a short title and other authors beside"


def _subtitle_dropped(new: Work, old: Work) -> bool:
    """Whether one title is the beginning of the other: up to its colon, or long enough to be no chance."""
    short, long = sorted((new, old), key=lambda work: len(work.plain))
    if not long.plain.startswith(f"{short.plain} "):
        return False
    left = len(long.plain.split()) - len(short.plain.split())
    return left > 2 and (len(short.plain.split()) > FEW or plain(long.title.partition(":")[0]) == short.plain)


def _as_typed(new: Work, old: Work) -> bool:
    """Whether the titles are the same in one alphabet, not merely to the eye."""
    return (new.title.translate(_LOOKS) == new.title) == (old.title.translate(_LOOKS) == old.title)


def likeness(new: Work, old: Work) -> tuple[float, float]:
    """How alike the titles are, and the works: both from 0 to 1. What one of them does not say counts half."""
    short, long = sorted((new.plain, old.plain), key=len)
    title = max(fuzz.ratio(short, long), fuzz.token_sort_ratio(short, long)) / 100
    if _subtitle_dropped(new, old) or (len(short.split()) > FEW and long.startswith(f"{short} ")):
        title = max(title, 0.95)
    authors = _shared(new.families, old.families)
    years = 0.5 if new.year is None or old.year is None else max(0.0, 1 - abs(new.year - old.year) / 4)
    return title, 0.65 * title + 0.25 * authors + 0.1 * years


def _shared(ours: frozenset[str], theirs: frozenset[str]) -> float:
    """The share of the shorter list of names that the longer has, with slips of the pen."""
    if not ours or not theirs:
        return 0.5
    found, most = len(ours & theirs), min(len(ours), len(theirs))
    mine, other = (sorted(names)[:MOST_NAMES] for names in (ours - theirs, theirs - ours))
    short, long = sorted((mine, other), key=len)
    found += sum(max(JaroWinkler.similarity(name, one) for one in long) > 0.92 for name in short)
    return found / most


def _author_words(new: Work, old: Work) -> str:
    if not new.families or not old.families:
        return "authors not given"
    return "a shared author" if _shared(new.families, old.families) > 0 else "no shared author"


def _why(new: Work, old: Work, title: float) -> str:
    parts = ["the same title" if new.plain == old.plain else f"titles {title:.0%} alike"]
    parts.append(_author_words(new, old))
    if new.year is not None and old.year is not None:
        parts.append("the same year" if new.year == old.year else f"{new.year} and {old.year}")
    return ", ".join(parts)

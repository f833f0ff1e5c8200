"""Whether two works are one: rules first (identifiers, then title, year and author), then a weighted likeness.

Pure: knows no database. ``Index`` holds the works seen so far (those of the database first, then the earlier entries
of a file) and says of a further one whether it repeats any of them.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from rapidfuzz import fuzz
from rapidfuzz.distance import JaroWinkler

from review.citation import shown_columns

Outcome = Literal["duplicate", "maybe"]
BOUND = ("book", "proceedings", "mvbook", "mvproceedings")  # elsewhere an ISBN names the volume
PREPRINTS = re.compile(r"arxiv|corr\b|preprint|biorxiv|ssrn|openreview", re.IGNORECASE)
ARXIV_DOI = "10.48550/arxiv."
ALIKE, ENOUGH = 0.86, 0.80  # of titles that may be one, and of works that may be one
COMMON = 400  # a word in more titles than this finds nobody
# Cyrillic and Greek letters that look like Latin ones.
_LOOKS = str.maketrans(
    "асеорхуіјѕԁһԛԝΑΒΕΖΗΙΚΜΝΟΡΤΥΧАВСЕНІЈКМОРЅТХУαοντρ",
    "aceopxyijsdhqwABEZHIKMNOPTYXABCEHIJKMOPSTXYaovtp",
)
_VOLUME = re.compile(r"\b(?:\d+(?:\.\d+)?|i{1,3}|iv|vi{0,3}|ix)\b")
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
    letters = unicodedata.normalize("NFKD", text.translate(_LOOKS))
    kept = "".join(sign for sign in letters if not unicodedata.combining(sign)).casefold()
    return " ".join(re.findall(r"[^\W_]+", kept.replace("'", "").replace("’", "")))


def work_of(key: str, entry_type: str, fields: Iterable[Sequence[str]]) -> Work:
    """The work that a BibTeX entry describes."""
    pairs = [(name, value) for name, value in fields]
    shown = shown_columns(pairs)
    isbn = next((value for name, value in pairs if name.lower() == "isbn"), "")
    venue, doi = shown["venue"], shown["doi"]
    preprint = bool(shown["arxiv_id"] or PREPRINTS.search(f"{venue} {doi}"))
    published = bool(doi and not doi.startswith(ARXIV_DOI)) or bool(venue and not PREPRINTS.search(venue))
    return Work(
        key, entry_type.lower(), shown["title"], tuple(shown["authors"]), shown["year"], doi, shown["arxiv_id"],
        re.sub(r"[^0-9xX]", "", isbn).upper(), published, preprint and not published,
    )  # fmt: skip


class Index:
    """The works known so far."""

    def __init__(self) -> None:
        self._works: dict[str, Work] = {}
        self._by: dict[tuple[str, str], set[str]] = defaultdict(set)

    def add(self, work: Work) -> None:
        """From now on ``find`` compares with ``work``; a work of the same key is replaced."""
        if old := self._works.get(work.key):
            for handle in _handles(old):
                self._by[handle].discard(work.key)
        self._works[work.key] = work
        for handle in _handles(work):
            self._by[handle].add(work.key)

    def get(self, key: str) -> Work | None:
        """The work of ``key``."""
        return self._works.get(key)

    def find(self, work: Work) -> Match | None:
        """The best match of ``work`` among works of other keys; ``None`` where it is new."""
        best: Match | None = None
        for key in sorted(self._candidates(work)):
            match = compare(work, self._works[key])
            if match and (best is None or _rank(match) > _rank(best)):
                best = match
        return best

    def _candidates(self, work: Work) -> set[str]:
        """Works that share an identifier, the title, two rare words of it, or its beginning and a family name."""
        found: set[str] = set()
        words: dict[str, int] = defaultdict(int)
        for handle in _handles(work):
            keys = self._by.get(handle, set())
            if handle[0] != "word":
                found |= keys if len(keys) <= COMMON else set()
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
    if _two_forms(new, old) and what != "ISBN":
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
    near = new.year is not None and old.year is not None and abs(new.year - old.year) <= 1
    shared = bool(new.families & old.families)
    if new.plain == old.plain and near and shared and _as_typed(new, old):
        if _two_forms(new, old):
            return Match("duplicate", old.key, f"report of {old.key}", 1.0, same_study=True)
        return Match("duplicate", old.key, f"same title, year and an author as {old.key}", 1.0)
    title, score = likeness(new, old)
    if title < ALIKE or score < ENOUGH or (new.numbers != old.numbers and new.plain != old.plain):
        return None
    return Match("maybe", old.key, f"looks like {old.key}: {_why(new, old, title)}", round(score, 3))


def _as_typed(new: Work, old: Work) -> bool:
    """Whether the titles are the same in one alphabet, not merely to the eye."""
    return (new.title.translate(_LOOKS) == new.title) == (old.title.translate(_LOOKS) == old.title)


def likeness(new: Work, old: Work) -> tuple[float, float]:
    """How alike the titles are, and the works: both from 0 to 1. What one of them does not say counts half."""
    short, long = sorted((new.plain, old.plain), key=len)
    title = max(fuzz.ratio(short, long), fuzz.token_sort_ratio(short, long)) / 100
    if len(short.split()) > 3 and long.startswith(f"{short} "):
        title = max(title, 0.95)  # the subtitle was dropped
    authors = _shared(new.families, old.families)
    years = 0.5 if new.year is None or old.year is None else max(0.0, 1 - abs(new.year - old.year) / 4)
    return title, 0.65 * title + 0.25 * authors + 0.1 * years


def _shared(ours: frozenset[str], theirs: frozenset[str]) -> float:
    """The share of the shorter list of names that the longer has, with slips of the pen."""
    if not ours or not theirs:
        return 0.5
    short, long = sorted((ours, theirs), key=len)
    found = sum(max(JaroWinkler.similarity(name, other) for other in long) > 0.92 for name in short)
    return found / len(short)


def _why(new: Work, old: Work, title: float) -> str:
    parts = ["the same title" if new.plain == old.plain else f"titles {title:.0%} alike"]
    parts.append("a shared author" if _shared(new.families, old.families) > 0 and new.families else "no shared author")
    if new.year is not None and old.year is not None:
        parts.append("the same year" if new.year == old.year else f"{new.year} and {old.year}")
    return ", ".join(parts)

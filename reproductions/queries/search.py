"""What the search page reads: techniques, publications, claims and devices that a text speaks of."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import reduce
from operator import and_
from typing import Any

from django.db.models import Q

from reproductions.models import Device
from reproductions.queries import ranking
from reproductions.queries.publications import OF_THE_REVIEW, ROLES
from review.fulltext import MOST_HITS
from review.models import Publication
from review.search_terms import LONGEST, Term, terms
from techniques.models import Claim, Technique
from techniques.search import TECHNIQUES

SHOWN = 20
SUGGESTIONS = 3


@dataclass
class Found:
    """The answer to one search. ``loose`` says that no record holds all the words, and these hold some."""

    text: str
    asked: bool
    techniques: list[Technique] = field(default_factory=list)
    publications: list[Publication] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    devices: list[Device] = field(default_factory=list)
    technique_count: int = 0
    publication_count: int = 0
    more_publications: bool = False
    more_claims: bool = False
    loose: bool = False
    suggestions: list[Technique] = field(default_factory=list)

    @property
    def any(self) -> bool:
        """Whether anything was found."""
        return bool(self.techniques or self.publications or self.claims or self.devices)


def search(typed: str) -> Found:
    """Everything that holds the words of ``typed``; where nothing does, what holds some of them, and near names."""
    text = " ".join(typed.replace("\0", " ").split())[:LONGEST]
    wanted = terms(text)
    found = Found(text, asked=bool(wanted))
    if not wanted:
        return found
    _rank(found, wanted, any_of=False)
    claims = list(_holding(Claim.objects.select_related("technique__technique_class"), _CLAIM_COLUMNS, wanted))
    found.claims, found.more_claims = claims[:SHOWN], len(claims) > SHOWN
    found.devices = list(_holding(Device.objects.all(), ("name", "slug"), wanted))
    if not found.any:
        found.loose = True
        _rank(found, wanted, any_of=True)
        found.suggestions = near_names(text)
    return found


_CLAIM_COLUMNS = ("metric", "comparator", "workload", "hardware", "unit")


def _rank(found: Found, wanted: Sequence[Term], any_of: bool) -> None:
    techniques, publications = TECHNIQUES.ranked(wanted, any_of), ranking.publications(wanted, any_of)
    found.technique_count, found.publication_count = len(techniques), len(publications)
    found.more_publications = len(publications) >= MOST_HITS
    known = Technique.objects.select_related("technique_class").defer("article").in_bulk(techniques[:SHOWN])
    found.techniques = [known[pk] for pk in techniques[:SHOWN] if pk in known]
    light = Publication.objects.defer("fields", "note", "authors_text")
    rows = light.prefetch_related(OF_THE_REVIEW, ROLES).in_bulk(publications[:SHOWN])
    found.publications = [rows[pk] for pk in publications[:SHOWN] if pk in rows]


def _holding(rows: Any, columns: Sequence[str], wanted: Sequence[Term]) -> Any:
    """Rows in which every wanted word is a part of one of ``columns``; one more than is shown, to tell of the rest."""

    def one(term: Term) -> Q:
        asked = Q()
        for form in term.forms:
            for column in columns:
                asked |= Q(**{f"{column}__icontains": form})
        return ~asked if term.unwanted else asked

    return rows.filter(reduce(and_, map(one, wanted)))[: SHOWN + 1]


def near_names(text: str) -> list[Technique]:
    """Techniques whose names look like ``text``, for somebody who mistyped one."""
    names = {row.short_name.lower(): row for row in Technique.objects.only("name", "slug")}
    return [names[name] for name in get_close_matches(text.lower(), list(names), n=SUGGESTIONS, cutoff=0.6)]

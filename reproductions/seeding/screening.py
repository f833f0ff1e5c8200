"""Synthetic records of the second review at every stage of the flow, and what two screeners said of them."""

from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

from django.contrib.auth.models import User

from reproductions.seeding import bulk
from reproductions.seeding.evidence import PREFIX, REASON, review
from review.models import Criterion, Decision, Record, Search

REASONS = ("off topic", "not English", "no study of its own", "retracted", "outside the window")
SOURCES = (("Synthetic index", "database"), ("Synthetic register", "register"), ("Citations", "citations"))


def screening(count: int, publications: Sequence[int], users: Sequence[User], draw: Random) -> None:
    """Make ``count`` records: a tenth removed before screening, a sixth undecided, the rest at every later stage."""
    one, before = review(), [bulk.last(model) for model in (Record, Decision)]
    searches = [
        Search.objects.create(review=one, slug=f"{PREFIX}search-{n}", source=source, kind=kind, hits=count, query="llm")
        for n, (source, kind) in enumerate(SOURCES)
    ]
    criteria = [
        Criterion.objects.create(review=one, slug=f"{PREFIX}out-{n}", kind="exclusion", name=name, position=n)
        for n, name in enumerate(REASONS)
    ]
    names = ("id", "search_id", "slug", "publication_id", "removal", "retrieval")
    places = [_place(draw) for _ in range(count)]
    first = before[0] + 1
    rows = (
        (first + n, draw.choices(searches, (8, 1, 1))[0].pk, f"{PREFIX}record-{n:06}", publications[n], *place[:2])
        for n, place in enumerate(places)
    )
    bulk.write(Record, names, rows, review_id=one.pk)
    bulk.keys_follow(Record)
    said = ("record_id", "slug", "stage", "screener", "user_id", "final", "verdict", "reason_id")
    decisions = (
        line for n, place in enumerate(places) for line in _decisions(first + n, place[2], users[:2], criteria, draw)
    )
    bulk.write(Decision, said, decisions, decided_at=bulk.MADE)
    for model, after in zip((Record, Decision), before, strict=True):
        bulk.history(model, after, REASON)


# Removal, retrieval, and the verdicts of two screeners (i, e or neither) at the two stages.
PLACES = {
    ("duplicate", "", ""): 8, ("automation", "", ""): 2,
    ("", "", ""): 10, ("", "", "i"): 8, ("", "", "ee"): 40, ("", "", "ie"): 4, ("", "", "ii"): 5,
    ("", "sought", "ii"): 3, ("", "not-retrieved", "ii"): 2, ("", "retrieved", "ii"): 4,
    ("", "retrieved", "ii i"): 2, ("", "retrieved", "ii ie"): 2, ("", "retrieved", "ii ee"): 4,
    ("", "retrieved", "ii ii"): 6,
}  # fmt: skip


def _place(draw: Random) -> tuple[str, str, str]:
    return draw.choices(list(PLACES), list(PLACES.values()))[0]


def _decisions(
    record: int, said: str, users: Sequence[User], criteria: Sequence[Criterion], draw: Random
) -> Iterator[tuple[Any, ...]]:
    for stage, verdicts in zip(("abstract", "full-text"), said.split(" "), strict=False):
        for user, letter in zip(users, verdicts, strict=False):
            reason = draw.choice(criteria).pk if letter == "e" else None
            slug = f"{PREFIX}{record}-{stage}-{user.username}"
            verdict = "exclude" if letter == "e" else "include"
            yield record, slug, stage, user.username, user.pk, False, verdict, reason

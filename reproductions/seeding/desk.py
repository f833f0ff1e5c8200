"""What waits on the curators' desks: an import with its entries, and reported problems."""

from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

from django.contrib.auth.models import User

from reproductions.seeding import bulk
from reproductions.seeding.evidence import PREFIX
from review.models import ImportBatch, ImportEntry, Publication
from techniques.models import ProblemReport, Technique

OUTCOMES = {"created": 70, "updated": 5, "unchanged": 10, "duplicate": 10, "maybe": 4, "rejected": 1}
REPORTS = 300


def desk(entries: int, publications: Sequence[int], users: Sequence[User], draw: Random) -> None:
    """One applied import of so many entries, and some hundred reported problems."""
    batch = ImportBatch.objects.create(
        file_name=f"{PREFIX}hits.bib", format="bibtex", file=f"imports/{PREFIX}hits.bib", state="applied",
        done=entries, total=entries, created_by=users[0], applied_by=users[0], applied_at=bulk.MADE,
    )  # fmt: skip
    # Read before: while rows are sent, the connection answers nothing else.
    keys = list(Publication.objects.filter(pk__in=publications[:1000]).order_by("pk").values_list("key", flat=True))
    names = ("position", "line", "key", "entry_type", "fields", "outcome", "reason", "duplicate_of", "publication_id")
    bulk.write(ImportEntry, names, _entries(entries, keys, publications, draw), batch_id=batch.pk)
    techniques = list(Technique.objects.order_by("slug").values_list("pk", flat=True))
    rows = ((draw.choice(techniques), f"Synthetic report {n}.", "open" if n % 3 else "mended") for n in range(REPORTS))
    bulk.write(ProblemReport, ("technique_id", "text", "state"), rows, sender=PREFIX, created_at=bulk.MADE)


def _entries(count: int, keys: Sequence[str], publications: Sequence[int], draw: Random) -> Iterator[tuple[Any, ...]]:
    for number in range(count):
        outcome = draw.choices(list(OUTCOMES), list(OUTCOMES.values()))[0]
        fields = [["title", f"Synthetic entry {number}"], ["author", "Nobody, N."], ["year", "2024"]]
        like = draw.choice(keys) if outcome in {"duplicate", "maybe"} else ""
        made = publications[number % len(publications)] if outcome == "created" else None
        reason = "the titles are alike" if like else ""
        yield number, number * 8 + 1, f"{PREFIX}entry-{number}", "article", fields, outcome, reason, like, made

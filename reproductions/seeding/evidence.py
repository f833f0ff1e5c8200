"""Synthetic publications with their studies, the memberships of a second review, and techniques they evaluate."""

from collections.abc import Iterator
from random import Random
from typing import Any

from reproductions.seeding import bulk
from reproductions.seeding.words import Words
from review.models import Likeness, Membership, Publication, Review, Study
from techniques.models import Technique, TechniquePublication

PREFIX = "synthetic-"
REVIEW = f"{PREFIX}update"
REASON = "synthetic, for measuring at scale"
VENUES, YEARS = 300, range(2017, 2027)
REPORTS = 20  # one study in so many has two reports
PER_TECHNIQUE = 100  # one publication in so many evaluates a technique
ABSTRACT = 160  # words
DEEP = 300  # changes of the record with the longest history
NAMES = ("id", "study_id", "key", "slug", "entry_type", "title", "authors", "authors_text", "venue", "year", "doi",
         "arxiv_id", "url", "fields")  # fmt: skip


def review() -> Review:
    """The second review, of which every synthetic publication is a member."""
    found, _ = Review.objects.get_or_create(
        slug=REVIEW,
        defaults={"title": "Synthetic update, for measuring at scale", "first_year": 2017, "screeners": 2},
    )
    return found


def publications(count: int, draw: Random) -> list[int]:
    """Make ``count`` publications; their keys."""
    first, studies = bulk.last(Publication) + 1, bulk.last(Study) + 1
    numbers = range(count)
    before = [bulk.last(model) for model in (Study, Publication, Membership)]
    # Of twenty studies' worth of reports one shares its study with the report before it.
    shared = [studies + number - (number % REPORTS == 1) for number in numbers]
    own = ((study, f"{PREFIX}{study - studies:06}") for study in dict.fromkeys(shared))
    bulk.write(Study, ("id", "slug"), own)
    bulk.write(Publication, NAMES, _publications(first, shared, Words(draw)))
    bulk.keys_follow(Study, Publication)
    one = review()
    members = ((first + number, *_standing(number, draw)) for number in numbers)
    bulk.write(Membership, ("publication_id", "status", "evidence_url", "page"), members, review_id=one.pk)
    for model, after in zip((Study, Publication, Membership), before, strict=True):
        bulk.history(model, after, REASON)
    keys = list(range(first, first + count))
    _roles(keys)
    _likenesses(keys, draw)
    _deep(keys[0])
    return keys


def _publications(first: int, studies: list[int], words: Words) -> Iterator[tuple[Any, ...]]:
    draw = words.draw
    venues = [f"Synthetic venue {number}: {words.title()}" for number in range(VENUES)]
    for number, study in enumerate(studies):
        key = f"{PREFIX}{number:06}"
        title, year, venue = words.title(), draw.choice(YEARS), venues[int(VENUES * draw.random() ** 3)]
        authors = [words.name() for _ in range(draw.randint(1, 7))]
        doi = f"10.99999/{key}" if number % 3 else ""
        arxiv = f"{year % 100:02}{number % 12 + 1:02}.{number % 100000:05}" if number % 2 else ""
        url = f"https://example.org/{key}"
        journal = number % 4 == 0
        fields = [
            ["title", title], ["author", " and ".join(authors)], ["year", str(year)],
            ["journal" if journal else "booktitle", venue], ["abstract", " ".join(words.some(ABSTRACT)) + "."],
            ["url", url], *([["doi", doi]] if doi else []), *([["eprint", arxiv]] if arxiv else []),
        ]  # fmt: skip
        kind = "article" if journal else "inproceedings"
        yield (first + number, study, key, key, kind, title, authors, "; ".join(authors), venue, year, doi, arxiv, url,
               fields)  # fmt: skip


def _standing(number: int, draw: Random) -> tuple[str, str, str]:
    status = draw.choices(("confirmed", "reconstructed", "additional"), (60, 30, 10))[0]
    source = f"https://example.org/list#{number}" if status == "confirmed" else ""
    return status, source, str(number % 400 + 1) if source else ""


def _roles(keys: list[int]) -> None:
    techniques = list(Technique.objects.order_by("slug").values_list("pk", flat=True))
    chosen = enumerate(keys[::PER_TECHNIQUE]) if techniques else ()
    rows = ((techniques[place % len(techniques)], key, "evaluates", 100 + place) for place, key in chosen)
    bulk.write(TechniquePublication, ("technique_id", "publication_id", "role", "position"), rows)


def _likenesses(keys: list[int], draw: Random) -> None:
    """One in a hundred looks like the one after it; half of the pairs wait."""
    states = ("maybe", "maybe", "same", "report", "different", "different")
    rows = ((key, key + 1, draw.choice(states), "the titles are alike", draw.uniform(0.8, 1)) for key in keys[:-1:100])
    bulk.write(Likeness, ("earlier_id", "later_id", "state", "reason", "score"), rows, found_at=bulk.MADE)


def _deep(key: int) -> None:
    """A publication with a long history."""
    row, kept = Publication.objects.get(pk=key), Publication.history.model
    values = {field.attname: getattr(row, field.attname) for field in kept.tracked_fields}
    told = {"history_date": bulk.MADE, "history_type": "~", "history_change_reason": REASON}
    kept.objects.bulk_create([kept(**values | told | {"note": f"Note {n}."}) for n in range(DEEP)])

"""Publications in the API."""

from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest
from ninja import Field, Query, Router
from pydantic.json_schema import SkipJsonSchema

from reproductions.api.finding import said, shown
from reproductions.api.links import Links
from reproductions.api.paging import Paged, paged
from reproductions.api.problems import answers
from reproductions.api.schemas.asking import Moment, Word, called, repeated
from reproductions.api.schemas.choices import MembershipStatus
from reproductions.api.schemas.knowledge import PublicationRecord, Publications
from reproductions.queries import publications as reading
from reproductions.queries import served
from review import exports
from review.models import Membership

router = Router(tags=["Publications"])


class Asked(Paged):
    """What the list can be narrowed by."""

    q: Word | SkipJsonSchema[None] = Field(None, description="Words to search for; quotes hold a phrase together.")
    membership: list[MembershipStatus] = repeated("How it stands to the published review.")
    technique_class: list[Word] = repeated("The slug of a class of its techniques.", alias="class")
    year: list[int] = repeated("The year of publication.")
    updated_since: Moment | SkipJsonSchema[None] = Field(
        None, description="Only those that changed, or whose membership changed, at this moment or later."
    )


@router.get("/", response=answers(Publications), url_name="publications", summary="List publications")
def index(request: HttpRequest, asked: Query[Asked]) -> Any:
    """Every publication, with its membership of the published review and its techniques."""
    years = [year for year in asked.year if 0 < year < 10_000]
    found = served.publications(asked.q or "", asked.membership, asked.technique_class, years, asked.updated_since)
    if asked.year and not years:
        found = found.none()
    links = Links(request)
    return paged(served.shown_publications(found), asked, links, lambda rows: listed(rows, links))


@router.get(
    "/{slug}/", response=answers(PublicationRecord, 301, 404), url_name="publication", summary="Read one publication"
)
def one(request: HttpRequest, slug: str = called("flashattention")) -> Any:
    """One publication, with its claims, its reviews, the other reports of its study and its BibTeX."""
    links = Links(request)
    return shown(served.publication(), slug, "publication", lambda row: described(row, links))


def listed(rows: Sequence[Any], links: Links) -> list[dict[str, Any]]:
    """Publications as the list has them."""
    return [facts(row, links) for row in rows]


def facts(row: Any, links: Links) -> dict[str, Any]:
    """One publication, with ``of_the_review`` and ``roles`` read."""
    return {
        "key": row.key,
        "slug": row.slug,
        "url": links.api("publication", row.slug),
        "page": links.page(row),
        "updated": row.updated,
        "type": row.entry_type,
        "title": row.title,
        "authors": row.authors,
        "venue": said(row.venue),
        "year": row.year,
        "doi": said(row.doi),
        "arxiv": said(row.arxiv_id),
        "link": said(row.url),
        "membership": membership(row.of_the_review[0]) if row.of_the_review else None,
        "classes": reading.knowledge(row)["classes"],
        "techniques": [
            {
                "slug": role.technique.slug,
                "name": role.technique.name,
                "url": links.api("technique", role.technique.slug),
                "role": role.role,
            }
            for role in row.roles
        ],
    }


def membership(row: Any) -> dict[str, Any]:
    """How a publication stands to a review."""
    return {
        "review": row.review.slug,
        "published": row.review.published,
        "status": row.status,
        "evidence": said(row.evidence_url),
        "reference_number": row.reference_number,
    }


def described(row: Any, links: Links) -> dict[str, Any]:
    """One publication with all that hangs on it."""
    try:
        bibtex = exports.bibtex_entry(row)
    except ValueError:
        bibtex = None
    every = Membership.objects.filter(publication=row).select_related("review").order_by("-review__published", "review")
    return facts(row, links) | {
        "study": row.study.slug,
        "reports": [report(one, links) for one in row.study.reports if one.pk != row.pk],
        "memberships": [membership(one) for one in every],
        "claims": [{"slug": claim.slug, "url": links.api("claim", claim.slug)} for claim in row.stated],
        "bibtex": bibtex,
    }


def report(row: Any, links: Links) -> dict[str, Any]:
    """A publication, in short."""
    return {"slug": row.slug, "title": row.title, "url": links.api("publication", row.slug)}

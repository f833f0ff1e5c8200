"""Claims in the API, each with its verdict."""

from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest
from ninja import Field, Query, Router
from pydantic.json_schema import SkipJsonSchema

from reproductions import judging
from reproductions.api.finding import said, shown
from reproductions.api.links import Links
from reproductions.api.paging import Paged, paged, paged_list
from reproductions.api.problems import answers
from reproductions.api.publications import report
from reproductions.api.schemas.asking import Moment, Word, called, repeated
from reproductions.api.schemas.choices import ClaimKind
from reproductions.api.schemas.knowledge import ClaimRecord, Claims
from reproductions.queries import served
from reproductions.queries.claims import UNKNOWN, judged
from techniques.models import Claim

router = Router(tags=["Claims"])


class Asked(Paged):
    """What the list can be narrowed by."""

    technique: list[Word] = repeated("The slug of its technique.")
    publication: list[Word] = repeated("The slug of its publication.")
    technique_class: list[Word] = repeated("The slug of the class of its technique.", alias="class")
    verdict: list[Word] = repeated(f"Its verdict as a slug: {', '.join(one.slug for one in judging.ALL)}.")
    kind: list[ClaimKind] = repeated("What kind of figure it is.")
    metric: list[Word] = repeated("What it is a figure of, such as throughput.")
    hardware: list[Word] = repeated(f"The hardware as the paper names it; {UNKNOWN} where it names none.")
    updated_since: Moment | SkipJsonSchema[None] = Field(None, description="Only those that changed then or later.")


@router.get("/", response=answers(Claims), url_name="claims", summary="List claims")
def index(request: HttpRequest, asked: Query[Asked]) -> Any:
    """Every claim, with the verdict on it and the figure that was measured beside it."""
    links = Links(request)
    found = narrowed(asked)
    if not asked.verdict:
        return paged(found, asked, links, lambda page: [facts(row, links) for row in judged(page)])
    # A verdict is computed, so all of them are, before a page is cut.
    rows = {row.claim.pk: row for row in judged(list(found)) if row.verdict.slug in asked.verdict}
    left = [row.claim for row in rows.values()]
    return paged_list(left, asked, links, lambda page: [facts(rows[claim.pk], links) for claim in page])


def narrowed(asked: Asked) -> Any:
    """The claims that have one of the values of each filter but the verdict."""
    columns = {
        "technique__slug": asked.technique,
        "publication__slug": asked.publication,
        "technique__technique_class__slug": asked.technique_class,
        "kind": asked.kind,
        "metric": asked.metric,
        "hardware": ["" if value == UNKNOWN else value for value in asked.hardware],
    }
    found = served.claims().filter(**{f"{column}__in": values for column, values in columns.items() if values})
    if asked.updated_since:
        found = found.filter(pk__in=served.changed_since(Claim, asked.updated_since))
    return found


@router.get("/{slug}/", response=answers(ClaimRecord, 404), url_name="claim", summary="Read one claim")
def one(request: HttpRequest, slug: str = called("flashattention-1")) -> Any:
    """One claim, with the conditions of its verdict and the curators' remarks."""
    links = Links(request)
    return shown(served.claims(), slug, "claim", lambda row: described(row, links))


def facts(row: judging.Judgement, links: Links) -> dict[str, Any]:
    """One judged claim as the list has it."""
    claim: Any = row.claim
    names: Sequence[str] = (
        "slug", "metric", "kind", "value_low", "value_high", "unit", "gain_low", "gain_high", "tolerance", "updated",
    )  # fmt: skip
    unreported: Sequence[str] = ("qualifier", "comparator", "workload", "hardware", "place")
    return {
        **{name: getattr(claim, name) for name in names},
        **{name: said(getattr(claim, name)) for name in unreported},
        "url": links.api("claim", claim.slug),
        "technique": {
            "slug": claim.technique.slug,
            "name": claim.technique.name,
            "url": links.api("technique", claim.technique.slug),
        },
        "publication": report(claim.publication, links),
        "source": claim.source_url,
        "verdict": verdict(row, links),
    }


def verdict(row: judging.Judgement, links: Links) -> dict[str, Any]:
    """The verdict as the pages show it."""
    figure = row.figure
    measured = figure and {
        "value": figure.value,
        "low": figure.low,
        "high": figure.high,
        "unit": figure.unit,
        "run": links.api("run", row.run.run_id) if row.run else None,
    }
    return {
        "word": row.verdict.word,
        "note": said(row.note),
        "reasons": [str(reason) for reason in row.reasons],
        "measured": measured,
    }


def described(claim: Claim, links: Links) -> dict[str, Any]:
    """One claim with its conditions and remarks."""
    remarks = claim.remarks.order_by("written_at", "id").values_list("text", "written_at")
    return facts(served.judged(claim), links) | {
        "like_for_like": claim.like_for_like,
        "remarks": [{"text": text, "written": written} for text, written in remarks],
    }

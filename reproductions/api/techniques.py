"""Techniques in the API."""

from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest
from ninja import Field, Query, Router
from pydantic.json_schema import SkipJsonSchema

from reproductions import judging, sources
from reproductions.api.finding import said, shown
from reproductions.api.links import Links
from reproductions.api.paging import Paged, paged_list
from reproductions.api.problems import answers
from reproductions.api.schemas.asking import Moment, Word, called, repeated
from reproductions.api.schemas.choices import Exactness, Retraining
from reproductions.api.schemas.knowledge import TechniqueRecord, Techniques
from reproductions.queries import judgements, served
from techniques.models import Technique

router = Router(tags=["Techniques"])


class Asked(Paged):
    """What the list can be narrowed by."""

    technique_class: list[Word] = repeated("The slug of its class.", alias="class")
    verdict: list[Word] = repeated(f"Its verdict as a slug: {', '.join(one.slug for one in judging.ALL)}.")
    strategy: list[Word] = repeated("The slug of a strategy that it carries, or of one above that.")
    challenge: list[Word] = repeated("The slug of a challenge that it answers.")
    retraining: list[Retraining] = repeated("What it needs.")
    exactness: list[Exactness] = repeated("Whether its results are those of the plain way.")
    hardware: list[Word] = repeated("What it needs: any, gpu, multi-gpu, tpu, fpga, asic, cpu, ssd, cluster.")
    saves: list[Word] = repeated("What it saves: compute, memory, communication, energy, money, latency.")
    updated_since: Moment | SkipJsonSchema[None] = Field(None, description="Only those that changed then or later.")


@router.get("/", response=answers(Techniques), url_name="techniques", summary="List techniques")
def index(request: HttpRequest, asked: Query[Asked]) -> Any:
    """Every technique, with its labels, its trade-offs and the verdict beside its name."""
    links = Links(request)
    rows = list(served.techniques().defer("article", "implementation"))
    verdicts = judgements.by_technique(rows)
    strategies = served.below(asked.strategy) if asked.strategy else set()
    since = served.changed_since(Technique, asked.updated_since) if asked.updated_since else None
    changed = set(since.values_list("id", flat=True)) if since is not None else set()
    left = [
        row
        for row in rows
        if _fits(row, asked, verdicts[row.pk].slug, strategies) and (since is None or row.pk in changed)
    ]
    return paged_list(left, asked, links, lambda page: [facts(row, verdicts[row.pk], links) for row in page])


def _fits(row: Any, asked: Asked, verdict: str, strategies: set[str]) -> bool:
    return (
        _any(asked.technique_class, [row.technique_class.slug])
        and _any(asked.verdict, [verdict])
        and (not asked.strategy or _any(sorted(strategies) or ["-"], slugs(row.strategies)))
        and _any(asked.challenge, slugs(row.challenges))
        and _any(asked.retraining, [row.retraining])
        and _any(asked.exactness, [row.exactness])
        and _any(asked.hardware, row.hardware)
        and _any(asked.saves, row.saves)
    )


def _any(wanted: Sequence[str], values: Sequence[str]) -> bool:
    return not wanted or bool(set(wanted) & set(values))


@router.get("/{slug}/", response=answers(TechniqueRecord, 301, 404), url_name="technique", summary="Read one technique")
def one(request: HttpRequest, slug: str = called("flash-attention")) -> Any:
    """One technique, with its article, its publications, its relations and its claims."""
    links = Links(request)
    return shown(served.techniques(), slug, "technique", lambda row: described(row, links))


def slugs(labels: Any) -> list[str]:
    """The slugs of prefetched labels."""
    return sorted(label.slug for label in labels.all())


def facts(row: Any, verdict: judging.Verdict, links: Links) -> dict[str, Any]:
    """One technique as the list has it."""
    effects = {
        name: {"effect": said(getattr(row, f"{name}_effect")), "text": said(getattr(row, f"{name}_text"))}
        for name in ("speed", "memory", "accuracy")
    }
    return effects | {
        "slug": row.slug,
        "name": row.name,
        "url": links.api("technique", row.slug),
        "page": links.page(row),
        "updated": row.updated,
        "technique_class": row.technique_class.slug,
        "idea": row.idea,
        "named": row.named,
        "strategies": slugs(row.strategies),
        "responses": slugs(row.responses),
        "challenges": slugs(row.challenges),
        "retraining": said(row.retraining),
        "exactness": said(row.exactness),
        "hardware": row.hardware,
        "saves": row.saves,
        "implemented": sources.exists(row.slug),
        "verdict": verdict.word,
    }


def described(row: Technique, links: Links) -> dict[str, Any]:
    """One technique with all that hangs on it."""
    roles = row.publication_roles.select_related("publication").defer("publication__fields")
    relations = row.relations.select_related("other").defer("other__article")
    return facts(row, served.verdict(row), links) | {
        "article": said(row.article),
        "official_code": said(row.official_code),
        "publications": [
            {
                "key": role.publication.key,
                "title": role.publication.title,
                "role": role.role,
                "url": links.api("publication", role.publication.slug),
            }
            for role in roles
        ],
        "relations": [
            {
                "slug": one.other.slug,
                "name": one.other.name,
                "url": links.api("technique", one.other.slug),
                "kind": one.kind,
                "note": said(one.note),
            }
            for one in relations
        ],
        "claims": [
            {"slug": slug, "url": links.api("claim", slug)}
            for slug in row.claims.order_by("pk").values_list("slug", flat=True)
        ],
        "runs": f"{links.api('runs')}?technique={row.slug}",
    }

"""Pages of a list by key: stable while records come, as quick on the last page as on the first, bounded both ways."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

from django.db.models import F, QuerySet
from ninja import Field, Schema
from pydantic.json_schema import SkipJsonSchema

from reproductions.api.links import Links

DEFAULT, MOST = 50, 200
HIGHEST = 2**63 - 1
COUNTED = 1_000


class Paged(Schema):
    """What every list can be asked for."""

    limit: int = Field(DEFAULT, ge=1, le=MOST, description=f"How many records a page has, at most {MOST}.")
    after: Annotated[int, Field(ge=0, le=HIGHEST)] | SkipJsonSchema[None] = Field(
        None, description="Where to go on; the address in `next` holds it. Any number is allowed."
    )
    order: Literal["oldest", "newest"] = Field(
        "oldest", description="By when the record came into the atlas: oldest or newest first."
    )


class Page(Schema):
    """What every list answers, with its ``items``."""

    next: str | None = Field(description="The address of the next page; null on the last one.")
    total: int | None = Field(
        description=f"How many records match in all; null where they are more than {COUNTED:,} or are not counted."
    )


def paged(
    rows: QuerySet[Any],
    asked: Paged,
    links: Links,
    shown: Callable[[Sequence[Any]], list[Any]],
    counted: bool = True,
    few: bool = False,
) -> dict[str, Any]:
    """The page of ``rows`` that was asked for; ``shown`` gets its records. One query more counts, up to a bound.

    ``few`` says that these are few of very many: then they are found first and sorted after, where a database might
    walk through all the others in the order of their numbers.
    """
    newest = asked.order == "newest"
    number = F("pk") + 0 if few else F("pk")
    ordered = rows.order_by(number.desc() if newest else number.asc())
    if asked.after is not None:
        ordered = ordered.filter(**{"pk__lt" if newest else "pk__gt": asked.after})
    found = list(ordered[: asked.limit + 1])
    return _page(found, asked, links, shown, _count(rows) if counted else None)


def paged_list(
    rows: Sequence[Any], asked: Paged, links: Links, shown: Callable[[Sequence[Any]], list[Any]]
) -> dict[str, Any]:
    """The same of records in memory, of a list that stays short."""
    newest = asked.order == "newest"
    ordered = sorted(rows, key=lambda row: row.pk, reverse=newest)
    if asked.after is not None:
        ordered = [row for row in ordered if (row.pk < asked.after if newest else row.pk > asked.after)]
    return _page(ordered[: asked.limit + 1], asked, links, shown, len(rows))


def _page(found: list[Any], asked: Paged, links: Links, shown: Any, total: int | None) -> dict[str, Any]:
    page = found[: asked.limit]
    onward = links.onward(after=page[-1].pk) if len(found) > asked.limit else None
    return {"items": shown(page), "next": onward, "total": total}


def _count(rows: QuerySet[Any]) -> int | None:
    # Nothing that an answer shows besides is worked out for a count.
    count = rows.order_by().values("pk")[: COUNTED + 1].count()
    return count if count <= COUNTED else None

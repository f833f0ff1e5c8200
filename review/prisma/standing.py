"""The places of a review's records, counted and listed by the database from one statement.

``places.placed`` says it in the ORM, and putting that into SQL takes longer than the database needs to answer it. So
the statement is made once for each way of screening and kept; only the number of the review changes in it.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from django.db import connection
from django.db.models import F
from django.db.models.expressions import RawSQL

from review.models import Record, Review
from review.prisma.places import BOXES, OTHER_KINDS, placed

COLUMNS = ("key", "kind", "source", "place", "why", "why_name")
_ANY = -618_033  # stands for the number of the review


@lru_cache(maxsize=8)
def _statement(screeners: int) -> tuple[str, tuple[Any, ...]]:
    rows = placed(Review(pk=_ANY, screeners=screeners)).order_by()
    rows = rows.annotate(key=F("pk"), kind=F("search__kind"), source=F("search__source")).values(*COLUMNS)
    statement, given = rows.query.sql_with_params()
    return f"SELECT * FROM ({statement}) AS placed", given  # noqa: S608 - made by the ORM


def _of(review: Review) -> tuple[str, list[Any]]:
    statement, given = _statement(review.screeners)
    return statement, [review.pk if one == _ANY else one for one in given]


def _rows(statement: str, given: Sequence[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, given)
        return list(cursor.fetchall())


def tally(review: Review, *columns: str) -> list[tuple[Any, ...]]:
    """The values of some ``COLUMNS`` of the review's records, each with how many share them. One query."""
    statement, given = _of(review)
    names = ", ".join(f'"{name}"' for name in columns)
    return _rows(f"SELECT {names}, COUNT(*) FROM ({statement}) AS told GROUP BY {names} ORDER BY {names}", given)  # noqa: S608


class Standing(Sequence[Record]):
    """The records of ``review`` that stand in some places; further words of SQL may narrow them. In order of entry."""

    def __init__(self, review: Review, places: Sequence[str], narrowed: str = "", *given: Any) -> None:
        statement, asked = _of(review)
        marks = ", ".join(["%s"] * len(places))
        self.statement = f"{statement} WHERE place IN ({marks}){narrowed}"
        self.given = [*asked, *places, *given]

    def __len__(self) -> int:
        return int(_rows(f"SELECT COUNT(*) FROM ({self.statement}) AS told", self.given)[0][0])  # noqa: S608

    def __iter__(self) -> Iterator[Record]:
        return iter(self._told(f"{self.statement} ORDER BY key", self.given))

    def __getitem__(self, wanted: Any) -> Any:
        """The records of a page, each with its ``place``, ``why`` and ``why_name``. Two queries."""
        start, stop = wanted.start or 0, wanted.stop
        return self._told(f"{self.statement} ORDER BY key LIMIT %s OFFSET %s", [*self.given, stop - start, start])

    def keys(self) -> RawSQL:
        """Their numbers, for ``pk__in``."""
        return RawSQL(f"SELECT key FROM ({self.statement}) AS told", self.given)  # noqa: S608, S611

    def _told(self, statement: str, given: Sequence[Any]) -> list[Record]:
        found = {row[0]: row for row in _rows(statement, given)}
        shown = Record.objects.select_related("publication", "search", "duplicate_of__publication").in_bulk(list(found))
        for key, record in shown.items():
            record.place, record.why, record.why_name = found[key][3:6]  # type: ignore[attr-defined]
        return [shown[key] for key in found if key in shown]


def listed(review: Review, slug: str, part: str = "") -> Standing | None:
    """The records of a box, "other-" for those that other methods found; ``None`` where no such box holds records.

    ``part`` narrows: the name of a source, the slug of a criterion, a kind of removal.
    """
    name = slug.removeprefix("other-")
    if name not in BOXES or (slug == "other-included"):
        return None
    narrowed, given = "", list[Any]()
    if name != "included":
        marks = ", ".join(["%s"] * len(OTHER_KINDS))
        narrowed += f" AND kind {'IN' if name != slug else 'NOT IN'} ({marks})"
        given += [str(kind) for kind in OTHER_KINDS]
    if part:
        narrowed += f" AND {'source' if name == 'identified' else 'why'} = %s"
        given.append(part)
    return Standing(review, BOXES[name], narrowed, *given)

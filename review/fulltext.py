"""Full text of a model: PostgreSQL's tsvector column, or an FTS5 table beside the model's own on SQLite.

Both are made by migrations and kept in step by the database itself (a generated column, three triggers), so that no
write can leave the index behind. The engines agree on the intent: names first, then people, then prose.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import and_, or_
from typing import Any

from django.contrib.postgres.search import SearchQuery, SearchRank, SearchVectorField
from django.db import connection, models
from django.db.models.expressions import RawSQL

from review.search_terms import Term

MOST_HITS = 1000


@dataclass(frozen=True)
class Index:
    """The index of ``model``. The rest is for FTS5; PostgreSQL has the same as letters in the index itself.

    ``weights`` of its columns stand in the order of the migration that made it. ``heads`` names the columns that
    decide: whatever holds all words there stands first, however long the rest of the record is.
    """

    model: type[models.Model]
    heads: tuple[str, ...]
    weights: tuple[float, ...]

    def matching(self, wanted: Sequence[Term], any_of: bool = False) -> models.QuerySet[Any]:
        """The records that hold all terms (or any of them), in no order of rank. Without terms: none."""
        rows = self.model._default_manager.all()
        if not wanted:
            return rows.none()
        if connection.vendor == "postgresql":
            return self._with_vector(rows).filter(searched=postgres_query(wanted, any_of))
        found = f"SELECT rowid FROM {self._table} WHERE {self._table} MATCH %s"  # noqa: S608 - names of ours
        return rows.filter(pk__in=RawSQL(found, [fts5_query(wanted, any_of)]))  # noqa: S611

    def ranked(self, wanted: Sequence[Term], any_of: bool = False) -> list[int]:
        """Primary keys of the best ``MOST_HITS`` records, best first."""
        if not wanted:
            return []
        if connection.vendor == "postgresql":
            query = postgres_query(wanted, any_of)
            rank = SearchRank(models.F("searched"), query)
            rows = self._with_vector(self.model._default_manager.all()).filter(searched=query)
            return list(rows.order_by(rank.desc(), "pk").values_list("pk", flat=True)[:MOST_HITS])
        return self._ranked_by_fts5(fts5_query(wanted, any_of))

    def _ranked_by_fts5(self, query: str) -> list[int]:
        table, weights = self._table, ", ".join(str(weight) for weight in self.weights)
        in_heads = f"rowid IN (SELECT rowid FROM {table} WHERE {table} MATCH %s)"  # noqa: S608 - names of ours
        order = f"{in_heads} DESC, bm25({table}, {weights}), rowid"
        found = f"SELECT rowid FROM {table} WHERE {table} MATCH %s ORDER BY {order} LIMIT %s"  # noqa: S608
        with connection.cursor() as cursor:
            cursor.execute(found, [query, f"{{{' '.join(self.heads)}}} : ({query})", MOST_HITS])
            return [pk for (pk,) in cursor.fetchall()]

    @property
    def _table(self) -> str:
        return f"{self.model._meta.db_table}_search"

    def _with_vector(self, rows: models.QuerySet[Any]) -> models.QuerySet[Any]:
        return rows.annotate(searched=_Vector())


class _Vector(models.Expression):
    """The generated column, which no model declares, of the table as the query calls it: inside another query, too."""

    alias = ""

    def __init__(self) -> None:
        super().__init__(output_field=SearchVectorField())

    def resolve_expression(self, query: Any = None, *args: Any, **kwargs: Any) -> "_Vector":
        """In a query its first table is meant."""
        found: _Vector = super().resolve_expression(query, *args, **kwargs)
        found.alias = query.get_initial_alias()
        return found

    def relabeled_clone(self, change_map: Mapping[str, str]) -> "_Vector":
        """Follows its table when that gets another name."""
        found = self.copy()
        found.alias = change_map.get(self.alias, self.alias)
        return found

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        """The column; its parameters are a list, because those of ranks are added to it."""
        return f'{compiler.quote_name_unless_alias(self.alias)}."search"', []


def fts5_query(wanted: Sequence[Term], any_of: bool = False) -> str:
    """The terms in FTS5's MATCH language. Every word is quoted, so nothing a visitor types is read as an operator."""

    def one(term: Term) -> str:
        forms = [f'"{form}"' + ("*" if term.prefix else "") for form in term.forms]
        return f"({' OR '.join(forms)})"

    query = (" OR " if any_of else " AND ").join(one(term) for term in wanted if not term.unwanted)
    return " NOT ".join([f"({query})", *(one(term) for term in wanted if term.unwanted)])


def postgres_query(wanted: Sequence[Term], any_of: bool = False) -> Any:
    """The terms as a tsquery of the English configuration."""

    def asked(text: str, kind: str) -> Any:
        return SearchQuery(text, config="english", search_type=kind)

    def one(term: Term) -> Any:
        forms = [asked(form, "phrase" if " " in form else "websearch") for form in term.forms]
        begun = [asked(f"'{form}':*", "raw") for form in term.forms if term.prefix]
        return reduce(or_, [*forms, *begun])

    query = reduce(or_ if any_of else and_, (one(term) for term in wanted if not term.unwanted))
    return reduce(and_, (~one(term) for term in wanted if term.unwanted), query)

"""What the pages of the taxonomy read: the tree with its counts, one class, one strategy."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Count, QuerySet, Window

from reproductions.judging import Verdict
from reproductions.queries import judgements
from reproductions.queries import techniques as listed
from review import lastchange
from review.models import Publication
from techniques.models import Challenge, Response, Strategy, Technique, TechniqueClass, TechniquePublication

MOST_PAPERS = 50


@dataclass(frozen=True)
class Row:
    """A technique in a list, with its verdict."""

    technique: Technique
    verdict: Verdict


@dataclass
class Node:
    """A strategy in the tree: what hangs on it itself, and on it or below it."""

    strategy: Strategy
    own: set[int] = field(default_factory=set)
    children: "list[Node]" = field(default_factory=list)

    @property
    def all(self) -> set[int]:
        """The techniques of the whole branch, each once."""
        return self.own.union(*(child.all for child in self.children))

    @property
    def count(self) -> int:
        """How many techniques the branch has."""
        return len(self.all)


def tree() -> list[Node]:
    """The strategies as a tree, each with its last change and the techniques that carry it. Two queries."""
    through = Technique.strategies.through
    found = Strategy.objects.select_related("source").annotate(**lastchange.annotations(Strategy))
    strategies = list(found.order_by("position", "slug"))
    nodes = {strategy.pk: Node(strategy) for strategy in strategies}
    for technique, strategy in through.objects.values_list("technique_id", "strategy_id"):  # type: ignore[attr-defined]
        nodes[strategy].own.add(technique)
    roots: list[Node] = []
    for strategy in strategies:
        above = nodes.get(strategy.parent_id) if strategy.parent_id else None
        (above.children if above else roots).append(nodes[strategy.pk])
    return roots


def flat(nodes: Iterable[Node]) -> Iterable[Node]:
    """Every node of the tree, from the top."""
    for node in nodes:
        yield node
        yield from flat(node.children)


def classes() -> list[TechniqueClass]:
    """The classes in order, each with who drew it."""
    return list(TechniqueClass.objects.select_related("source"))


def one_class(slug: str) -> QuerySet[TechniqueClass]:
    """A class, with who drew it and its last change."""
    found = TechniqueClass.objects.select_related("source").annotate(**lastchange.annotations(TechniqueClass))
    return found.filter(slug=slug)


def labels() -> dict[str, list[Response] | list[Challenge]]:
    """The two smaller facets of the taxonomy."""
    return {
        "responses": list(Response.objects.select_related("source")),
        "challenges": list(Challenge.objects.select_related("source")),
    }


def rows() -> list[Row]:
    """Every technique with its verdict, by name."""
    found = listed.light()
    verdicts = judgements.by_technique(found)
    return [Row(one, verdicts[one.pk]) for one in sorted(found, key=lambda one: one.name.casefold())]


def boxes(roots: list[Node], members: list[Row]) -> list[tuple[str, str, int]]:
    """Class slug, strategy name and number of techniques of each box of the treemap."""
    by_class: dict[str, set[int]] = {}
    for row in members:
        by_class.setdefault(row.technique.technique_class.slug, set()).add(row.technique.pk)
    return [
        (slug, node.strategy.name, len(node.own & pks))
        for slug, pks in by_class.items()
        for node in flat(roots)
        if node.own & pks
    ]


def table(counted: Iterable[tuple[str, str, int]], classes: list[str]) -> list[tuple[str, list[int]]]:
    """The boxes of the treemap as a table: each strategy with its number of techniques in each class."""
    cells: dict[str, dict[str, int]] = {}
    for slug, name, count in counted:
        cells.setdefault(name, {})[slug] = count
    return [(name, [row.get(slug, 0) for slug in classes]) for name, row in sorted(cells.items())]


@dataclass(frozen=True)
class Counted:
    """A node with its number of techniques in one class."""

    strategy: Strategy
    count: int


def of_class(members: set[int], roots: list[Node]) -> list[Counted]:
    """The strategies that the techniques of a class carry themselves, most used first."""
    counted = [Counted(node.strategy, len(node.own & members)) for node in flat(roots) if node.own & members]
    return sorted(counted, key=lambda entry: -entry.count)


@dataclass(frozen=True)
class Papers:
    """The newest publications of some techniques, and how many there are in all."""

    rows: list[Publication]
    total: int


def publications(technique_pks: Iterable[int]) -> Papers:
    """The publications of these techniques, the newest ``MOST_PAPERS``, without their BibTeX fields. One query."""
    roles = TechniquePublication.objects.filter(technique__in=list(technique_pks)).order_by().values("publication_id")
    found: Any = Publication.objects.filter(pk__in=roles).annotate(total=Window(Count("pk")))
    rows = list(found.defer("fields", "authors_text").order_by("-year", "title")[:MOST_PAPERS])
    return Papers(rows, rows[0].total if rows else 0)


def path_to(slug: str, roots: list[Node]) -> list[Node]:
    """The nodes from the root down to ``slug``; empty where there is none."""
    for node in roots:
        if node.strategy.slug == slug:
            return [node]
        below = path_to(slug, node.children)
        if below:
            return [node, *below]
    return []

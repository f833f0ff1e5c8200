"""The taxonomy in the API: classes, the tree of strategies, responses and challenges."""

from typing import Any

from django.http import HttpRequest
from ninja import Query, Router

from reproductions.api.finding import missing, said, shown
from reproductions.api.links import Links
from reproductions.api.paging import Paged, paged_list
from reproductions.api.problems import answers
from reproductions.api.schemas.asking import Word, called, repeated
from reproductions.api.schemas.knowledge import Branch, Label, Labels, Strategies, Taxonomy
from reproductions.queries import served
from reproductions.queries import taxonomy as reading
from review import lastchange
from techniques.models import Challenge, Response, TechniqueClass

router = Router(tags=["Taxonomy"])
KINDS = {
    "classes": ("class", TechniqueClass),
    "responses": ("response", Response),
    "challenges": ("challenge", Challenge),
}


class Asked(Paged):
    """What the list of strategies can be narrowed by."""

    parent: list[Word] = repeated("The slug of the node above.")


@router.get("/", response=answers(Taxonomy), url_name="taxonomy", summary="Read the whole taxonomy")
def whole(request: HttpRequest) -> Any:
    """Classes, the tree of strategies, responses and challenges, each with its number of techniques."""
    links = Links(request)
    labels = {
        name: [label(row, kind, links) for row in served.labelled(model)] for name, (kind, model) in KINDS.items()
    }
    return labels | {"strategies": [branch(node, None, links) for node in reading.tree()]}


@router.get("/classes/", response=answers(Labels), url_name="classes", summary="List classes")
def classes(request: HttpRequest, asked: Query[Paged]) -> Any:
    """Training, inference and system serving."""
    return _labels(request, asked, "classes")


@router.get("/classes/{slug}/", response=answers(Label, 301, 404), url_name="class", summary="Read one class")
def one_class(request: HttpRequest, slug: str = called("training")) -> Any:
    """One class."""
    return _label(request, slug, "classes")


@router.get("/responses/", response=answers(Labels), url_name="responses", summary="List responses")
def responses(request: HttpRequest, asked: Query[Paged]) -> Any:
    """How inference work answers its challenges."""
    return _labels(request, asked, "responses")


@router.get("/responses/{slug}/", response=answers(Label, 301, 404), url_name="response", summary="Read one response")
def one_response(request: HttpRequest, slug: str = called("distributed-inference")) -> Any:
    """One response."""
    return _label(request, slug, "responses")


@router.get("/challenges/", response=answers(Labels), url_name="challenges", summary="List challenges")
def challenges(request: HttpRequest, asked: Query[Paged]) -> Any:
    """The challenges that the review starts from."""
    return _labels(request, asked, "challenges")


@router.get(
    "/challenges/{slug}/", response=answers(Label, 301, 404), url_name="challenge", summary="Read one challenge"
)
def one_challenge(request: HttpRequest, slug: str = called("compute-cost")) -> Any:
    """One challenge."""
    return _label(request, slug, "challenges")


@router.get("/strategies/", response=answers(Strategies), url_name="strategies", summary="List strategies")
def strategies(request: HttpRequest, asked: Query[Asked]) -> Any:
    """Every strategy, one by one, each with the node above it."""
    links = Links(request)
    nodes = list(reading.flat(reading.tree()))
    slugs = {node.strategy.pk: node.strategy.slug for node in nodes}
    above = {node.strategy.pk: slugs.get(node.strategy.parent_id or 0) for node in nodes}
    by_pk = {node.strategy.pk: node for node in nodes}
    left = [node.strategy for node in nodes if not asked.parent or above[node.strategy.pk] in asked.parent]
    return paged_list(left, asked, links, lambda page: [strategy(by_pk[row.pk], above[row.pk], links) for row in page])


@router.get("/strategies/{slug}/", response=answers(Branch, 301, 404), url_name="strategy", summary="Read one strategy")
def one_strategy(request: HttpRequest, slug: str = called("memory")) -> Any:
    """One strategy, with what hangs below it."""
    links = Links(request)
    path = reading.path_to(slug, reading.tree())
    if path:
        return branch(path[-1], path[-2].strategy.slug if len(path) > 1 else None, links)
    return shown(reading.Strategy.objects.all(), slug, "strategy", lambda row: missing(row.slug))


def _labels(request: HttpRequest, asked: Paged, name: str) -> Any:
    kind, model = KINDS[name]
    links = Links(request)
    rows = list(served.labelled(model))
    return paged_list(rows, asked, links, lambda page: [label(row, kind, links) for row in page])


def _label(request: HttpRequest, slug: str, name: str) -> Any:
    kind, model = KINDS[name]
    return shown(served.labelled(model), slug, kind, lambda row: label(row, kind, Links(request)))


def label(row: Any, kind: str, links: Links) -> dict[str, Any]:
    """A class, response or challenge."""
    page = links.page(row) if hasattr(row, "get_absolute_url") else links.here("/taxonomy/")
    return _said(row, links.api(kind, row.slug), page) | {"updated": row.updated, "techniques": row.count}


def strategy(node: reading.Node, parent: str | None, links: Links) -> dict[str, Any]:
    """A node of the tree."""
    row = node.strategy
    change = lastchange.of_record(row)
    own = {"updated": change and change.when, "techniques": node.count, "parent": parent}
    return _said(row, links.api("strategy", row.slug), links.page(row)) | own


def branch(node: reading.Node, parent: str | None, links: Links) -> dict[str, Any]:
    """A node with all below it."""
    children = [branch(child, node.strategy.slug, links) for child in node.children]
    return strategy(node, parent, links) | {"children": children}


def _said(row: Any, url: str, page: str) -> dict[str, Any]:
    return {
        "slug": row.slug,
        "url": url,
        "page": page,
        "name": row.name,
        "definition": said(row.definition),
        "drawn_by": row.source.name,
    }

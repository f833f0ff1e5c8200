"""The taxonomy: the whole of it, one class, one strategy."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render

from reproductions.queries import taxonomy
from review.pages.moved import follows
from techniques import charts
from techniques.models import Strategy, TechniqueClass


def index(request: HttpRequest) -> HttpResponse:
    """The three classes, the tree of strategies with counts, responses and challenges."""
    roots, members, classes = taxonomy.tree(), taxonomy.rows(), taxonomy.classes()
    names = {entry.slug: entry.name for entry in classes}
    boxes = taxonomy.boxes(roots, members)
    context = {
        "classes": [(c, sum(row.technique.technique_class_id == c.pk for row in members)) for c in classes],
        "roots": roots,
        "strategies": len(list(taxonomy.flat(roots))),
        "figure": charts.treemap(boxes, names),
        "table": taxonomy.table(boxes, list(names)),
        **taxonomy.labels(),
    }
    return render(request, "pages/taxonomy.html", context)


@follows(TechniqueClass)
def show_class(request: HttpRequest, slug: str) -> HttpResponse:
    """One class: what it means, who drew it, its strategies, techniques and publications."""
    found = get_object_or_404(taxonomy.one_class(slug))
    members = [row for row in taxonomy.rows() if row.technique.technique_class_id == found.pk]
    pks = {row.technique.pk for row in members}
    context = {
        "label": found,
        "thumb": found.slug,
        "rows": members,
        "strategies": taxonomy.of_class(pks, taxonomy.tree()),
        "publications": taxonomy.publications(pks),
    }
    return render(request, "pages/taxonomy_class.html", context)


@follows(Strategy)
def show_strategy(request: HttpRequest, slug: str) -> HttpResponse:
    """One strategy: what it means, who drew it, what hangs on it or below it."""
    path = taxonomy.path_to(slug, taxonomy.tree())
    if not path:
        raise Http404
    pks = path[-1].all
    context = {
        "label": path[-1].strategy,
        "above": path[:-1],
        "below": path[-1].children,
        "rows": [row for row in taxonomy.rows() if row.technique.pk in pks],
        "publications": taxonomy.publications(pks),
    }
    return render(request, "pages/taxonomy_strategy.html", context)

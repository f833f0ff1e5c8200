"""What the list of techniques reads."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db.models import Count
from django.http import QueryDict

from reproductions import judging
from reproductions.judging import Verdict
from reproductions.queries import judgements
from reproductions.queries.facets import Axis, Choice, Facet, chosen, facets, narrow
from techniques.models import Challenge, Strategy, Technique, TechniqueClass
from techniques.tradeoff import HARDWARE

SAVES = {name: name for name in ("compute", "memory", "communication", "energy", "money", "latency")}


@dataclass(frozen=True)
class Row:
    """A technique of the list, with what its facets look at."""

    technique: Technique
    verdict: Verdict
    strategies: frozenset[str]
    challenges: frozenset[str]


@dataclass(frozen=True)
class Group:
    """The techniques of one class."""

    technique_class: TechniqueClass
    rows: list[Row]


@dataclass(frozen=True)
class Listing:
    """The page: what is left, by class, of how many, and the form that narrows it."""

    groups: list[Group]
    shown: int
    total: int
    facets: list[Facet]
    chosen: int


def for_list(parameters: QueryDict) -> Listing:
    """The techniques that the address asks for, with counted facets. Eight queries, whatever is chosen."""
    strategies = list(Strategy.objects.order_by("position", "slug"))
    challenges = list(Challenge.objects.all())
    rows = _rows(strategies, {challenge.pk: challenge.slug for challenge in challenges})
    axes = _axes(strategies, challenges, rows)
    picked = chosen(axes, parameters)
    left = narrow(rows, axes, picked)
    return Listing(
        groups=_grouped(left),
        shown=len(left),
        total=len(rows),
        facets=facets(rows, axes, picked),
        chosen=sum(map(len, picked.values())),
    )


def light() -> "list[Technique]":
    """Every technique with its class, its claims counted and the status of its newest measurement; no article."""
    techniques = Technique.objects.select_related("technique_class").annotate(claim_count=Count("claims"))
    return list(judgements.with_newest(techniques).defer("article", "implementation"))


def _rows(strategies: Sequence[Strategy], challenges: dict[int, str]) -> list[Row]:
    parents = {node.pk: node.parent_id for node in strategies}
    slugs = {node.pk: node.slug for node in strategies}
    techniques = light()
    verdicts = judgements.by_technique(techniques)
    labels = _labels(Technique.strategies.through, "strategy_id"), _labels(Technique.challenges.through, "challenge_id")
    return [
        Row(
            technique,
            verdicts[technique.pk],
            frozenset(slugs[above] for pk in labels[0].get(technique.pk, ()) for above in _upward(pk, parents)),
            frozenset(challenges[pk] for pk in labels[1].get(technique.pk, ())),
        )
        for technique in techniques
    ]


def _labels(through: type, column: str) -> dict[int, set[int]]:
    found: dict[int, set[int]] = {}
    for technique, label in through.objects.values_list("technique_id", column):  # type: ignore[attr-defined]
        found.setdefault(technique, set()).add(label)
    return found


def _upward(pk: int | None, parents: dict[int, int | None]) -> Iterable[int]:
    """The node and everything above it, so that choosing a strategy finds what hangs below it."""
    seen: set[int] = set()
    while pk is not None and pk not in seen:
        seen.add(pk)
        yield pk
        pk = parents.get(pk)


def _grouped(rows: Iterable[Row]) -> list[Group]:
    groups: dict[int, Group] = {}
    for row in sorted(rows, key=lambda row: row.technique.name.casefold()):
        own = row.technique.technique_class
        groups.setdefault(own.pk, Group(own, [])).rows.append(row)
    return sorted(groups.values(), key=lambda group: (group.technique_class.position, group.technique_class.slug))


def _axes(strategies: Sequence[Strategy], challenges: Sequence[Challenge], rows: Sequence[Row]) -> list[Axis]:
    classes = {row.technique.technique_class for row in rows}
    return [
        Axis(
            "class",
            "Class",
            [Choice(c.slug, c.name, hue=c.slug) for c in sorted(classes, key=lambda c: (c.position, c.slug))],
            lambda row: [row.technique.technique_class.slug],
        ),
        Axis(
            "verdict",
            "Verdict",
            [Choice(verdict.slug, verdict.word, mark=verdict.mark) for verdict in judging.ALL],
            lambda row: [row.verdict.slug],
        ),
        Axis("saves", "What it saves", _choices(SAVES), lambda row: row.technique.saves),
        Axis(
            "retraining",
            "Needs retraining",
            _choices(dict(Technique.Retraining.choices)),
            lambda row: [row.technique.retraining],
        ),
        Axis(
            "exactness",
            "Exact or lossy",
            _choices(dict(Technique.Exactness.choices)),
            lambda row: [row.technique.exactness],
        ),
        Axis("hardware", "Hardware", _choices(HARDWARE), lambda row: row.technique.hardware),
        Axis("challenge", "Challenge", [Choice(c.slug, c.name) for c in challenges], lambda row: row.challenges),
        Axis("strategy", "Strategy", [Choice(s.slug, s.name) for s in strategies], lambda row: row.strategies),
    ]


def _choices(words: dict[str, str]) -> list[Choice]:
    return [Choice(value, label) for value, label in words.items()]

"""One node of the taxonomy merged into another: what hangs on it goes along, and its old address leads there."""

from dataclasses import dataclass
from typing import Any

from django.db import transaction

from review import history
from review.models import FormerSlug
from techniques.models import Challenge, Response, Strategy, Technique

Node = Strategy | Response | Challenge
# The relation of a technique that holds nodes of a kind.
RELATIONS: dict[type[Any], str] = {Strategy: "strategies", Response: "responses", Challenge: "challenges"}
KEPT = tuple(RELATIONS.values())


class Refused(Exception):
    """The merge cannot be made; the text says why and what could be done instead."""


@dataclass(frozen=True)
class Plan:
    """What a merge does: the techniques that change label, those that carry both, the children and the addresses."""

    node: Any
    into: Any
    moving: list[Technique]
    both: list[Technique]
    children: list[Strategy]
    former: list[str]


def plan(node: Any, into: Any) -> Plan:
    """What merging ``node`` into ``into`` would do now. Raises ``Refused`` where it cannot be."""
    if node.pk == into.pk:
        raise Refused("A node cannot be merged into itself.")
    if isinstance(node, Strategy):
        _refuse_circle(node, into)
    carry = set(into.techniques.values_list("pk", flat=True))
    techniques = list(node.techniques.defer("article", "implementation").order_by("name"))
    former = FormerSlug.objects.filter(model=node._meta.label_lower, target=node.pk).order_by("slug")
    return Plan(
        node,
        into,
        moving=[one for one in techniques if one.pk not in carry],
        both=[one for one in techniques if one.pk in carry],
        children=list(node.children.order_by("position", "slug")) if isinstance(node, Strategy) else [],
        former=[node.slug, *former.values_list("slug", flat=True)],
    )


def _refuse_circle(node: Strategy, into: Strategy) -> None:
    parents = dict(Strategy.objects.order_by("pk").values_list("pk", "parent_id"))
    above = parents.get(into.pk)
    while above is not None:
        if above == node.pk:
            raise Refused(
                f"{into.name} stands below {node.name}, and would stand below itself. Move it out first, or merge "
                f"{into.name} into {node.name}."
            )
        above = parents[above]


@transaction.atomic
def merge(model: type[Any], pk: int, into: int, user: Any = None) -> Plan:
    """Carry it out. Raises ``Refused`` where it cannot be, also where somebody was faster."""
    nodes = {one.pk: one for one in model._default_manager.select_for_update().order_by("pk")}
    if pk not in nodes or into not in nodes:
        raise Refused("One of the two is not there any more.")
    done = plan(nodes[pk], nodes[into])
    reason = f"{done.node.name} merged into {done.into.name}"[:100]
    _relabel(model, done, reason, user)
    last = max((one.position for one in nodes.values() if getattr(one, "parent_id", None) == into), default=-1)
    for number, child in enumerate(done.children, last + 1):
        child.parent_id, child._change_reason = into, reason  # type: ignore[attr-defined]
        child.position = max(child.position, number)
        child.save()
    FormerSlug.merged(done.node, done.node.slug, done.into)
    gone = model._default_manager.get(pk=pk)
    gone._change_reason = f"merged into {done.into.name}"[:100]
    gone.delete()
    return done


def _relabel(model: type[Any], done: Plan, reason: str, user: Any) -> None:
    relation = Technique._meta.get_field(RELATIONS[model])
    through: Any = relation.remote_field.through  # type: ignore[union-attr]
    column = f"{relation.m2m_reverse_field_name()}_id"  # type: ignore[union-attr]
    through._base_manager.filter(**{column: done.node.pk, "technique__in": done.moving}).update(
        **{column: done.into.pk}
    )
    through._base_manager.filter(**{column: done.node.pk}).delete()
    whole = list(Technique.objects.filter(pk__in=[one.pk for one in (*done.moving, *done.both)]).order_by("pk"))
    history.record(whole, "~", reason, KEPT, user)

"""Moves in the tree of strategies. Each happens in one transaction that holds the whole tree, so no circle can close.

A move writes as few positions as it can: the files keep a position only where it is not the place in the file.
"""

from collections.abc import Sequence
from typing import Any

from django.db import transaction

from techniques.models import Strategy

STEPS = ("up", "down", "in", "out")
PLACES = ("before", "after", "below")
MOST = 32767


class Refused(Exception):
    """The move cannot be made; the text says why."""


@transaction.atomic
def step(pk: int, direction: str, user: Any = None) -> Strategy:
    """Move a node one step: before or after its neighbour, into the one above it, or out behind its parent."""
    nodes = _locked()
    node = _named(nodes, pk)
    siblings = _children(nodes, node.parent_id)
    at = siblings.index(node)
    if direction == "up" and at > 0:
        return _put(nodes, node, node.parent_id, at - 1, user)
    if direction == "down" and at + 1 < len(siblings):
        return _put(nodes, node, node.parent_id, at + 1, user)
    if direction == "in" and at > 0:
        above = siblings[at - 1]
        return _put(nodes, node, above.pk, len(_children(nodes, above.pk)), user)
    if direction == "out" and node.parent_id is not None:
        parent = nodes[node.parent_id]
        return _put(nodes, node, parent.parent_id, _children(nodes, parent.parent_id).index(parent) + 1, user)
    if direction not in STEPS:
        raise Refused("There is no such move.")
    raise Refused(f"{node.name} is {_END[direction]}.")


_END = {
    "up": "the first of its branch already",
    "down": "the last of its branch already",
    "in": "the first of its branch: there is nothing above it to go into",
    "out": "at the top already",
}


@transaction.atomic
def place(pk: int, where: str, other: int, user: Any = None) -> Strategy:
    """Move a node before, after or below another, as it is dropped there."""
    nodes = _locked()
    node, target = _named(nodes, pk), _named(nodes, other)
    if where not in PLACES:
        raise Refused("There is no such place.")
    if node is target:
        raise Refused(f"{node.name} stands there already.")
    if where == "below":
        rest = [one for one in _children(nodes, target.pk) if one is not node]
        return _put(nodes, node, target.pk, len(rest), user)
    rest = [one for one in _children(nodes, target.parent_id) if one is not node]
    return _put(nodes, node, target.parent_id, rest.index(target) + (where == "after"), user)


def _locked() -> dict[int, Strategy]:
    """The whole tree, held until the transaction ends."""
    return {node.pk: node for node in Strategy.objects.select_for_update().order_by("pk")}


def _named(nodes: dict[int, Strategy], pk: int) -> Strategy:
    if pk not in nodes:
        raise Refused("That strategy is not there any more.")
    return nodes[pk]


def _children(nodes: dict[int, Strategy], parent: int | None) -> list[Strategy]:
    found = [node for node in nodes.values() if node.parent_id == parent]
    return sorted(found, key=lambda node: (node.position, node.slug))


def _put(nodes: dict[int, Strategy], node: Strategy, parent: int | None, at: int, user: Any) -> Strategy:
    """Make ``node`` the child number ``at`` of ``parent``, counted without itself."""
    above = parent
    while above is not None:
        if above == node.pk:
            raise Refused(f"{node.name} cannot stand below itself or below what hangs on it.")
        above = nodes[above].parent_id
    order = [one for one in _children(nodes, parent) if one is not node]
    order.insert(at, node)
    moved = node.parent_id != parent
    positions = _positions(order, at)
    for one, position in zip(order, positions, strict=True):
        if one.position != position or (one is node and moved):
            one.position, one.parent_id = position, parent
            one._change_reason = "moved" if one is node else f"made way for {node.name}"[:100]  # type: ignore[attr-defined]
            if user is not None:
                one._history_user = user  # type: ignore[attr-defined]
            one.save()
    return node


def _positions(order: Sequence[Strategy], at: int) -> list[int]:
    """Positions that rise along ``order``, changed as little as can be, for a node that was put in at ``at``."""
    wanted = [one.position for one in order]
    before = wanted[at - 1] if at else None
    after = wanted[at + 1] if at + 1 < len(wanted) else None
    if (before is not None and wanted[at] <= before) or (after is not None and wanted[at] >= after):
        wanted[at] = before + 1 if before is not None else max(0, (after or 0) - 1)
    for number in range(1, len(wanted)):
        wanted[number] = max(wanted[number], wanted[number - 1] + 1)
    return list(range(len(wanted))) if wanted[-1] > MOST else wanted

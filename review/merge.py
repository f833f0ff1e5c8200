"""The three-way merge of one record: the files' content now, the site's content now, and the files' content at the last
load. Pure: nothing is read or written here.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Literal

from review.kinds import Content, Kind

Prefer = Literal["file", "site"]


class Action(Enum):
    """What a load does with a record."""

    NOTHING = "nothing"
    CREATE = "create"
    UPDATE = "update"
    AGREE = "agree"  # the site holds it already, or its owner decided for the site: only the baseline moves
    KEEP = "keep"  # edited or deleted on the site and unchanged in the files
    CONFLICT = "conflict"
    VANISHED = "vanished"  # left the files and still stands on the site
    FORGET = "forget"  # left the files and the site alike


def decide(base: Content | None, site: Content | None, file: Content | None, prefer: Prefer | None = None) -> Action:
    """What to do with a record; ``None`` means that it is not there.

    A deletion on the site is an edit like any other. ``prefer`` decides conflicts and nothing else. A record that only
    the site has is its own affair.
    """
    if file is None:
        if base is None:
            return Action.NOTHING
        return Action.FORGET if site is None else Action.VANISHED
    if site == file:
        return Action.NOTHING if base == file else Action.AGREE
    if base is None and site is None:
        return Action.CREATE
    if base == file:
        return Action.KEEP
    if site == base:
        return Action.UPDATE
    if prefer is None:
        return Action.CONFLICT
    if prefer == "site":
        return Action.AGREE
    return Action.CREATE if site is None else Action.UPDATE


def differences(one: Content, other: Content) -> list[str]:
    """The attributes in which two contents differ."""
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


def circles(kind: Kind, contents: Mapping[str, Content]) -> set[str]:
    """The keys that are their own ancestors by a link of ``kind`` to itself."""
    found: set[str] = set()
    for name in (name for name, to in kind.links.items() if to == kind.name):
        for key in contents:
            seen, above = {key}, contents[key][name]
            while above in contents and above not in seen:
                seen.add(above)
                above = contents[above][name]
            if above == key:
                found.add(key)
    return found

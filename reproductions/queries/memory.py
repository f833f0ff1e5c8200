"""What was worked out once and still holds, in this process alone, and never more than a bound of it.

A key must hold everything that the value rests on: then what is remembered cannot be out of date.
"""

from collections import OrderedDict
from collections.abc import Hashable
from threading import Lock
from typing import Generic, TypeVar

from django.db.models import Subquery

from review.models import Membership, Publication, Review
from techniques.models import Technique, TechniqueClass, TechniquePublication

Kept = TypeVar("Kept")
# Every change of these leaves a row of history.
LISTED = (Publication, Membership, Review, Technique, TechniquePublication, TechniqueClass)


class Memory(Generic[Kept]):
    """The newest values by key."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._kept: OrderedDict[Hashable, Kept] = OrderedDict()
        self._lock = Lock()

    def __contains__(self, key: Hashable) -> bool:
        return key in self._kept

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: Hashable) -> Kept | None:
        """What is kept under a key."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def keep(self, key: Hashable, value: Kept) -> Kept:
        """Keep it, and let the oldest go where there are too many."""
        with self._lock:
            self._kept[key] = value
            while len(self._kept) > self.most:
                self._kept.popitem(last=False)
        return value

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._kept.clear()


def version() -> Hashable:
    """The newest change, by number and moment, of all that the list of publications shows. One query."""
    columns = {}
    for place, model in enumerate(LISTED):
        rows = model.history.order_by("-history_id")  # type: ignore[attr-defined]
        columns[f"number_{place}"] = Subquery(rows.values("history_id")[:1])
        columns[f"moment_{place}"] = Subquery(rows.values("history_date")[:1])
    return tuple(Publication.objects.order_by().annotate(**columns).values_list(*columns)[:1])

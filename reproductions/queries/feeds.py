"""What the feeds read: the runs that ended last, and the changes of curated records."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from reproductions import judging, wording
from reproductions.models import Measurement, Run
from review.changes import Change, Part, told
from review.history import BEGAN
from review.models import Publication
from techniques.models import Claim, Technique

MOST = 50
KEPT = ("record", "log", "environment", "technique__article", "technique__implementation")
FOLLOWED: tuple[Any, ...] = (Publication, Technique, Claim)


@dataclass(frozen=True)
class Every(Part):
    """All records of a model, in place of one."""

    @property
    def rows(self) -> Any:
        """The rows of history, without those that it began with."""
        return self.model.history.exclude(history_change_reason=BEGAN)  # type: ignore[attr-defined]


def runs() -> list[Run]:
    """The accepted runs that ended last. One query."""
    ended = Run.objects.filter(accepted=True, finished_at__isnull=False, status__in=Run.TERMINAL)
    found = ended.select_related("technique", "device").defer(*KEPT)
    return list(found.order_by("-finished_at", "-pk")[:MOST])


def headlines(found: Sequence[Run]) -> dict[int, str]:
    """The largest speed-up that the method of each run shows, in words. One query."""
    rows: QuerySet[Measurement] = Measurement.objects.filter(
        run__in=[run.pk for run in found if run.status == Run.Status.SUCCEEDED],
        metric=judging.SPEEDUP, role=Measurement.Role.METHOD, process__isnull=True, null_point=False,
        median__isnull=False,
    )  # fmt: skip
    best: dict[int, Measurement] = {}
    for row in rows.defer("samples").order_by("position"):
        if row.run_id not in best or _median(row) > _median(best[row.run_id]):
            best[row.run_id] = row
    return {pk: _words(row) for pk, row in best.items()}


def _median(row: Measurement) -> float:
    return row.median or 0.0


def _words(row: Measurement) -> str:
    interval = wording.interval(row.ci_low, row.ci_high, row.unit)
    spread = f" (95 % interval {interval})" if interval else ""
    how = ", simulated" if row.simulated else ""
    return f"{row.variant} at {row.sweep} {row.point}: {wording.quantity(row.median, row.unit)}{spread}{how}"


def changes() -> list[Change]:
    """The newest changes of publications, techniques and claims. A fixed number of queries."""
    newest: list[tuple[Any, int, int]] = []
    parts = [Every(model, "id", 0) for model in FOLLOWED]
    for place, part in enumerate(parts):
        # By number, not by date: the numbers have an index, and rise with the dates.
        rows = part.rows.order_by("-history_id").values_list("history_date", "history_id")[:MOST]
        newest += [(when, place, pk) for when, pk in rows]
    wanted = sorted(newest, reverse=True)[:MOST]
    found: dict[tuple[int, int], Change] = {}
    for place, part in enumerate(parts):
        pks = [pk for _, where, pk in wanted if where == place]
        found |= {(place, change.row.pk): change for change in told(part, pks, own=False)}
    return [found[place, pk] for _, place, pk in wanted]


def addresses(found: Sequence[Change]) -> Mapping[int, str]:
    """For each change of a claim, by its technique's number: the address of the technique. One query at most."""
    owners = {change.row.technique_id for change in found if hasattr(change.row, "technique_id")}
    techniques = Technique.objects.filter(pk__in=owners).only("slug") if owners else ()
    return {one.pk: one.get_absolute_url() for one in techniques}

"""The atlas's own numbers for Prometheus, read from the database at each scrape. What is not known has no series."""

from collections.abc import Iterable

from django.conf import settings
from django.db import DatabaseError
from django.utils import timezone
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric

from config.backups.last import last
from reproductions.models import Device, Run
from reproductions.queries import operations

MOST_QUEUES = 100


def exposition() -> bytes:
    """The numbers in the text form of Prometheus. Five queries."""
    registry = CollectorRegistry()
    registry.register(Collector())  # type: ignore[arg-type]
    return generate_latest(registry)


class Collector:
    """Gives the numbers; asks the database at each ``collect``."""

    def describe(self) -> list[Metric]:
        """Nothing in advance: to register it asks no database."""
        return []

    def collect(self) -> Iterable[Metric]:
        """Every number, or one that says that the database does not answer."""
        yield gauge("atlas_info", "The version that runs.", ["version"], {(settings.VERSION,): 1})
        yield from of_backups()
        try:
            found = [*of_runs(), *of_workers(), *of_records()]
        except DatabaseError:
            yield gauge("atlas_database_up", "Whether the database answers.", [], {(): 0})
            return
        yield gauge("atlas_database_up", "Whether the database answers.", [], {(): 1})
        yield from found


def gauge(name: str, told: str, labels: list[str], values: dict[tuple[str, ...], float | None]) -> GaugeMetricFamily:
    """A family with a value for each combination of labels; ``None`` gives no series."""
    family = GaugeMetricFamily(name, told, labels=labels)
    for key, value in values.items():
        if value is not None:
            family.add_metric(key, value)
    return family


def of_runs() -> list[Metric]:
    """Runs by status, and what waits in each queue. Two queries."""
    statuses, queues = operations.by_status(), operations.queues()[:MOST_QUEUES]
    oldest = max((queue.age for queue in queues), default=None)
    return [
        gauge("atlas_runs", "Runs by status.", ["status"], {(name,): n for name, n in statuses.items()}),
        gauge("atlas_queue_depth", "Runs that wait, by queue.", ["queue"], {(q.name,): q.depth for q in queues}),
        gauge("atlas_queue_oldest_seconds", "How long the oldest run of a queue has waited.", ["queue"],
              {(q.name,): q.age for q in queues}),
        gauge("atlas_oldest_queued_run_seconds", "How long the oldest run of all has waited.", [], {(): oldest}),
        gauge("atlas_runs_active", "Runs at work.", [], {(): sum(statuses[name] for name in Run.ACTIVE)}),
    ]  # fmt: skip


def of_workers() -> list[Metric]:
    """Workers that live, by kind of device, and the newest beat. One query."""
    found = operations.beats()
    kinds: dict[tuple[str, ...], float | None]
    kinds = {(kind,): sum(one == kind for one, _ in found) for kind in Device.Kind.values}
    newest = max((beat for _, beat in found if beat), default=None)
    age = operations.since(newest) if newest else None
    return [
        gauge("atlas_workers", "Workers that live, by the kind of their device.", ["kind"], kinds),
        gauge("atlas_worker_newest_beat_seconds", "Seconds since any worker was heard of.", [], {(): age}),
    ]


def of_records() -> list[Metric]:
    """Records that came in, and those from outside that wait for a curator. Two queries."""
    return [
        gauge("atlas_records", "Runs with their record.", [], {(): operations.ingested()}),
        gauge("atlas_submissions_awaiting", "Records that wait for a curator.", [], {(): operations.awaiting()}),
    ]


def of_backups() -> list[Metric]:
    """How old the last backup made from this machine is, and how large. No query."""
    made = last()
    age = (timezone.now() - made.at).total_seconds() if made else None
    return [
        gauge("atlas_backup_age_seconds", "Seconds since the last backup from this machine.", [], {(): age}),
        gauge("atlas_backup_bytes", "Size of the last backup.", [], {(): made.size if made else None}),
    ]

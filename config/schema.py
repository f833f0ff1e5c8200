"""Whether the database and the code fit: which migrations are missing there, and which are of newer code."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

Name = tuple[str, str]
OURS = ("review", "techniques", "reproductions")


@dataclass(frozen=True)
class Fit:
    """The migrations that the database lacks, and those of our apps that this code does not know."""

    missing: tuple[Name, ...]
    unknown: tuple[Name, ...]

    @property
    def words(self) -> str:
        """What is wrong, as a sentence; empty when nothing is."""
        if self.unknown:
            return f"the database is of newer code: {_listed(self.unknown)} not known here"
        if self.missing:
            return f"migrations are missing: {_listed(self.missing)}; run manage.py migrate"
        return ""


@cache
def on_disk() -> frozenset[Name]:
    """The migrations that this code has. Read once: code does not change under a running process."""
    return frozenset(MigrationLoader(None, ignore_no_migrations=True).disk_migrations)


def applied() -> frozenset[Name]:
    """The migrations that the database has been through."""
    return frozenset(MigrationRecorder(connection).applied_migrations())


def compare(names: Iterable[Name]) -> Fit:
    """How migrations that somebody has been through fit this code."""
    theirs, here = set(names), on_disk()
    newer = {name for name in theirs - here if name[0] in OURS}
    return Fit(missing=tuple(sorted(here - theirs)), unknown=tuple(sorted(newer)))


def fit() -> Fit:
    """How the database fits this code, be it quite empty. Two queries."""
    return compare(applied())


def fit_of_site() -> Fit:
    """The same where a page is shown already, so that the table of migrations is there. One query."""
    return compare(MigrationRecorder(connection).migration_qs.values_list("app", "name"))


def _listed(names: tuple[Name, ...], most: int = 5) -> str:
    told = ", ".join(f"{app} {name}" for app, name in names[:most])
    return f"{told} and {len(names) - most} more" if len(names) > most else told

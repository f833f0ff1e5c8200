"""What this machine and this database say of themselves: the commit on disk, free space, sizes."""

import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from django.conf import settings
from django.db import connection

GIT_SECONDS = 5.0


@dataclass(frozen=True)
class Disk:
    """The disk below the site's own folder, in bytes."""

    free: int
    total: int

    @property
    def scarce(self) -> bool:
        """Whether less than a tenth is left, or less than 2 GiB."""
        return self.free < max(self.total // 10, 2 * 2**30)


@cache
def commit() -> str:
    """The commit of the code on disk when it was first asked for; empty where git does not know."""
    command = ["git", "-C", str(settings.BASE_DIR), "rev-parse", "--short=12", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=GIT_SECONDS, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def disk() -> Disk:
    """How much room is left for uploads, backups and, on SQLite, the database."""
    usage = shutil.disk_usage(settings.VAR)
    return Disk(usage.free, usage.total)


def database_size() -> int | None:
    """The bytes of the database; ``None`` where it lies in memory. One query on PostgreSQL, none on SQLite."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_database_size(current_database())")
            return int(cursor.fetchone()[0])
    path = Path(str(connection.settings_dict["NAME"]))
    return path.stat().st_size if path.exists() else None


def database_name() -> str:
    """The kind of the database, for people."""
    return "PostgreSQL" if connection.vendor == "postgresql" else "SQLite"

"""The throwaway site of a campaign: its folder, its database, its environment, and what it needs to take runs."""

import json
import os
import shlex
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from faults.cluster import Cluster
from faults.plans import SLUGS, Plan
from faults.processes import MARK

ROOT = Path(__file__).resolve().parent.parent.parent
LEASE, BEAT, GRACE, MOST_ATTEMPTS = int(os.environ.get("FAULTS_LEASE", "3")), 0.5, 1.0, 3
SCALE = 0.04  # of the limits, for the stand-in: 3.6 s to start, 6 s for each other phase
MEMORY_BYTES = 110_000_000
DISK_BYTES = 1_000_000


@dataclass
class Site:
    """One engine's site in ``folder``."""

    engine: str
    folder: Path
    cluster: Cluster | None = None
    disk_mounted: bool = False
    seeded: list[str] = field(default_factory=list)

    @property
    def disk(self) -> Path:
        """The small disk: the temporary folder of one worker."""
        return self.folder / "disk"

    @property
    def sqlite(self) -> Path:
        """The database file, where there is one."""
        return self.folder / "var" / "atlas.sqlite3"

    def environment(self, name: str = "campaign", **more: str) -> dict[str, str]:
        """The environment of a process of this site."""
        harness = [sys.executable, "-S", "-E", str(Path(__file__).with_name("standin.py"))]
        keep = {key: value for key, value in os.environ.items() if not key.startswith(("RUN_", "ATLAS_", "DATABASE"))}
        url = {"DATABASE_URL": self.cluster.url(name)} if self.cluster else {}
        return (
            keep
            | {
                MARK: str(self.folder),
                "ATLAS_VAR": str(self.folder / "var"),
                "ATLAS_HARNESS": shlex.join(harness),
                "ATLAS_MACHINE": name,
                "ATLAS_CLOCK_FILE": str(self.folder / "clock"),
                "RUN_LEASE_SECONDS": str(LEASE),
                "RUN_BEAT_SECONDS": str(BEAT),
                "RUN_GRACE_SECONDS": str(GRACE),
                "RUN_MOST_ATTEMPTS": str(MOST_ATTEMPTS),
                "RUNS_QUEUED_PER_USER": "100000",
                "RUNS_RUNNING_PER_USER": "1000",
                "OMP_NUM_THREADS": "1",
                "LOG_LEVEL": "WARNING",
                "PYTHONUNBUFFERED": "1",
            }
            | url
            | more
        )

    def make(self, plans: list[Plan]) -> None:
        """Create the folder, the database and the plans, and set Django up in this process."""
        for name in ("var", "plans", "gates", "done", "disk", "logs"):
            (self.folder / name).mkdir(parents=True)
        for plan in plans:
            (self.folder / "plans" / str(plan.number)).write_text(json.dumps(plan.for_child()), encoding="utf-8")
        (self.folder / "clock").write_text("0", encoding="ascii")
        if self.engine == "postgres":
            self.cluster = Cluster(self.folder / "cluster")
            self.cluster.make()
        self.mount()
        os.environ.update(self.environment())
        os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
        manage = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
        subprocess.run(manage, cwd=ROOT, check=True, env=os.environ)
        import django

        django.setup()

    def mount(self) -> None:
        """Mount a small disk where this is permitted."""
        words = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(self.disk)]
        with suppress(OSError):
            self.disk_mounted = subprocess.run(words, check=False, stderr=subprocess.DEVNULL).returncode == 0

    def close(self) -> None:
        """Stop the database and unmount the disk; the folder stays."""
        if self.cluster:
            self.cluster.kill()
        if self.disk_mounted:
            subprocess.run(["umount", "--lazy", str(self.disk)], check=False)


def people_and_techniques() -> tuple[Any, dict[str, Any]]:
    """The user who asks, and the techniques by slug."""
    from reproductions.owner import local_owner
    from techniques.models import Source, Technique, TechniqueClass

    source, _ = Source.objects.get_or_create(slug="campaign", defaults={"name": "The fault campaign"})
    kind, _ = TechniqueClass.objects.get_or_create(
        slug="inference", defaults={"name": "Inference", "source": source, "definition": "Making tokens."}
    )
    found = {}
    for slug in SLUGS:
        found[slug] = Technique.objects.create(
            slug=slug, name=slug, idea="One.", article="Words.", technique_class=kind
        )
    return local_owner(), found


def know_machines(names: list[str], ask: bool) -> None:
    """Let every machine of the campaign know what it can run: all are this one, so it is asked for once at most."""
    from reproductions import workers

    listed = [{"slug": slug, "sizes": ["tiny"], "needs": {}} for slug in SLUGS]
    invented = {"techniques": listed, "environment": {"cpu": "A Processor", "cores": 2}}
    found = json.dumps(workers.probe() if ask else invented)
    folder = Path(os.environ["ATLAS_VAR"]) / "probes"
    folder.mkdir(exist_ok=True)
    for name in names:
        os.environ["ATLAS_MACHINE"] = name
        (folder / f"{workers._state_of_code()}.json").write_text(found, encoding="utf-8")
    os.environ["ATLAS_MACHINE"] = "campaign"

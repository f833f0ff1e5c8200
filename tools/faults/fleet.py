"""The workers of a campaign: `manage.py work` as separate processes, watched, and started again when they end."""

import os
import random
import signal
import subprocess
import sys
from dataclasses import dataclass, field

from faults.processes import dies_with_parent
from faults.site import GRACE, LEASE, MEMORY_BYTES, ROOT, SCALE, Site

# Time for a worker that was told to leave: its grace, the end of a run's tree, a database that is away, and a margin.
REAL_SCALE = 2.0  # the real harness, beside a dozen others on two cores
LEAVE_SECONDS = GRACE + 8.0 + 4 * LEASE + 5.0


# As a web server does: it loads the application, and the reaper of the web process starts.
WEB = "import config.wsgi, signal; signal.signal(signal.SIGTERM, signal.SIG_DFL); signal.pause()"


@dataclass
class Member:
    """One place in the fleet, held by one process after the other."""

    name: str
    machine: str
    queues: str  # none: the web process, which watches too and is left alone
    environment: dict[str, str]
    process: "subprocess.Popen[bytes] | None" = None
    due: float = 0.0
    told: float = 0.0
    starts: int = 0


@dataclass
class Fleet:
    """All places, and when which process was last fit to work."""

    site: Site
    chance: random.Random
    members: list[Member] = field(default_factory=list)
    gone: dict[int, float] = field(default_factory=dict)  # process → since when it is dead or stopped
    expected: set[int] = field(default_factory=set)  # processes whose end we brought about
    stuck: list[str] = field(default_factory=list)
    surprises: list[str] = field(default_factory=list)
    closing: bool = False
    least: int | None = None  # start a process again only where fewer than so many are left

    def add(self, machine: str, queues: str, count: int = 1, scale: float = SCALE, temporary: str = "") -> None:
        """Add ``count`` workers of a machine; more than one race for its only device."""
        for number in range(1, count + 1):
            name = f"{machine}-{number}"
            # The real harness needs the memory that it needs.
            memory = {"RUN_MEMORY_BYTES": str(MEMORY_BYTES)} if scale == SCALE else {}
            disk = {"TMPDIR": temporary} if temporary else {}
            full = self.site.environment(name, RUN_LIMITS_SCALE=str(scale)) | {"ATLAS_MACHINE": machine} | memory | disk
            self.members.append(Member(name, machine, queues, full))

    @property
    def machines(self) -> list[str]:
        """Each machine once."""
        return sorted({member.machine for member in self.members})

    @property
    def workers(self) -> int:
        """How many places take runs."""
        return sum(bool(member.queues) for member in self.members)

    @property
    def restarts(self) -> int:
        """How many processes were started beyond the first of each place."""
        return sum(max(0, member.starts - 1) for member in self.members)

    @property
    def alive(self) -> int:
        """How many places are held."""
        return sum(member.process is not None for member in self.members)

    def tick(self, now: float) -> None:
        """Note who has ended, and start who is due."""
        for member in self.members:
            if member.process is not None and member.process.poll() is not None:
                self.ended(member, now)
            elif member.process is not None and member.told and now - member.told > LEAVE_SECONDS:
                self.stuck.append(f"{member.name} ({member.process.pid})")
                self.kill(member.process.pid, now)
                member.told = 0.0
            fewer = self.least is None or member.starts == 0 or self.alive < self.least
            if member.process is None and now >= member.due and fewer and not self.closing:
                self.start(member)

    def start(self, member: Member) -> None:
        """Start the process of a place."""
        log = (self.site.folder / "logs" / member.name).open("ab")
        work = ["manage.py", "work", "--queues", member.queues]
        command = [sys.executable, *(work if member.queues else ["-c", WEB])]
        with log:
            member.process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=member.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=dies_with_parent,
            )
        self.gone.pop(member.process.pid, None)  # numbers come round again
        self.expected.discard(member.process.pid)
        member.starts += 1
        member.told = 0.0

    def ended(self, member: Member, now: float) -> None:
        """A process of the fleet has ended."""
        assert member.process is not None
        pid, status = member.process.pid, member.process.returncode
        self.gone.setdefault(pid, now)
        if pid not in self.expected:
            self.surprises.append(f"worker {member.name} ({pid}) ended by itself with status {status}")
        elif member.told and status not in (0, -signal.SIGTERM):  # the latter: told before it had begun
            self.surprises.append(f"worker {member.name} ({pid}) was told to leave and ended with status {status}")
        member.process, member.due = None, now + self.chance.uniform(0.1, 1.0)

    def member_of(self, pid: int | None) -> Member | None:
        """The place that a process holds."""
        return next((m for m in self.members if m.process is not None and m.process.pid == pid), None)

    def kill(self, pid: int, now: float) -> None:
        """SIGKILL a worker."""
        self.expected.add(pid)
        os.kill(pid, signal.SIGKILL)
        self.gone[pid] = now

    def tell(self, pid: int, now: float) -> None:
        """SIGTERM a worker."""
        self.expected.add(pid)
        os.kill(pid, signal.SIGTERM)
        member = self.member_of(pid)
        if member is not None and not member.told:
            member.told = now

    def stop(self, pid: int, now: float) -> None:
        """SIGSTOP a worker."""
        os.kill(pid, signal.SIGSTOP)
        self.gone[pid] = now

    def resume(self, pid: int) -> None:
        """SIGCONT a worker that may have been killed meanwhile."""
        if self.member_of(pid) is not None:
            os.kill(pid, signal.SIGCONT)
            self.gone.pop(pid, None)

    def close(self, now: float) -> None:
        """Tell everybody to leave."""
        self.closing = True
        for member in self.members:
            if member.process is not None and member.process.poll() is None:
                self.tell(member.process.pid, now)


def staffed(site: Site, chance: random.Random) -> Fleet:
    """The fleet: machines where two workers race, some with one, one with a small disk, four for the real harness."""
    fleet = Fleet(site, chance)
    fleet.add("ant", "cpu", 2)
    fleet.add("bee", "cpu", 2)
    for machine in ("cat", "dog", "elk", "fox"):
        fleet.add(machine, "cpu")
    fleet.add("fly", "disk", temporary=str(site.disk) if site.disk_mounted else "")
    fleet.add("gnu", "real", scale=REAL_SCALE)
    fleet.add("hen", "real", scale=REAL_SCALE)
    fleet.add("ibis", "real", scale=REAL_SCALE)
    fleet.add("jay", "real", scale=REAL_SCALE)
    fleet.add("web", "")
    return fleet


def small_crew(site: Site, chance: random.Random) -> Fleet:
    """Enough for a short campaign: one machine where two workers race, and two more."""
    fleet = Fleet(site, chance, least=3)
    fleet.add("ant", "cpu", 2)
    fleet.add("bee", "cpu")
    fleet.add("cat", "cpu")
    fleet.add("web", "")
    return fleet

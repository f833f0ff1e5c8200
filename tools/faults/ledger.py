"""The ledger that the children write: read as it grows, and gathered into takings."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Line:
    """One line: what a process of a run did at which moment of the machine's monotonic clock."""

    word: str
    run: str
    claim: str
    pid: int
    parent: int
    moment: float
    detail: str


@dataclass
class Taking:
    """What one claim did with a run: from its first to its last sign of life, limbs included."""

    run: str
    claim: str
    first: float
    last: float
    records: int = 0
    ended: bool = False
    pids: set[int] = field(default_factory=set)


def parsed(text: str) -> Line:
    """One line of the file; raises ``ValueError`` for one that is none."""
    word, run, claim, pid, parent, moment, detail = text.split(" ", 6)
    return Line(word, run, claim, int(pid), int(parent), float(moment), detail)


class Reader:
    """Reads what was appended since the last look."""

    def __init__(self, path: Path) -> None:
        self.path, self.offset = path, 0
        self.takings: dict[tuple[str, str], Taking] = {}

    def new(self) -> list[Line]:
        """The whole lines that came since; they are gathered into ``takings`` as well."""
        if not self.path.exists():
            return []
        with self.path.open("rb") as file:
            file.seek(self.offset)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self.offset += len(whole)
        lines = [parsed(line) for line in whole.decode().splitlines()]
        for line in lines:
            gather(self.takings, line)
        return lines


def gather(takings: dict[tuple[str, str], Taking], line: Line) -> None:
    """Add a line to the taking that it belongs to."""
    found = takings.setdefault((line.run, line.claim), Taking(line.run, line.claim, line.moment, line.moment))
    found.first, found.last = min(found.first, line.moment), max(found.last, line.moment)
    found.pids.add(line.pid)
    found.records += line.word == "record"
    found.ended = found.ended or line.word == "end"

"""The rows of many runs, read together when the first of them is asked for."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.db.models import Q

from reproductions.models import Measurement
from reproductions.queries import measured


class Reading:
    """The rows of some runs that ``kept`` lets through. One query; none where nobody asks."""

    def __init__(self, runs: Iterable[int], kept: Q, columns: Sequence[str]) -> None:
        self.runs, self.kept, self.columns = set(runs), kept, columns
        self.wanted: set[int] = set()
        self.found: dict[int, list[Measurement]] = {}

    def of(self, run: int) -> list[Measurement]:
        """The rows of one run; reads along what else is wanted, or all where nothing was said."""
        if run not in self.found:
            asked = (self.wanted | {run} if self.wanted else self.runs) - self.found.keys()
            self.found |= {key: [] for key in asked}
            rows = measured.pooled(asked).filter(self.kept).exclude(role=Measurement.Role.PEER)
            for row in rows.only(*self.columns):
                self.found[row.run_id].append(row)
        return self.found[run]


class Rows(Sequence[Measurement]):
    """The rows of one run of a reading."""

    def __init__(self, reading: Reading, run: int) -> None:
        self.reading, self.run = reading, run

    def __iter__(self) -> Iterator[Measurement]:
        return iter(self.reading.of(self.run))

    def __len__(self) -> int:
        return len(self.reading.of(self.run))

    def __getitem__(self, place: Any) -> Any:
        return self.reading.of(self.run)[place]


def read_together(many: Iterable[Sequence[Measurement]]) -> None:
    """Read the rows of these runs now, and of no others. One query; none where there are no runs."""
    rows = [one for one in many if isinstance(one, Rows)]
    for one in rows:
        one.reading.wanted.add(one.run)
    for one in rows[:1]:
        one.reading.of(one.run)

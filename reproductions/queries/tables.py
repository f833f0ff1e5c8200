"""From the rows of one run to the tables that print every figure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from reproductions import wording
from reproductions.models import Measurement
from reproductions.queries import details
from reproductions.queries.measured import Cell, cell

Line = tuple[str, str]
Column = tuple[details.Quantity, str]
Lines = dict[Line, dict[Column, Cell]]
MOST_NAMES = 3


@dataclass
class Table:
    """What one run measured in one sweep: a line for each point and variant, a column for each metric.

    ``title`` is the sweep, and what is measured where the sweep has several tables.
    """

    sweep: str
    title: str
    keys: list[Column]
    lines: Lines
    roles: Mapping[str, str]

    @property
    def columns(self) -> list[tuple[str, str]]:
        """The metric and the detail of every column."""
        return [(metric, self._detail(detail, simulated)) for (_, metric, _, simulated), detail in self.keys]

    @property
    def rows(self) -> list[tuple[str, str, str, list[Cell | None]]]:
        """Point, variant, role and the cell of every column."""
        return [
            (point, variant, self.roles[variant], [cells.get(column) for column in self.keys])
            for (point, variant), cells in self.lines.items()
        ]

    def _detail(self, detail: str, simulated: bool) -> str:
        if not simulated or "simulated" in detail or "simulated" in self.sweep:
            return detail
        return f"{detail}, simulated" if detail else "simulated"


def tables(rows: Iterable[Measurement]) -> list[Table]:
    """The tables of one run: one for each sweep, or several where some of its lines share no metric with the others."""
    rows = list(rows)
    said = details.of(rows)
    sweeps: dict[str, Lines] = {}
    roles: dict[str, dict[str, str]] = {}
    order: dict[Column, None] = {}
    for row in rows:
        column = details.quantity(row), said.heading(row)
        order.setdefault(column)
        roles.setdefault(row.sweep, {})[row.variant] = row.role
        line = sweeps.setdefault(row.sweep, {}).setdefault((row.point, row.variant), {})
        line.setdefault(column, cell(row, said.aside(row)))
    found = []
    for sweep, lines in sweeps.items():
        parts = _parts(lines)
        for part in parts:
            keys = [column for column in order if any(column in cells for cells in part.values())]
            title = sweep if len(parts) == 1 else f"{sweep}: {_names(keys)}"
            found.append(Table(sweep, title, keys, part, roles[sweep]))
    return found


def _parts(lines: Lines) -> list[Lines]:
    """The lines in groups that share no column with each other, each in its order."""
    groups: list[tuple[set[Column], set[Line]]] = []
    for line, cells in lines.items():
        near = [group for group in groups if group[0] & cells.keys()]
        columns = set(cells).union(*(group[0] for group in near))
        members = {line}.union(*(group[1] for group in near))
        place = groups.index(near[0]) if near else len(groups)
        groups = [group for group in groups if group not in near]
        groups.insert(place, (columns, members))
    return [{line: cells for line, cells in lines.items() if line in members} for _, members in groups]


def _names(columns: Iterable[Column]) -> str:
    names = list(dict.fromkeys(wording.metric_words(quantity[1]) for quantity, _ in columns))
    return ", ".join([*names[: MOST_NAMES - 1], "and more"] if len(names) > MOST_NAMES else names)

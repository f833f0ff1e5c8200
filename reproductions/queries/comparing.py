"""What the page that compares two runs reads, and who can be compared with whom."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import F, QuerySet

from reproductions import contrasts, likeness
from reproductions.contrasts import Line, Table
from reproductions.likeness import Side, Unlike
from reproductions.models import Measurement, Run
from reproductions.queries import measured
from reproductions.queries.runs import environment

MOST_OTHERS = 40
# So many of the newest runs are looked through for pairs, and so many pairs are shown.
LOOKED_AT, MOST_PAIRS = 200, 12
# More figures of one run than this are left to the CSV of its measurements.
MOST_ROWS = 2000
MOST_NAMES = 1000
SAID = ("seed", "processes", "simulated", "emulated", "digests", "cases")
LIGHT = ("log", "environment", "record", "incidents", "needs")
UNFINISHED = "It has not ended yet, so it has no numbers. Its page tells how far it is."
WITHOUT = "It ended without numbers. Its page says why, and what to do next."


class Refused(Exception):
    """Two runs that cannot be compared: why, what to do, and the status of the answer."""

    def __init__(self, what: str, status: int, run: Run | None = None) -> None:
        super().__init__(what)
        self.what, self.status, self.run = what, status, run


@dataclass(frozen=True)
class Comparison:
    """Two runs side by side."""

    a: Run
    b: Run
    lines: Sequence[Line]
    unlike: Sequence[Unlike]
    differing: Sequence[tuple[str, str, str]]
    equal: Sequence[tuple[str, str]]
    cut: bool = False

    @property
    def reading(self) -> list[str]:
        """The whole of it in sentences."""
        return contrasts.reading(self.lines)

    @property
    def grave(self) -> list[Unlike]:
        """What changes the meaning of a ratio."""
        return [one for one in self.unlike if one.grave]

    @property
    def slight(self) -> list[Unlike]:
        """What is only good to know."""
        return [one for one in self.unlike if not one.grave]

    @property
    def tables(self) -> list[Table]:
        """Every figure."""
        return contrasts.tables(self.lines)


def asked(parameters: Mapping[str, Any]) -> tuple[Run | None, Run | None]:
    """The runs that the address names, each ``None`` where it names none. Raises ``Refused``. One query."""
    said = {letter: str(parameters.get(letter, "")).strip() for letter in ("a", "b")}
    keys = {letter: _uuid(letter, text) for letter, text in said.items() if text}
    found = {run.run_id: run for run in _whole().filter(run_id__in=keys.values())} if keys else {}
    for letter, key in keys.items():
        if key not in found:
            raise Refused(f"There is no run {key}, which the address names as {letter.upper()}.", 404)
    a, b = (found[keys[letter]] if letter in keys else None for letter in ("a", "b"))
    return a, b


def _uuid(letter: str, text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise Refused(f"What the address names as {letter.upper()} is no number of a run.", 400) from None


def _whole() -> QuerySet[Run]:
    """Runs with what the comparison takes of their records, which are too long to be read as a whole."""
    parts = {f"said_{name}": F(f"record__{name}") for name in SAID}
    runs = Run.objects.select_related("technique__technique_class", "device")
    return runs.defer("log", "record", "technique__article").annotate(**parts)


def compare(a: Run | None, b: Run | None) -> Comparison:
    """The comparison of two runs of ``asked``. Raises ``Refused`` where there is nothing to compare. Two queries."""
    if a is None or b is None:
        missing = "A" if a is None else "B"
        raise Refused(f"Choose a run for {missing}." if a or b else "Choose two runs to compare.", 200)
    if a.pk == b.pk:
        raise Refused("A and B are the same run, which differs from itself in nothing.", 400, a)
    for letter, run in (("A", a), ("B", b)):
        if run.status != Run.Status.SUCCEEDED:
            state = f"{letter} cannot be compared: it is {run.get_status_display()}."
            raise Refused(f"{state} {WITHOUT if run.is_terminal else UNFINISHED}", 409, run)
    own = [list(measured.pooled([run.pk])[: MOST_ROWS + 1]) for run in (a, b)]
    differing, equal = environments(*(environment(run, MOST_NAMES) for run in (a, b)))
    found = contrasts.lines(*(rows[:MOST_ROWS] for rows in own))
    cut = any(len(rows) > MOST_ROWS for rows in own)
    return Comparison(a, b, found, likeness.unlike(side(a), side(b)), differing, equal, cut)


def side(run: Run) -> Side:
    """A run of ``asked`` with what its record says."""
    said = {name: getattr(run, f"said_{name}") for name in SAID[:4]}
    digests, cases = run.said_digests, run.said_cases  # type: ignore[attr-defined]
    return Side(
        run,
        **said,
        digests=digests if isinstance(digests, dict) else None,
        cases=[case for case in cases or () if isinstance(case, dict)],
    )


def environments(
    a: Iterable[tuple[str, str]], b: Iterable[tuple[str, str]]
) -> tuple[list[tuple[str, str, str]], list[tuple[str, str]]]:
    """The rows of two fingerprints that differ, and those that are equal; what one lacks is not reported there."""
    left, right = dict(a), dict(b)
    # The two databases keep the order of JSON each in its own way.
    names = sorted({*left, *right}, key=str.casefold)
    both = [(name, left.get(name, "not reported"), right.get(name, "not reported")) for name in names]
    return (
        [row for row in both if row[1] != row[2]],
        [(name, one) for name, one, two in both if one == two],
    )


# Who can be compared with whom


def others(run: Run) -> list[Run]:
    """The newest runs of the same technique that ``run`` can be compared with; none where it has no numbers itself."""
    if run.status != Run.Status.SUCCEEDED:
        return []
    found = Run.objects.filter(technique=run.technique_id, status=Run.Status.SUCCEEDED).exclude(pk=run.pk)
    return list(_listed(found)[:MOST_OTHERS])


def label(run: Run) -> str:
    """A run in a list to choose from."""
    when = f"{run.finished_at:%Y-%m-%d %H:%M}" if run.finished_at else "no time"
    device = run.device.name if run.device else "unknown device"
    flags = {"smoke test": run.smoke, "noisy": run.noisy, "not accepted": not run.accepted}
    return ", ".join(
        [when, run.technique.short_name, run.size, device, *(word for word, is_so in flags.items() if is_so)]
    )


def newest() -> list[Run]:
    """The newest runs that can be compared. One query."""
    return list(_listed(Run.objects.filter(status=Run.Status.SUCCEEDED))[:LOOKED_AT])


def _listed(runs: QuerySet[Run]) -> QuerySet[Run]:
    light = runs.select_related("technique__technique_class", "device").defer(*LIGHT, "technique__article")
    return light.order_by("-asked_at", "-pk")


def pairs(runs: Iterable[Run]) -> list[tuple[Run, Run]]:
    """Of runs newest first, the newest two measurements of each technique on a device at a size, the older one first.

    Smoke tests, noisy runs and what no curator accepted make no pair.
    """
    waiting: dict[tuple[int, int | None, str], Run] = {}
    done: set[tuple[int, int | None, str]] = set()
    found = []
    for run in runs:
        kind = run.technique_id, run.device_id, run.size
        if run.smoke or run.noisy or not run.accepted or kind in done:
            continue
        if kind in waiting:
            found.append((run, waiting.pop(kind)))
            done.add(kind)
        else:
            waiting[kind] = run
    return found[:MOST_PAIRS]


# To take away

COLUMNS = (
    "sweep", "point", "variant", "role", "metric", "detail", "unit", "better", "simulated", "null_point",
    *(f"{letter}_{name}" for letter in ("a", "b") for name in ("run", "median", "ci_low", "ci_high", "n")),
    "ratio_b_over_a", "ratio_low", "ratio_high", "reading",
)  # fmt: skip


def facts(comparison: Comparison) -> Iterable[dict[str, Any]]:
    """The lines as flat facts; missing is empty."""
    ids = {"a": str(comparison.a.run_id), "b": str(comparison.b.run_id)}
    for line in comparison.lines:
        row, ratio = line.row, line.ratio
        told: dict[str, Any] = {name: getattr(row, name) for name in COLUMNS[:10]}
        for letter, side_row in (("a", line.a), ("b", line.b)):
            told |= {f"{letter}_{name}": _given(side_row, name) for name in ("median", "ci_low", "ci_high", "n")}
            told[f"{letter}_run"] = ids[letter]
        ends = (ratio.value, ratio.low, ratio.high) if ratio else (None, None, None)
        yield told | dict(zip(("ratio_b_over_a", "ratio_low", "ratio_high"), ends, strict=True), reading=line.words)


def _given(row: Measurement | None, name: str) -> Any:
    return getattr(row, name) if row else None

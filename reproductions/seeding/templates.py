"""What a synthetic run of a technique measured: the rows of its newest published record, or of a plain sweep."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import F

from reproductions.models import Measurement, Run
from techniques.models import Technique

COLUMNS = (
    "position", "variant", "role", "sweep", "point", "point_value", "null_point", "process", "metric", "detail", "unit",
    "better", "simulated", "n", "warmup", "rounds", "median", "p25", "p75", "minimum", "ci_low", "ci_high",
    "range_low", "range_high",
)  # fmt: skip
FIGURES = ("median", "p25", "p75", "minimum", "ci_low", "ci_high", "range_low", "range_high")
POOLED = 0.6  # the share of rows over all processes; the others are those of single processes
POINTS = (1, 2, 4, 8, 16)
UNITS = {"time": "s", "peak_memory": "bytes", "throughput": "tokens/s", "speedup": "x"}
Row = tuple[Any, ...]


@dataclass(frozen=True)
class Template:
    """The rows of one technique's runs, and the parts of a record that its pages read."""

    technique: int
    rows: list[Row]
    environment: dict[str, Any] = field(default_factory=dict)
    record: dict[str, Any] = field(default_factory=dict)


def templates(per_run: int) -> list[Template]:
    """One of each technique, by slug."""
    known = {
        run.technique_id: run for run in Run.objects.filter(record__isnull=False, origin="published").order_by("pk")
    }
    return [
        _of_run(known[pk], per_run) if pk in known else Template(pk, _plain(per_run), record=_record())
        for pk in Technique.objects.order_by("slug").values_list("pk", flat=True)
    ]


def _of_run(run: Run, per_run: int) -> Template:
    rows = Measurement.objects.filter(run=run).order_by(F("process").asc(nulls_first=True), "position")
    found = list(rows.values_list(*COLUMNS))
    pooled = [row for row in found if row[7] is None]
    own = [row for row in found if row[7] is not None]
    record = {name: (run.record or {}).get(name) for name in ("cases", "gates", "parameters", "device")}
    return Template(run.technique_id, _filled(pooled, own, per_run), run.environment, record)


def _filled(pooled: Sequence[Row], own: Sequence[Row], wanted: int) -> list[Row]:
    """So many rows: the pooled ones first, then those of single processes, again as further processes if need be."""
    chosen = [*pooled[: round(wanted * POOLED)]] if own else [*pooled[:wanted]]
    turn = 0
    while own and len(chosen) < wanted:
        chosen += [(*row[:7], row[7] + 3 * turn, *row[8:]) for row in own][: wanted - len(chosen)]
        turn += 1
    return [(place, *row[1:]) for place, row in enumerate(chosen)]


def _plain(wanted: int) -> list[Row]:
    pooled, own = [], []
    for point in POINTS:
        for metric in UNITS:
            for role, variant in (("baseline", "plain"), ("method", "fast"), ("method", "faster"), ("peer", "library")):
                if metric != "speedup" or role != "baseline":
                    pooled.append(_line(point, metric, role, variant, None))
                    own += [_line(point, metric, role, variant, n) for n in range(3) if metric in {"time", "speedup"}]
    return _filled(pooled, own, wanted)


def _line(point: int, metric: str, role: str, variant: str, process: int | None) -> Row:
    gain = {"plain": 1.0, "fast": 1.4, "faster": 1.9, "library": 1.6}[variant]
    value = {"time": 0.01 * point / gain, "peak_memory": 1e6 * point, "throughput": 900 * gain, "speedup": gain}[metric]
    better = "higher" if metric in {"throughput", "speedup"} else "lower"
    spread = [value * share for share in (1, 0.98, 1.02, 0.95, 0.97, 1.03, 0.96, 1.04)]
    head = (0, variant, role, "batch", str(point), float(point), False, process, metric, "", UNITS[metric], better)
    return (*head, False, 45, 5, 15, *spread)


def _record() -> dict[str, Any]:
    cases = [{"sweep": "batch", "point": point, "unit": "sequences", "null_point": False} for point in POINTS]
    gates = [{"name": "like the naive form", "passed": True, "detail": "synthetic"}]
    return {"cases": cases, "gates": gates, "parameters": {}, "device": {"kind": "cpu"}}

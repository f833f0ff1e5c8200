"""From what the processes found to the rows of the record: per process, pooled over them, and the ratio to the
baseline.
"""

from typing import Any

from . import statistics
from .record import POOLED

Row = dict[str, Any]
LOOK = 10.0  # a gain above this is flagged for a look


def key_of(row: Row) -> tuple[Any, ...]:
    """What names the case of a row."""
    return row["sweep"], row["point"]


def merge_gates(processes: list[list[Row]]) -> list[Row]:
    """One row per method and case: the worst over the processes."""
    merged: dict[tuple[Any, ...], Row] = {}
    for row in (row for rows in processes for row in rows):
        name = (*key_of(row), row["method"])
        old = merged.get(name)
        worse = old is None or (old["passed"], -old.get("error", 0.0)) > (row["passed"], -row.get("error", 0.0))
        if worse:
            merged[name] = row
    return list(merged.values())


def merge_absent(rows: list[Row]) -> list[Row]:
    """One row per absent name and reason, with the cases from which it is absent."""
    merged: dict[tuple[str, str], Row] = {}
    for row in rows:
        entry = merged.setdefault(
            (row["name"], row["reason"]), {"name": row["name"], "reason": row["reason"], "at": []}
        )
        case = {"sweep": row["sweep"], "point": row["point"]}
        if case not in entry["at"]:
            entry["at"].append(case)
    return list(merged.values())


def counted_rows(processes: list[list[Row]], gates: list[Row]) -> list[Row]:
    """What was counted once or, as compile times are, in every process; nothing of a method that failed."""
    failed = {(*key_of(g), g["method"]) for g in gates if not g["passed"]}
    grouped: dict[tuple[Any, ...], list[Row]] = {}
    for row in (row for rows in processes for row in rows):
        if (*key_of(row), row["method"]) not in failed:
            name = (*key_of(row), row["method"], row["metric"], row.get("detail", ""))
            grouped.setdefault(name, []).append(row)
    return [_counted(rows) for rows in grouped.values()]


def _counted(rows: list[Row]) -> Row:
    samples = [row["median"] for row in rows]
    if len(samples) == 1:
        return rows[0]
    return {**rows[0], **statistics.summary(samples), "samples": samples}


def time_rows(processes: list[list[Row]], gates: list[Row], cases: list[Row]) -> list[Row]:
    """Times, ratios to the baseline and shares of the limit of all whose gate was passed in every process."""
    failed = {(*key_of(g), g["method"]) for g in gates if not g["passed"]}
    grouped: dict[tuple[Any, ...], list[Row]] = {}
    for row in (row for rows in processes for row in rows):
        grouped.setdefault((*key_of(row), row["method"]), []).append(row)
    fine = {name: group for name, group in grouped.items() if name not in failed}
    baselines = {key_of(g[0]): g for g in fine.values() if g[0]["role"] == "baseline"}
    least = {key_of(case): case["t_min"] for case in cases if "t_min" in case}
    rows: list[Row] = []
    for group in fine.values():
        rows += _times(group)
        rows += _share(rows[-1], least.get(key_of(group[0])))
        base = baselines.get(key_of(group[0]))
        if base and group[0]["role"] != "baseline":
            rows += _ratios(base, group)
    return rows + [_failure(gate) for gate in gates if not gate["passed"]]


def _share(pooled: Row, least: float | None) -> list[Row]:
    """The least time as a percentage of the measured one; nothing where the device's peaks are not known."""
    if least is None:
        return []
    row = {**_named(pooled, "bound_share", "%", "higher"), "process": POOLED, "n": pooled["n"]}
    row |= {"median": 100 * least / pooled["median"], "ci_low": 100 * least / pooled["ci_high"]}
    return [{**row, "ci_high": 100 * least / pooled["ci_low"]}]


def _named(row: Row, metric: str, unit: str, better: str) -> Row:
    head = {key: row[key] for key in ("method", "role", "sweep", "point")}
    return {**head, "metric": metric, "unit": unit, "better": better, "simulated": False}


def _times(group: list[Row]) -> list[Row]:
    rows = []
    for number, one in enumerate(group):
        rows.append(
            {
                **_named(one, "time", "s", "lower"),
                "process": number,
                "samples": one["samples"],
                "warmup": one["warmup"],
                "rounds": len(one["samples"]),
                **statistics.summary(one["samples"]),
            }
        )
    samples = [one["samples"] for one in group]
    low, high = statistics.median_interval(samples)
    flat = [s for part in samples for s in part]
    pooled = {
        **_named(group[0], "time", "s", "lower"),
        "process": POOLED,
        "warmup": group[0]["warmup"],
        "rounds": len(flat),
    }
    medians = [row["median"] for row in rows]
    spread = {"range_low": min(medians), "range_high": max(medians)}
    return [*rows, {**pooled, **statistics.summary(flat), "ci_low": low, "ci_high": high, **spread}]


def _ratios(base: list[Row], group: list[Row]) -> list[Row]:
    pairs = list(zip([b["samples"] for b in base], [g["samples"] for g in group], strict=True))
    rows = []
    for number, (left, right) in enumerate(pairs):
        rows.append({**_named(group[0], "speedup", "x", "higher"), "process": number, **_ratio([left], [right])})
    each = [row["median"] for row in rows]
    pooled = _ratio([left for left, _ in pairs], [right for _, right in pairs])
    row = {**_named(group[0], "speedup", "x", "higher"), "process": POOLED, "samples": each, **pooled}
    row |= {"range_low": min(each), "range_high": max(each)}
    row["no_difference"] = statistics.no_difference(pooled["ci_low"], pooled["ci_high"])
    if max(pooled["median"], 1 / pooled["median"]) > LOOK:
        row["look"] = True
    return [*rows, row]


def _ratio(base: list[list[float]], group: list[list[float]]) -> Row:
    low, high = statistics.ratio_interval(base, group)
    rounds = sum(len(g) for g in group)
    return {"n": rounds, "rounds": rounds, "median": statistics.ratio(base, group), "ci_low": low, "ci_high": high}


def _failure(gate: Row) -> Row:
    """A method that failed its gate has a time, and it is null: measured and failed, not left out."""
    return {**_named(gate, "time", "s", "lower"), "process": POOLED, "samples": [], "n": 0, "median": None}

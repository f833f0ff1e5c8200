"""What verdicts are made from: the newest quiet run of each technique on each device at each size."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db.models import F, OuterRef, Q, QuerySet, Subquery, Window
from django.db.models.functions import RowNumber

from reproductions import judging, sources
from reproductions.judging import Evidence, Judgement, Standing, Verdict
from reproductions.models import Measurement, Run
from reproductions.queries import measured, remembered
from reproductions.queries.brief_runs import brief
from reproductions.queries.evidence_rows import Reading, Rows, read_together
from techniques.models import Claim, Technique

# A record from outside is no evidence before a curator accepts it.
COUNTS = Q(accepted=True)
# A run with a record passed its gate or failed it. A crash or a cancelled run says nothing of the method.
GATED = COUNTS & Q(smoke=False) & (Q(status=Run.Status.SUCCEEDED) | Q(status=Run.Status.FAILED) & ~Q(record_digest=""))
# Noisy runs and smoke tests get no verdict.
QUIET = COUNTS & Q(status=Run.Status.SUCCEEDED, smoke=False, noisy=False)
Role = Measurement.Role
# What the rules look at; the lists hold a row for every claim, and each column costs.
READ = (
    "run_id", "variant", "role", "sweep", "point", "point_value", "null_point", "metric", "detail", "unit", "better",
    "simulated", "median", "ci_low", "ci_high", "position",
)  # fmt: skip
# What no list of runs shows.
LONG = ("record", "log", "environment", "parameters")


def with_newest(techniques: QuerySet[Technique]) -> QuerySet[Technique]:
    """The techniques with ``newest_status``: that of the newest run that is a measurement."""
    newest = Run.objects.filter(GATED, technique=OuterRef("pk")).order_by("-finished_at", "-pk")
    return techniques.annotate(newest_status=Subquery(newest.values("status")[:1]))


def standing(
    technique: Technique, evidence: Sequence[Evidence], implemented: Collection[str] | None = None
) -> Standing:
    """Where ``technique`` stands; it comes from ``with_newest``."""
    there = sources.exists(technique.slug) if implemented is None else technique.slug in implemented
    failed = technique.newest_status == Run.Status.FAILED  # type: ignore[attr-defined]
    return Standing(there, failed, evidence)


def numbered(runs: QuerySet[Run]) -> QuerySet[Run]:
    """The runs with ``number``, which counts back from the newest of its kind on its device at its size.

    Of one kind are those of the same technique and status, smoke tests and noisy ones apart.
    """
    kind = [F("technique"), F("device"), F("size"), F("status"), F("smoke"), F("noisy")]
    order = [F("finished_at").desc(nulls_last=True), F("pk").desc()]
    return runs.annotate(number=Window(RowNumber(), kind, order))


def number(runs: Iterable[Run]) -> None:
    """Set the same on runs that are here, which hold the newest of each kind."""
    counted: Counter[tuple[Any, ...]] = Counter()
    for run in sorted(runs, key=_ended, reverse=True):
        kind = run.technique_id, run.device_id, run.size, run.status, run.smoke, run.noisy
        counted[kind] += 1
        run.number = counted[kind]  # type: ignore[attr-defined]


def newest(runs: Iterable[Run]) -> list[Run]:
    """Of numbered runs, the newest quiet one of each technique on each device at each size, newest first."""
    quiet = [run for run in runs if run.status == Run.Status.SUCCEEDED and not run.smoke and not run.noisy]
    first = [run for run in quiet if run.number == 1]  # type: ignore[attr-defined]
    return sorted(first, key=_ended, reverse=True)


def _ended(run: Run) -> tuple[bool, datetime | None, int]:
    return run.finished_at is not None, run.finished_at, run.pk


def gathered(runs: Iterable[Run], rows: Iterable[Measurement]) -> dict[int, list[Evidence]]:
    """The runs with their rows, by technique. No query."""
    by_run: dict[int, list[Measurement]] = {}
    for row in rows:
        by_run.setdefault(row.run_id, []).append(row)
    return _by_technique(runs, lambda run: by_run.get(run.pk, []))


def _by_technique(runs: Iterable[Run], rows: Callable[[Run], Sequence[Measurement]]) -> dict[int, list[Evidence]]:
    found: dict[int, list[Evidence]] = {}
    for run in runs:
        found.setdefault(run.technique_id, []).append(Evidence(run, rows(run), run.device_count))
    return found


def evidence(claims: Iterable[Claim], technique: Technique | None = None) -> dict[int, list[Evidence]]:
    """What the claims of each technique (or of one) are held against. Two queries; the rows are read when asked for."""
    quiet = Run.objects.filter(QUIET, **({"technique": technique} if technique else {}))
    # Numbered over an index alone; only the first of each are looked up.
    kind = [F("technique"), F("device"), F("size")]
    number = Window(RowNumber(), kind, [F("finished_at").desc(nulls_last=True), F("pk").desc()])
    first = quiet.order_by().annotate(number=number).filter(number=1).values("pk")
    runs = sorted(brief(Run.objects.filter(pk__in=first).order_by()), key=_ended, reverse=True)
    kept = Q(metric=judging.SPEEDUP, role=Role.METHOD) | Q(metric=judging.TIME, role=Role.BASELINE)
    for metric, techniques in _by_metric(claims).items():
        kept |= Q(metric__in=judging.names(metric), run__in=[run.pk for run in runs if run.technique_id in techniques])
    reading = Reading((run.pk for run in runs), kept, READ)
    return _by_technique(runs, lambda run: Rows(reading, run.pk))


def _by_metric(claims: Iterable[Claim]) -> dict[str, set[int]]:
    """The techniques that each metric is claimed of, so that no row is read that nothing is held against."""
    found: dict[str, set[int]] = {}
    for claim in claims:
        found.setdefault(claim.metric, set()).add(claim.technique_id)
    return found


def by_claim(
    claims: Sequence[Claim], techniques: Iterable[Technique], found: Mapping[int, Sequence[Evidence]]
) -> dict[int, Judgement]:
    """The judgement on each claim, by its key. One query for the rows of those that are not remembered."""
    implemented = sources.implemented()
    standings = {one.pk: standing(one, found.get(one.pk, ()), implemented) for one in techniques}
    bases = {pk: remembered.basis(one) for pk, one in standings.items()}
    unknown = {claim.technique_id for claim in claims if not remembered.knows(claim, bases.get(claim.technique_id))}
    read_together(one.rows for pk in unknown & standings.keys() for one in standings[pk].evidence)
    return {
        claim.pk: remembered.judge(claim, standings.get(claim.technique_id, Standing()), bases.get(claim.technique_id))
        for claim in claims
    }


def with_rows(
    technique: Technique, runs: Sequence[Run], claims: Sequence[Claim], shown: Iterable[Run]
) -> tuple[list[Measurement], Standing, list[Judgement]]:
    """The rows of the runs that a page shows, where the technique stands by its own ``runs``, and its judged claims.

    One query: the rows of the runs that are only judged by are read where a judgement is not remembered.
    """

    def stands(rows: Iterable[Measurement]) -> Standing:
        return standing(technique, gathered(runs, rows).get(technique.pk, []))

    rests_on = remembered.basis(stands(()))
    known = all(remembered.knows(claim, rests_on) for claim in claims)
    rows = list(measured.pooled({run.pk for run in (*shown, *(() if known else runs))}))
    where = stands(rows)
    return rows, where, [remembered.judge(claim, where, rests_on) for claim in claims]


def of_claim(claim: Claim) -> Judgement:
    """The judgement on one claim as it stands now. Three queries."""
    technique = with_newest(Technique.objects.filter(pk=claim.technique_id)).get()
    return judging.judge(claim, standing(technique, evidence([claim], technique).get(technique.pk, ())))


def by_run(run: Run, rows: Sequence[Measurement]) -> list[Judgement]:
    """What this one run says of each claim of its technique; nothing where runs of its kind get no verdict. One query.

    Only claims that it has a figure for.
    """
    if run.status != Run.Status.SUCCEEDED or run.smoke or run.noisy or not run.accepted:
        return []
    alone = Standing(True, False, [Evidence(run, rows, run.device_count)])
    claims = Claim.objects.filter(technique=run.technique_id).select_related("publication").order_by("pk")
    return [one for claim in claims if (one := judging.judge(claim, alone)).figure]


def by_technique(techniques: Sequence[Technique]) -> dict[int, Verdict]:
    """The verdict that stands beside the name of each technique, by its key. Three queries."""
    claims = list(Claim.objects.order_by("pk"))
    found = evidence(claims)
    judged = by_claim(claims, techniques, found)
    own: dict[int, list[Judgement]] = {}
    for claim in claims:
        own.setdefault(claim.technique_id, []).append(judged[claim.pk])
    implemented = sources.implemented()
    return {
        one.pk: judging.of_technique(standing(one, found.get(one.pk, ()), implemented), own.get(one.pk, []))
        for one in techniques
    }

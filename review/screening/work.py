"""What there is to screen, and how far it has come. Before all have decided, nobody reads another's verdict."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Exists, F, Max, Min, OuterRef, Q, QuerySet
from django.db.models.functions import Mod

from review.models import Criterion, Decision, Record, Review, Stage, Verdict
from review.prisma.standing import Standing, tally
from review.screening.agreement import Agreement, agreement

WAITS = {Stage.ABSTRACT.value: "waiting-screening", Stage.FULL_TEXT.value: "waiting-assessment"}
_PRIME, _STEP, _TURN = 1_000_003, 618_035, 314_159  # without a common factor: a place of its own for each record


def to_read(review: Review, stage: str, screener: str, seed: int) -> QuerySet[Record]:
    """The records that this screener has still to decide at a stage, in an order of their own that stays the same.

    Said in sets and not by each record's place in the flow, for a screener asks after every key.
    """
    said = Decision.objects.filter(record__review=review, stage=stage).order_by()
    enough = said.values("record").annotate(n=Count("pk")).filter(n__gte=review.screeners)
    rows = Record.objects.filter(review=review, removal="")
    if stage == Stage.FULL_TEXT:
        rows = rows.filter(pk__in=_included(review), retrieval=Record.Retrieval.RETRIEVED)
    for settled in (enough, said.filter(final=True), said.filter(screener=screener, final=False)):
        rows = rows.exclude(pk__in=settled.values("record"))
    return rows.order_by(Mod(F("pk") * _STEP + seed * _TURN, _PRIME), "pk")


def _included(review: Review) -> QuerySet[Record, Any]:
    """The records included at title and abstract, as ``places`` has it: a resolution counts before the rest."""
    said = Decision.objects.filter(record__review=review, stage=Stage.ABSTRACT).order_by()
    own, final = said.filter(final=False), said.filter(final=True)
    alike: QuerySet[Decision, Any]
    if review.screeners == 1:
        first = own.values("record").annotate(first=Min("pk"))
        alike = own.filter(pk__in=first.values("first"), verdict=Verdict.INCLUDE)
    else:
        counted = own.values("record").annotate(n=Count("pk"), low=Min("verdict"), high=Max("verdict"))
        alike = counted.filter(n__gte=2, low=Verdict.INCLUDE, high=Verdict.INCLUDE)
    alike = alike.exclude(record__in=final.values("record"))
    settled = final.filter(verdict=Verdict.INCLUDE).values("record")
    return Record.objects.filter(Q(pk__in=alike.values("record")) | Q(pk__in=settled)).order_by().values("pk")


def conflicts(review: Review, stage: str) -> QuerySet[Record]:
    """The records of a review on which all have decided, unlike, and that nobody has resolved."""
    rows = conflicting(stage).filter(review=review)
    return rows.select_related("publication", "search", "review").order_by("pk")


def conflicting(stage: str) -> QuerySet[Record]:
    """The same of all reviews."""
    final = Decision.objects.filter(record=OuterRef("pk"), stage=stage, final=True)
    of_stage = Q(decisions__stage=stage, decisions__final=False)
    rows = Record.objects.filter(~Exists(final), removal="").annotate(
        said=Count("decisions", filter=of_stage),
        kinds=Count("decisions__verdict", filter=of_stage, distinct=True),
    )
    return rows.filter(said__gte=F("review__screeners"), kinds__gt=1)


def decisions_of(records: Sequence[Record], stage: str) -> dict[int, list[Decision]]:
    """What was said of records whose blind has been lifted: record → decisions. One query."""
    found: dict[int, list[Decision]] = defaultdict(list)
    rows = Decision.objects.filter(record__in=[record.pk for record in records], stage=stage)
    for decision in rows.select_related("reason").order_by("pk"):
        found[decision.record_id].append(decision)
    return found


def open_stages(record: Record) -> list[tuple[str, str, list[Decision]]]:
    """The stages of a record at which the blind is lifted: value, name, decisions. One query."""
    decisions = list(record.decisions.select_related("reason").order_by("pk"))
    found = [(stage.value, stage.label, [one for one in decisions if one.stage == stage]) for stage in Stage]
    return [one for one in found if sum(not said.final for said in one[2]) >= record.review.screeners]


def to_retrieve(review: Review) -> QuerySet[Record]:
    """The records whose report is still to be got."""
    waiting = Standing(review, ("waiting-sought", "waiting-retrieval"))
    return Record.objects.filter(pk__in=waiting.keys()).select_related("publication").order_by("pk")


def reasons(review: Review) -> list[Criterion]:
    """The criteria of exclusion, in the order of their keys."""
    return list(review.criteria.filter(kind=Criterion.Kind.EXCLUSION))


@dataclass(frozen=True)
class Progress:
    """A stage: how many records it has, how many are settled, wait, or are in conflict, and what this screener did."""

    stage: str
    name: str
    settled: int
    waiting: int
    conflicts: int
    own: int
    left: int

    @property
    def total(self) -> int:
        """All records that have come to this stage."""
        return self.settled + self.waiting


def progress(review: Review, screener: str) -> list[Progress]:
    """Both stages. A fixed number of queries."""
    places = dict(tally(review, "place"))
    later = sum(n for place, n in places.items() if place not in {"removed", "waiting-screening"})
    judged = {Stage.ABSTRACT: later, Stage.FULL_TEXT: places.get("reports-excluded", 0) + places.get("included", 0)}
    own = dict(
        Decision.objects.filter(record__review=review, screener=screener, final=False)
        .order_by()
        .values_list("stage")
        .annotate(n=Count("pk"))
    )
    return [
        Progress(
            stage.value,
            stage.label,
            judged[stage],
            places.get(WAITS[stage.value], 0),
            conflicts(review, stage).count(),
            own.get(stage.value, 0),
            to_read(review, stage, screener, 0).count(),
        )
        for stage in Stage
    ]


@dataclass(frozen=True)
class Pair:
    """How two screeners agree at a stage."""

    stage: str
    names: tuple[str, str]
    found: Agreement


def agreements(review: Review) -> list[Pair]:
    """Every pair of screeners who decided the same records, at each stage. Records that only one decided stay out."""
    # Each decision beside every other of the same record and stage; the database counts.
    pairs = Decision.objects.filter(
        record__review=review, final=False, record__decisions__final=False, record__decisions__stage=F("stage"),
        record__decisions__pk__gt=F("pk"),
    ).order_by()  # fmt: skip
    other = ("record__decisions__screener", "record__decisions__verdict")
    tables: dict[tuple[str, str, str], Counter[tuple[str, str]]] = defaultdict(Counter)
    counted = pairs.values_list("stage", "screener", "verdict", *other).annotate(n=Count("pk"))
    for stage, one, said, another, answered, n in counted:
        (first, its), (second, others) = sorted(((one, said), (another, answered)))
        tables[stage, first, second][its, others] += n
    return [
        Pair(Stage(stage).label, (first, second), agreement(found.elements()))
        for (stage, first, second), found in sorted(tables.items())
    ]


def last_of(review: Review, stage: str, screener: str) -> Decision | None:
    """The newest decision of this screener beside which no other stands; see ``deciding.take_back``."""
    others = Decision.objects.filter(record=OuterRef("record"), stage=stage).exclude(pk=OuterRef("pk"))
    own = Decision.objects.filter(record__review=review, stage=stage, screener=screener, final=False)
    rows: Any = own.filter(~Exists(others))
    return rows.select_related("record__publication").order_by("-decided_at", "-pk").first()

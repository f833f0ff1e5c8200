"""Publications that may be one: found, marked, and unmarked again. Nothing is ever deleted."""

from typing import Any

from django.db import transaction
from django.db.models import Count, Q
from django.utils import timezone

from review.importing import ruling
from review.importing.batches import Refused
from review.matching import Index, work_of
from review.models import ImportBatch, ImportEntry, Likeness, Publication, Study

State = Likeness.State
JOINED = (State.SAME, State.REPORT)
DECIDED = (*JOINED, State.DIFFERENT)
KINDS = ("pair", "entry")
MOST = 5  # pairs that one comparison may make of one publication


def find() -> int:
    """Compare every publication with every other; each pair that looks alike waits once. Returns how many are new."""
    index, made = Index(), 0
    rows = Publication.objects.only("key", "entry_type", "fields", "study_id").order_by("pk")
    known: dict[str, tuple[int, int]] = {}
    pairs = {frozenset(pair) for pair in Likeness.objects.values_list("earlier_id", "later_id")}
    for row in rows.iterator(chunk_size=500):
        work = work_of(row.key, row.entry_type, row.fields)
        for match in index.matches(work)[:MOST]:
            other, study = known[match.key]
            if frozenset((other, row.pk)) not in pairs and not (match.same_study and study == row.study_id):
                told = {"reason": match.reason, "score": match.score}
                made += Likeness.objects.get_or_create(earlier_id=other, later_id=row.pk, defaults=told)[1]
        index.add(work)
        known[row.key] = (row.pk, row.study_id)
    return made


def mark(likeness: Likeness, state: str, user: Any = None) -> Likeness:
    """Say what two publications are to each other. Raises ``Refused`` where somebody was faster.

    Marked the same, or two reports, the later one joins the study of the earlier, and with it the other reports of
    its study; that study is kept for the way back.
    """
    if state not in DECIDED:
        raise Refused("Say whether they are the same, two reports of one study, or different.")
    with transaction.atomic():
        likeness = _locked(likeness)
        if likeness.state != State.MAYBE:
            raise Refused(f"Somebody decided already: {likeness.get_state_display()}.")
        if state in JOINED and likeness.later.study_id != likeness.earlier.study_id:
            likeness.own_study = likeness.later.study
            moved = Publication.objects.filter(study=likeness.own_study)
            _move(moved, likeness.earlier.study, f"{state} as {likeness.earlier.key}")
        likeness.state, likeness.ruled_by, likeness.ruled_at = state, user, timezone.now()
        likeness.save()
    return likeness


def unmark(likeness: Likeness, user: Any = None) -> Likeness:
    """The decision is open again, and what it moved is back in its own study.

    Raises ``Refused`` where a later decision in the same study stands upon it: that one is taken back first.
    """
    with transaction.atomic():
        likeness = _locked(likeness)
        if likeness.state == State.MAYBE:
            raise Refused("Nobody has decided upon this pair.")
        if likeness.own_study is not None:
            if upon := _decided_after(likeness):
                raise Refused(f"Take back what was decided after it first: {upon.earlier.key} and {upon.later.key}.")
            past = Publication.history.filter(study_id=likeness.own_study_id).values("id")
            moved = Publication.objects.filter(Q(pk__in=past) | Q(pk=likeness.later_id), study=likeness.earlier.study)
            _move(moved, likeness.own_study, f"no longer {likeness.state} as {likeness.earlier.key}")
        likeness.state, likeness.own_study = State.MAYBE, None
        likeness.ruled_by, likeness.ruled_at = None, None
        likeness.save()
    return likeness


def _locked(likeness: Likeness) -> Likeness:
    rows = Likeness.objects.select_for_update(of=("self",)).select_related("earlier__study", "later__study")
    try:
        return rows.select_related("own_study").get(pk=likeness.pk)
    except Likeness.DoesNotExist:
        raise Refused("This pair is not there any more.") from None


def _decided_after(likeness: Likeness) -> Likeness | None:
    """The newest later decision that joined something to the study."""
    study = likeness.earlier.study
    inside = Q(earlier__study=study) | Q(later__study=study)
    later = Likeness.objects.filter(inside, state__in=JOINED, ruled_at__gt=likeness.ruled_at)
    return later.exclude(pk=likeness.pk).select_related("earlier", "later").order_by("-ruled_at").first()


def _move(rows: Any, study: Study, reason: str) -> None:
    for row in rows.select_for_update(of=("self",)).order_by("pk"):
        row.study = study
        row._change_reason = reason[:100]
        row.save()


def decide(kind: str, pk: int, said: str, user: Any) -> str:
    """Carry out what a curator said of a pair; returns it in words. Raises ``Refused`` as ``mark`` and ``rule`` do."""
    if kind not in KINDS:
        raise Refused("There is no such pair.")
    if kind == "pair":
        likeness = Likeness.objects.filter(pk=pk).first()
        if likeness is None:
            raise Refused("This pair is not there any more.")
        return str(mark(likeness, said, user).get_state_display())
    entry = ImportEntry.objects.filter(pk=pk).first()
    if entry is None:
        raise Refused("This entry is not there any more.")
    ruled = ruling.rule(entry, said, user)
    return words(ruled)


def take_back(kind: str, pk: int, user: Any) -> None:
    """Undo a decision. Raises ``Refused`` where that is not possible."""
    if kind == "pair" and (likeness := Likeness.objects.filter(pk=pk).first()):
        unmark(likeness, user)
    elif kind == "entry" and (entry := ImportEntry.objects.filter(pk=pk).first()):
        ruling.take_back(entry, user)
    else:
        raise Refused("This decision is not there any more.")


def words(row: Likeness | ImportEntry) -> str:
    """A decision in words."""
    if isinstance(row, Likeness):
        return str(row.get_state_display())
    return str(State.REPORT.label if row.same_study else row.get_ruling_display())


def counts() -> dict[str, int]:
    """How many pairs were decided each way, and how many entries an import recognised by itself. Two queries."""
    pairs = Likeness.objects.aggregate(**{state: Count("pk", filter=Q(state=state)) for state in DECIDED})
    ruled, same = ~Q(ruling=""), Q(ruling=ImportEntry.Ruling.SAME)
    entries = ImportEntry.objects.aggregate(
        same=Count("pk", filter=same),
        report=Count("pk", filter=ruled & ~same & Q(same_study=True)),
        different=Count("pk", filter=ruled & ~same & Q(same_study=False)),
        recognised=Count("pk", filter=Q(outcome=ImportEntry.Outcome.DUPLICATE, batch__state=ImportBatch.State.APPLIED)),
    )
    return {name: number + pairs.get(name, 0) for name, number in entries.items()}

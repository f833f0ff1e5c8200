"""Decisions of screeners, their resolution, and the retrieval of reports: each in one transaction."""

import hashlib
import re
from collections.abc import Sequence
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from review.models import Criterion, Decision, Record, Stage, Verdict
from review.prisma.places import placed

RETRIEVALS = (Record.Retrieval.SOUGHT, Record.Retrieval.RETRIEVED, Record.Retrieval.NOT_RETRIEVED)


def slug_of(record: str, stage: str, screener: str, final: bool) -> str:
    """The natural key of a decision. A name that is no slug, or reads like a resolution, gets a mark of its own."""
    if final:
        return f"{record}-{stage}-final"
    own = re.sub(r"[^A-Za-z0-9_-]", "-", screener)
    if own != screener or own == "final":
        own = f"{own}-{hashlib.sha256(screener.encode()).hexdigest()[:8]}"
    return f"{record}-{stage}-{own}"


class Refused(Exception):
    """A decision that cannot stand; the text says why and what to do."""


def decide(record: int, stage: str, verdict: str, user: Any, reason: str = "", note: str = "") -> Decision:
    """What ``user`` says of a record at a stage. An exclusion needs a reason, which is a criterion of the review.

    Raises ``Refused`` where the record waits for no decision of theirs.
    """
    with transaction.atomic():
        row = _locked(record)
        decisions = list(row.decisions.order_by("pk"))
        said = [one.screener for one in decisions if one.stage == stage and not one.final]
        if not waits(row, _stage(stage), decisions):
            raise Refused("This record waits for no decision at this stage.")
        if user.get_username() in said:
            raise Refused("You have decided this record already.")
        if len(said) >= row.review.screeners:
            raise Refused("All who were to decide this record have done so.")
        return _save(row, stage, verdict, user, reason, note, final=False)


def resolve(record: int, stage: str, verdict: str, user: Any, reason: str = "", note: str = "") -> Decision:
    """Settle a record on which all have decided: a conflict, or a verdict that turns out to be a slip.

    What the screeners said stays as it is, and so does their agreement. Raises ``Refused`` while the blind holds, where
    somebody has settled the record, and where the next step rests on the verdict.
    """
    with transaction.atomic():
        row = _locked(record)
        said = row.decisions.filter(stage=_stage(stage))
        if row.removal or said.filter(final=False).count() < row.review.screeners:
            raise Refused("The blind holds: not all who are to decide this record have done so.")
        if said.filter(final=True).exists():
            raise Refused("Somebody has settled this record already.")
        if _rested_upon(row, stage):
            raise Refused("The next step rests on this verdict: a report has been sought, or read.")
        return _save(row, stage, verdict, user, reason, note, final=True)


def take_back(decision: Decision, user: Any) -> None:
    """Take one's own decision back while the blind holds. Later, a slip is for a curator to settle; see ``resolve``.

    Where one screener decides, it can be taken back until the next step rests on it.
    """
    with transaction.atomic():
        row = _locked(decision.record_id)
        own = row.decisions.filter(pk=decision.pk, screener=user.get_username(), final=False).first()
        if own is None:
            raise Refused("This decision is not there any more.")
        if _rested_upon(row, own.stage):
            raise Refused("It cannot be taken back any more: a resolution or the next stage rests on it.")
        others = row.decisions.filter(stage=own.stage).exclude(pk=own.pk)
        if others.exists():
            raise Refused("The other has decided too, so the blind is lifted. A curator can settle this record.")
        own._change_reason = "taken back"  # type: ignore[attr-defined]
        own.delete()


def retrieve(record: int, retrieval: str, user: Any, note: str = "") -> Record:
    """Say whether a report was sought, got, or cannot be got. Raises ``Refused`` where it is not the time."""
    with transaction.atomic():
        row = _locked(record)
        if retrieval not in RETRIEVALS:
            raise Refused("Say whether the report was sought, retrieved or not retrieved.")
        place = placed(row.review).values_list("place", flat=True).get(pk=row.pk)
        if place not in {"waiting-sought", "waiting-retrieval", "not-retrieved", "waiting-assessment"}:
            raise Refused("The report of this record is not to be got now.")
        if row.decisions.filter(stage=Stage.FULL_TEXT).exists():
            raise Refused("This report has been read already.")
        row.retrieval, row.retrieval_note = retrieval, note[:300]
        row.save()
    return row


def _rested_upon(row: Record, stage: str) -> bool:
    if row.decisions.filter(stage=stage, final=True).exists():
        return True
    later = row.decisions.filter(stage=Stage.FULL_TEXT).exists() or row.retrieval != Record.Retrieval.NOT_SOUGHT
    return stage == Stage.ABSTRACT and later


def _locked(record: int) -> Record:
    row = Record.objects.select_for_update(of=("self",)).select_related("review").filter(pk=record).first()
    if row is None:
        raise Refused("This record is not there any more.")
    return row


def _stage(stage: str) -> str:
    if stage not in Stage.values:
        raise Refused("There are two stages: title and abstract, and full text.")
    return stage


def waits(record: Record, stage: str, decisions: Sequence[Decision]) -> bool:
    """Whether a record waits for a decision at a stage, from all ``decisions`` on it in their order."""
    if record.removal or _verdict(decisions, stage, record.review.screeners):
        return False
    if stage == Stage.ABSTRACT:
        return True
    first = _verdict(decisions, Stage.ABSTRACT, record.review.screeners)
    return first == Verdict.INCLUDE and record.retrieval == Record.Retrieval.RETRIEVED


def _verdict(decisions: Sequence[Decision], stage: str, screeners: int) -> str:
    """The rule of ``places`` for one record at hand, without a query; "" where there is none yet."""
    final = [one.verdict for one in decisions if one.stage == stage and one.final]
    own = [one.verdict for one in decisions if one.stage == stage and not one.final]
    if final:
        return final[0]
    settled = own and (screeners == 1 or (len(own) > 1 and len(set(own)) == 1))
    return own[0] if settled else ""


def _save(row: Record, stage: str, verdict: str, user: Any, reason: str, note: str, final: bool) -> Decision:
    if verdict not in Verdict.values:
        raise Refused("Include or exclude: nothing was chosen.")
    criterion = row.review.criteria.filter(slug=reason, kind=Criterion.Kind.EXCLUSION).first()
    if verdict == Verdict.EXCLUDE and criterion is None:
        raise Refused("An exclusion needs one of the review's reasons.")
    name = user.get_username()
    decision = Decision(
        record=row, stage=stage, screener=name, user=user, final=final, verdict=verdict,
        reason=criterion if verdict == Verdict.EXCLUDE else None, note=note.replace("\0", "")[:4000],
        decided_at=timezone.now(), slug=slug_of(row.slug, stage, name, final),
    )  # fmt: skip
    try:
        with transaction.atomic():
            decision.save()
    except IntegrityError as error:
        raise Refused("Somebody was faster: this record has been decided.") from error
    return decision

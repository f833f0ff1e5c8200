"""Records from outside: taken in with who sent them and what makes them doubtful, then accepted or declined."""

from dataclasses import dataclass

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from reproductions import ingest, plausibility, reading, sources
from reproductions.models import Device, Run, Submission, Token

SHORTEST, LONGEST = 3, 2000
Verdict = Submission.Verdict


@dataclass(frozen=True)
class Taken:
    """A record from outside that is stored: its run, and whether it came for the first time."""

    run: Run
    submission: Submission | None
    new: bool


class Decided(Exception):
    """Somebody else has decided meanwhile, so that what was seen is not what is there."""


def take_in(data: bytes, token: Token) -> Taken:
    """Store a record that came with ``token``, apart from the evidence; the same record again is the same run.

    Raises ``BrokenRecord`` with every fault, ``ingest.Taken`` where the run's identity is taken. Whole or not at all.
    """
    checked = reading.check(data)
    with transaction.atomic():
        known = what_is_known(checked.record)
        (outcome,) = ingest.store([checked], origin=Run.Origin.UPLOADED)
        if outcome.run is None:
            raise outcome.fault or AssertionError("neither run nor fault")
        if not outcome.new:
            return Taken(outcome.run, Submission.objects.filter(run=outcome.run).first(), new=False)
        submission = Submission.objects.create(
            run=outcome.run,
            token=token,
            who=(token.owner.get_full_name() or token.owner.get_username())[:200],
            place=token.place,
            received_at=known.now,
            doubts=plausibility.doubts(checked.record, known),
        )
    return Taken(outcome.run, submission, new=True)


def what_is_known(record: plausibility.Record) -> plausibility.Known:
    """The digests of the technique's code here and in runs that count, and whether the device has such runs."""
    runs = Run.objects.filter(accepted=True, technique__slug=record["technique"])
    said, slug = record["digests"].get(record["technique"], ""), record["device"]["slug"][:120]
    codes = {sources.digest(record["technique"])} | set(
        runs.filter(code_digest=said).exclude(code_digest="").values_list("code_digest", flat=True)[:1]
    )
    devices = set(Device.objects.filter(slug=slug, runs__accepted=True).values_list("slug", flat=True)[:1])
    return plausibility.Known(timezone.now(), codes, devices)


def decide(run: Run, verdict: str, reason: str, user: User, seen: str) -> Submission:
    """Accept or decline what waits, with a reason. It can be decided anew.

    Raises ``ValidationError`` for its words, ``Decided`` when the verdict is no longer the one that was ``seen``.
    """
    reason = reason.replace("\0", "").strip()
    if verdict not in (Verdict.ACCEPTED, Verdict.DECLINED):
        raise ValidationError("Say whether you accept or decline it.")
    if len(reason) < SHORTEST:
        raise ValidationError("Give the reason: whoever sent it and whoever reads the numbers will see it.")
    if len(reason) > LONGEST:
        raise ValidationError(f"At most {LONGEST} characters; the reason has {len(reason)}.")
    with transaction.atomic():
        submission = Submission.objects.select_for_update().get(run=run)
        if submission.verdict != seen:
            raise Decided
        submission.verdict, submission.reason = verdict, reason
        submission.decided_by, submission.decided_at = user, timezone.now()
        submission._change_reason = reason[:100]  # type: ignore[attr-defined]
        submission.save()
        # A run that has ended is never edited; whether it counts is not part of it.
        Run.objects.filter(pk=run.pk).update(accepted=verdict == Verdict.ACCEPTED)
    return submission

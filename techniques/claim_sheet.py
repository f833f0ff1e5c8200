"""Many claims edited at once: what was touched is saved together, and nobody's edit is lost."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from techniques.claim_forms import FIELDS, ClaimForm
from techniques.models import Claim
from techniques.wording import reading

MOST = 50


@dataclass
class Row:
    """A claim with its form. ``seen`` stands for the claim as the curator saw it."""

    claim: Claim
    form: ClaimForm
    seen: str
    line: str


def fingerprint(claim: Claim) -> str:
    """The same text for the same figures and words."""
    columns = json.dumps([getattr(claim, name) for name in FIELDS], ensure_ascii=False)
    return hashlib.sha256(columns.encode()).hexdigest()[:16]


def rows(claims: Sequence[Claim]) -> list[Row]:
    """The rows of ``claims`` as they stand."""
    return [Row(one, ClaimForm(instance=one, prefix=f"c{one.pk}"), fingerprint(one), reading(one)) for one in claims]


def asked(sent: Any) -> list[int]:
    """The claims whose rows were sent, each once."""
    found = [int(value) for value in sent.getlist("row") if value.isascii() and value.isdigit() and len(value) < 16]
    return list(dict.fromkeys(found))[:MOST]


@dataclass(frozen=True)
class Outcome:
    """How many rows were saved; with faults none, and ``rows`` say what is wrong. ``gone`` counts deleted claims."""

    rows: list[Row]
    saved: int
    faulty: int
    gone: int


@transaction.atomic
def save(sent: Any) -> Outcome:
    """Save every touched row, or none where one is at fault or was changed meanwhile by somebody else."""
    pks = asked(sent)
    # The rows are locked alone; what they point at is fetched beside.
    claims = Claim.objects.select_for_update(of=("self",)).select_related("technique", "publication").in_bulk(pks)
    found = [_row(claims[pk], sent) for pk in pks if pk in claims]
    touched = [row for row in found if row.form.has_changed() and not _settle(row, sent)]
    faulty = sum(1 for row in found if row.form.has_changed() and row.form.errors)
    saved = 0
    if not faulty:
        for row in touched:
            row.form.instance._change_reason = "edited in the sheet"  # type: ignore[attr-defined]
            row.form.save()
            saved += 1
    return Outcome(found, saved, faulty, len(pks) - len(claims))


def _row(claim: Claim, sent: Mapping[str, Any]) -> Row:
    now, line = fingerprint(claim), reading(claim)
    return Row(claim, ClaimForm(sent, instance=claim, prefix=f"c{claim.pk}"), now, line)


def _settle(row: Row, sent: Mapping[str, Any]) -> bool:
    """Whether there is nothing of this row to save: it is at fault, or what differs was changed by somebody else."""
    seen, now = str(sent.get(f"c{row.claim.pk}-seen", "")), row.seen
    if not row.form.is_valid():
        return True
    if seen == now:
        return False
    if fingerprint(row.form.instance) == seen:
        # Left as it was seen: the edit of somebody else stands.
        row.form = ClaimForm(instance=Claim.objects.get(pk=row.claim.pk), prefix=f"c{row.claim.pk}")
        return True
    row.form.add_error(
        None, f"Somebody changed this claim meanwhile: it reads “{row.line}” now. Save again to put yours in its place."
    )
    return True

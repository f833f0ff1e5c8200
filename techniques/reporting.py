"""Problems that visitors report: taken in with care for abuse, and answered by curators."""

import hashlib
import hmac
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils import timezone

from techniques.models import Claim, ProblemReport, Technique

SHORTEST, LONGEST = 10, 4000
AN_HOUR_EACH, AN_HOUR_ALL = 5, 100


class TooMany(Exception):
    """This sender, or everybody together, has reported too often in the last hour."""


def sender(address: str) -> str:
    """A keyed hash that tells senders apart and names nobody."""
    return hmac.new(settings.SECRET_KEY.encode(), address.encode(), hashlib.sha256).hexdigest()


def take_in(
    technique: Technique, claim: Claim | None, text: str, contact: str, address: str, user: Any = None
) -> ProblemReport:
    """Put a report into the curators' queue. Raises ``ValidationError`` for its text, ``TooMany`` for its number."""
    text, contact = text.replace("\0", "").strip(), " ".join(contact.replace("\0", "").split())
    if len(text) < SHORTEST:
        raise ValidationError({"text": f"Say what is wrong in at least {SHORTEST} characters."})
    if len(text) > LONGEST:
        raise ValidationError({"text": f"At most {LONGEST} characters; these are {len(text)}."})
    if len(contact) > 200:
        raise ValidationError({"contact": "At most 200 characters."})
    own, since = sender(address), timezone.now() - timedelta(hours=1)
    recent = ProblemReport.objects.filter(created_at__gte=since)
    if recent.filter(sender=own).count() >= AN_HOUR_EACH or recent.count() >= AN_HOUR_ALL:
        raise TooMany
    return ProblemReport.objects.create(
        technique=technique, claim=claim, text=text, contact=contact, sender=own, reporter=user
    )


def answer(report: ProblemReport, state: str, user: Any) -> None:
    """Close a report as mended or dismissed."""
    report.state, report.handled_by, report.handled_at = state, user, timezone.now()
    report.save(update_fields=["state", "handled_by", "handled_at", "answer"])

"""The membership ledger: one entry confirmed or set aside with its place, and a whole list compared with it.

"Confirmed" needs an address at which anybody can check it. What is set aside is kept as an addition of this atlas, so
that nothing leaves the site without a trace.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from django.core.exceptions import ValidationError
from django.db import transaction

from review.bibtex import Entry
from review.matching import Index, Match, work_of
from review.models import Membership, Publication, Review

Status = Membership.Status
NOT_LISTED = "looked for in the review's list of studies and not found there"


@dataclass(frozen=True)
class Place:
    """Where a curator read it: a public address, and in it the number of the reference and the page, where known."""

    address: str
    number: int | None = None
    page: str = ""
    note: str = ""


class Changed(Exception):
    """The entry is no longer what its curator saw; the text says what it is now."""


def decide(review: Review, publication: int, status: str, place: Place, seen: str | None) -> Membership:
    """Make ``publication`` a member of ``status`` in one step; ``seen`` is the status that the curator saw, if any.

    Raises ``Changed`` where somebody else was faster, and ``ValidationError`` for a place that cannot be one.
    """
    with transaction.atomic():
        rows = Membership.objects.select_for_update().filter(review=review, publication_id=publication)
        member = rows.first()
        now = member.status if member else None
        if now != seen:
            raise Changed(f"It was changed meanwhile and is {now or 'in the ledger no more'} now. Nothing was saved.")
        return _write(member or Membership(review=review, publication_id=publication), status, place)


def _write(member: Membership, status: str, place: Place) -> Membership:
    member.status, member.evidence_url = status, place.address
    member.reference_number, member.page = place.number, place.page
    member.note = place.note or (NOT_LISTED if status == Status.ADDITIONAL else "")
    member.full_clean(validate_unique=False)
    member._change_reason = f"set to {status}"  # type: ignore[attr-defined]
    member.save()
    return member


@dataclass(frozen=True)
class Theirs:
    """An entry of the review's own list, by its number there, and what stands for it here."""

    number: int
    entry: Entry
    title: str
    publication: Publication | None = None
    member: Membership | None = None
    match: Match | None = None

    @property
    def sure(self) -> bool:
        """Whether it is certainly the same work."""
        return self.match is not None and self.match.outcome == "duplicate"


@dataclass(frozen=True)
class Reconciliation:
    """The review's own list beside the ledger.

    ``matched`` stand in both, ``outside`` are known here and in no ledger, ``missing`` are not known here, ``absent``
    are members here that their list does not have. ``again`` name a work that an earlier entry named already.
    """

    matched: list[Theirs] = field(default_factory=list)
    outside: list[Theirs] = field(default_factory=list)
    missing: list[Theirs] = field(default_factory=list)
    again: list[Theirs] = field(default_factory=list)
    absent: list[Membership] = field(default_factory=list)


def reconcile(review: Review, entries: Sequence[Entry]) -> Reconciliation:
    """Compare ``entries``, the review's own list in its order, with the ledger. Changes nothing. Three queries."""
    publications = {row.key: row for row in Publication.objects.all()}
    members = {row.publication_id: row for row in review.memberships.select_related("publication")}
    of_study = {row.publication.study_id: row for row in members.values()}
    index = Index()
    for row in publications.values():
        index.add(work_of(row.key, row.entry_type, row.fields))
    found, named = Reconciliation(), set[int]()
    for number, entry in enumerate(entries, 1):
        work = work_of(f"their list/{number}", entry.entry_type, entry.fields)
        match = index.find(work)
        known = publications.get(match.key) if match else None
        member = (members.get(known.pk) or of_study.get(known.study_id)) if known else None
        theirs = Theirs(number, entry, work.title, known, member, match)
        _sort(theirs, found, named)
    listed = {theirs.member.pk for theirs in (*found.matched, *found.again) if theirs.member and theirs.sure}
    for member in members.values():
        if member.status != Status.ADDITIONAL and member.pk not in listed:
            found.absent.append(member)
    return found


def _sort(theirs: Theirs, found: Reconciliation, named: set[int]) -> None:
    if theirs.publication is None:
        found.missing.append(theirs)
    elif theirs.publication.pk in named:
        found.again.append(theirs)
    else:
        named.add(theirs.publication.pk)
        (found.matched if theirs.member else found.outside).append(theirs)


def apply(
    review: Review, place: Place, confirmed: Iterable[tuple[int, int | None]], aside: Iterable[int]
) -> tuple[int, int]:
    """Confirm publications, each with its number in the list, and set others aside: all of it or nothing.

    Returns how many of each really changed.
    """
    wanted, done = dict(confirmed), [0, 0]
    with transaction.atomic():
        known = set(Publication.objects.filter(pk__in=wanted).values_list("pk", flat=True))
        members = {row.publication_id: row for row in review.memberships.select_for_update()}
        for pk in sorted(known):
            member = members.get(pk) or Membership(review=review, publication_id=pk)
            own = Place(place.address, wanted[pk], place.page, place.note)
            before = (member.status, member.evidence_url, member.reference_number, member.page)
            if before != (Status.CONFIRMED, own.address, own.number, own.page):
                _write(member, Status.CONFIRMED, own)
                done[0] += 1
        for pk in aside:
            listed = members.get(pk)
            if listed and listed.status != Status.ADDITIONAL and pk not in known:
                _write(listed, Status.ADDITIONAL, Place(place.address, None, place.page))
                done[1] += 1
    return done[0], done[1]


def place_of(address: str, number: str = "", page: str = "", note: str = "") -> Place:
    """A place as it was typed. Raises ``ValidationError`` with what is wrong."""
    number = number.strip()
    if number and not (number.isascii() and number.isdigit() and 0 < int(number[:6]) <= 32767):
        raise ValidationError(f"A reference number is a whole number from 1 on, not {number[:20]!r}.")
    if not address.strip().startswith(("http://", "https://")):
        raise ValidationError("Evidence needs an address that begins with http:// or https://.")
    return Place(address.strip(), int(number) if number else None, page.strip(), note.strip())

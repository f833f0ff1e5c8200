"""What waits for a curator, a screener or the owner: the first thing the curation pages show."""

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlencode

from django.contrib.auth.models import User
from django.db.models import Count, Q
from django.urls import reverse

from reproductions.models import Run, Submission
from review.models import ImportBatch, ImportEntry, Likeness, Membership, Review, Stage
from review.screening import work
from techniques.models import CatalogueReport, Claim, ProblemReport

ENDED_BADLY = (Run.Status.FAILED, Run.Status.TIMED_OUT, Run.Status.LOST)


@dataclass(frozen=True)
class Waiting:
    """A kind of work: how much of it waits, what to do with it, where, and the permission that it needs."""

    count: int
    one: str
    many: str
    todo: str
    address: str
    needs: str

    @property
    def what(self) -> str:
        """What waits, in the right number."""
        return self.one if self.count == 1 else self.many


def for_user(user: User) -> list[Waiting]:
    """What waits for ``user``, kinds of work without any left out. A fixed number of queries."""
    return [one for one in (*_evidence(), *_knowledge(), *_proof()) if one.count and user.has_perm(one.needs)]


def _evidence() -> Iterator[Waiting]:
    open_batches = Q(batch__state__in=(ImportBatch.State.READY, ImportBatch.State.APPLIED))
    entries = ImportEntry.objects.filter(open_batches, outcome=ImportEntry.Outcome.MAYBE, ruling="").count()
    pairs = Likeness.objects.filter(state=Likeness.State.MAYBE).count()
    yield Waiting(
        entries + pairs,
        "possible duplicate",
        "possible duplicates",
        "Say whether they are the same.",
        reverse("duplicates"),
        "review.change_publication",
    )
    batches = ImportBatch.objects.filter(state__in=(ImportBatch.State.READING, ImportBatch.State.READY)).count()
    yield Waiting(
        batches,
        "import to confirm",
        "imports to confirm",
        "Read the report, then confirm or discard.",
        _list("review_importbatch", state__exact=ImportBatch.State.READY),
        "review.change_importbatch",
    )
    conflicts = sum(work.conflicting(stage).count() for stage in Stage)
    yield Waiting(
        conflicts,
        "conflict between screeners",
        "conflicts between screeners",
        "Read both and resolve.",
        reverse("screening"),
        "review.change_review",
    )
    reviews = Review.objects.annotate(
        open=Count("memberships", filter=Q(memberships__status=Membership.Status.RECONSTRUCTED))
    )
    for review in reviews.filter(open__gt=0):
        yield Waiting(
            review.open,
            "unconfirmed membership",
            "unconfirmed memberships",
            "Confirm them with the paper at hand.",
            reverse("membership", args=[review.slug]),
            "review.change_membership",
        )


def _knowledge() -> Iterator[Waiting]:
    yield Waiting(
        ProblemReport.objects.filter(state=ProblemReport.State.OPEN).count(),
        "reported problem",
        "reported problems",
        "Mend what is wrong, or say why it is not.",
        _list("techniques_problemreport", state__exact="open"),
        "techniques.change_problemreport",
    )
    yield Waiting(
        Claim.objects.filter(place="").count(),
        "claim without place",
        "claims without place",
        "Add the table, figure or page.",
        _list("techniques_claim", place__isempty="1"),
        "techniques.change_claim",
    )
    report = CatalogueReport.current()
    yield Waiting(
        len(report.faults) + len(report.conflicts),
        "fault or conflict of the catalogue’s files",
        "faults and conflicts of the catalogue’s files",
        "Mend the files, or decide for one side.",
        _list("techniques_cataloguereport"),
        "techniques.view_cataloguereport",
    )


def _proof() -> Iterator[Waiting]:
    yield Waiting(
        Submission.objects.filter(verdict=Submission.Verdict.AWAITING).count(),
        "record from outside",
        "records from outside",
        "Look at the doubts, then accept or decline.",
        reverse("runs-outside"),
        "reproductions.change_submission",
    )
    failed = Run.objects.filter(accepted=True, status__in=ENDED_BADLY).count()
    yield Waiting(
        failed,
        "run that ended badly",
        "runs that ended badly",
        "Read the reason on the run’s page.",
        _list("reproductions_run", status__in=",".join(ENDED_BADLY)),
        "reproductions.view_run",
    )


def _list(model: str, **chosen: str) -> str:
    """The admin's list of a model, narrowed."""
    return reverse(f"admin:{model}_changelist") + (f"?{urlencode(chosen)}" if chosen else "")

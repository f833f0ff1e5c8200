"""The evidence: reviews, the publications they are about, and which publication is a member of which review."""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from django.core.exceptions import ValidationError
from django.db import models
from django.urls import reverse
from simple_history.models import HistoricalRecords

from review.bibtex import entry_text
from review.citation import fields_from_columns, inherited, parent_key, shown_columns
from review.models.moved import Addressed

# Slugs are BibTeX keys made safe for an address; keys themselves stay verbatim.
KEY_LENGTH = 200


class WithLists(models.Model):
    """A record with lists or dicts in JSON columns: what a form emptied is an empty one, since null is no value."""

    class Meta:
        abstract = True

    def clean(self) -> None:
        """Put an empty list or dict where a form left nothing."""
        super().clean()
        for column in self._meta.concrete_fields:
            if isinstance(column, models.JSONField) and not column.null and getattr(self, column.attname) is None:
                setattr(self, column.attname, column.get_default())


class Review(Addressed, WithLists):
    """A systematic review: its citation, protocol and reported counts. ``None`` and ``[]`` mean "not reported"."""

    slug = models.SlugField(unique=True, max_length=100)
    published = models.BooleanField(default=False, help_text="A published review; otherwise a living update of ours.")
    title = models.CharField(max_length=500)
    authors = models.JSONField(default=list, blank=True, help_text="Names in order.")
    venue = models.CharField(max_length=300, blank=True)
    year = models.PositiveSmallIntegerField(null=True, blank=True)
    arxiv = models.CharField("arXiv id", max_length=40, blank=True)
    doi = models.CharField("DOI", max_length=200, blank=True)
    bibtex = models.TextField("BibTeX", blank=True)
    first_year = models.PositiveSmallIntegerField(null=True, blank=True)
    last_month = models.CharField(max_length=7, blank=True, help_text="YYYY-MM")
    databases = models.PositiveSmallIntegerField(null=True, blank=True, help_text="How many databases were searched.")
    records_identified = models.PositiveIntegerField(null=True, blank=True)
    studies_included = models.PositiveIntegerField(null=True, blank=True)
    case_studies = models.JSONField(default=list, blank=True, help_text="Keys of the publications studied as cases.")
    protocol_source = models.URLField(max_length=500, blank=True, help_text="Where the protocol details were read.")
    sources_searched = models.JSONField(default=list, blank=True)
    discovery_tools = models.JSONField(default=list, blank=True)
    search_fields = models.JSONField(default=list, blank=True)
    search_terms = models.JSONField(default=list, blank=True)
    inclusion_criteria = models.JSONField(default=list, blank=True)
    screening_tool = models.CharField(max_length=100, blank=True)
    licence_note = models.TextField(blank=True)
    reported_flow = models.JSONField(
        default=dict, blank=True, help_text="Further counts that a source reports, by the keys of the PRISMA2020 table."
    )
    screeners = models.PositiveSmallIntegerField(
        default=2, choices=((1, "one"), (2, "two, blind until both have decided")), help_text="Who reads each record."
    )
    history = HistoricalRecords()

    class Meta:
        ordering = ["-published", "slug"]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        """The published review has the short address."""
        return reverse("review") if self.published else reverse("review-other", args=[self.slug])


class Study(models.Model):
    """One piece of work, which may have several reports: a preprint and its published form are one study."""

    slug = models.SlugField(unique=True, max_length=KEY_LENGTH)
    history = HistoricalRecords()

    class Meta:
        ordering = ["slug"]
        verbose_name_plural = "studies"

    def __str__(self) -> str:
        return self.slug


class Publication(Addressed):
    """One report of a study. ``fields`` holds the BibTeX entry verbatim; the other columns are read from it."""

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="publications")
    key = models.CharField("BibTeX key", max_length=KEY_LENGTH, unique=True)
    slug = models.SlugField(max_length=KEY_LENGTH, unique=True)
    entry_type = models.CharField(max_length=40, default="article")
    title = models.CharField(max_length=1000)
    authors = models.JSONField(default=list, blank=True, help_text="Display names in order: Last, First.")
    authors_text = models.TextField(blank=True, editable=False, help_text="The names as one text, for the search.")
    venue = models.CharField(max_length=500, blank=True)
    year = models.PositiveSmallIntegerField(null=True, blank=True, db_index=True)
    doi = models.CharField("DOI", max_length=300, blank=True, db_index=True)
    arxiv_id = models.CharField("arXiv id", max_length=40, blank=True, db_index=True)
    url = models.CharField("URL", max_length=1000, blank=True)
    note = models.TextField(blank=True)
    fields = models.JSONField(
        default=list, blank=True, help_text="Every BibTeX field in order, as [name, value] with the braces inside kept."
    )
    history = HistoricalRecords()

    class Meta:
        ordering = ["-year", "key"]

    def __str__(self) -> str:
        return self.title

    def save(self, *args: object, **kwargs: object) -> None:
        """Keeps the searched form of the names in step."""
        self.authors_text = "; ".join(self.authors)
        super().save(*args, **kwargs)  # type: ignore[arg-type]

    def get_absolute_url(self) -> str:
        """The page of this publication."""
        return reverse("publication", args=[self.slug])

    def clean(self) -> None:
        """Refuses fields that no BibTeX file could hold, and reads the shown columns from the fields."""
        if not self.key:
            # Refused already; a second complaint about the same would only confuse.
            return
        if not self.fields:
            self.fields = fields_from_columns(vars(self))
        try:
            entry_text(self.key, self.entry_type, self.fields)
        except (TypeError, ValueError) as error:
            raise ValidationError(f"The fields are no BibTeX entry: {error}") from error
        for name, value in shown_columns(inherited(self.fields, parent_fields(self.fields))).items():
            setattr(self, name, value)


def parent_fields(fields: Iterable[Sequence[str]]) -> list[list[str]]:
    """The fields of the publication that an entry names as its ``crossref``; none where there is none."""
    key = parent_key(fields)
    return (Publication.objects.filter(key=key).values_list("fields", flat=True).first() or []) if key else []


class Membership(models.Model):
    """Whether a publication is one of a review's studies, and how we know."""

    class Status(models.TextChoices):
        CONFIRMED = "confirmed", "confirmed"
        RECONSTRUCTED = "reconstructed", "reconstructed"
        ADDITIONAL = "additional", "additional"

    review = models.ForeignKey(Review, on_delete=models.CASCADE, related_name="memberships")
    publication = models.ForeignKey(Publication, on_delete=models.CASCADE, related_name="memberships")
    status = models.CharField(max_length=20, choices=Status.choices)
    evidence_url = models.URLField(max_length=500, blank=True)
    reference_number = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="Its number in the review's list of references. Empty: not known."
    )
    page = models.CharField(max_length=20, blank=True, help_text="The page of the review that lists or discusses it.")
    note = models.TextField(blank=True)
    history = HistoricalRecords()

    class Meta:
        ordering = ["publication__key"]
        indexes: ClassVar = [models.Index(fields=["review", "status", "publication", "id"], name="ledger_of_review")]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["review", "publication"], name="one_membership_per_review"),
            models.CheckConstraint(
                condition=~models.Q(status="confirmed") | ~models.Q(evidence_url=""), name="confirmed_needs_evidence"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.publication_id}: {self.status}"


class LoadedRecord(models.Model):
    """What the files said of a curated record when they were last loaded: the base of the next three-way merge."""

    kind = models.CharField(max_length=40)
    key = models.CharField(max_length=2 * KEY_LENGTH + 1)
    content = models.JSONField()

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [models.UniqueConstraint(fields=["kind", "key"], name="one_base_per_record")]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"

"""The knowledge: the taxonomy, the techniques in it and the claims that papers make for them."""

from typing import Any, ClassVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.urls import reverse
from simple_history.models import HistoricalRecords
from tree_queries.models import TreeNode

from review.models import Addressed, Publication, WithLists
from techniques import claim_rules, conditions


class Source(models.Model):
    """Who drew a node of the taxonomy: the review's abstract, a public summary of it, or this catalogue ("ours")."""

    slug = models.SlugField(unique=True, max_length=60)
    name = models.CharField(max_length=200)
    url = models.URLField(max_length=500, blank=True)

    history = HistoricalRecords()

    class Meta:
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.name


class Label(Addressed):
    """What classes, responses and challenges have in common."""

    slug = models.SlugField(unique=True, max_length=60)
    name = models.CharField(max_length=200)
    definition = models.TextField(blank=True)
    source = models.ForeignKey(Source, on_delete=models.PROTECT, related_name="+")
    position = models.PositiveSmallIntegerField(default=0)
    history = HistoricalRecords(inherit=True)

    class Meta:
        abstract = True
        ordering = ["position", "slug"]

    def __str__(self) -> str:
        return self.name


class TechniqueClass(Label):
    """Training, inference or system serving."""

    class Meta(Label.Meta):
        verbose_name = "class"
        verbose_name_plural = "classes"

    def get_absolute_url(self) -> str:
        """The page of the class."""
        return reverse("taxonomy-class", args=[self.slug])


class Response(Label):
    """How inference work answers its challenges."""


class Challenge(Label):
    """A challenge that the review starts from."""


class Strategy(TreeNode, Addressed):  # type: ignore[django-manager-missing]
    """A node of the strategy tree."""

    slug = models.SlugField(unique=True, max_length=60)
    name = models.CharField(max_length=200)
    definition = models.TextField(blank=True)
    source = models.ForeignKey(Source, on_delete=models.PROTECT, related_name="+")
    position = models.PositiveSmallIntegerField(default=0)
    history = HistoricalRecords()

    class Meta:
        ordering = ["position", "slug"]
        verbose_name_plural = "strategies"

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Refuses to close a circle, whoever moved what meanwhile: the tree is held while it is looked at."""
        with transaction.atomic():
            if self.pk and self.parent_id:
                held = Strategy.objects.select_for_update().order_by("pk")
                parents = dict(held.values_list("pk", "parent_id"))
                above: int | None = self.parent_id
                while above is not None:
                    if above == self.pk:
                        raise ValidationError({"parent": "A strategy cannot stand below itself."})
                    above = parents.get(above)
            super().save(*args, **kwargs)

    def get_absolute_url(self) -> str:
        """The page of the strategy."""
        return reverse("taxonomy-strategy", args=[self.slug])


class Effect(models.TextChoices):
    """What a technique does to one side of the trade."""

    BETTER = "better", "better"
    WORSE = "worse", "worse"
    SAME = "same", "unchanged"
    DEPENDS = "depends", "depends"


class Technique(Addressed, WithLists):
    """One technique: one page, one folder, one reference implementation."""

    class Retraining(models.TextChoices):
        NONE = "none", "none"
        CALIBRATION = "calibration", "calibration data"
        FINE_TUNING = "fine-tuning", "fine-tuning"
        TRAINING = "training", "is a way of training"

    class Exactness(models.TextChoices):
        EXACT = "exact", "exact"
        LOSSY = "lossy", "lossy"

    slug = models.SlugField(unique=True, max_length=100)
    name = models.CharField(max_length=200)
    technique_class = models.ForeignKey(
        TechniqueClass, on_delete=models.PROTECT, related_name="techniques", verbose_name="class"
    )
    strategies = models.ManyToManyField(Strategy, related_name="techniques", blank=True)
    responses = models.ManyToManyField(Response, related_name="techniques", blank=True)
    challenges = models.ManyToManyField(Challenge, related_name="techniques", blank=True)
    publications = models.ManyToManyField(Publication, through="TechniquePublication", related_name="techniques")
    named = models.BooleanField(default=False, help_text="Named by a public source as part of the review.")
    wave = models.PositiveSmallIntegerField(default=9, help_text="The order of building.")
    idea = models.TextField(help_text="The idea in one sentence.")
    implementation = models.TextField(blank=True, help_text="What a minimal faithful implementation contains.")
    article = models.TextField(blank=True, help_text="Markdown; formulas in dollars; [@key] cites a publication.")
    note = models.TextField(blank=True, help_text="A doubt that belongs on the page.")
    official_code = models.URLField(max_length=500, blank=True, help_text="The authors' own code; empty: not reported.")

    speed_effect = models.CharField(max_length=10, choices=Effect.choices, blank=True)
    speed_text = models.CharField(max_length=300, blank=True)
    memory_effect = models.CharField(max_length=10, choices=Effect.choices, blank=True)
    memory_text = models.CharField(max_length=300, blank=True)
    accuracy_effect = models.CharField(max_length=10, choices=Effect.choices, blank=True)
    accuracy_text = models.CharField(max_length=300, blank=True)
    retraining = models.CharField(max_length=20, choices=Retraining.choices, blank=True)
    retraining_text = models.CharField(max_length=300, blank=True)
    exactness = models.CharField(max_length=10, choices=Exactness.choices, blank=True)
    hardware = models.JSONField(
        default=list, blank=True, help_text="any, gpu, multi-gpu, tpu, fpga, asic, cpu, ssd, cluster"
    )
    hardware_text = models.CharField(max_length=300, blank=True)
    saves = models.JSONField(
        default=list, blank=True, help_text="compute, memory, communication, energy, money, latency"
    )
    history = HistoricalRecords(m2m_fields=[strategies, responses, challenges])

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        """The page of this technique."""
        return reverse("technique", args=[self.slug])

    @property
    def short_name(self) -> str:
        """The name before its colon: "GPTQ" of "GPTQ: second-order post-training quantisation"."""
        return self.name.split(":", 1)[0]


class TechniquePublication(models.Model):
    """What a publication is to a technique."""

    class Role(models.TextChoices):
        INTRODUCES = "introduces", "introduces"
        EXTENDS = "extends", "extends"
        EVALUATES = "evaluates", "evaluates"

    technique = models.ForeignKey(Technique, on_delete=models.CASCADE, related_name="publication_roles")
    publication = models.ForeignKey(Publication, on_delete=models.PROTECT, related_name="technique_roles")
    role = models.CharField(max_length=20, choices=Role.choices)
    position = models.PositiveSmallIntegerField(default=0)
    history = HistoricalRecords()

    class Meta:
        ordering = ["position", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["technique", "publication", "role"], name="one_role_per_publication")
        ]

    def __str__(self) -> str:
        return f"{self.publication_id} {self.role} {self.technique_id}"


class TechniqueRelation(models.Model):
    """How one technique stands to another; our suggestion."""

    class Kind(models.TextChoices):
        BUILDS_ON = "builds-on", "builds on"
        COMBINES_WITH = "combines-with", "combines with"
        ALTERNATIVE_TO = "alternative-to", "alternative to"
        CONFLICTS_WITH = "conflicts-with", "conflicts with"

    technique = models.ForeignKey(Technique, on_delete=models.CASCADE, related_name="relations")
    other = models.ForeignKey(Technique, on_delete=models.CASCADE, related_name="relations_from")
    kind = models.CharField(max_length=20, choices=Kind.choices)
    note = models.CharField(max_length=300, blank=True)
    position = models.PositiveSmallIntegerField(default=0)
    history = HistoricalRecords()

    class Meta:
        ordering = ["position", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["technique", "other", "kind"], name="one_relation_of_a_kind"),
            models.CheckConstraint(condition=~models.Q(technique=models.F("other")), name="not_related_to_itself"),
        ]

    def __str__(self) -> str:
        return f"{self.technique_id} {self.kind} {self.other_id}"


class Claim(WithLists):
    """One headline figure of a paper about one technique, with the address where it was read."""

    class Kind(models.TextChoices):
        SPEEDUP = "speedup", "speed-up"
        REDUCTION = "reduction", "reduction"
        ABSOLUTE = "absolute", "absolute"
        RATIO = "ratio", "ratio"

    class Qualifier(models.TextChoices):
        UP_TO = "up_to", "up to"
        OVER = "over", "over"
        NEARLY = "nearly", "nearly"
        ABOUT = "about", "about"
        AT_LEAST = "at_least", "at least"
        UNDER = "under", "under"
        AVERAGE = "average", "on average"

    slug = models.SlugField(unique=True, max_length=120)
    technique = models.ForeignKey(Technique, on_delete=models.CASCADE, related_name="claims")
    publication = models.ForeignKey(Publication, on_delete=models.PROTECT, related_name="claims")
    metric = models.CharField(max_length=60, db_index=True)
    kind = models.CharField(max_length=20, choices=Kind.choices)
    qualifier = models.CharField(max_length=20, choices=Qualifier.choices, blank=True)
    value_low = models.FloatField(null=True, blank=True)
    value_high = models.FloatField(null=True, blank=True)
    unit = models.CharField(max_length=60)
    comparator = models.CharField(max_length=300, blank=True)
    workload = models.CharField(max_length=300, blank=True)
    hardware = models.CharField(max_length=300, blank=True, db_index=True)
    place = models.CharField(max_length=200, blank=True, help_text="Where in the paper: abstract, table, figure, page.")
    source_url = models.URLField(max_length=500)
    like_for_like = models.JSONField(
        default=dict,
        blank=True,
        validators=[conditions.validate],
        help_text="What a like-for-like measurement needs: device_class, device, devices, comparator, workload. What "
        "of ours stands for them: method, baseline, and a sweep with the points from low to high.",
    )
    tolerance = models.FloatField(default=0.1, help_text="Of the verdict, as a share: 0.1 is 10 %.")
    history = HistoricalRecords()

    class Meta:
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.slug

    def get_absolute_url(self) -> str:
        """The claim stands on its technique's page."""
        return f"{self.technique.get_absolute_url()}#{self.slug}"

    def clean(self) -> None:
        """Refuse words, units and numbers that do not agree; the rules are those of the files."""
        super().clean()
        faults: dict[str, list[str]] = {}
        for name, reason in (*claim_rules.column_faults(vars(self)), *claim_rules.faults(vars(self))):
            faults.setdefault(name, []).append(reason)
        if faults:
            raise ValidationError(faults)

    def _gain(self, value: float | None) -> float | None:
        # Overheads and sparsities are in x or % too, but a larger one is no gain.
        if value is None or "overhead" in self.metric or "sparsity" in self.metric:
            return None
        if self.kind == self.Kind.SPEEDUP:
            return {"x": value, "%": 1 + value / 100}.get(self.unit)
        if self.kind == self.Kind.REDUCTION:
            if self.unit == "x":
                return value
            if self.unit == "%" and value < 100:
                return 1 / (1 - value / 100)
        return None

    @property
    def gain_low(self) -> float | None:
        """The lower end of the claim as a factor over its comparator; ``None`` where it has no gain."""
        return self._gain(self.value_low)

    @property
    def gain_high(self) -> float | None:
        """The upper end of the claim as a factor over its comparator; ``None`` where it has no gain."""
        return self._gain(self.value_high)


class ProblemReport(models.Model):
    """What a visitor found wrong with a technique or a claim; waits in the curators' queue until one answers it."""

    class State(models.TextChoices):
        OPEN = "open", "open"
        MENDED = "mended", "mended"
        DISMISSED = "dismissed", "dismissed"

    technique = models.ForeignKey(Technique, on_delete=models.CASCADE, related_name="problem_reports")
    claim = models.ForeignKey(
        Claim, on_delete=models.CASCADE, null=True, blank=True, related_name="problem_reports",
        help_text="Empty: about the technique's page.",
    )  # fmt: skip
    text = models.TextField(max_length=4000)
    contact = models.CharField(max_length=200, blank=True, help_text="How to reach you, if you want an answer.")
    reporter = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    sender = models.CharField(max_length=64, db_index=True, editable=False, help_text="A keyed hash of the address.")
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN, db_index=True)
    answer = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    handled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    handled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at", "-pk"]

    def __str__(self) -> str:
        return f"{self.technique_id}: {self.text[:60]}"


class CatalogueReport(models.Model):
    """What the last load left for somebody to decide or to mend; one row, changed only when that changes."""

    changed_at = models.DateTimeField(auto_now=True)
    lasting = models.JSONField(default=dict, help_text="faults, conflicts, kept, vanished, notes: lists of texts.")

    class Meta:
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"{len(self.faults)} faults, {len(self.conflicts)} conflicts"

    @classmethod
    def current(cls) -> "CatalogueReport":
        """The last load's report; an empty one where nothing was ever left to do."""
        return cls.objects.first() or cls(lasting={})

    @property
    def faults(self) -> list[str]:
        """File, line, key and reason of each fault; with any, that load changed nothing."""
        return list(self.lasting.get("faults", []))

    @property
    def conflicts(self) -> list[str]:
        """The records that changed on the site and in the files alike."""
        return list(self.lasting.get("conflicts", []))

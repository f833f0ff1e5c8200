"""Old addresses: a slug that changed, or whose record was merged into another, still leads to the record."""

from typing import Any, ClassVar, Self

from django.db import models


class FormerSlug(models.Model):
    """A slug that records of one model had before; ``target`` is the row that it leads to now."""

    model = models.CharField(max_length=100, help_text="app_label.modelname")
    slug = models.CharField(max_length=200)
    target = models.BigIntegerField()

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [models.UniqueConstraint(fields=["model", "slug"], name="one_target_per_former_slug")]

    def __str__(self) -> str:
        return f"{self.model} {self.slug}"

    @classmethod
    def remember(cls, record: models.Model, slug: str) -> None:
        """From now on ``slug`` leads to ``record``, and so does what led to the old place of it."""
        cls.objects.update_or_create(model=record._meta.label_lower, slug=slug, defaults={"target": record.pk})

    @classmethod
    def merged(cls, record: models.Model, slug: str, into: models.Model) -> None:
        """``record``, whose address was ``slug``, went into another: all its addresses lead there."""
        cls.objects.filter(model=record._meta.label_lower, target=record.pk).update(target=into.pk)
        cls.remember(into, slug)

    @classmethod
    def moved(cls, model: type[models.Model], slug: str) -> models.Model | None:
        """The record that once had ``slug``; ``None`` where there is none."""
        row = cls.objects.filter(model=model._meta.label_lower, slug=slug).first()
        return model._base_manager.filter(pk=row.target).first() if row else None


class Addressed(models.Model):
    """A record with a page of its own at a slug. When a save changes the slug, the old one is remembered."""

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Remembers the slug that this save replaces; a slug in use again is no former one."""
        super().save(*args, **kwargs)
        read, slug = getattr(self, "_slug_read", None), self.__dict__.get("slug")
        if read and slug and read != slug:
            FormerSlug.remember(self, read)
            FormerSlug.objects.filter(model=self._meta.label_lower, slug=slug).delete()
        self._slug_read = slug

    @classmethod
    def from_db(cls, *args: Any, **kwargs: Any) -> Self:
        """Keeps the slug as it was read."""
        row = super().from_db(*args, **kwargs)
        row._slug_read = row.__dict__.get("slug")  # type: ignore[attr-defined]
        return row

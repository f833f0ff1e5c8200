"""What the addresses are filled with: the biggest, the deepest and the rarest that this database holds."""

import re
from typing import Any

from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.db.models import Count
from django.test import Client

from reproductions.models import Device, Run
from review.models import Membership, Publication, Record, Review
from scaling.addresses import STRANGER
from techniques.models import Strategy, Technique, TechniqueClass

SYNTHETIC = "synthetic-update"


def facts() -> dict[str, Any]:
    """Names and numbers for the rows of the table."""
    busiest = Technique.objects.annotate(n=Count("runs")).order_by("-n", "slug")
    runs = Run.objects.filter(technique=busiest[0], status="succeeded", smoke=False)
    found: dict[str, Any] = {
        "technique": busiest[0].slug,
        "unmeasured": busiest.reverse()[0].slug,
        "coded": "flash-attention",
        "class": TechniqueClass.objects.annotate(n=Count("techniques")).order_by("-n", "slug")[0].slug,
        "strategy": Strategy.objects.annotate(n=Count("techniques")).order_by("-n", "slug")[0].slug,
        "publication": Publication.objects.filter(claims__isnull=False).order_by("pk")[0].slug,
        "deep": Publication.objects.filter(slug__startswith="synthetic-").order_by("pk")[0].slug,
        "review": SYNTHETIC,
        "device": Device.objects.annotate(n=Count("runs")).order_by("-n", "slug")[0].slug,
        "run": runs.latest("pk").run_id,
        "sampled": Run.objects.filter(origin="published").earliest("pk").run_id,
        "waiting": Run.objects.filter(status="queued").earliest("pk").run_id,
        "record": Record.objects.filter(decisions__isnull=False).earliest("pk").pk,
        "rare": rare(),
        "last_publications": -(-Publication.objects.count() // 50),
        "last_ledger": -(-Membership.objects.filter(review__slug=SYNTHETIC).count() // 50),
        "last_runs": -(-Run.objects.count() // 50),
    }
    return found | of_admin()


def rare() -> str:
    """A word of one of the synthetic titles that few share: the longest made-up word of the last one."""
    title = Publication.objects.filter(slug__startswith="synthetic-").latest("pk").title
    return max(re.findall(r"[a-z]+", title), key=lambda word: (len(word) == 6, word))


def of_admin() -> dict[str, Any]:
    """For each model of the admin a row, a row of its history and the number of the last page of its list."""
    found: dict[str, Any] = {}
    for model, page in admin.site._registry.items():
        label = f"{model._meta.app_label}_{model._meta.model_name}"
        rows = model._base_manager.order_by("pk")
        row = Review.objects.get(slug=SYNTHETIC) if model is Review else rows.last()
        if row is None:
            continue
        found[f"row_{label}"] = row.pk
        found[f"last_{label}"] = page.paginator(rows, page.list_per_page).num_pages
        if hasattr(model, "history"):
            version = model.history.filter(id=row.pk).order_by("pk").first()  # type: ignore[attr-defined]
            if version:
                found[f"version_{label}"] = version.pk
    return found


def client(role: str) -> Client:
    """Somebody of a group, who may come into the admin; the stranger of none."""
    made = Client(HTTP_HOST="127.0.0.1")
    if role != STRANGER:
        name = "synthetic-user-000" if role == "screener" else f"synthetic-{role}"
        user, _ = User.objects.get_or_create(username=name, defaults={"is_staff": True})
        if not user.is_staff:
            User.objects.filter(pk=user.pk).update(is_staff=True)
        user.groups.set(Group.objects.filter(name=role))
        made.force_login(user)
    return made

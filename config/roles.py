"""What each group may do. Permissions exist only after ``post_migrate``, so they are given there, at every migrate."""

from typing import Any

from django.contrib.auth.models import Group, Permission
from django.db.models import Q

CURATED = Q(content_type__app_label__in=("review", "techniques")) & ~Q(codename__contains="_historical")
TOKENS = Q(content_type__app_label="reproductions", content_type__model="token") & ~Q(codename="delete_token")
VIEWED = ~TOKENS & Q(
    content_type__app_label__in=("review", "techniques", "reproductions"), codename__startswith="view_"
)
REMARKED = Q(content_type__app_label="reproductions", content_type__model="remark")
RUN_BENCHMARK = Q(content_type__app_label="reproductions", codename="run_benchmark")
SCREENING = Q(content_type__app_label="review", codename__in=("add_decision", "change_decision", "change_record"))
# Whether a record from outside counts is a curator's to say.
SUBMISSIONS = Q(content_type__app_label="reproductions", codename="change_submission")
# Runs are never edited; who may change them may cancel those of others.
RUNS = Q(content_type__app_label="reproductions", codename="change_run")
PEOPLE = Q(content_type__app_label="auth")

GRANTS: dict[str, Q] = {
    "reader": VIEWED,
    "screener": VIEWED | SCREENING,
    "curator": VIEWED | CURATED | REMARKED | SUBMISSIONS,
    "runner": VIEWED | RUN_BENCHMARK | TOKENS,
    "owner": VIEWED | CURATED | REMARKED | SUBMISSIONS | RUN_BENCHMARK | TOKENS | RUNS | PEOPLE,
}


def grant(**kwargs: Any) -> None:
    """Give each group exactly its permissions; a receiver of ``post_migrate``."""
    for name, which in GRANTS.items():
        group, _ = Group.objects.get_or_create(name=name)
        group.permissions.set(Permission.objects.filter(which))

"""Records for tests: plain functions with sound defaults. Keyword arguments override any column.

``world(n)`` fills every relation with ``n`` rows; pages pin their number of queries on ``world(3)`` and ``world(30)``.
"""

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from django.contrib.auth.models import Group, Permission, User
from django.test import Client
from django.utils import timezone

from reproductions.models import Device, Measurement, Run, Worker
from review.models import Membership, Publication, Review, Study
from techniques.models import (
    Challenge,
    Claim,
    Response,
    Source,
    Strategy,
    Technique,
    TechniqueClass,
    TechniquePublication,
    TechniqueRelation,
)

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
_numbers = count(1)


def user(*permissions: str, **columns: Any) -> User:
    """A user with these permissions of the reproductions app, for instance ``run_benchmark``."""
    number = next(_numbers)
    made = User.objects.create_user(**{"username": f"user-{number}", "password": "a long secret"} | columns)
    made.user_permissions.set(
        Permission.objects.filter(codename__in=permissions, content_type__app_label="reproductions")
    )
    return made


def signed_in(group: str, staff: bool = True) -> Client:
    """A client of somebody in ``group``."""
    client = Client()
    member = user(is_staff=staff)
    member.groups.add(Group.objects.get(name=group))
    client.force_login(member)
    return client


def review(**columns: Any) -> Review:
    number = next(_numbers)
    return Review.objects.create(**{"slug": f"review-{number}", "title": f"Review {number}"} | columns)


def publication(**columns: Any) -> Publication:
    number = next(_numbers)
    key = columns.get("key", f"key-{number}")
    slug = columns.get("slug", key.replace(":", "-").lower())
    title = columns.get("title", f"Publication {number}")
    defaults = {
        "key": key,
        "slug": slug,
        "title": title,
        "authors": ["Doe, Jane", "Roe, Richard"],
        "venue": "A Venue",
        "year": 2021,
        "fields": [["title", title], ["author", "Doe, Jane and Roe, Richard"], ["year", "2021"]],
    }
    if "study" not in columns:
        columns["study"], _ = Study.objects.get_or_create(slug=slug)
    return Publication.objects.create(**defaults | columns)


def membership(review: Review, publication: Publication, status: str = "reconstructed", **columns: Any) -> Membership:
    if status == "confirmed":
        columns.setdefault("evidence_url", "https://example.org/list")
    return Membership.objects.create(review=review, publication=publication, status=status, **columns)


def source(**columns: Any) -> Source:
    slug = columns.pop("slug", "ours")
    return Source.objects.get_or_create(slug=slug, defaults={"name": slug} | columns)[0]


def technique_class(**columns: Any) -> TechniqueClass:
    slug = columns.pop("slug", "training")
    defaults = {"name": slug.capitalize(), "source": source(), "definition": f"What {slug} means."}
    return TechniqueClass.objects.get_or_create(slug=slug, defaults=defaults | columns)[0]


def strategy(**columns: Any) -> Strategy:
    number = next(_numbers)
    defaults = {"slug": f"strategy-{number}", "name": f"Strategy {number}", "source": source(), "definition": "How."}
    return Strategy.objects.create(**defaults | columns)


def response(**columns: Any) -> Response:
    number = next(_numbers)
    return Response.objects.create(
        **{"slug": f"response-{number}", "name": f"Response {number}", "source": source()} | columns
    )


def challenge(**columns: Any) -> Challenge:
    number = next(_numbers)
    return Challenge.objects.create(
        **{"slug": f"challenge-{number}", "name": f"Challenge {number}", "source": source()} | columns
    )


def technique(strategies: list[Strategy] | None = None, **columns: Any) -> Technique:
    number = next(_numbers)
    defaults = {
        "slug": f"technique-{number}",
        "name": f"Technique {number}: what it is",
        "idea": "One sentence.",
        "article": "## Problem\n\nWords.\n\n## Limits\n\n- none known",
        "technique_class": columns.get("technique_class") or technique_class(),
        "speed_effect": "better",
        "retraining": "none",
        "exactness": "exact",
        "hardware": ["gpu"],
        "saves": ["compute"],
    }
    made = Technique.objects.create(**defaults | columns)
    made.strategies.set(strategies or [])
    return made


def introduces(technique: Technique, publication: Publication, role: str = "introduces") -> TechniquePublication:
    return TechniquePublication.objects.create(technique=technique, publication=publication, role=role)


def related(technique: Technique, other: Technique, kind: str = "combines-with", note: str = "") -> TechniqueRelation:
    return TechniqueRelation.objects.create(technique=technique, other=other, kind=kind, note=note)


def claim(technique: Technique, publication: Publication | None = None, **columns: Any) -> Claim:
    number = next(_numbers)
    defaults = {
        "slug": f"claim-{number}",
        "metric": "throughput",
        "kind": "speedup",
        "value_low": 2.0,
        "value_high": 2.0,
        "unit": "x",
        "comparator": "the baseline",
        "hardware": "NVIDIA A100",
        "source_url": "https://example.org/paper",
    }
    return Claim.objects.create(
        technique=technique, publication=publication or globals()["publication"](), **defaults | columns
    )


def device(**columns: Any) -> Device:
    number = next(_numbers)
    return Device.objects.create(**{"slug": f"device-{number}", "name": f"Device {number}", "kind": "cpu"} | columns)


def run(technique: Technique, **columns: Any) -> Run:
    """A succeeded run of size cpu, asked for a minute later than the one before."""
    asked = NOON + timedelta(minutes=next(_numbers))
    status = columns.get("status", Run.Status.SUCCEEDED)
    defaults: dict[str, Any] = {"size": "cpu", "status": status, "asked_at": asked, "origin": Run.Origin.SITE}
    if status != Run.Status.QUEUED:
        defaults["started_at"] = asked + timedelta(seconds=1)
    if status in Run.TERMINAL:
        defaults["finished_at"] = asked + timedelta(seconds=61)
    if columns.get("size") == "tiny":
        defaults["smoke"] = True
    return Run.objects.create(technique=technique, **defaults | columns)


def worker(**columns: Any) -> Worker:
    """An idle worker of a machine of its own that serves every queue, with a processor and torch."""
    number = next(_numbers)
    machine = columns.get("machine", f"machine-{number}")
    defaults: dict[str, Any] = {
        "machine": machine,
        "pid": 1000 + number,
        "queues": ["*"],
        "slot": f"{machine}/cpu",
        "kind": "cpu",
        "cores": 2,
        "memory_bytes": 16 * 2**30,
        "versions": {"python": "3.11.7", "torch": "2.13.0", "atlas": "0.1.0"},
        "state": "idle",
        "beats": 1,
        "beat_at": timezone.now(),
        "started_at": timezone.now(),
    }
    return Worker.objects.create(**defaults | columns)


def measurement(run: Run, **columns: Any) -> Measurement:
    """One pooled row: the method's time at fill 0.5, in seconds."""
    defaults = {
        "variant": "packed",
        "role": "method",
        "sweep": "fill",
        "point": "0.5",
        "point_value": 0.5,
        "metric": "time",
        "unit": "s",
        "better": "lower",
        "median": 0.01,
        "ci_low": 0.009,
        "ci_high": 0.011,
        "n": 15,
        "position": next(_numbers),
    }
    return Measurement.objects.create(run=run, **defaults | columns)


def world(size: int) -> Technique:
    """``size`` rows in every relation, all hanging on the technique that is returned (slug ``hub``)."""
    one = review(published=True, title="The published review", bibtex="@article{review, title={The review}}")
    hub = technique(slug="hub", name="Hub: the middle of everything", technique_class=technique_class())
    root = strategy()
    for slug in ("inference", "serving"):
        technique_class(slug=slug)
    machine = device()
    for number in range(size):
        branch = strategy(parent=root)
        other = technique([branch, root], technique_class=technique_class(slug=("training", "inference")[number % 2]))
        paper = publication(key=f"paper-{number}", year=2018 + number % 6)
        membership(one, paper, ("confirmed", "reconstructed", "additional")[number % 3])
        for one_technique in (hub, other):
            one_technique.strategies.add(branch)
            one_technique.responses.add(response())
            one_technique.challenges.add(challenge())
            introduces(one_technique, paper)
            claim(one_technique, paper)
            _measured(run(one_technique, device=machine if number % 2 else device(), asked_by=user()))
        related(hub, other)
        related(other, hub, "alternative-to")
    return hub


def _measured(run: Run) -> None:
    for point in (0.5, 1.0):
        for role, variant in (("baseline", "padded"), ("method", "packed")):
            at = {"role": role, "variant": variant, "point": str(point), "point_value": point}
            measurement(run, **at, null_point=point == 1.0)
            measurement(run, **at, metric="speedup", unit="x", better="higher", median=1 / point)

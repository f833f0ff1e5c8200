"""The version of what an answer is made of, read from the database in a query or two, not from the answer itself."""

import hashlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import Max
from django.http import HttpRequest

from reproductions.models import Remark, Run, Submission
from review.models import Membership, Publication, Review, Study
from techniques import models as techniques

# Every change of a curated record leaves a row of history, so the newest row tells whether anything changed.
CURATED: tuple[Any, ...] = (
    Publication, Membership, Study, Review, techniques.Technique, techniques.TechniquePublication,
    techniques.TechniqueRelation, techniques.Claim, techniques.TechniqueClass, techniques.Strategy, techniques.Response,
    techniques.Challenge, techniques.Source,
)  # fmt: skip
PROVEN: tuple[Any, ...] = (Remark, Submission)
GOING = ("pk", "status", "phase", "attempts", "progress_done", "progress_text", "cancel_requested", "started_at")


def curated() -> object:
    """The version of all that curators care for. One query."""
    return _newest(CURATED)


def ended() -> object:
    """The version of the runs that have ended, and of what was decided about them. Two queries."""
    return _newest(PROVEN), list(Run.objects.aggregate(Max("pk"), Max("finished_at")).values())


def going() -> object:
    """The version of the runs that wait or are at work. One query."""
    unended = Run.objects.filter(status__in=(Run.Status.QUEUED, *Run.ACTIVE)).order_by("pk")
    return list(unended.values_list(*GOING))


# By the first word of an address: what its answers are made of.
MADE_OF: dict[str, tuple[Callable[[], object], ...]] = {
    "publications": (curated,),
    "taxonomy": (curated,),
    "techniques": (curated, ended),
    "claims": (curated, ended),
    "devices": (curated, ended),
    "measurements": (curated, ended),
    "runs": (curated, ended, going),
}


def of(request: HttpRequest, topic: str) -> str:
    """The entity tag of an answer: of its address and of the versions that it depends on."""
    parts = [made() for made in MADE_OF.get(topic, ())]
    return tag(request.build_absolute_uri(), *parts)


def tag(*parts: object) -> str:
    """A strong entity tag of these parts and of the code that writes answers."""
    text = repr((settings.VERSION, code(), *parts))
    return f'"{hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]}"'


@lru_cache(maxsize=1)
def code() -> str:
    """A digest of the code that answers are made by: another version of it makes other answers of the same records."""
    digest = hashlib.sha256()
    here = Path(__file__).resolve().parent
    for path in sorted([*here.rglob("*.py"), *here.parent.glob("*.py"), *(here.parent / "queries").glob("*.py")]):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _newest(models: tuple[Any, ...]) -> tuple[int | None, ...]:
    quoted = connection.ops.quote_name
    tables = [quoted(model.history.model._meta.db_table) for model in models]
    with connection.cursor() as cursor:
        # Names of tables alone, from the models.
        cursor.execute("SELECT " + ", ".join(f"(SELECT MAX(history_id) FROM {table})" for table in tables))  # noqa: S608
        return tuple(cursor.fetchone())

"""Who may open what: every address of the site with a stranger and with each group.

An address without a row here fails ``test_every_address_has_its_row``, so that no page comes without its answer.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from reproductions.models import Remark, Run, Submission, Token
from review.models import (
    ChecklistAnswer,
    Criterion,
    Decision,
    ImportBatch,
    Likeness,
    Publication,
    Record,
    Search,
)
from techniques.models import CatalogueReport, Claim, ProblemReport
from tests import factories

pytestmark = pytest.mark.django_db
ROLES = ("stranger", "reader", "screener", "curator", "runner", "owner")
# One letter for each role: . opened or done, R led elsewhere, L led to the sign-in, F refused, M no such method,
# N not found, T a token asked for. What a POST that is sent empty leads to beyond that is the matter of the page's own
# tests.
EVERYBODY, SIGNED_IN, NOBODY, METHOD = "......", "L.....", "LFFFFF", "MMMMMM"
CURATORS, SCREENERS, OWNERS = "LFF.F.", "LF..F.", "LFFFF."
READ = (EVERYBODY, EVERYBODY)
# Name → whom a GET and a POST let in.
PAGES = {
    "home": READ, "search": READ, "healthz": READ, "taxonomy": READ, "taxonomy-class": READ, "taxonomy-strategy": READ,
    "curate": (SIGNED_IN, SIGNED_IN),
    "techniques": READ, "technique": READ, "technique-code": READ, "technique-history": READ,
    "technique-measurements": READ, "technique-measurements-csv": READ,
    "technique-report": READ, "publications": READ, "publication": READ, "publication-history": READ,
    "publication-bib": READ, "publication-csv": READ, "publication-ris": READ, "publication-csl": READ,
    "publications-bib": READ,
    "publications-ris": READ, "publications-csl": READ, "publications-csv": READ, "publications-json": READ,
    "review": READ, "review-other": READ, "review-flow-csv": READ, "review-flow-box": READ, "review-checklist": READ,
    "review-checklist-csv": READ, "review-checklist-md": READ, "claims": READ, "claims-csv": READ,
    "measurements-csv": READ, "devices": READ, "device": READ, "runs": READ, "run": READ, "run-live": READ,
    "run-json": READ, "run-compare": READ, "run-compare-csv": READ,
    **{f"api:{name}": (EVERYBODY, METHOD) for name in (
        "start", "document", "docs", "publications", "publication", "techniques", "technique", "taxonomy", "classes",
        "class", "responses", "response", "challenges", "challenge", "strategies", "strategy", "claims", "claim",
        "run", "measurements", "measurement", "devices", "device")},
    "api:runs": (EVERYBODY, "TTTTTT"), "runs-feed": (EVERYBODY, METHOD), "changes-feed": (EVERYBODY, METHOD),
    "metrics": ("NNNNN.", METHOD), "operations": (OWNERS, "LFFFFM"),
    "runs-outside": READ, "run-decide": (METHOD, CURATORS),
    "technique-run": (METHOD, "FFFF.."), "run-cancel": (METHOD, "LFFFF."),
    "run-again": (METHOD, "LFFF.."),
    "login": READ, "logout": (METHOD, EVERYBODY), "login-link": ("FFFFFF", METHOD),
    "password_change": (SIGNED_IN, SIGNED_IN), "password_change_done": (SIGNED_IN, "LMMMMM"),
    "article-preview": (METHOD, CURATORS), "citations": (CURATORS, METHOD), "citations-json": (CURATORS, METHOD),
    "duplicates": (CURATORS, CURATORS), "duplicates-find": (METHOD, CURATORS),
    "duplicates-decide": (METHOD, CURATORS), "duplicates-take-back": (METHOD, CURATORS),
    "membership": (CURATORS, CURATORS), "membership-reconcile": (CURATORS, CURATORS),
    "membership-settle": (METHOD, CURATORS),
    "screening": (SIGNED_IN, SIGNED_IN), "screening-begin": (METHOD, CURATORS),
    "screening-review": (SIGNED_IN, SIGNED_IN), "screening-retrieval": (SCREENERS, SCREENERS),
    "screening-conflicts": (CURATORS, CURATORS), "screening-record": (CURATORS, CURATORS),
    "screening-read": (SCREENERS, SCREENERS),
    "screening-decide": (METHOD, SCREENERS), "screening-take-back": (METHOD, SCREENERS),
    "flow-import": (CURATORS, CURATORS), "checklist-answer": (CURATORS, CURATORS),
    "admin:index": (SIGNED_IN, SIGNED_IN), "admin:app_list": (SIGNED_IN, SIGNED_IN),
    "admin:login": (".RRRRR", EVERYBODY), "admin:logout": ("RMMMMM", EVERYBODY),
    "admin:password_change": (SIGNED_IN, SIGNED_IN), "admin:password_change_done": (SIGNED_IN, "LMMMMM"),
    "admin:autocomplete": ("LFFFFF", "LMMMMM"), "admin:jsi18n": (SIGNED_IN, "LMMMMM"),
    "admin:view_on_site": ("LNNNNN", "LNNNNN"), "admin:auth_user_password_change": (OWNERS, OWNERS),
    **{f"admin:review_importbatch_{name}": ("LMMMMM", CURATORS) for name in ("step", "confirm", "undo", "discard")},
    "admin:review_importbatch_report": (SIGNED_IN, SIGNED_IN),
    "admin:techniques_claim_sheet": (CURATORS, CURATORS), "admin:techniques_claim_reading": ("LMMMMM", CURATORS),
    **{f"admin:techniques_{name}_merge": (CURATORS, CURATORS) for name in ("response", "challenge", "strategy")},
    "admin:techniques_strategy_move": ("LMMMMM", CURATORS),
}  # fmt: skip
LOOK = {"changelist": (SIGNED_IN, SIGNED_IN), "history": (SIGNED_IN, SIGNED_IN), "add": (NOBODY, NOBODY),
        "change": (SIGNED_IN, NOBODY), "delete": (NOBODY, NOBODY)}  # fmt: skip
# The pages that the admin has for each model of a kind.
KINDS = {
    "curated": {
        "changelist": (SIGNED_IN, SIGNED_IN), "history": (SIGNED_IN, SIGNED_IN), "change": (SIGNED_IN, CURATORS),
        "simple_history": (SIGNED_IN, CURATORS),
        **dict.fromkeys(("add", "delete", "deleted"), (CURATORS, CURATORS)),
    },
    "looked at": LOOK,
    "answered": LOOK | {"change": (SIGNED_IN, CURATORS)},
    "imported": LOOK | {"add": (CURATORS, CURATORS), "change": (SIGNED_IN, SIGNED_IN)},
    # The blind of screening hides the decision of the world below.
    "blind": LOOK | {"change": ("LRRRRR", NOBODY), "history": ("LRRRRR", SIGNED_IN)},
    # Each sees his own alone; that of the world below is another's.
    "kept to oneself": {
        "changelist": ("LFFF..", "LFFF.."), "add": ("LFFF..", "LFFF.."), "change": ("LFFFR.", "LFFF.."),
        "history": ("LRRRR.", "L....."), "delete": (NOBODY, NOBODY),
    },
    "people": dict.fromkeys(LOOK, (OWNERS, OWNERS)),
}  # fmt: skip
MODELS = {
    "curated": ("review.review", "review.study", "review.publication", "review.membership", "review.search",
                "review.criterion", "techniques.claim", "techniques.source", "techniques.techniqueclass",
                "techniques.response", "techniques.challenge", "techniques.strategy", "techniques.technique",
                "reproductions.remark"),
    "looked at": ("review.record", "techniques.cataloguereport", "reproductions.device", "reproductions.run",
                  "reproductions.measurement", "reproductions.submission"),
    "kept to oneself": ("reproductions.token",),
    "answered": ("techniques.problemreport",),
    "imported": ("review.importbatch",),
    "blind": ("review.decision",),
    "people": ("auth.group", "auth.user"),
}  # fmt: skip
TABLE = PAGES | {
    f"admin:{model.replace('.', '_')}_{page}": row
    for kind, models in MODELS.items()
    for model in models
    for page, row in KINDS[kind].items()
}
OF_A_ROW = {"change", "delete", "history", "merge", "simple_history", "password_change"}
ARGUMENTS = {
    "technique": ["hub"], "technique-code": ["hub"], "technique-history": ["hub"],
    "technique-measurements": ["hub"], "technique-measurements-csv": ["hub"], "technique-report": ["hub"],
    "technique-run": ["hub"], "publication": ["paper-0"], "publication-history": ["paper-0"],
    "publication-bib": ["paper-0"], "publication-csv": ["paper-0"], "publication-ris": ["paper-0"],
    "publication-csl": ["paper-0"],
    "taxonomy-class": ["training"], "taxonomy-strategy": ["a-strategy"], "device": ["a-device"],
    "review-other": ["update"], "review-flow-csv": ["update"], "review-flow-box": ["update", "identified"],
    "review-checklist": ["update"], "review-checklist-csv": ["update"], "review-checklist-md": ["update"],
    "membership": ["update"], "membership-reconcile": ["update"], "membership-settle": ["update", "{publication}"],
    "duplicates-decide": ["likeness", "{likeness}"], "duplicates-take-back": ["likeness", "{likeness}"],
    "screening-review": ["update"], "screening-retrieval": ["update"], "screening-conflicts": ["update"],
    "screening-record": ["update", "{record}"],
    "screening-read": ["update", "abstract"], "screening-decide": ["update", "abstract"],
    "screening-take-back": ["update", "abstract"], "flow-import": ["update"], "checklist-answer": ["update", "1"],
    "api:publication": ["paper-0"], "api:technique": ["hub"], "api:class": ["training"],
    "api:response": ["a-response"], "api:challenge": ["a-challenge"], "api:strategy": ["a-strategy"],
    "api:claim": ["a-claim"], "api:run": ["{run}"], "api:measurement": ["{measurement}"], "api:device": ["a-device"],
    "admin:app_list": ["review"], "admin:view_on_site": ["1", "1"],
    **{f"admin:review_importbatch_{name}": ["{batch}"] for name in ("step", "confirm", "undo", "discard")},
    "admin:review_importbatch_report": ["{batch}", "json"],
    "run": ["{run}"], "run-live": ["{run}"], "run-cancel": ["{run}"],
    "run-again": ["{run}"], "run-json": ["{measured}"],
    "run-decide": ["{measured}"],
}  # fmt: skip


@pytest.fixture
def world() -> dict[str, object]:
    """Something of everything; returns the numbers of what has no name of its own."""
    hub = factories.world(1)
    factories.strategy(slug="a-strategy")
    factories.device(slug="a-device")
    factories.response(slug="a-response")
    factories.challenge(slug="a-challenge")
    factories.claim(hub, slug="a-claim")
    update = factories.review(slug="update", published=False)
    papers = [Publication.objects.get(key="paper-0"), factories.publication(), factories.publication()]
    factories.membership(update, papers[0])
    search = Search.objects.create(review=update, slug="a-search", source="A source")
    criterion = Criterion.objects.create(review=update, slug="a-criterion", kind="exclusion", name="Off topic")
    record = Record.objects.create(review=update, search=search, slug="a-record", publication=papers[1])
    user = factories.user()
    Decision.objects.create(record=record, slug="a-decision", stage="abstract", screener="one", verdict="exclude",
                            reason=criterion, decided_at=timezone.now())  # fmt: skip
    ChecklistAnswer.objects.create(review=update, item="1", text="Yes.")
    likeness = Likeness.objects.create(earlier=papers[0], later=papers[2], score=0.9)
    batch = ImportBatch.objects.create(file_name="a.bib", format="bibtex", file="imports/none.bib", state="ready")
    claim = Claim.objects.filter(technique=hub)[0]
    Remark.objects.create(claim=claim, text="A remark.", author=user)
    ProblemReport.objects.create(technique=hub, claim=claim, text="Something is wrong.", sender="x")
    CatalogueReport.objects.create(lasting={"faults": ["a fault"]})
    run = factories.run(hub, status=Run.Status.QUEUED, asked_by=user)
    measured = factories.run(hub, record={"started": "2026-01-31T12:00:00Z", "commit": "abc", "run_id": "x"})
    token = Token.objects.create(name="a machine", owner=user, digest="0" * 64, shown="atlas_123456")
    Submission.objects.create(run=measured, token=token, who="Somebody", received_at=timezone.now())
    return {"publication": papers[0].pk, "likeness": likeness.pk, "batch": batch.pk,
            "record": record.pk, "run": run.run_id, "measured": measured.run_id,
            "measurement": factories.measurement(measured).pk}  # fmt: skip


def client_of(role: str, staff: bool = True) -> Client:
    """Somebody of a group; of the staff, who may come into the admin, what is theirs there the group decides."""
    client = Client()
    if role != "stranger":
        user = factories.user(is_staff=staff)
        user.groups.add(Group.objects.get(name=role))
        client.force_login(user)
    return client


def again(client: Client) -> Client:
    """The same person anew, whatever the last request did to the session."""
    fresh = Client()
    fresh.cookies.update(client.cookies)
    return fresh


def letter(answer, method: str) -> str:
    """What became of a request, in one letter."""
    if answer.status_code in {301, 302}:
        to_login = "/login/" in answer.url
        return "L" if to_login else "." if method == "post" else "R"
    assert answer.status_code < 500
    known = {200: ".", 401: "T", 403: "F", 404: "N", 405: "M", 400: ".", 409: ".", 422: ".", 429: "."}
    return known[answer.status_code]


def named(patterns: list[URLPattern | URLResolver], space: str = "") -> Iterator[str]:
    """The name of every address."""
    for one in patterns:
        if isinstance(one, URLResolver):
            yield from named(one.url_patterns, space + (f"{one.namespace}:" if one.namespace else ""))
        elif one.name:
            yield space + one.name


def address(name: str, world: dict[str, object]) -> str:
    rows = {f"{m._meta.app_label}_{m._meta.model_name}": m for m in admin.site._registry}
    for label, model in rows.items():
        if name.startswith(f"admin:{label}_") and (page := name.removeprefix(f"admin:{label}_")) in OF_A_ROW:
            row: Any = model._base_manager.first()
            more = [row.history.first().pk] if page == "simple_history" else []
            return reverse(name, args=[row.pk if row else 1, *more])
    return reverse(name, args=[str(one).format(**world) for one in ARGUMENTS.get(name, [])])


def test_every_address_has_its_row():
    assert set(named(get_resolver().url_patterns)) == set(TABLE)


@pytest.mark.slow
@pytest.mark.parametrize("role", ROLES)
def test_each_address_lets_in_whom_the_table_says(world, role):
    wrong = []
    place = ROLES.index(role)
    client = client_of(role)
    for name, row in TABLE.items():
        page = address(name, world)
        # What everybody may read takes no notice of the method; one role is asked for all.
        row = row[:1] if row == READ and role != "stranger" else row
        for method, letters in zip(("get", "post"), row, strict=False):
            # Each request finds the world as it was, and the person signed in.
            with transaction.atomic():
                found = letter(getattr(again(client), method)(page), method)
                transaction.set_rollback(True)
            if found != letters[place]:
                wrong.append(f"{method} {page} ({name}): {found} instead of {letters[place]}")
    assert wrong == []


@pytest.mark.parametrize("role", ROLES[1:])
def test_who_is_not_of_the_staff_is_led_to_the_door_of_the_admin(world, role):
    client = client_of(role, staff=False)
    for name in TABLE:
        if name.startswith("admin:") and name not in {"admin:login", "admin:logout"}:
            for method in (client.get, client.post):
                answer = method(address(name, world))
                assert (answer.status_code, "/login/" in answer.url) == (302, True), name

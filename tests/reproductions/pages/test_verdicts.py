"""The seven verdicts, each from a record at the door to the words on the pages; and what a curator may add."""

import json
import re
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from reproductions.ingest import ingest
from reproductions.models import Remark, Run
from techniques.models import Claim, Technique
from tests import factories
from tests.reproductions.standin import record

pytestmark = pytest.mark.django_db
A100 = {"kind": "cuda", "name": "NVIDIA A100-SXM4-80GB", "slug": "nvidia-a100", "count": 1}
LIKE = {"device": "NVIDIA A100", "devices": 1, "comparator": "padded", "sweep": "fill", "low": 0.1, "high": 0.6}
PAGE = "/techniques/bytetransformer/"


def made(speedup: float, **changes: Any) -> dict[str, Any]:
    """A record of size gpu in which packed is ``speedup`` times as fast as padded at fill 0.5."""
    sound = record(str(uuid4()), "bytetransformer", "gpu", device=A100)
    at = {"sweep": "fill", "point": 0.5}
    ends = {"median": speedup, "ci_low": speedup * 0.99, "ci_high": speedup * 1.01, "samples": [speedup]}
    time, ratio = sound["measurements"]
    return sound | {
        "cases": [sound["cases"][0] | at | {"null_point": False}],
        "gates": [gate | at for gate in sound["gates"]],
        "measurements": [time | at, ratio | at | ends],
    } | changes  # fmt: skip


def put(content: dict[str, Any]) -> Run:
    return ingest(json.dumps(content).encode(), origin=Run.Origin.PUBLISHED)


@pytest.fixture
def claim() -> Claim:
    technique = factories.technique(slug="bytetransformer", name="ByteTransformer: packed")
    return factories.claim(technique, slug="c", metric="latency", value_low=4.0, value_high=4.0, like_for_like=LIKE)


def failed() -> dict[str, Any]:
    bad = {"method": "packed", "role": "method", "sweep": "fill", "point": 0.5, "passed": False, "error": 0.5}
    why = "packed disagrees with the oracle"
    return made(4.0, status="failed", reason=why, gates=[bad | {"reason": why}], measurements=[])


CASES = [
    ("within", "replicated", lambda: put(made(4.0))),
    ("below", "below the claim", lambda: put(made(2.0))),
    ("above", "above the claim", lambda: put(made(8.0))),
    ("unlike", "not like for like", lambda: put(made(4.0, device=A100 | {"name": "H200", "slug": "h200"}))),
    ("failed", "failed", lambda: put(failed())),
    ("implemented", "implemented", lambda: None),
]


@pytest.mark.parametrize(("mark", "word", "prepare"), CASES, ids=[mark for mark, _, _ in CASES])
def test_each_verdict_reaches_the_pages(client: Client, claim: Claim, mark: str, word: str, prepare: Any) -> None:
    prepare()
    seen = rf'class="verdict v-{mark}"><svg class="mark" aria-hidden="true"><use href="#{mark}"/></svg>{word}<'
    page = client.get(PAGE).content.decode()
    assert re.search(seen, page.split("<h1>")[0]), "beside the technique's name"
    assert re.search(seen, page[page.index('id="c-about"') :]), "beside the claim"
    for other in ("/", "/techniques/", "/claims/", "/taxonomy/training/"):
        body = client.get(other).content.decode()
        assert re.search(seen, body[body.index(f'href="{PAGE}') :]), other
    assert f",{word}," in b"".join(client.get("/claims.csv")).decode()
    chosen = client.get(f"/claims/?verdict={word.replace(' ', '-')}").content.decode()
    assert "1 of 1 claim" in chosen


def test_what_has_no_code_is_not_attempted(client: Client) -> None:
    factories.claim(factories.technique(slug="not-there"), slug="c")
    page = client.get("/techniques/not-there/").content.decode()
    assert 'v-none"' in page.split("<h1>")[0]
    assert "not attempted" in page[page.index('id="c-about"') :]


def test_every_reason_names_the_field_and_both_values(client: Client, claim: Claim) -> None:
    claim.like_for_like = {"device_class": "tpu", "devices": 8, "comparator": "JIT", "workload": "BERT"}
    claim.save()
    run = put(made(4.0))
    reasons = [
        "<b>device class</b>: claim TPU, run GPU",
        "<b>devices</b>: claim 8, run 1",
        "<b>comparator</b>: claim JIT, run padded",
        "<b>workload</b>: claim BERT, run fill 0.5, size gpu",
    ]
    for path in (PAGE, run.get_absolute_url()):
        page = client.get(path).content.decode()
        for reason in reasons:
            assert reason in page, path
    assert "claim TPU, run GPU; devices: claim 8, run 1" in b"".join(client.get("/claims.csv")).decode()


def test_the_front_page_counts_what_was_replicated(client: Client, claim: Claim) -> None:
    factories.claim(claim.technique, metric="latency", value_low=9.0, value_high=9.0, like_for_like=LIKE)
    put(made(4.0))
    assert re.search(r"<dt>claims replicated</dt><dd>1 <small>of 2; 2 judged</small>", client.get("/").content.decode())


@pytest.mark.parametrize("changes", [{"noisy": True, "noisy_reason": "others"}, {"size": "tiny", "smoke": True}])
def test_noisy_runs_and_smoke_tests_get_no_verdict(client: Client, claim: Claim, changes: dict[str, Any]) -> None:
    run = put(made(4.0, **changes))
    page = client.get(PAGE).content.decode()
    assert 'v-implemented"' in page.split("<h1>")[0]
    assert "v-within" not in page
    assert "What this run says of the claims" not in client.get(run.get_absolute_url()).content.decode()


def test_a_gpu_run_judges_a_gpu_claim_although_a_cpu_run_is_newer(client: Client, claim: Claim) -> None:
    put(made(4.0))
    put(record(str(uuid4()), "bytetransformer", "cpu") | {"finished": "2026-02-01T12:00:00Z"})
    assert 'v-within"' in client.get(PAGE).content.decode().split("<h1>")[0]


# Remarks


def signed_in(group: str) -> Client:
    client = Client()
    user = factories.user(is_staff=True, username=f"a-{group}")
    user.groups.add(Group.objects.get(name=group))
    client.force_login(user)
    return client


def remark(client: Client, claim: Claim, text: str = "Their baseline is slower than ours.") -> int:
    return client.post(reverse("admin:reproductions_remark_add"), {"claim": claim.pk, "text": text}).status_code


def test_a_curator_s_remark_stands_beside_the_verdict_and_changes_no_number(client: Client, claim: Claim) -> None:
    run = put(made(2.0))
    before = list(run.measurements.values())
    assert remark(signed_in("curator"), claim) == 302
    made_remark = Remark.objects.get()
    assert (made_remark.run, made_remark.author and made_remark.author.username) == (run, "a-curator")
    page = client.get(PAGE).content.decode()
    assert "<b>a-curator</b>" in page
    assert "Their baseline is slower than ours." in page
    assert 'v-below"' in page.split("<h1>")[0]
    assert list(run.measurements.values()) == before


@pytest.mark.parametrize("group", ["reader", "screener", "runner"])
def test_others_may_not_remark(claim: Claim, group: str) -> None:
    assert remark(signed_in(group), claim) == 403
    assert not Remark.objects.exists()


def test_a_stranger_is_led_to_the_door(client: Client, claim: Claim) -> None:
    assert remark(client, claim) == 302
    assert not Remark.objects.exists()


def test_a_remark_is_text_and_no_markup(client: Client, claim: Claim) -> None:
    remark(signed_in("curator"), claim, "<script>alert(1)</script>")
    assert "<script>alert(1)" not in client.get(PAGE).content.decode()


def test_a_curator_may_not_touch_a_measurement(claim: Claim) -> None:
    row = put(made(2.0)).measurements.first()
    assert row is not None
    page = reverse("admin:reproductions_measurement_change", args=[row.pk])
    assert signed_in("curator").post(page, {"median": "4"}).status_code == 403


def test_faulty_conditions_are_refused_with_their_key(claim: Claim) -> None:
    page = reverse("admin:techniques_claim_change", args=[claim.pk])
    form = {name: getattr(claim, name) for name in ("slug", "metric", "kind", "unit", "source_url", "tolerance")}
    form |= {"technique": claim.technique_id, "publication": claim.publication_id, "like_for_like": "devises = 8"}
    answer = signed_in("curator").post(page, form)
    assert answer.status_code == 200
    assert "devises: unknown; known: device_class" in answer.content.decode()
    assert Technique.objects.get().claims.get().like_for_like == LIKE

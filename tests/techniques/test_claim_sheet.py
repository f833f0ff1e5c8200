"""Claims edited where they stand: in the sheet, in the technique's page, and what is said while one is typed."""

import pytest
from django.test import Client
from django.urls import reverse

from techniques import claim_sheet
from techniques.claim_forms import FIELDS
from techniques.models import Claim, Technique
from tests import factories
from tests.factories import signed_in

pytestmark = pytest.mark.django_db
SHEET, READING = "admin:techniques_claim_sheet", "admin:techniques_claim_reading"


def row(claim: Claim, **changes: object) -> dict[str, object]:
    """What a browser sends of the row of ``claim``."""
    cells = {name: getattr(claim, name) for name in FIELDS} | changes
    sent = {f"c{claim.pk}-{name}": "" if value is None else value for name, value in cells.items()}
    return sent | {f"c{claim.pk}-seen": claim_sheet.fingerprint(Claim.objects.get(pk=claim.pk))}


def send(client: Client, *rows: dict[str, object]):
    sent: dict[str, object] = {"row": []}
    for one in rows:
        sent |= one
        sent["row"].append(next(iter(one)).split("-")[0].removeprefix("c"))  # type: ignore[attr-defined]
    return client.post(reverse(SHEET), sent)


@pytest.mark.parametrize(("group", "status"), [("reader", 403), ("screener", 403), ("runner", 403), ("curator", 200)])
def test_who_may_open_the_sheet(group, status):
    client, claim = signed_in(group), factories.claim(factories.technique())
    assert client.get(reverse(SHEET)).status_code == status
    assert client.post(reverse(READING), {"metric": "latency"}).status_code == status
    assert send(client, row(claim, unit="%")).status_code == (302 if status == 200 else 403)
    claim.refresh_from_db()
    assert claim.unit == ("%" if status == 200 else "x")


def test_a_stranger_is_led_to_the_door():
    for client in (Client(), signed_in("curator", staff=False)):
        for name in (SHEET, READING):
            assert reverse("admin:login") in client.get(reverse(name)).url
            assert reverse("admin:login") in client.post(reverse(name)).url


def test_touched_rows_are_saved_with_their_history_and_no_other():
    one, two = (factories.claim(factories.technique()) for _ in range(2))
    client = signed_in("curator")
    answer = send(client, row(one, place="Table 3", value_high="4.5"), row(two))
    assert answer.status_code == 302
    one.refresh_from_db()
    assert (one.place, one.value_high) == ("Table 3", 4.5)
    newest = one.history.first()
    assert (newest.history_type, newest.history_change_reason) == ("~", "edited in the sheet")
    assert newest.history_user is not None
    assert two.history.count() == 1


def test_one_fault_saves_nothing_and_loses_nothing():
    one, two = (factories.claim(factories.technique()) for _ in range(2))
    answer = send(signed_in("curator"), row(one, value_low="9"), row(two, comparator="a typed <b>word</b>"))
    body = answer.content.decode()
    assert answer.status_code == 200
    assert "9 is above the upper end, 2" in body
    assert "a typed &lt;b&gt;word&lt;/b&gt;" in body
    assert Claim.objects.filter(comparator="the baseline").count() == 2


def test_an_edit_of_somebody_else_is_not_lost():
    claim = factories.claim(factories.technique())
    mine, untouched = row(claim, comparator="mine"), row(claim)
    Claim.objects.filter(pk=claim.pk).update(comparator="theirs")
    client = signed_in("curator")
    assert send(client, untouched).status_code == 302
    assert Claim.objects.get().comparator == "theirs"
    answer = send(client, mine)
    assert "Somebody changed this claim meanwhile" in answer.content.decode()
    assert Claim.objects.get().comparator == "theirs"
    # The second time it is on purpose.
    again = mine | {f"c{claim.pk}-seen": claim_sheet.fingerprint(Claim.objects.get())}
    assert send(client, again).status_code == 302
    assert Claim.objects.get().comparator == "mine"


@pytest.mark.parametrize("sent", [{"row": "x"}, {"row": "9" * 30}, {"row": "-1"}, {"row": "424242"}, {}])
def test_rows_that_do_not_exist_do_no_harm(sent):
    assert signed_in("curator").post(reverse(SHEET), sent).status_code == 302


@pytest.mark.parametrize("value", ["nan", "inf", "1e999", "\0", "x" * 100, "²"])
def test_hostile_figures_are_refused_beside_their_field(value):
    claim = factories.claim(factories.technique())
    answer = send(signed_in("curator"), row(claim, value_low=value, comparator="a\0b"))
    assert answer.status_code == 200
    assert 'class="errorlist"' in answer.content.decode()


def test_the_sheet_shows_a_technique_or_a_filter_in_as_many_queries_however_long(django_assert_max_num_queries):
    technique, counts = factories.technique(), []
    client = signed_in("curator")
    for size in (3, 27):
        for _ in range(size):
            factories.claim(technique)
            factories.claim(factories.technique(), metric="latency")
        with django_assert_max_num_queries(20) as asked:
            body = client.get(reverse(SHEET), {"technique__id__exact": technique.pk}).content.decode()
        counts.append(len(asked))
    assert body.count('name="row"') == 30
    assert counts[0] == counts[1]
    assert client.get(reverse(SHEET), {"metric": "latency", "p": "2"}).status_code == 200
    assert client.get(reverse(SHEET), {"nonsense": "1"}).status_code == 302


def test_what_is_typed_is_read_back_with_faults_and_warnings():
    sent = {"metric": "latency", "kind": "speedup", "qualifier": "up_to", "value_low": "3", "value_high": "3",
            "unit": "x", "comparator": "X", "source_url": "ftp://a.org", "tolerance": "0.1"}  # fmt: skip
    answer = signed_in("curator").post(reverse(READING), sent).json()
    assert answer["reading"] == "up to 3 × lower latency than X"
    assert list(answer["faults"]) == ["source_url"]
    assert "No place" in answer["warnings"][0]
    assert signed_in("curator").get(reverse(READING)).status_code == 405
    assert "metric" in signed_in("curator").post(reverse(READING), {"metric": "\0", "value_low": "\0"}).json()["faults"]


def technique_form(technique: Technique) -> dict[str, object]:
    """What a browser sends of the page of ``technique``, without its claims."""
    names = ("name", "slug", "idea", "article", "note", "implementation", "official_code", "wave", "speed_effect",
             "speed_text", "memory_effect", "memory_text", "accuracy_effect", "accuracy_text", "retraining",
             "retraining_text", "exactness", "hardware", "hardware_text", "saves")  # fmt: skip
    sent = {name: getattr(technique, name) for name in names} | {"technique_class": technique.technique_class_id}
    for prefix in ("publication_roles", "relations", "claims"):
        sent |= {f"{prefix}-TOTAL_FORMS": 0, f"{prefix}-INITIAL_FORMS": 0}
    return sent


def test_claims_are_added_and_checked_in_the_page_of_their_technique():
    technique, paper = factories.technique(), factories.publication()
    client, page = signed_in("curator"), reverse("admin:techniques_technique_change", args=[technique.pk])
    assert client.get(page).status_code == 200
    sent = technique_form(technique) | {"claims-TOTAL_FORMS": 2}
    for number, unit in enumerate(("x", "stones")):
        cells = {"metric": "latency", "kind": "speedup", "value_low": 2, "value_high": 2, "unit": unit,
                 "source_url": "https://example.org", "tolerance": 0.1, "publication": paper.pk}  # fmt: skip
        sent |= {f"claims-{number}-{name}": value for name, value in cells.items()}
    answer = client.post(page, sent)
    assert answer.status_code == 200
    assert not Claim.objects.exists()
    answer = client.post(page, sent | {"claims-1-unit": "%"})
    assert answer.status_code == 302, answer.context["errors"]
    slugs = set(Claim.objects.values_list("slug", flat=True))
    assert slugs == {f"{technique.slug}-1", f"{technique.slug}-2"}


def test_conditions_are_lines_in_the_page_of_a_claim():
    claim = factories.claim(factories.technique(), like_for_like={"devices": 4, "device_class": "gpu"})
    client, page = signed_in("curator"), reverse("admin:techniques_claim_change", args=[claim.pk])
    assert "device_class = gpu\ndevices = 4" in client.get(page).content.decode()
    cells = {name: getattr(claim, name) for name in (*FIELDS, "slug")}
    cells |= {"technique": claim.technique_id, "publication": claim.publication_id, "place": "p. 3"}
    answer = client.post(page, cells | {"like_for_like": "devices four"})
    assert "is not of the form name = value" in str(answer.context["errors"])
    answer = client.post(page, cells | {"like_for_like": "workload = a\0b"})
    assert "Null characters" in str(answer.context["errors"])
    answer = client.post(page, cells | {"like_for_like": "low = nan\nsweep = x"})
    assert "low: must be a number" in str(answer.context["errors"])
    answer = client.post(page, cells | {"like_for_like": f"devices = {'9' * 5000}"})
    assert answer.status_code == 200
    answer = client.post(page, cells | {"like_for_like": "devices = none"})
    assert "whole number" in str(answer.context["errors"])
    answer = client.post(page, cells | {"like_for_like": "devices = 8\r\nsweep = fill\nlow = 0.5\n"})
    assert answer.status_code == 302
    claim.refresh_from_db()
    assert claim.like_for_like == {"devices": 8, "sweep": "fill", "low": 0.5}

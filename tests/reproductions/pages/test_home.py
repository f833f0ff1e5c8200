"""The front page: claims beside measurements, and plain numbers."""

import re

import pytest
from django.test import Client

from tests import factories

pytestmark = pytest.mark.django_db


def text_of(client: Client) -> str:
    return client.get("/").content.decode()


def test_a_claim_without_a_measurement_has_no_point(client: Client) -> None:
    factories.claim(factories.technique(slug="waiting", name="Waiting: x"))
    text = text_of(client)
    assert "1 technique claims a speed-up. None has been measured here yet." in text
    assert "1 technique not attempted yet" in text
    row = text[text.index('href="/techniques/waiting/"') :]
    assert "claim-edge" in row
    assert "<circle" not in row
    assert "not measured" in row


def test_the_newest_quiet_measurement_stands_beside_its_claim(client: Client) -> None:
    technique = factories.technique(slug="bytetransformer", name="ByteTransformer: x")
    factories.claim(technique, value_low=6.13, value_high=6.13)
    speed = {"metric": "speedup", "unit": "x", "better": "higher"}
    factories.measurement(factories.run(technique), median=2.0, ci_low=1.9, ci_high=2.1, **speed)
    best = factories.run(technique, device=factories.device(name="A laptop"))
    for value in (1.5, 3.0):
        factories.measurement(best, median=value, point=str(value), **speed)
    factories.measurement(best, median=9.0, point="null", null_point=True, **speed)
    factories.measurement(best, median=8.0, role="peer", variant="library", **speed)
    factories.measurement(best, median=7.0, process=0, **speed)
    factories.measurement(factories.run(technique, size="tiny"), median=99.0, **speed)
    factories.measurement(factories.run(technique, noisy=True), median=88.0, **speed)
    text = text_of(client)
    assert re.findall(r'c-meas"><span>([\d.]+ ×)</span>', text) == ["3.00 ×"]
    assert "1 has been measured here." in text


def test_one_row_per_technique_with_its_highest_claim(client: Client) -> None:
    technique = factories.technique(name="Many: x")
    for value in (2.0, 5.0, 3.0):
        factories.claim(technique, value_low=value, value_high=value)
    factories.claim(technique, value_low=900, value_high=900, unit="%")
    factories.claim(technique, value_low=50, value_high=50, unit="x", kind="reduction")
    assert re.findall(r'c-claim">([^<]+)<', text_of(client)) == ["5 ×"]


def test_a_technique_without_a_speed_up_is_not_in_the_chart(client: Client) -> None:
    factories.claim(factories.technique(), kind="absolute", unit="TFLOP/s")
    assert "c-claim" not in text_of(client)


def test_numbers_are_counted_from_the_records(client: Client) -> None:
    factories.world(4)
    text = text_of(client)
    assert re.search(r"<dt>publications</dt><dd>4</dd>", text)
    assert re.search(r"<dt>confirmed in the review</dt><dd>2", text)
    assert re.search(r"<dt>claims, each with its source</dt><dd>8</dd>", text)
    assert re.search(r"<dt>techniques</dt><dd>5</dd>", text)
    assert re.search(r"<dt>claims replicated</dt><dd><small>none yet: no run is like for like</small></dd>", text)


def test_the_newest_runs_are_listed(client: Client) -> None:
    run = factories.run(factories.technique())
    queued = factories.run(factories.technique(), status="queued")
    text = text_of(client)
    assert run.get_absolute_url() in text
    assert queued.get_absolute_url() not in text

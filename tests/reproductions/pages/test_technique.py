"""The page of a technique: the order of docs/look.md, and what stands where there is nothing."""

import re

import pytest
from django.test import Client, override_settings

from reproductions import sources
from reproductions.models import Device, Run
from techniques.models import Claim, Technique
from tests import factories

pytestmark = pytest.mark.django_db

ORDER = ("h-lab", "h-trade", "h-chart", "problem", "h-code", "h-run", "h-runs", "h-pub", "h-rel", "h-lim", "h-cite")
MOST_BYTES = 150_000


@pytest.fixture
def technique() -> Technique:
    """One with a reference implementation, an article, a claim, a publication and a relation."""
    made = factories.technique(
        slug="bytetransformer",
        name="ByteTransformer: padding-free",
        article="## Problem\n\nPadding [@byte].\n\n[[code:method.py:packed]]\n\n## What we measured\n\n[[measured]]\n\n"
        "## Limits\n\n- none of the fused kernels",
    )
    paper = factories.publication(key="byte", authors=["Zhai, Y.", "Jiang, C.", "Wang, L."], year=2023)
    factories.introduces(made, paper)
    factories.claim(made, paper, value_low=6.13, value_high=6.13, like_for_like={"device": "NVIDIA A100"})
    factories.related(made, factories.technique(name="Other: thing"))
    return made


def text_of(client: Client, path: str = "/techniques/bytetransformer/") -> str:
    response = client.get(path)
    assert response.status_code == 200
    return response.content.decode()


def measured(technique: Technique, **columns: object) -> Run:
    device = Device.objects.filter(name="A laptop").first() or factories.device(name="A laptop")
    run = factories.run(technique, device=device, **columns)
    for point in (0.25, 1.0):
        at = {"point": str(point), "point_value": point, "null_point": point == 1.0}
        factories.measurement(run, **at)
        factories.measurement(
            run,
            metric="speedup",
            unit="x",
            better="higher",
            median=1 / point,
            ci_low=0.9 / point,
            ci_high=1.1 / point,
            **at,
        )
    return run


def test_the_parts_stand_in_the_order_of_the_look(client: Client, technique: Technique) -> None:
    text = text_of(client)
    places = [text.find(f'id="{name}"') for name in ORDER]
    assert -1 not in places
    assert places == sorted(places)


def test_the_page_stays_small(client: Client, technique: Technique) -> None:
    for _ in range(20):
        measured(technique)
    assert len(text_of(client).encode()) <= MOST_BYTES


def test_citations_and_code_are_linked(client: Client, technique: Technique) -> None:
    text = text_of(client)
    assert re.search(r'href="/publications/byte/"[^>]*>Zhai et al., 2023</a>', text)
    listing = sources.function("bytetransformer", "method.py", "packed")
    assert listing is not None
    assert f'href="#method-{listing.first}"' in text
    assert f'id="method-{listing.first}"' in text


def test_nothing_measured_is_said_and_never_zero(client: Client, technique: Technique) -> None:
    text = text_of(client)
    assert "Not measured yet." in text
    assert "No runs yet." in text
    assert not re.search(r">0(\.0+)? ×<", text)


def test_a_measurement_stands_beside_the_claim_and_says_why_it_differs(client: Client, technique: Technique) -> None:
    measured(technique)
    text = text_of(client)
    assert "<span>4.00 ×</span>" in text
    assert "not like for like" in text
    assert "<b>device</b>: claim NVIDIA A100, run A laptop" in text
    assert 'id="sweep-1-data"' in text
    assert "null point" in text
    assert "Measured on older code" in text


def test_todays_code_is_not_called_older(client: Client, technique: Technique) -> None:
    measured(technique, code_digest=sources.digest("bytetransformer"))
    assert "older code" not in text_of(client)


def test_a_smoke_test_is_in_the_chart_s_table_and_is_no_measurement(client: Client, technique: Technique) -> None:
    measured(technique, size="tiny")
    text = text_of(client)
    assert "packed, tiny (smoke, not a measurement)" in text
    assert "Not measured yet." in text
    assert "<span>4.00 ×</span>" not in text


def test_a_noisy_run_gives_way_to_a_quiet_one(client: Client, technique: Technique) -> None:
    quiet = measured(technique)
    factories.measurement(quiet, point="0.125", point_value=0.125, metric="speedup", unit="x", median=7.77)
    measured(technique, noisy=True, noisy_reason="other load")
    text = text_of(client)
    assert "other load" not in text
    assert "7.77 ×" in text[text.index('id="chart"') : text.index('class="article"')]


def test_a_failed_gate_is_the_verdict(client: Client, technique: Technique) -> None:
    measured(technique)
    factories.run(technique, status=Run.Status.FAILED, record_digest="x")
    assert 'class="verdict v-failed"' in text_of(client).split("<h1>")[0]


def test_a_crash_is_no_verdict(client: Client, technique: Technique) -> None:
    measured(technique)
    factories.run(technique, status=Run.Status.FAILED)
    assert 'class="verdict v-unlike"' in text_of(client).split("<h1>")[0]


def test_what_was_not_attempted_says_so(client: Client) -> None:
    factories.technique(slug="not-there", article="")
    text = text_of(client, "/techniques/not-there/")
    assert 'class="verdict v-none"' in text
    assert "There is nothing to run yet" in text
    assert "The article is not written yet." in text
    assert "not reported" in text


def test_a_stranger_sees_the_way_in_and_the_command(client: Client, technique: Technique) -> None:
    text = text_of(client)
    assert "/login/?next=/techniques/bytetransformer/" in text
    assert "python -m reproductions.harness run bytetransformer --size cpu" in text
    assert 'action="/techniques/bytetransformer/run/"' not in text


def test_a_runner_gets_the_button_with_what_to_expect(client: Client, technique: Technique) -> None:
    client.force_login(factories.user("run_benchmark"))
    measured(technique, size="tiny")
    factories.run(technique, status=Run.Status.QUEUED)
    with override_settings(TORCH_INSTALLED=True):
        text = text_of(client)
    assert 'action="/techniques/bytetransformer/run/"' in text
    assert "csrfmiddlewaretoken" in text
    assert "1 min 0 s" in text
    assert "1 run waiting or at work" in text


@override_settings(TORCH_INSTALLED=False)
def test_without_torch_the_page_says_how_to_get_it(client: Client, technique: Technique) -> None:
    client.force_login(factories.user("run_benchmark"))
    text = text_of(client)
    assert "Benchmarks unavailable on this machine" in text
    assert '<button class="button">Run' not in text


def test_cite_this_page_names_version_and_review(client: Client, technique: Technique, settings: object) -> None:
    factories.review(published=True, bibtex="@article{thereview, title={R}}")
    text = text_of(client)
    assert f"version {settings.VERSION}" in text  # type: ignore[attr-defined]
    assert "@article{thereview" in text


def test_official_code_or_not_reported(client: Client, technique: Technique) -> None:
    assert "<dd>not reported</dd>" in text_of(client)
    Technique.objects.update(official_code="https://example.org/code")
    assert 'href="https://example.org/code"' in text_of(client)


def test_only_what_was_measured_is_the_best_speed_up(client: Client, technique: Technique) -> None:
    run = measured(technique)
    factories.measurement(run, sweep="devices", metric="speedup", unit="x", median=17.1, simulated=True)
    runs = text_of(client)
    runs = runs[runs.index('id="h-runs"') : runs.index('id="h-pub"')]
    assert "4.00 ×" in runs
    assert "17.1 ×" not in runs


def test_a_claim_is_drawn_only_over_its_comparator(client: Client, technique: Technique) -> None:
    Claim.objects.update(comparator="restart", like_for_like={"device": "NVIDIA A100"})
    run = measured(technique)
    factories.measurement(run, role="baseline", variant="padded")
    factories.measurement(run, sweep="deaths", role="baseline", variant="restart")
    for point in (1, 2):
        at = {"point": str(point), "point_value": point, "median": point}
        factories.measurement(run, sweep="deaths", metric="speedup", unit="x", **at)
    _, first, second = re.split(r'id="sweep-\d-data"', text_of(client))
    assert "over restart" not in first.split("</script>")[0]
    assert "over restart" in second.split("</script>")[0]


def test_an_axis_has_its_unit_from_the_record(client: Client, technique: Technique) -> None:
    measured(technique, record={"cases": [{"sweep": "fill", "point": 0.25, "unit": "of the longest"}]})
    assert '"text": "fill, of the longest"' in text_of(client)

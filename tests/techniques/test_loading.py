"""Files into the database: merged record by record, whole or not at all, twice as once."""

from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core import serializers
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import Model
from django.forms import modelform_factory
from django.test.utils import CaptureQueriesContext

from review.models import LoadedRecord, Membership, Publication, Review, Study
from techniques.loading import load
from techniques.models import CatalogueReport, Claim, Response, Source, Strategy, Technique, TechniqueClass
from tests import factories
from tests.techniques.small_catalogue import ALPHA, BETA, BIB, MEMBERS, PAGE, REVIEWS, TAXONOMY, edit, small_catalogue

pytestmark = pytest.mark.django_db


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return small_catalogue(tmp_path)


def rows() -> list[dict[str, Any]]:
    """Every row of both floors, those of the merge included."""
    models = [model for app in ("review", "techniques") for model in apps.get_app_config(app).get_models()]
    return [row for model in models for row in serializers.serialize("python", model._base_manager.order_by("pk"))]


def test_everything_arrives(root: Path) -> None:
    report = load(root)
    assert report.ok
    assert len(report.created) == 16
    alpha = Technique.objects.get(slug="alpha")
    assert (alpha.technique_class.slug, alpha.named, alpha.wave, alpha.saves) == ("training", True, 1, ["latency"])
    assert (alpha.speed_effect, alpha.accuracy_text, alpha.exactness) == ("better", "a little", "lossy")
    assert alpha.article == "## Problem\n\nToo much [@alpha]."
    assert {strategy.slug for strategy in alpha.strategies.all()} == {"part", "whole"}
    assert [(link.publication.key, link.role) for link in alpha.publication_roles.all()] == [
        ("alpha", "introduces"), ("beta", "evaluates"),
    ]  # fmt: skip
    assert [(link.other.slug, link.kind, link.note) for link in alpha.relations.all()] == [
        ("beta", "combines-with", "both")
    ]
    claim = Claim.objects.get(slug="alpha-1")
    assert (claim.technique, claim.value_low, claim.value_high, claim.tolerance) == (alpha, 2.0, 3.5, 0.1)
    assert claim.like_for_like == {"device_class": "gpu", "devices": 4}
    assert Strategy.objects.get(slug="part").parent == Strategy.objects.get(slug="whole")
    assert [strategy.slug for strategy in Strategy.objects.all()] == ["whole", "part"]
    member = Membership.objects.get(publication__key="alpha")
    assert (member.status, member.evidence_url) == ("confirmed", "https://example.org/list")
    review = Review.objects.get()
    assert (review.records_identified, review.studies_included, review.authors) == (983, None, ["Ann Other"])


def test_publication_is_verbatim_and_shown_decoded(root: Path) -> None:
    load(root)
    alpha = Publication.objects.get(key="alpha")
    assert alpha.fields[0] == ["title", "{Alpha}: a way"]
    assert ["month", "jul"] in alpha.fields
    assert (alpha.title, alpha.authors, alpha.venue) == (
        "Alpha: a way", ["Doe, Jane", "The Alpha Team"], "Journal of Ways",
    )  # fmt: skip
    assert alpha.authors_text == "Doe, Jane; The Alpha Team"


def test_reports_of_one_study(root: Path) -> None:
    load(root)
    study = Study.objects.get(slug="beta")
    assert {publication.key for publication in study.publications.all()} == {"beta", "beta-preprint"}
    assert Study.objects.count() == 2


def test_second_load_changes_no_row_and_writes_nothing(root: Path) -> None:
    load(root)
    before = rows()
    with CaptureQueriesContext(
        connection,
    ) as queries:
        report = load(root)
    assert (report.created, report.updated, report.kept, report.conflicts) == ([], [], [], [])
    assert rows() == before
    assert {query["sql"].split(" ")[0] for query in queries} <= {"SELECT", "SAVEPOINT", "RELEASE"}


def test_number_of_queries_does_not_grow_with_the_records(root: Path) -> None:
    load(root)
    with CaptureQueriesContext(connection) as few:
        load(root)
    bib = (root / BIB).read_text(encoding="utf-8")
    more = "".join(f"\n@misc{{more-{n},\n  title = {{More}}\n}}\n" for n in range(30))
    (root / BIB).write_text(bib + more, encoding="utf-8")
    load(root)
    with CaptureQueriesContext(connection) as many:
        load(root)
    assert len(many) == len(few) <= 25


def test_faults_change_nothing_and_are_kept_for_the_owner(root: Path) -> None:
    load(root)
    edit(root, ALPHA, "wave = 1", "wave = 2")
    edit(root, TAXONOMY, 'parent = "whole"', 'parent = "gone"')
    before = rows()
    report = load(root)
    assert [fault.file for fault in report.faults] == [TAXONOMY]
    assert rows()[: len(before)] == before
    assert CatalogueReport.current().faults == [str(report.faults[0])]
    edit(root, TAXONOMY, 'parent = "gone"', 'parent = "whole"')
    assert load(root).updated == ["technique alpha"]
    assert CatalogueReport.current().faults == []


def test_untouched_records_follow_the_files(root: Path) -> None:
    load(root)
    edit(root, ALPHA, '["part", "whole"]', '["whole"]')
    edit(root, ALPHA, 'key = "beta"\nrole = "evaluates"', 'key = "beta-preprint"\nrole = "extends"')
    edit(root, ALPHA, "value_high = 3.5", "value_high = 4")
    edit(root, PAGE, "Too much", "Far too much")
    edit(root, BIB, "{{Alpha}: a way}", "{{Alpha}: the way}")
    edit(root, TAXONOMY, 'parent = "whole"', 'parent = ""')
    edit(root, MEMBERS, "beta,reconstructed,,", "beta,additional,,seen")
    number = Technique.objects.get(slug="alpha").pk
    report = load(root)
    assert report.updated == [
        "publication alpha", "membership the-review/beta", "strategy part", "technique alpha", "claim alpha-1",
    ]  # fmt: skip
    alpha = Technique.objects.get(slug="alpha")
    assert alpha.pk == number
    assert [strategy.slug for strategy in alpha.strategies.all()] == ["whole"]
    assert [link.publication.key for link in alpha.publication_roles.all()] == ["alpha", "beta-preprint"]
    assert alpha.article.endswith("Far too much [@alpha].")
    assert Claim.objects.get(slug="alpha-1").value_high == 4
    assert Publication.objects.get(key="alpha").title == "Alpha: the way"
    assert Strategy.objects.get(slug="part").parent is None
    assert Membership.objects.get(publication__key="beta").note == "seen"


def test_edits_on_the_site_stay(root: Path) -> None:
    load(root)
    alpha = Technique.objects.get(slug="alpha")
    alpha.idea = "Do even less."
    alpha.save()
    alpha.strategies.clear()
    edit(root, BETA, "Do it later.", "Do it never.")
    report = load(root)
    assert report.ok
    assert report.kept == ["technique alpha: edited on the site: idea, strategies"]
    assert report.updated == ["technique beta"]
    alpha.refresh_from_db()
    assert alpha.idea == "Do even less."
    assert CatalogueReport.current().lasting["kept"] == report.kept


@pytest.mark.parametrize(
    "model",
    [Review, Membership, Source, TechniqueClass, Response, Strategy, Technique, Claim],
    ids=lambda m: m.__name__,
)
def test_a_form_that_changed_nothing_is_no_edit(model: type[Model], root: Path) -> None:
    load(root)
    made = modelform_factory(model, fields="__all__")
    for row in model._base_manager.all():
        shown = made(instance=row)
        data = {name: shown[name].value() for name in shown.fields if name != "publications"}
        # As a browser sends it: no value where there is none, and its own returns.
        sent = {
            name: value.replace("\n", "\r\n") + "\r\n" if name == "article" else value
            for name, value in data.items()
            if value is not None and value is not False
        }
        form = made(sent, instance=row)
        form.fields.pop("publications", None)
        assert form.is_valid(), form.errors
        form.save()
    report = load(root)
    assert (report.kept, report.conflicts, report.updated) == ([], [], [])


@pytest.mark.parametrize(("slug", "column"), [("alpha", "saves"), ("alpha", "hardware")])
def test_a_list_emptied_in_a_form_is_an_empty_list(slug: str, column: str, root: Path) -> None:
    load(root)
    form = modelform_factory(Technique, fields=[column])({column: ""}, instance=Technique.objects.get(slug=slug))
    assert form.is_valid()
    assert getattr(form.save(), column) == []
    assert load(root).kept == [f"technique {slug}: edited on the site: {column}"]


def both_sides(root: Path) -> None:
    load(root)
    Technique.objects.filter(slug="alpha").update(idea="The site's.")
    edit(root, ALPHA, "Do less.", "The file's.")


def test_conflict_is_named_and_left_alone(root: Path) -> None:
    both_sides(root)
    edit(root, ALPHA, "value_high = 3.5", "value_high = 4")
    for _ in range(2):
        report = load(root)
        assert report.conflicts == ["technique alpha: changed on the site (idea) and in the files (idea)"]
        assert Technique.objects.get(slug="alpha").idea == "The site's."
        assert Claim.objects.get(slug="alpha-1").value_high == 4
    assert CatalogueReport.current().conflicts == report.conflicts


@pytest.mark.parametrize(("prefer", "idea"), [("file", "The file's."), ("site", "The site's.")])
def test_preference_decides_conflicts_for_good(prefer: Any, idea: str, root: Path) -> None:
    both_sides(root)
    assert load(root, prefer).ok
    assert Technique.objects.get(slug="alpha").idea == idea
    assert load(root).ok
    assert Technique.objects.get(slug="alpha").idea == idea


def test_preference_leaves_edits_that_are_no_conflict(root: Path) -> None:
    load(root)
    Technique.objects.filter(slug="alpha").update(idea="The site's.")
    load(root, "file")
    assert Technique.objects.get(slug="alpha").idea == "The site's."


def test_the_same_edit_on_both_sides_is_agreement(root: Path) -> None:
    both_sides(root)
    Technique.objects.filter(slug="alpha").update(idea="The file's.")
    report = load(root)
    assert report.ok
    assert (report.updated, report.kept) == ([], [])


def test_what_leaves_the_files_is_reported_and_never_deleted(root: Path) -> None:
    load(root)
    edit(root, MEMBERS, "beta,reconstructed,,\n", "")
    report = load(root)
    assert report.vanished == ["membership the-review/beta: left the files, kept on the site"]
    assert report.ok
    assert Membership.objects.count() == 2


def test_what_the_site_alone_has_stays_unmentioned(root: Path) -> None:
    load(root)
    factories.claim(factories.technique(slug="own"))
    report = load(root)
    assert (report.created, report.updated, report.kept, report.vanished, report.conflicts) == ([], [], [], [], [])
    assert Technique.objects.filter(slug="own").exists()


def test_same_record_made_on_both_sides(root: Path) -> None:
    factories.technique_class(slug="training", name="Other training")
    report = load(root)
    assert "class training: made on the site and in the files" in report.conflicts[0]
    assert TechniqueClass.objects.get().name == "Other training"
    assert load(root, "file").updated == ["class training"]
    assert TechniqueClass.objects.get().name == "Training"


def test_deletion_on_the_site_stays_and_its_dependants_with_it(root: Path) -> None:
    load(root)
    Technique.objects.get(slug="beta").delete()
    report = load(root)
    assert report.ok
    assert report.kept == ["technique alpha: edited on the site: related", "technique beta: deleted on the site"]
    assert not Technique.objects.filter(slug="beta").exists()


def test_new_record_that_needs_a_deleted_one_is_a_conflict(root: Path) -> None:
    load(root)
    Technique.objects.get(slug="beta").delete()
    text = (root / BETA).read_text(encoding="utf-8")
    claim = '[[claims]]\nid = "beta-1"\npublication = "beta"\nmetric = "latency"\nkind = "ratio"\nunit = "x"\n'
    (root / BETA).write_text(f'{text}\n{claim}source_url = "https://example.org"\n', encoding="utf-8")
    report = load(root)
    assert report.conflicts == ["claim beta-1: points at technique beta, which was deleted on the site"]
    assert not Claim.objects.filter(slug="beta-1").exists()


def test_deleted_record_that_changed_in_the_files(root: Path) -> None:
    load(root)
    Technique.objects.get(slug="beta").delete()
    edit(root, BETA, "Do it later.", "Do it never.")
    assert load(root).conflicts == ["technique beta: deleted on the site, changed in the files: idea"]
    assert load(root, "file").created == ["technique beta"]
    assert Technique.objects.get(slug="beta").idea == "Do it never."


def test_two_sound_edits_that_would_close_a_circle(root: Path) -> None:
    load(root)
    edit(root, TAXONOMY, 'parent = "whole"', 'parent = ""')
    load(root)
    part = Strategy.objects.get(slug="part")
    Strategy.objects.filter(slug="whole").update(parent=part)
    edit(root, TAXONOMY, 'name = "Part"\nparent = ""', 'name = "Part"\nparent = "whole"')
    report = load(root)
    assert report.conflicts == ["strategy part: would be its own ancestor"]
    assert Strategy.objects.get(slug="part").parent is None


def test_forgotten_where_both_sides_let_go(root: Path) -> None:
    load(root)
    Membership.objects.filter(publication__key="beta").delete()
    edit(root, MEMBERS, "beta,reconstructed,,\n", "")
    assert load(root).vanished == []
    assert not LoadedRecord.objects.filter(key="the-review/beta").exists()


def test_address_taken_on_the_site_gets_a_number(root: Path) -> None:
    factories.publication(key="Alpha!", slug="alpha")
    assert load(root).ok
    assert Publication.objects.get(key="alpha").slug == "alpha-2"


def test_publication_moves_to_another_study(root: Path) -> None:
    load(root)
    (root / "review/data/studies.csv").unlink()
    assert load(root).updated == ["publication beta-preprint"]
    assert Publication.objects.get(key="beta-preprint").study.slug == "beta-preprint"


def test_command_says_what_it_did_and_ends_with_a_status(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("load_catalogue", "--from", str(root))
    assert "16 created, 0 updated" in capsys.readouterr().out
    Technique.objects.filter(slug="alpha").update(idea="The site's.")
    edit(root, ALPHA, "Do less.", "The file's.")
    with pytest.raises(CommandError, match="technique alpha: changed on the site"):
        call_command("load_catalogue", "--from", str(root))
    call_command("load_catalogue", "--from", str(root), "--prefer", "file")
    edit(root, REVIEWS, "year = 2024", "yaer = 2024")
    edit(root, BIB, "month = jul", "month = juli")
    with pytest.raises(CommandError) as failure:
        call_command("load_catalogue", "--from", str(root))
    assert "review/data/reviews.toml:6: [review] the-review: yaer: unknown key" in str(failure.value)
    assert "review/data/publications.bib:5: alpha: month: undefined @string 'juli'" in str(failure.value)
    assert failure.value.returncode == 1


def test_command_refuses_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="no such folder"):
        call_command("load_catalogue", "--from", str(tmp_path / "gone"))

"""The database into files, from which a load gives the same database."""

import csv
import io
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db.models import Model

from reproductions.models import Run
from review.models import LoadedRecord, Publication, Review, Study
from review.storing import Store
from techniques import exporting
from techniques.catalogue_files import KINDS
from techniques.exporting import ExportRefused, export
from techniques.loading import load
from techniques.models import Strategy, Technique
from tests import factories
from tests.techniques.small_catalogue import FILES, MEMBERS, small_catalogue

pytestmark = pytest.mark.django_db


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def records() -> dict[str, object]:
    store = Store(KINDS)
    store.read()
    return dict(store.contents)


def empty_the_database() -> None:
    Run.objects.all().delete()
    Strategy.objects.update(parent=None)
    models: list[type[Model]] = [LoadedRecord, *(kind.model for kind in reversed(KINDS))]
    for model in models:
        model._base_manager.all().delete()


def test_sorted_files_come_out_as_they_went_in(tmp_path: Path) -> None:
    load(small_catalogue(tmp_path / "in"))
    export(tmp_path / "out")
    out = {name: text.decode() for name, text in files(tmp_path / "out").items()}
    for name, text in FILES.items():
        # What may be left out of a file is written all the same, and two files begin with a word of explanation.
        assert all(line in out[name].split("\n") for line in text.strip().split("\n") if line), name
    assert out[MEMBERS] == FILES[MEMBERS]


@pytest.mark.parametrize("shipped", [False, True], ids=["small", "shipped"])
def test_export_load_export_is_byte_identical_and_the_same_database(shipped: bool, tmp_path: Path) -> None:
    load(settings.BASE_DIR if shipped else small_catalogue(tmp_path / "in"))
    before = records()
    export(tmp_path / "one")
    empty_the_database()
    assert load(tmp_path / "one").ok
    assert records() == before
    export(tmp_path / "two")
    assert files(tmp_path / "one") == files(tmp_path / "two")


def test_loading_an_export_into_its_own_database_changes_nothing(tmp_path: Path) -> None:
    load(small_catalogue(tmp_path / "in"))
    Technique.objects.filter(slug="alpha").update(idea="Edited here.")
    export(tmp_path / "out")
    report = load(tmp_path / "out")
    assert report.ok
    assert (report.created, report.updated, report.kept) == ([], [], [])


def test_what_was_made_on_the_site_is_exported(tmp_path: Path) -> None:
    factories.world(3)
    living = factories.review(slug="living", title="A living update")
    factories.membership(living, Publication.objects.get(key="paper-0"), note="later")
    study = Study.objects.get(slug="paper-1")
    Publication.objects.filter(key="paper-2").update(study=study)
    Study.objects.get(slug="paper-2").delete()
    Technique.objects.filter(slug="hub").update(article="Türkçe ''' \"\"\" \\ \u2028 x\n\n- [@paper-1]")
    before = records()
    export(tmp_path / "out")
    empty_the_database()
    assert load(tmp_path / "out").ok
    assert records() == before
    rows = list(csv.reader(io.StringIO((tmp_path / "out" / MEMBERS).read_text(encoding="utf-8"))))
    assert rows[-1] == ["paper-0", "reconstructed", "", "later", "living"]


def test_positions_with_gaps_survive(tmp_path: Path) -> None:
    load(small_catalogue(tmp_path / "in"))
    Strategy.objects.filter(slug="whole").update(position=7)
    export(tmp_path / "out")
    empty_the_database()
    load(tmp_path / "out")
    assert {node.slug: node.position for node in Strategy.objects.all()} == {"part": 1, "whole": 7}


def test_an_empty_folder_or_an_earlier_export_is_replaced(tmp_path: Path) -> None:
    load(small_catalogue(tmp_path / "in"))
    (tmp_path / "out").mkdir()
    export(tmp_path / "out")
    first = files(tmp_path / "out")
    Technique.objects.get(slug="beta").delete()
    export(tmp_path / "out")
    assert files(tmp_path / "out").keys() == first.keys() - {"techniques/catalogue/beta/technique.toml"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out"]


@pytest.mark.parametrize("name", ["notes.txt", "review/data/notes.txt"])
def test_somebody_elses_files_are_not_touched(name: str, tmp_path: Path) -> None:
    load(small_catalogue(tmp_path / "in"))
    export(tmp_path / "out")
    (tmp_path / "out" / name).write_text("mine", encoding="utf-8")
    before = files(tmp_path / "out")
    with pytest.raises(ExportRefused, match=r"neither empty nor an earlier export; it holds .*notes\.txt"):
        export(tmp_path / "out")
    assert files(tmp_path / "out") == before


def test_the_source_tree_and_a_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    for folder in (settings.BASE_DIR, tmp_path / "file"):
        with pytest.raises(ExportRefused):
            export(folder)


def hostile_fields(value: str) -> None:
    Publication.objects.filter(key="beta").update(fields=[["title", value]])


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda: hostile_fields("x}\n}\n@misc{evil, title = {y"), "beta: unbalanced braces"),
        (lambda: hostile_fields(""), "beta: title: missing"),
        (lambda: Technique.objects.filter(slug="alpha").update(article="See [@gone]."), "no publication 'gone'"),
        (lambda: Technique.objects.filter(slug="alpha").update(hardware=["abacus"]), "unknown word 'abacus'"),
        (lambda: Technique.objects.filter(slug="alpha").update(slug="../../../../alpha"), "outside the folder"),
        (lambda: Review.objects.update(case_studies=["a", "a"]), "the same word twice"),
        (lambda: Review.objects.update(authors=["a", 1]), "expected a list of texts"),
    ],
)
def test_what_could_not_be_loaded_is_not_exported(spoil, reason: str, tmp_path: Path) -> None:
    load(small_catalogue(tmp_path / "in"))
    export(tmp_path / "out" / "folder")
    before = files(tmp_path)
    spoil()
    with pytest.raises(ExportRefused) as refusal:
        export(tmp_path / "out" / "folder")
    assert reason in "\n".join(refusal.value.args)
    assert files(tmp_path) == before


def test_a_failure_half_way_leaves_the_earlier_export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load(small_catalogue(tmp_path / "in"))
    export(tmp_path / "out")
    before = files(tmp_path)
    Technique.objects.filter(slug="alpha").update(idea="Edited here.")

    def full_disk(folder: Path, contents: object) -> list[str]:
        raise OSError("no space left")

    monkeypatch.setattr(exporting, "_unfaithful", full_disk)
    with pytest.raises(OSError, match="no space"):
        export(tmp_path / "out")
    assert files(tmp_path) == before


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    load(small_catalogue(tmp_path / "in"))
    call_command("export_catalogue", str(tmp_path / "out"))
    assert f"{len(FILES)} files" in capsys.readouterr().out
    (tmp_path / "out/mine").write_text("", encoding="utf-8")
    with pytest.raises(CommandError, match="nothing was exported"):
        call_command("export_catalogue", str(tmp_path / "out"))

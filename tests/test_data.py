"""What the shipped catalogue must hold. Numbers and keys are counted here with other means than the loader's."""

import csv
import re
import tomllib
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import bibtexparser
import pytest
from django.conf import settings

from reproductions.harness import record as records
from reproductions.sources import implemented
from review.models import Membership, Publication, Review
from techniques.catalogue_files import cited, read
from techniques.exporting import export
from techniques.loading import load
from techniques.models import Challenge, Claim, Response, Strategy, Technique, TechniqueClass

ROOT: Path = settings.BASE_DIR
FOLDERS = sorted(path for path in (ROOT / "techniques/catalogue").iterdir() if path.is_dir())
# Two publications state no figure in their abstracts.
WITHOUT_CLAIM = {"galvatron", "optimus-cc"}


def bib_entries(path: Path) -> list[tuple[str, str, list[tuple[str, str]]]]:
    """Key, type and every field as it stands in the file, braces and all."""
    library = bibtexparser.parse_string(path.read_text(encoding="utf-8"), parse_stack=[])
    assert not library.failed_blocks
    return [(e.key, e.entry_type, [(f.key, f.value) for f in e.fields]) for e in library.entries]


@cache
def tables() -> dict[str, dict[str, Any]]:
    return {path.name: tomllib.loads((path / "technique.toml").read_text(encoding="utf-8")) for path in FOLDERS}


@cache
def publication_keys() -> frozenset[str]:
    return frozenset(key for key, _, _ in bib_entries(ROOT / "review/data/publications.bib"))


def claims() -> list[tuple[str, dict[str, Any]]]:
    return [(slug, claim) for slug, table in tables().items() for claim in table["claims"]]


def test_files_have_no_fault() -> None:
    parsed = read(ROOT)
    assert [str(fault) for fault in parsed.faults] == []
    assert parsed.notes == []


def test_publications_and_their_membership() -> None:
    with (ROOT / "review/data/membership.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(publication_keys()) == 69
    assert {row["publication"] for row in rows} == publication_keys()
    assert Counter(row["membership"] for row in rows) == {"confirmed": 12, "reconstructed": 53, "additional": 4}
    assert all(row["evidence_url"].startswith("http") for row in rows if row["membership"] == "confirmed")


def test_the_reviews_facts() -> None:
    (review,) = tomllib.loads((ROOT / "review/data/reviews.toml").read_text(encoding="utf-8"))["review"]
    assert (review["records_identified"], review["studies_included"], review["databases"]) == (983, 65, 5)
    assert (review["first_year"], review["last_month"]) == (2017, "2023-12")
    assert set(review["case_studies"]) <= publication_keys()


def test_techniques_and_taxonomy() -> None:
    taxonomy = tomllib.loads((ROOT / "techniques/data/taxonomy.toml").read_text(encoding="utf-8"))
    assert {name: len(nodes) for name, nodes in taxonomy.items()} == {
        "source": 5, "class": 3, "strategy": 29, "response": 4, "challenge": 4,
    }  # fmt: skip
    assert Counter(table["class"] for table in tables().values()) == {"training": 22, "inference": 24, "serving": 9}
    used = {slug for table in tables().values() for slug in table["strategies"]}
    assert used <= {node["slug"] for node in taxonomy["strategy"]}
    assert all(table["strategies"] for table in tables().values())


def test_each_claim_belongs_to_one_technique() -> None:
    assert len(claims()) == 154
    assert len({claim["id"] for _, claim in claims()}) == 154
    for slug, claim in claims():
        assert claim["publication"] in {entry["key"] for entry in tables()[slug]["publications"]}, claim["id"]


def test_each_claim_says_what_a_like_for_like_measurement_needs() -> None:
    lacking = [claim["id"] for _, claim in claims() if not claim.get("like_for_like")]
    assert lacking == []


def test_every_publication_is_used_and_every_cited_key_is_there() -> None:
    of_techniques = {entry["key"] for table in tables().values() for entry in table["publications"]}
    assert of_techniques <= publication_keys()
    with_claim = {claim["publication"] for _, claim in claims()}
    assert with_claim <= publication_keys()
    assert not WITHOUT_CLAIM & with_claim


def test_related_techniques_are_there() -> None:
    for slug, table in tables().items():
        related = {entry["slug"] for entry in table.get("related", [])}
        assert related <= tables().keys() - {slug}, slug


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_every_technique_has_an_article_whose_citations_resolve(folder: Path) -> None:
    article = (folder / "page.md").read_text(encoding="utf-8")
    assert article.strip()
    assert set(cited(article)) <= publication_keys()
    # Whatever the Markdown makes of it, nothing that looks like a citation names an unknown key.
    assert set(re.findall(r"\[@([\w.:+-]+)\]", article)) <= publication_keys()


@pytest.mark.django_db
def test_all_of_it_reaches_the_database() -> None:
    assert load(ROOT).ok
    counts = {model: model._base_manager.count() for model in (Publication, Technique, Claim, Strategy, Response)}
    assert list(counts.values()) == [69, 55, 154, 29, 4]
    assert (Challenge.objects.count(), TechniqueClass.objects.count(), Membership.objects.count()) == (4, 3, 69)
    assert Review.objects.get().published
    assert Claim.objects.filter(technique__isnull=False).count() == 154


@pytest.mark.django_db
def test_publications_keep_key_type_and_every_field_through_load_and_export(tmp_path: Path) -> None:
    load(ROOT)
    export(tmp_path / "out")
    shipped = bib_entries(ROOT / "review/data/publications.bib")
    assert bib_entries(tmp_path / "out/review/data/publications.bib") == shipped
    in_database = {
        key: (kind, fields) for key, kind, fields in Publication.objects.values_list("key", "entry_type", "fields")
    }
    for key, kind, fields in shipped:
        bare = [[name, value[1:-1] if value[0] in '{"' else value] for name, value in fields]
        assert in_database[key] == (kind, bare)


@pytest.mark.django_db
def test_export_of_the_shipped_catalogue_says_the_same(tmp_path: Path) -> None:
    load(ROOT)
    export(tmp_path / "out")
    shipped = {record.label: record.content for record in read(ROOT).records}
    assert {record.label: record.content for record in read(tmp_path / "out").records} == shipped


# Published records: the newest one of each reference implementation

RESULTS = ROOT / "reproductions/results"
REFERENCES = ROOT / "reproductions/reference"
# Peers that no CPU runs; every other one must be in the environment that published records are made in.
WITHOUT_CPU = {"vllm"}


@cache
def newest_records() -> dict[str, dict[str, Any]]:
    """By technique; the name of a file begins with its time."""
    files = sorted(RESULTS.glob("*/*/*.json"), key=lambda path: path.name)
    return {path.parent.name: records.read(path) for path in files}  # raises for one that is not sound


each_reference = pytest.mark.parametrize("slug", sorted(implemented()))


@each_reference
def test_the_newest_record_is_a_measurement(slug: str) -> None:
    made = newest_records()[slug]
    assert records.validate(made) == []
    kept = {name: made.get(name) for name in ("technique", "size", "status", "smoke", "noisy", "dirty", "processes")}
    assert kept == {
        "technique": slug, "size": "cpu", "status": "succeeded", "smoke": False, "noisy": False, "dirty": False,
        "processes": 3,
    }  # fmt: skip
    assert made["commit"]


@each_reference
def test_the_newest_record_passed_every_gate(slug: str) -> None:
    gates = newest_records()[slug]["gates"]
    assert gates
    assert [gate for gate in gates if not gate["passed"]] == []


@each_reference
def test_the_newest_record_publishes_its_noise(slug: str) -> None:
    """Every measured sweep has a null point, or the baseline raced against itself."""
    made = newest_records()[slug]
    shown = {case["sweep"] for case in made["cases"] if case["null_point"]}
    shown |= {row["sweep"] for row in made["measurements"] if row["role"] == "null"}
    assert {case["sweep"] for case in made["cases"] if case["clock"] != "virtual"} <= shown


@each_reference
def test_the_newest_record_was_made_by_today_s_files(slug: str) -> None:
    """Of the technique and of those it builds on; otherwise the page says "measured on older code"."""
    digests = newest_records()[slug]["digests"]
    named = {name: digest for name, digest in digests.items() if name not in {"harness", "testbed"}}
    assert slug in named
    today = {name: records.files_digest(REFERENCES / records.folder_of(name)) for name in named}
    assert named == today


@each_reference
def test_what_is_absent_from_the_newest_record_cannot_run_on_a_cpu(slug: str) -> None:
    """It needs CUDA, or it ran at other points and says why it does not fit these."""
    made = newest_records()[slug]
    ran = {gate["method"] for gate in made["gates"]}
    for entry in made.get("absent", []):
        name, reason = entry["name"], entry["reason"]
        elsewhere = name in ran and reason.startswith("NotImplementedError")
        assert reason == "needs CUDA" or name in WITHOUT_CPU or elsewhere, entry

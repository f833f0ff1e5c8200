"""Faults in the catalogue's files: each is named with file and line, all at once."""

from pathlib import Path

import pytest

from techniques.catalogue_files import cited, read
from tests.techniques.small_catalogue import (
    ALPHA,
    BETA,
    BIB,
    MEMBERS,
    PAGE,
    REVIEWS,
    TAXONOMY,
    edit,
    line_of,
    small_catalogue,
)

ROLES = '[[publications]]\nkey = "alpha"'


def faults(root: Path) -> list[tuple[str, int | None, str]]:
    return [(fault.file, fault.line, f"{fault.key}: {fault.reason}") for fault in read(root).faults]


def test_sound_files_have_no_fault(tmp_path: Path) -> None:
    parsed = read(small_catalogue(tmp_path))
    assert parsed.faults == []
    assert parsed.notes == []
    counts = {kind: sum(record.kind.name == kind for record in parsed.records) for kind in ("claim", "publication")}
    assert counts == {"claim": 2, "publication": 3}


@pytest.mark.parametrize(
    ("file", "old", "new", "at", "reason"),
    [
        (ALPHA, 'slug = "alpha"', 'slug = "other"', 'slug = "other"', "must be the name of its folder"),
        (ALPHA, 'class = "training"', 'class = "none"', 'class = "none"', "no class 'none'"),
        (ALPHA, 'class = "training"\n', "", 'slug = "alpha"', "missing"),
        (ALPHA, '["part", "whole"]', '["part", "hole"]', "strategies", "no strategy 'hole'"),
        (ALPHA, "wave = 1", "wave = -1", "wave", "greater than or equal to 0"),
        (ALPHA, "wave = 1", 'wave = "1"', "wave", "expected a whole number"),
        (ALPHA, "wave = 1", "wawe = 1", "wawe", "unknown key"),
        (ALPHA, "named = true", 'named = true\nofficial_code = "ftp://x.org"', "official_code", "not an http"),
        (ALPHA, "named = true", 'named = true\nofficial_code = "https://a b"', "official_code", "valid URL"),
        (ALPHA, 'idea = "Do less."', 'idea = ""', "idea", "missing"),
        (ALPHA, '"better"', '"faster"', "speed =", "not a valid choice"),
        (ALPHA, '"a little"', f'"{"x" * 301}"', "accuracy =", "at most 300"),
        (ALPHA, 'retraining = "none"', 'retraining = "some"', "retraining =", "not a valid choice"),
        (ALPHA, '["gpu", "cpu"]', '["gpu", "abacus"]', "hardware = [", "unknown word 'abacus'"),
        (ALPHA, 'saves = ["latency"]', 'saves = "latency"', "saves", "expected a list"),
        (ALPHA, 'key = "beta"\nrole = "evaluates"', 'key = "beta"\nrole = "likes"', ROLES, "choice"),
        (ALPHA, 'key = "beta"\nrole = "evaluates"', 'key = "alpha"\nrole = "introduces"', None, "stands here twice"),
        (ALPHA, 'slug = "beta"', 'slug = "gamma"', "[[related]]", "no technique 'gamma'"),
        (ALPHA, 'slug = "beta"', 'slug = "alpha"', "[[related]]", "itself"),
        (ALPHA, 'publication = "beta"', 'publication = "gamma"', 'publication = "gamma"', "no publication 'gamma'"),
        (ALPHA, 'id = "alpha-2"', 'id = "alpha-1"', None, "second time"),
        (ALPHA, 'id = "alpha-2"', 'id = "alpha 2"', 'id = "alpha 2"', "slug"),
        (ALPHA, 'kind = "speedup"', 'kind = "faster"', 'kind = "faster"', "not a valid choice"),
        (ALPHA, 'qualifier = "average"', 'qualifier = "max"', 'qualifier = "max"', "not a valid choice"),
        (ALPHA, "value_high = 3.5", "value_high = 1.5", "value_low = 2", "is above the upper end"),
        (ALPHA, "value_high = 3.5", "value_high = inf", "value_high = inf", "not a finite number"),
        (ALPHA, 'source_url = "https://example.org/beta"\n', "", None, "missing"),
        (ALPHA, "tolerance = 0.05", "tolerance = 5", "tolerance = 5", "a share"),
        (ALPHA, 'device_class = "gpu"', 'device_class = "desk"', 'device_class = "desk"', "unknown word 'desk'"),
        (ALPHA, "devices = 4", "devices = 0", "devices = 0", "at least one"),
        (ALPHA, "devices = 4", 'machine = "x"', "machine", "unknown key"),
        (TAXONOMY, 'parent = "whole"', 'parent = "gone"', 'parent = "gone"', "no strategy 'gone'"),
        (TAXONOMY, 'name = "Cost"\nsource = "ours"', 'name = "Cost"\nsource = "x"', 'source = "x"', "no source 'x'"),
        (TAXONOMY, 'name = "Answer"', 'name = ""', 'name = ""', "missing"),
        (REVIEWS, "year = 2024", "year = 2024.5", "year", "expected a whole number"),
        (REVIEWS, 'case_studies = ["alpha"]', 'case_studies = ["gone"]', "case_studies", "no publication 'gone'"),
        (REVIEWS, "records_identified", "records_found", "records_found", "unknown key"),
        (MEMBERS, "alpha,confirmed,https://example.org/list", "alpha,confirmed,", "alpha,", "evidence"),
        (MEMBERS, "reconstructed", "perhaps", "beta,perhaps", "not a valid choice"),
        (MEMBERS, "beta,reconstructed,,", "beta,reconstructed,", "beta,", "3 cells"),
        (MEMBERS, "beta,", "gone,", "gone,", "no publication 'gone'"),
        (MEMBERS, "beta,", "alpha,", "alpha,reconstructed", "second time"),
        (MEMBERS, "https://example.org/list", "javascript:alert(1)", "alpha,", "not an http"),
        (MEMBERS, "publication,membership", "publication,member", "publication,", "the header must be"),
        (BIB, "https://example.org/alpha", "file:///etc/passwd", "url =", "not an http"),
        (BIB, "title = {Beta},", "", "@misc{beta,", "missing"),
        (BIB, "title = {Beta},", "title = {Beta}", "title = {Beta}\n", "not closed"),
        ("review/data/studies.csv", "beta-preprint,beta", "gone,beta", "gone", "no publication 'gone'"),
        ("review/data/studies.csv", "beta-preprint,beta", "beta-preprint,a b", "beta-preprint", "study"),
        (PAGE, "[@alpha]", "[@alpha; @gone]", "Too much", "no publication 'gone'"),
    ],
)  # fmt: skip
def test_each_fault_is_named(file: str, old: str, new: str, at: str | None, reason: str, tmp_path: Path) -> None:
    edit(small_catalogue(tmp_path), file, old, new)
    found = faults(tmp_path)
    assert len(found) == 1, found
    assert found[0][0] == file
    assert reason in found[0][2]
    if at is not None:
        assert found[0][1] == line_of(tmp_path, file, at)
    else:
        assert found[0][1]


def test_circle_of_strategies(tmp_path: Path) -> None:
    edit(small_catalogue(tmp_path), TAXONOMY, 'parent = ""', 'parent = "part"')
    assert [reason.split(": ")[-1] for _, _, reason in faults(tmp_path)] == ["is its own ancestor"] * 2


def test_faults_of_all_files_come_together(tmp_path: Path) -> None:
    small_catalogue(tmp_path)
    edit(tmp_path, ALPHA, "wave = 1", "wave = true")
    edit(tmp_path, BETA, 'idea = "Do it later."', "")
    edit(tmp_path, MEMBERS, "reconstructed", "perhaps")
    edit(tmp_path, BIB, "month = jul", "month = july")
    edit(tmp_path, TAXONOMY, 'name = "Answer"', 'name = "Answer"\ncolour = "red"')
    (tmp_path / "techniques/catalogue/empty").mkdir()
    assert [file for file, _, _ in faults(tmp_path)] == [
        MEMBERS, BIB, ALPHA, BETA, "techniques/catalogue/empty/technique.toml", TAXONOMY,
    ]  # fmt: skip


@pytest.mark.parametrize("file", [BIB, REVIEWS, MEMBERS, TAXONOMY, ALPHA])
def test_missing_file_is_one_fault(file: str, tmp_path: Path) -> None:
    (small_catalogue(tmp_path) / file).unlink()
    assert [(name, reason.endswith("no such file")) for name, _, reason in faults(tmp_path)] == [(file, True)]


@pytest.mark.parametrize("file", [REVIEWS, TAXONOMY, ALPHA])
def test_unreadable_file_is_one_fault(file: str, tmp_path: Path) -> None:
    path = small_catalogue(tmp_path) / file
    path.write_text(path.read_text(encoding="utf-8") + "\nx = = 1\n", encoding="utf-8")
    assert [name for name, _, _ in faults(tmp_path)] == [file]


def test_keys_of_unreadable_entries_are_not_unknown(tmp_path: Path) -> None:
    edit(small_catalogue(tmp_path), BIB, "title = {Beta},", "title = {Beta},\n  title = {Beta},")
    assert [(file, line) for file, line, _ in faults(tmp_path)] == [(BIB, line_of(tmp_path, BIB, "@misc{beta,"))]


def test_windows_text_is_read_and_told(tmp_path: Path) -> None:
    path = small_catalogue(tmp_path) / BIB
    path.write_bytes(path.read_text(encoding="utf-8").replace("Roe, Richard", "Roé, Richard").encode("cp1252"))
    parsed = read(tmp_path)
    assert parsed.faults == []
    assert len(parsed.notes) == 1
    assert BIB in parsed.notes[0]
    fields = next(record.content["fields"] for record in parsed.records if record.key == "beta")
    assert ["author", "Roé, Richard"] in fields


def test_byte_order_mark_and_returns_of_other_systems_change_nothing(tmp_path: Path) -> None:
    plain = {record.label: record.content for record in read(small_catalogue(tmp_path)).records}
    for path in (path for path in tmp_path.rglob("*") if path.is_file()):
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    parsed = read(tmp_path)
    assert parsed.faults == []
    assert {record.label: record.content for record in parsed.records} == plain


def test_citations_in_code_and_formulas_are_none() -> None:
    assert cited("See [@a; @b].\n\n`[@c]`\n\n```\n[@d]\n```\n\n$[@e]$ and **[@f]**") == ["a", "b", "f"]

"""The PRISMA2020 table: out and in again the same, and every row that cannot be taken is named with its reason."""

import csv
import io

import pytest

from review import data_files, toml_writing
from review.models import Review
from review.prisma import flow_of, table
from review.prisma.reported import reported
from review.toml_tables import TomlFile
from tests.review.prisma.states import state, stored

GIVEN = {
    "database_results": 900,
    "duplicates": 0,
    "dbr_excluded": [["Wrong topic", 7], ["Too late", 2]],
    "new_studies": 5,
}


def written(flow) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, table.COLUMNS)
    writer.writeheader()
    writer.writerows(table.rows(flow, "https://example.org/flow/"))
    return out.getvalue()


def test_what_is_written_is_read_again():
    read = table.read(written(reported(Review(reported_flow=GIVEN))))
    assert read.faults == []
    assert read.numbers == GIVEN | {"dbr_excluded": [("Wrong topic", 7), ("Too late", 2)]}
    assert set(read.silent) | set(read.numbers) == set(table.KEYS)


def test_not_reported_is_na_and_zero_is_zero():
    rows = {row["data"]: row["n"] for row in table.rows(reported(Review(reported_flow=GIVEN)), "/")}
    assert (rows["duplicates"], rows["records_screened"]) == ("0", "NA")


@pytest.mark.django_db
@pytest.mark.parametrize("seed", range(5))
def test_a_counted_flow_goes_out_and_in(seed):
    flow = flow_of(stored(state(seed)))
    read = table.read(written(flow))
    assert read.faults == []
    assert read.numbers == {key: value for key, value in flow.numbers.items() if not key.startswith("our_")}


def test_signs_of_the_table_in_a_reason_part_nothing():
    flow = reported(Review(reported_flow={"dbr_excluded": [["No model; no measurement, or both", 7]]}))
    assert table.read(written(flow)).numbers["dbr_excluded"] == [("No model no measurement or both", 7)]


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("data,n\nrecords_screened,12x", 2, "whole number"),
        ("data,n\nrecords_screened,-1", 2, "whole number"),
        ("data,n\nrecords_screened,1.5", 2, "whole number"),
        ("data,n\nrecords_screened,²", 2, "whole number"),
        ("data,n\nrecords_screened,99999999999", 2, "whole number"),
        ("data,n\nrecords_screened,1\nrecords_screned,1", 3, "unknown key"),
        ("data,n\nnew_studies,1\nnew_studies,1", 3, "twice"),
        ('data,n\ndbr_excluded,"Reason1, xxx; Reason2, 2"', 2, "whole number"),
        ('data,n\ndbr_excluded,"Reason1"', 2, "a comma"),
        ('data,n\ndbr_excluded,", 3"', 2, "a comma"),
        (f'data,n\ndbr_excluded,"{"x" * 201}, 3"', 2, "200 letters"),
        ("data,n\nrecords_screened", 2, "1 cells"),
        ("key,count\nnew_studies,1", 1, "no column"),
        ("", 1, "no column"),
        ("data,n\n", 2, "no number"),
        ("data,n\nnew_studies,NA", 3, "no number"),
        ("data,n\n\0,1", 1, "NUL"),
        (f'data,n\nnew_studies,"{"9" * 200_000}"', 2, "not CSV"),
    ],
)  # fmt: skip
def test_a_row_that_cannot_be_taken_is_named(text, line, reason):
    found = table.read(text)
    assert any(reason in fault.reason and fault.line == line for fault in found.faults), found.faults


def test_reported_numbers_stand_in_the_files_too():
    file = TomlFile("f", toml_writing.table("[flow]", GIVEN | {"source": "https://example.org/"}).encode())
    assert data_files._read_flow(file.top.table("flow")) == GIVEN | {"source": "https://example.org/"}
    assert file.faults == []
    wrong = TomlFile("f", b'[flow]\ndbr_excluded = [["a", "b"]]\n')
    data_files._read_flow(wrong.top.table("flow"))
    assert [fault.line for fault in wrong.faults] == [2]

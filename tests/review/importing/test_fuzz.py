"""Broken files by chance: no exception, no entry lost in silence, every reason given; see tools/fuzz_import.py too."""

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from review.importing.planning import Planner
from review.importing.reading import read
from review.models import ImportEntry
from tests.review.planted import BIB

pytestmark = pytest.mark.django_db
PIECES = (  # noqa: SIM905 - a list of literals would be a line each
    '@article{a,|@misc{b, title = {T}}\n|@string{s = {x}}\n|title = {T},|{|}|"|#|=|,|\n|\\|\x00|\ufeff|%|$|'
    'TY  - JOUR\n|TI  - t\n|ER  - \n|title,year\n|"a,b",2020\n'
).split("|")
START = re.compile(r"^[ \t]*@[ \t]*(?!(?:comment|string|preamble)\b)\w+[ \t]*[{(]", re.MULTILINE | re.IGNORECASE)
quick = settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def planned(kind: str, text: str):
    planner, entries = Planner(), list[ImportEntry]()
    for found in read(kind, text):
        if found is not None:
            entries.append(planner.plan(found, len(entries) + 1))
    lines = text.count("\n") + 1
    assert all(1 <= entry.line <= lines for entry in entries)
    assert all(entry.reason for entry in entries if entry.outcome == "rejected")
    return entries


@quick
@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=8), max_size=25).map("".join))
@pytest.mark.parametrize("kind", ["bibtex", "ris", "csv"])
def test_anything_is_reported_and_nothing_raises(kind, text):
    entries = planned(kind, text)
    if kind == "bibtex":
        assert len(entries) >= len(START.findall(text))


@quick
@given(st.data())
def test_a_file_cut_anywhere_loses_only_its_last_entry(data):
    text = (settings_text())[:6000]
    end = data.draw(st.integers(0, len(text)))
    entries = planned("bibtex", text[:end])
    assert all(entry.outcome == "created" for entry in entries[:-1])
    assert len(entries) - len(START.findall(text[:end])) in {0, 1}, "a lone @ at the end is told too"


def settings_text() -> str:
    from django.conf import settings as site

    return (site.BASE_DIR / BIB).read_text(encoding="utf-8")

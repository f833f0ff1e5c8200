"""A publication entered or edited on the site: its fields rule, and what is shown follows."""

import pytest
from django.core.exceptions import ValidationError

from review.models import Publication
from tests import factories


def publication(**columns: object) -> Publication:
    return Publication(**{"key": "doe2020", "slug": "doe2020", "entry_type": "article", "title": "-"} | columns)


def test_shown_columns_follow_the_fields() -> None:
    edited = publication(fields=[["title", "{LLM}s"], ["author", "Jane Doe"], ["year", "2020"], ["doi", "10.1000/A"]])
    edited.clean()
    assert (edited.title, edited.authors, edited.year, edited.doi) == ("LLMs", ["Doe, Jane"], 2020, "10.1000/a")


def test_columns_alone_make_fields() -> None:
    entered = publication(title="5% of {it}", authors=["Doe, Jane"], year=2020)
    entered.clean()
    assert entered.fields == [["title", r"5\% of \{it\}"], ["author", "Doe, Jane"], ["year", "2020"]]
    assert entered.title == "5% of {it}"


@pytest.mark.parametrize(
    "fields", [[["title", "x}, note = {y"]], [["ti tle", "x"]], [["title"]], [["title", 5]], "x", 7]
)
def test_fields_that_are_no_entry_are_refused(fields: object) -> None:
    with pytest.raises(ValidationError, match="no BibTeX entry"):
        publication(fields=fields).clean()


@pytest.mark.django_db
def test_names_are_searched_as_one_text() -> None:
    assert factories.publication(authors=["Doe, Jane", "Roe, R."]).authors_text == "Doe, Jane; Roe, R."

"""Lists of texts are typed one a line in the admin."""

import pytest
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse

from review.admin.lists import LinesField
from tests import factories


def test_lines_stand_for_a_list() -> None:
    field = LinesField(required=False)
    assert field.clean(" a, b \r\n\r\nc\n") == ["a, b", "c"]
    assert field.clean("") == field.clean(None) == []
    assert field.prepare_value(["a", "b"]) == "a\nb"
    assert field.prepare_value("a\nb") == "a\nb"
    assert not field.has_changed(["a", "b"], "a\r\nb\r\n")
    assert field.has_changed(["a"], "b")


@pytest.mark.parametrize("text", ["a\0b", "x\n" * 1001, "ok\n" + "x" * 501])
def test_hostile_lines_are_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        LinesField(required=False).clean(text)


@pytest.mark.django_db
def test_a_review_shows_its_lists_as_lines() -> None:
    review = factories.review(authors=["Doe, Jane", "Roe, Richard"])
    user = factories.user(is_staff=True)
    user.groups.add(Group.objects.get(name="curator"))
    client = Client()
    client.force_login(user)
    page = reverse("admin:review_review_change", args=[review.pk])
    assert "Doe, Jane\nRoe, Richard</textarea>" in client.get(page).content.decode()
    form = client.get(page).context["adminform"].form
    sent = {name: form[name].value() or "" for name in form.fields} | {"search_terms": "large models\r\n speed "}
    answer = client.post(page, {name: value for name, value in sent.items() if value is not False})
    assert answer.status_code in {200, 302}
    if answer.status_code == 200:
        assert "search_terms" not in answer.context["adminform"].form.errors, answer.context["errors"]
    review.refresh_from_db()
    assert (review.authors, review.search_terms) == (["Doe, Jane", "Roe, Richard"], ["large models", "speed"])

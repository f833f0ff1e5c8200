"""A technique's slug names its folder of the catalogue: in the admin it stays while there is one."""

import pytest

from review.models import FormerSlug
from techniques.models import Technique
from tests import factories
from tests.review.admin.forms import opened
from tests.test_admin import address, signed_in

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(("slug", "stays"), [("gptq", True), ("a-new-one", False)])
def test_who_has_a_folder_keeps_its_slug(slug, stays):
    technique = factories.technique(slug=slug)
    client = signed_in("curator")
    page = address(Technique, "change", technique.pk)
    form = opened(client, page)
    assert ("slug" in form) is not stays
    assert client.post(page, form | {"slug": "renamed", "idea": "Better."}).status_code == 302
    technique.refresh_from_db()
    assert (technique.slug, technique.idea) == (slug if stays else "renamed", "Better.")
    assert FormerSlug.objects.exists() is not stays

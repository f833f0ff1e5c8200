"""The editor's preview and its citations: for curators alone, and safe whatever is typed."""

import re

import pytest
from django.test import Client
from django.urls import reverse

from techniques.models import Technique
from tests import factories
from tests.factories import signed_in

pytestmark = pytest.mark.django_db
JSON = {"Accept": "application/json"}


def preview(text: str, client: Client | None = None, slug: str = "") -> dict:
    answer = (client or signed_in("curator")).post(
        reverse("article-preview"), {"article": text, "slug": slug}, headers=JSON
    )
    assert answer.status_code == 200
    return answer.json()


@pytest.mark.parametrize(("group", "may"), [("reader", False), ("screener", False), ("runner", False),
                                            ("curator", True), ("owner", True)])  # fmt: skip
def test_who_may_ask(group, may):
    client = signed_in(group)
    assert client.post(reverse("article-preview"), {"article": "a"}).status_code == (200 if may else 403)
    for name in ("citations", "citations-json"):
        assert client.get(reverse(name)).status_code == (200 if may else 403)


def test_strangers_are_led_to_the_login_and_a_link_shows_no_preview():
    for answer in (Client().post(reverse("article-preview")), *(Client().get(reverse(n)) for n in
                                                                ("citations", "citations-json"))):  # fmt: skip
        assert (answer.status_code, answer.url.startswith("/login/")) == (302, True)
    assert signed_in("curator").get(reverse("article-preview")).status_code == 405


def test_the_preview_is_what_the_page_will_show():
    technique = factories.technique(slug="flashattention")
    factories.publication(key="known", title="A Known Paper")
    text = "## Idea\n\nWords [@known] and $x^2$.\n\n[[measured]]\n\n## Code\n\n```python\na = 1\n```"
    shown = preview(text, slug="flashattention")
    assert shown["faults"] == []
    assert "Doe and Roe, 2021" in shown["html"]
    assert "<msup>" in shown["html"]
    assert "Not measured yet." in shown["html"]
    Technique.objects.filter(pk=technique.pk).update(article=text)
    page = Client().get(technique.get_absolute_url()).content.decode()
    article = re.search(r"<article.*?</article>", page, re.DOTALL)
    assert article
    assert article[0].strip() == re.search(r"<article.*?</article>", shown["html"], re.DOTALL)[0].strip()


def test_faults_come_with_their_lines_and_nothing_is_saved():
    technique = factories.technique()
    shown = preview("fine\n\n[@nobody] $\\frac{a}{$\n\n[[code:method.py:nothing]]", slug=technique.slug)
    assert [fault["line"] for fault in shown["faults"]] == [3, 3, 5]
    assert technique.article == Technique.objects.get().article


HOSTILE = [
    "<script>alert(1)</script>", "[x](javascript:alert(1))", "![x](https://example.org/a.png)", "<img src=x onerror=a>",
    "[x](data:text/html,<script>)", "$\\text{<script>alert(1)</script>}$", "$\\href{javascript:alert(1)}{x}$",
    "```<script>\n</code><script>\n```", "[@<script>]", "[[code:../../manage.py:main]]", "## <script>alert(1)</script>",
    "\0", "> " * 500 + "a", "[" * 5000, "$" * 5001, "*a " * 5000, "|a" * 3000, "&lt;script&gt;", "<style>*{}</style>",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_comes_out_inert(text):
    html = preview(text, slug=factories.technique().slug)["html"]
    assert not re.search(r"<(script|style|img|iframe)|<[^>]*\s(on\w+|style)=|href=.?(java|data:)", html, re.IGNORECASE)


def test_the_page_without_script_shows_faults_and_article():
    answer = signed_in("curator").post(reverse("article-preview"), {"article": "## A\n\n[@nobody]", "slug": "no\0"})
    body = answer.content.decode()
    assert "Line 3: no publication has the key nobody" in body
    assert '<h2 id="a">A</h2>' in body
    assert "too long" in preview("a" * 200_001)["html"]


def test_citations_are_found_by_key_title_and_author():
    factories.publication(key="dao-flash", title="Fast Attention", authors=["Dao, Tri"])
    factories.publication(key="other", title="On dao-flash", authors=["Élan, Ann"])
    client = signed_in("curator")

    def found(words: str) -> list[str]:
        answer = client.get(reverse("citations-json"), {"q": words}).json()
        return [one["key"] for one in answer["publications"]]

    assert found("dao-f") == ["dao-flash", "other"]
    assert found("fast att") == ["dao-flash"]
    assert found("Tri") == ["dao-flash"]
    assert found("nothing") == found("%_\0'\"") == []
    assert "[@dao-flash]" in client.get(reverse("citations"), {"q": "fast", "page": "x"}).content.decode()


def test_the_list_of_keys_asks_equally_often_however_long(django_assert_max_num_queries):
    client, counts = signed_in("curator"), []
    for more in (3, 27):
        for _ in range(more):
            factories.publication()
        for name in ("citations", "citations-json"):
            with django_assert_max_num_queries(10) as asked:
                client.get(reverse(name))
            counts.append(len(asked))
    assert counts[:2] == counts[2:]


def test_an_article_that_cites_nobody_is_refused_with_its_line():
    technique = factories.technique()
    client, page = signed_in("curator"), reverse("admin:techniques_technique_change", args=[technique.pk])
    body = client.get(page).content.decode()
    assert 'data-preview="/curate/article/"' in body
    answer = client.post(page, {"article": "a\n\nb [@nobody]"})
    assert answer.context["adminform"].form.errors["article"] == ["Line 3: no publication has the key nobody"]
    assert "b [@nobody]" in answer.content.decode()


def test_lists_of_words_are_ticked_and_keep_their_order_and_strange_words():
    technique = factories.technique(hardware=["gpu", "cpu", "abacus"])
    page = reverse("admin:techniques_technique_change", args=[technique.pk])
    form = signed_in("curator").get(page).context["adminform"].form
    ticked = form.fields["hardware"]
    assert form["hardware"].value() == ["gpu", "cpu", "abacus"]
    assert ticked.clean(["abacus", "cpu", "gpu", "tpu"]) == ["gpu", "cpu", "abacus", "tpu"]
    assert not ticked.has_changed(["gpu", "cpu"], ["cpu", "gpu"])
    answer = signed_in("curator").post(page, {"hardware": ["loom"]})
    assert "Select a valid choice" in str(answer.context["adminform"].form.errors["hardware"])


def test_the_editor_of_a_technique_that_keeps_its_slug_still_finds_its_code() -> None:
    technique = factories.technique(slug="gptq", article="## Idea\n\n[[code:method.py:gptq]]")
    page = signed_in("curator").get(reverse("admin:techniques_technique_change", args=[technique.pk]))
    sent = re.findall(r'<input type="hidden" name="preview_of" value="([^"]*)"', page.content.decode())
    assert sent == ["gptq"]
    assert preview(technique.article, slug=sent[0])["faults"] == []

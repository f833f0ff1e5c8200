"""The editor of an article: a text field with its preview beside it and the keys that it may cite."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms.renderers import BaseRenderer
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.safestring import SafeString

from review.models import Publication
from techniques import article_faults


class ArticleWidget(forms.Textarea):
    """The text field, with what the script needs and what works without it: a preview of its own, a list of keys."""

    class Media:
        css = {"all": ("css/article-editor.css",)}
        js = ("js/citations.js", "js/article-editor.js")

    slug = ""  # of the technique, where no field of the form holds it

    def __init__(self) -> None:
        super().__init__(attrs={"rows": 30, "cols": 80, "spellcheck": "true", "aria-describedby": "article-how"})

    def render(self, name: str, value: Any, attrs: Any = None, renderer: BaseRenderer | None = None) -> SafeString:
        """The field inside the editor."""
        context = {
            "slug": self.slug,
            "field": super().render(name, value, attrs, renderer),
            "preview": reverse("article-preview"),
            "citations": reverse("citations"),
            "citations_json": reverse("citations-json"),
        }
        return SafeString(render_to_string("admin/techniques/technique/article_editor.html", context))


class ArticleField(forms.CharField):
    """An article; what it cites must be there, as the reader of the files asks too."""

    widget = ArticleWidget

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, strip=True, widget=ArticleWidget(), **kwargs)

    def validate(self, value: str) -> None:
        """Refuse keys that no publication has, each with its line."""
        super().validate(value)
        text = value.replace("\r\n", "\n")
        keys = article_faults.cited(text)
        known = set(Publication.objects.filter(key__in=list(keys)[:500]).values_list("key", flat=True))
        unknown = [fault for fault in article_faults.faults(text, known) if fault.text.startswith("no publication")]
        if unknown:
            raise ValidationError([str(fault) for fault in unknown])

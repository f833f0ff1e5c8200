"""An article of the catalogue: Markdown in, safe HTML out, cut where the page puts something of its own.

Formulas stand in dollars and become MathML; ``[@key]`` cites a publication; two directives stand alone on a line:
``[[code:FILE:NAME]]``, where the page shows the lines of that function, and ``[[measured]]``, where it shows the newest
measurement.
Whatever else looks like HTML, script or broken TeX is shown as the text it is.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from django.utils.text import slugify
from markdown_it.token import Token

from techniques import markdown
from techniques.markdown import Citation

DIRECTIVE = re.compile(r"\[\[(?:(measured)|code:([\w.-]{1,80}):(\w{1,80}))\]\]")


@dataclass(frozen=True)
class Part:
    """A piece of a section: HTML that stands alone, or a directive with the HTML beside what it asks for."""

    html: str = ""
    beside: str = ""
    file: str = ""
    function: str = ""
    measured: bool = False


@dataclass(frozen=True)
class Section:
    """One part of the article under a heading of the second level; the text before the first one has no title."""

    title: str
    slug: str
    parts: tuple[Part, ...]


def render(text: str, citations: Mapping[str, Citation]) -> tuple[Section, ...]:
    """The sections of ``text``. A cited key that is not in ``citations`` stays as it was written."""
    cited = {key for group in markdown.CITATION.findall(text) for key in markdown.keys(group)}
    return _render(text, tuple(sorted((key, citations[key]) for key in cited & citations.keys())))


@lru_cache(maxsize=128)
def _render(text: str, citations: tuple[tuple[str, Citation], ...]) -> tuple[Section, ...]:
    # The answer depends on the text and on what it cites alone, so a page that is read twice is rendered once.
    blocks = _blocks(markdown.parser().parse(text.replace("\0", "")))
    sections: list[tuple[str, list[list[Token]]]] = [("", [])]
    for block in blocks:
        if block[0].type == "heading_open" and block[0].tag in {"h1", "h2"}:
            sections.append((_plain(block[1]), []))
        else:
            sections[-1][1].append(block)
    writer = _Writer(dict(citations))
    return tuple(
        Section(title, slugify(title)[:80], tuple(writer.parts(body))) for title, body in sections if title or body
    )


class _Writer:
    def __init__(self, citations: Mapping[str, Citation]) -> None:
        self.citations = citations

    def html(self, blocks: Sequence[Sequence[Token]]) -> str:
        return markdown.html([token for block in blocks for token in block], self.citations)

    def parts(self, blocks: list[list[Token]]) -> list[Part]:
        parts: list[Part] = []
        waiting: list[list[Token]] = []
        for block in blocks:
            found = _directive(block)
            if found is None:
                waiting.append(block)
                continue
            measured, file, function = found.groups(default="")
            # The formula and its sentence stand beside the code they become; what comes earlier stands by itself.
            cut = len(waiting) if measured else _last_thought(waiting)
            if waiting[:cut]:
                parts.append(Part(html=self.html(waiting[:cut])))
            parts.append(Part("", self.html(waiting[cut:]), file, function, bool(measured)))
            waiting = []
        return [*parts, Part(html=self.html(waiting))] if waiting else parts


def _blocks(tokens: list[Token]) -> "list[list[Token]]":
    """The top-level blocks: each opening token with all up to its closing one."""
    blocks: list[list[Token]] = []
    depth = 0
    for token in tokens:
        if depth == 0:
            blocks.append([])
        blocks[-1].append(token)
        depth += token.nesting
    return blocks


def _directive(block: list[Token]) -> re.Match[str] | None:
    if block[0].type != "paragraph_open":
        return None
    return DIRECTIVE.fullmatch(block[1].content.strip())


def _last_thought(blocks: list[list[Token]]) -> int:
    """Where the last thought begins: a paragraph, and before it whatever a formula ties to it."""
    index = _before_formulas(blocks, len(blocks)) - 1
    while index > 0 and blocks[index - 1][0].type == "math_block":
        index = _before_formulas(blocks, index) - 1
    return max(0, index)


def _before_formulas(blocks: list[list[Token]], index: int) -> int:
    while index > 0 and blocks[index - 1][0].type == "math_block":
        index -= 1
    return index


def _plain(inline: Token) -> str:
    return "".join(child.content for child in inline.children or [] if child.type in {"text", "code_inline"}).strip()

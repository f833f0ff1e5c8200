"""What is wrong with an article, line by line: unknown citations, broken formulas, listings asked for. No database."""

from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass

from markdown_it.token import Token

from techniques import markdown
from techniques.articles import DIRECTIVE

MATHS = {"math_inline", "math_inline_double", "math_block"}


@dataclass(frozen=True, order=True)
class Fault:
    """A line, counted from 1, and what is wrong with it."""

    line: int
    text: str

    def __str__(self) -> str:
        return f"Line {self.line}: {self.text}"


def faults(text: str, known: Container[str], listed: Callable[[str, str], bool] | None = None) -> list[Fault]:
    """Every fault of ``text``, by line. ``known`` are the keys that may be cited; ``listed`` says whether a function
    of a file is there to be shown."""
    lines = text.split("\n")
    found: set[Fault] = set()
    for token in markdown.parser().parse(text):
        place = _Place(lines, token)
        if token.type in MATHS:
            found.update(Fault(place.of(token.content), reason) for reason in _formula(token.content))
        elif token.type == "inline":
            directive = DIRECTIVE.fullmatch(token.content.strip())
            if directive and directive[2] and listed and not listed(directive[2], directive[3]):
                found.add(Fault(place.start, f"{directive[2]} has no function {directive[3]}"))
            elif not directive and (inner := DIRECTIVE.search(token.content)):
                found.add(Fault(_Place(lines, token).of(inner[0]), f"{inner[0]} stands alone, between empty lines"))
            found.update(_inline(token.children or (), place, known))
    return sorted(found)


def cited(text: str) -> set[str]:
    """The keys that ``text`` may cite; some may stand in code."""
    return {key for group in markdown.CITATION.findall(text) for key in markdown.keys(group)}


class _Place:
    """Finds the lines of a block's parts, one after the other."""

    def __init__(self, lines: Sequence[str], token: Token) -> None:
        first, last = token.map or (0, 0)
        self.start = first + 1
        self.source, self.at = "\n".join(lines[first:last]), 0

    def of(self, part: str) -> int:
        """The line on which the next ``part`` stands."""
        needle = part.strip().split("\n")[0]
        at = self.source.find(needle, self.at)
        if at < 0:
            return self.start
        self.at = at + len(needle)
        return self.start + self.source.count("\n", 0, at)


def _inline(children: Sequence[Token], place: _Place, known: Container[str]) -> Iterator[Fault]:
    for child in children:
        if child.type == "citation":
            for key in markdown.keys(child.content):
                line = place.of(f"@{key}")
                if key not in known:
                    yield Fault(line, f"no publication has the key {key}")
        elif child.type in MATHS:
            line = place.of(child.content)
            yield from (Fault(line, reason) for reason in _formula(child.content))
        elif child.type == "text" and "[@" in child.content:
            yield Fault(place.of("[@"), "a citation that does not end: write [@key] or [@key; @other]")


def _formula(tex: str) -> Iterator[str]:
    reason = markdown.tex_fault(tex.strip())
    if reason:
        shown = " ".join(tex.split())
        yield f"the formula {shown if len(shown) <= 60 else shown[:57] + '…'} cannot be read: {reason}"

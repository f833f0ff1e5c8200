"""A flow as a drawing: where each box, line and word stands. Pure data that a template writes as SVG.

Places across are in per cent and places down in pixels, so that a drawing stretches and its words do not. There are
two drawings of a flow: a wide one with the arms side by side, and a narrow one with the arms below each other.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from textwrap import wrap

from review.prisma.flow import Arm, Box, Flow

GAP, TITLE, FIRST, LINE, NUMBER, END = 40, 36, 24, 20, 30, 18


@dataclass(frozen=True)
class Line:
    """A line of words ``down`` pixels below the top; ``look`` is its class."""

    text: str
    look: str
    down: int


@dataclass(frozen=True)
class Placed:
    """A box where it stands."""

    box: Box
    x: float
    width: float
    top: int
    height: int
    lines: tuple[Line, ...]

    @property
    def look(self) -> str:
        """Solid where a number is known, dashed where none is."""
        return "full" if self.box.known else "soft"

    @property
    def middle(self) -> int:
        """Half way down."""
        return self.top + self.height // 2

    @property
    def bottom(self) -> int:
        """Its lower edge."""
        return self.top + self.height

    @property
    def right(self) -> float:
        """Its right edge."""
        return self.x + self.width

    @property
    def centre(self) -> float:
        """Half way across."""
        return self.x + self.width / 2


@dataclass(frozen=True)
class Stroke:
    """A straight line from place to place."""

    x1: float
    y1: int
    x2: float
    y2: int


@dataclass(frozen=True)
class Head:
    """The head of an arrow: "down", "right" or "left"."""

    x: float
    y: int
    way: str


@dataclass(frozen=True)
class Title:
    """The name of an arm above its boxes."""

    text: str
    x: float
    y: int


@dataclass
class Drawing:
    """One drawing of a flow. ``name`` says for which room it is."""

    name: str
    height: int = 0
    boxes: list[Placed] = field(default_factory=list)
    strokes: list[Stroke] = field(default_factory=list)
    heads: list[Head] = field(default_factory=list)
    titles: list[Title] = field(default_factory=list)

    def down(self, x: float, start: int, end: int) -> None:
        """An arrow downwards."""
        self.strokes.append(Stroke(x, start, x, end - 6))
        self.heads.append(Head(x, end, "down"))

    def across(self, start: float, end: float, y: int) -> None:
        """An arrow to one side."""
        self.strokes.append(Stroke(start, y, end, y))
        self.heads.append(Head(end, y, "right" if end > start else "left"))


@dataclass(frozen=True)
class Column:
    """The two columns of an arm, in per cent, and how many letters fit into each."""

    kept: float
    kept_width: float
    out: float
    out_width: float
    kept_letters: int
    out_letters: int


WIDE = (Column(0, 58, 66, 34, 44, 25),)
WIDE_PAIR = (Column(0, 25, 28, 18.5, 27, 19), Column(53.5, 25, 81.5, 18.5, 27, 19))
NARROW = (Column(0, 54, 60, 40, 22, 15),)
NARROW_PAIR = (Column(5, 51, 61, 39, 20, 14),) * 2


def drawings(flow: Flow) -> tuple[Drawing, Drawing]:
    """The wide and the narrow drawing of ``flow``."""
    if len(flow.arms) == 1:
        return _beside("wide", flow, WIDE), _beside("narrow", flow, NARROW)
    return _beside("wide", flow, WIDE_PAIR), _below("narrow", flow, NARROW_PAIR)


def _beside(name: str, flow: Flow, columns: tuple[Column, ...]) -> Drawing:
    """The arms side by side, step by step at one height, and what comes out below them."""
    made, start = Drawing(name), 0
    if len(columns) > 1:
        made.titles += [Title(arm.name, column.kept, 16) for arm, column in zip(flow.arms, columns, strict=True)]
        start = TITLE
    tops, heights = [start], []
    for rows in zip(*(arm.rows for arm in flow.arms), strict=True):
        pairs = zip(rows, columns, strict=True)
        heights.append(max(_height(row.kept, row.left_out, column) for row, column in pairs))
        tops.append(tops[-1] + heights[-1] + GAP)
    lasts = [_arm(made, arm, column, tops, heights) for arm, column in zip(flow.arms, columns, strict=True)]
    for last in lasts:
        made.down(last.centre, last.bottom, tops[-1])
    first, right = columns[0], columns[-1]
    reach = right.kept + right.kept_width - first.kept
    _outcome(made, flow, Column(first.kept, reach, right.out, right.out_width, 44, right.out_letters), tops[-1])
    return made


def _below(name: str, flow: Flow, columns: tuple[Column, ...]) -> Drawing:
    """The arms below each other; a rail at the left leads from the first past the second to what comes out."""
    made, top, lasts = Drawing(name), 0, []
    for arm, column in zip(flow.arms, columns, strict=True):
        made.titles.append(Title(arm.name, column.kept, top + 16))
        tops, heights = [top + TITLE], []
        for row in arm.rows:
            heights.append(_height(row.kept, row.left_out, column))
            tops.append(tops[-1] + heights[-1] + GAP)
        lasts.append(_arm(made, arm, column, tops, heights))
        top = tops[-1]
    made.down(lasts[-1].centre, lasts[-1].bottom, top)
    column, rail = columns[0], columns[0].kept / 3
    _outcome(made, flow, column, top)
    included = next(placed for placed in made.boxes if placed.box is flow.included)
    made.strokes += [
        Stroke(lasts[0].x, lasts[0].middle, rail, lasts[0].middle),
        Stroke(rail, lasts[0].middle, rail, included.middle),
    ]
    made.across(rail, included.x, included.middle)
    return made


def _arm(made: Drawing, arm: Arm, column: Column, tops: list[int], heights: list[int]) -> Placed:
    """Draw one arm; the last box that is kept comes back."""
    for number, (row, top, height) in enumerate(zip(arm.rows, tops, heights, strict=False)):
        kept = Placed(row.kept, column.kept, column.kept_width, top, height, lines(row.kept, column.kept_letters))
        out = Placed(row.left_out, column.out, column.out_width, top, height, lines(row.left_out, column.out_letters))
        made.boxes += [kept, out]
        made.across(kept.right, out.x, kept.middle)
        if number + 1 < len(arm.rows):
            made.down(kept.centre, kept.bottom, tops[number + 1])
    return kept


def _outcome(made: Drawing, flow: Flow, column: Column, top: int) -> None:
    """The studies that come out; below them, with those of an earlier version, the studies in all."""

    def place(box: Box, out: bool, least: int) -> Placed:
        words = lines(box, column.out_letters if out else column.kept_letters)
        x, width = (column.out, column.out_width) if out else (column.kept, column.kept_width)
        made.boxes.append(Placed(box, x, width, top, max(least, words[-1].down + END), words))
        return made.boxes[-1]

    included = place(flow.included, False, 0)
    made.height = included.bottom
    if not (flow.total or flow.previous):
        return
    top = included.bottom + GAP
    total_box = flow.total or Box("total", "Studies in all")
    least = max(
        lines(box, letters)[-1].down + END
        for box, letters in ((total_box, column.kept_letters), (flow.previous, column.out_letters))
        if box
    )
    total = place(total_box, False, least)
    made.down(included.centre, included.bottom, total.top)
    if flow.previous:
        previous = place(flow.previous, True, least)
        made.across(previous.x, total.right, total.middle)
    made.height = total.bottom


def _height(kept: Box, left_out: Box, column: Column) -> int:
    return END + max(lines(kept, column.kept_letters)[-1].down, lines(left_out, column.out_letters)[-1].down)


def lines(box: Box, letters: int) -> tuple[Line, ...]:
    """The words of a box, in lines of at most ``letters``."""
    return tuple(_lines(box, letters))


def _lines(box: Box, letters: int) -> Iterator[Line]:
    down = FIRST - LINE

    def said(text: str, look: str) -> Iterator[Line]:
        nonlocal down
        for one in wrap(text, letters) or [text]:
            down += LINE
            yield Line(one, look, down)

    yield from said(box.words, "ink")
    if box.count is not None:
        down += NUMBER
        yield Line(str(box.count), "big", down)
        down += 6 if box.parts or box.notes or box.waiting else 0
    elif not box.parts:
        yield from said("not reported", "it")
    for part in box.parts:
        yield from said(f"{part.name} {part.count}", "dim")
    for note in box.notes:
        yield from said(note, "dim")
    if box.waiting:
        yield from said(f"{box.waiting.count} {box.waiting.words}", "waits")

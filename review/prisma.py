"""The PRISMA 2020 flow of a review, as boxes that a template draws. A count nobody reported is ``None``, never 0."""

from dataclasses import dataclass

from review.models import Review

TALL, MIDDLE, LOW, GAP = 128, 84, 64, 40


@dataclass(frozen=True)
class Box:
    """One box of the flow: its words, and its number where one is known."""

    words: tuple[str, ...]
    count: int | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Stage:
    """A step of the flow: what is kept, what is left out, and where the row stands in the drawing (pixels)."""

    kept: Box
    left_out: Box | None
    top: int
    height: int

    @property
    def middle(self) -> int:
        """Where the arrow to the left-out box leaves."""
        return self.top + self.height // 2

    @property
    def bottom(self) -> int:
        """Where the arrow to the next stage leaves."""
        return self.top + self.height

    @property
    def next_top(self) -> int:
        """Where that arrow ends."""
        return self.bottom + GAP


def flow(review: Review) -> list[Stage]:
    """The five stages of the flow, from what the review reported.

    The steps between have no column, because no source reports them and nothing is worked out by subtraction.
    """
    notes = tuple(note for note in (databases(review), window(review)) if note)
    rows = (
        (Box(("Records identified",), review.records_identified, notes), Box(("Removed", "before", "screening"))),
        (Box(("Records screened",)), Box(("Excluded",))),
        (Box(("Reports sought",)), Box(("Not retrieved",))),
        (Box(("Reports assessed",)), Box(("Excluded",))),
        (Box(("Studies included",), review.studies_included), None),
    )
    stages: list[Stage] = []
    for kept, left_out in rows:
        top = stages[-1].next_top if stages else 0
        height = TALL if kept.notes else MIDDLE if kept.count is not None else LOW
        stages.append(Stage(kept, left_out, top, height))
    return stages


def window(review: Review) -> str:
    """The time that was searched, as far as it is reported: ``2017 to 2023-12``."""
    return " to ".join(str(end) for end in (review.first_year, review.last_month) if end)


def databases(review: Review) -> str:
    """How many databases were searched: ``5 databases``; empty where it is not reported."""
    return "" if review.databases is None else f"{review.databases} databases"

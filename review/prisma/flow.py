"""The boxes of a PRISMA 2020 flow, whatever their numbers come from. A count nobody reported is ``None``, never 0.

Numbers go by the keys of the PRISMA2020 table (``records_screened``) where it has one. Keys of ours begin with "our_":
totals that the table leaves to its reader, and the screening of what other methods found, which the table has not.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

# A number, or numbers by name: the reasons why reports were excluded, the hits of each source.
Named = list[tuple[str, int]]
Numbers = Mapping[str, "int | Named | None"]


@dataclass(frozen=True)
class Part:
    """A share of a box: a source, a reason. ``value`` names it in the address of the list; ``note`` is said beside."""

    name: str
    count: int
    value: str = ""
    note: str = ""


@dataclass(frozen=True)
class Waiting:
    """What has reached a box and no decision yet; never counted among what is left out."""

    slug: str
    count: int
    words: str


@dataclass(frozen=True)
class Box:
    """One box of the flow. ``slug`` is its name in addresses, ``words`` what it says."""

    slug: str
    words: str
    count: int | None = None
    parts: tuple[Part, ...] = ()
    notes: tuple[str, ...] = ()
    waiting: Waiting | None = None

    @property
    def known(self) -> bool:
        """Whether anything of it is reported."""
        return self.count is not None or bool(self.parts)

    @property
    def label(self) -> str:
        """The box in one line: what a screen reader says."""
        inside = [f"{part.name} {part.count}" for part in self.parts]
        inside += [f"{self.waiting.count} {self.waiting.words}"] if self.waiting else []
        count = "" if self.count is None else str(self.count)
        said = " ".join(part for part in (count, f"({', '.join(inside)})" if inside else "") if part)
        return f"{self.words}: {said or 'not reported'}"


@dataclass(frozen=True)
class Row:
    """A step: what goes on, and what is left out."""

    kept: Box
    left_out: Box


@dataclass(frozen=True)
class Arm:
    """One way in which records were found."""

    name: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Flow:
    """A whole flow: one or two arms, the studies that come out, and those of an earlier version.

    ``counted``: every number is a query over the screening. ``source`` is the address that reports the numbers.
    """

    arms: tuple[Arm, ...]
    included: Box
    previous: Box | None = None
    total: Box | None = None
    numbers: Numbers = field(default_factory=dict)
    counted: bool = False
    source: str = ""

    def boxes(self) -> Iterator[Box]:
        """Every box, in the order of reading."""
        for arm in self.arms:
            for row in arm.rows:
                yield from (row.kept, row.left_out)
        yield from (box for box in (self.included, self.previous, self.total) if box)

    def box(self, slug: str) -> Box | None:
        """The box of that name."""
        return next((box for box in self.boxes() if box.slug == slug), None)

    @property
    def records(self) -> int:
        """How many records were identified in all; for a counted flow."""
        return sum(arm.rows[0].kept.count or 0 for arm in self.arms)

    @property
    def waiting(self) -> tuple[Waiting, ...]:
        """Everything that waits, stage by stage."""
        return tuple(box.waiting for box in self.boxes() if box.waiting)


# Per arm: the slug's beginning, its name, and the key of each box.
DATABASES, OTHER = "", "other-"
NAMES = {DATABASES: "Databases and registers", OTHER: "Other methods"}
KEYS: dict[str, dict[str, str]] = {
    DATABASES: {
        "identified": "our_identified", "removed": "our_removed",
        "screened": "records_screened", "excluded": "records_excluded",
        "sought": "dbr_sought_reports", "not-retrieved": "dbr_notretrieved_reports",
        "assessed": "dbr_assessed", "reports-excluded": "dbr_excluded",
    },
    OTHER: {
        "identified": "our_other_identified", "removed": "our_other_removed",
        "screened": "our_other_screened", "excluded": "our_other_excluded",
        "sought": "other_sought_reports", "not-retrieved": "other_notretrieved_reports",
        "assessed": "other_assessed", "reports-excluded": "other_excluded",
    },
}  # fmt: skip
WORDS = {
    "identified": "Records identified",
    "removed": "Removed before screening",
    "screened": "Records screened",
    "excluded": "Excluded",
    "sought": "Reports sought",
    "not-retrieved": "Not retrieved",
    "assessed": "Reports assessed",
    "reports-excluded": "Excluded",
}
STEPS = (
    ("identified", "removed"),
    ("screened", "excluded"),
    ("sought", "not-retrieved"),
    ("assessed", "reports-excluded"),
)
# What may wait at a box: its name in addresses, and its words behind the number.
WAITING = {
    "screened": ("waiting-screening", "waiting to be screened"),
    "sought": ("waiting-sought", "not sought yet"),
    "not-retrieved": ("waiting-retrieval", "being retrieved"),
    "assessed": ("waiting-assessment", "waiting for a decision"),
}


def arm(
    start: str,
    numbers: Numbers,
    parts: Mapping[str, tuple[Part, ...]],
    waiting: Mapping[str, int] | None = None,
    notes: tuple[str, ...] = (),
) -> Arm:
    """The arm whose slugs begin with ``start``; parts, waiting and notes are given per slug without that beginning."""

    def box(slug: str) -> Box:
        given = numbers.get(KEYS[start][slug])
        count = given if isinstance(given, int) else None
        waits = (waiting or {}).get(slug, 0)
        name, words = WAITING.get(slug, ("", ""))
        return Box(
            start + slug,
            WORDS[slug],
            count,
            parts.get(slug, ()),
            notes if slug == "identified" else (),
            Waiting(start + name, waits, words) if waits else None,
        )

    return Arm(NAMES[start], tuple(Row(box(kept), box(left_out)) for kept, left_out in STEPS))

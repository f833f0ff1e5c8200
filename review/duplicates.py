"""Publications that may be one: found, marked, and unmarked again. Nothing is ever deleted."""

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone

from review.importing import ruling
from review.importing.batches import Refused
from review.matching import Index, work_of
from review.models import ImportBatch, ImportEntry, Likeness, Publication

State = Likeness.State
SHOWN = ("title", "author", "year", "journal", "booktitle", "doi", "eprint", "url")


def find() -> int:
    """Compare every publication with every other; each pair that looks alike waits once. Returns how many are new."""
    index, made = Index(), 0
    rows = {row.key: row for row in Publication.objects.order_by("pk")}
    known = {frozenset(pair) for pair in Likeness.objects.values_list("earlier_id", "later_id")}
    for row in rows.values():
        work = work_of(row.key, row.entry_type, row.fields)
        match = index.find(work)
        index.add(work)
        if match is None:
            continue
        other = rows[match.key]
        if frozenset((other.pk, row.pk)) in known or (match.same_study and other.study_id == row.study_id):
            continue
        Likeness.objects.create(earlier=other, later=row, reason=match.reason, score=match.score)
        made += 1
    return made


def mark(likeness: Likeness, state: str, user: Any = None) -> Likeness:
    """Say what two publications are to each other. Raises ``Refused`` where somebody was faster.

    Marked the same, or two reports, the later one joins the study of the earlier; its own is kept for the way back.
    """
    if state not in (State.SAME, State.REPORT, State.DIFFERENT):
        raise Refused("Say whether they are the same, two reports of one study, or different.")
    with transaction.atomic():
        likeness = _locked(likeness)
        if likeness.state != State.MAYBE:
            raise Refused(f"Somebody decided already: {likeness.get_state_display()}.")
        if state != State.DIFFERENT and likeness.later.study_id != likeness.earlier.study_id:
            likeness.own_study = likeness.later.study
            _move(likeness.later, likeness.earlier.study_id, f"{state} as {likeness.earlier.key}")
        likeness.state, likeness.ruled_by, likeness.ruled_at = state, user, timezone.now()
        likeness.save()
    return likeness


def unmark(likeness: Likeness, user: Any = None) -> Likeness:
    """The decision is open again, and the later publication back in its own study."""
    with transaction.atomic():
        likeness = _locked(likeness)
        if likeness.state == State.MAYBE:
            raise Refused("Nobody has decided upon this pair.")
        if likeness.own_study_id:
            _move(likeness.later, likeness.own_study_id, f"no longer {likeness.state} as {likeness.earlier.key}")
        likeness.state, likeness.own_study = State.MAYBE, None
        likeness.ruled_by, likeness.ruled_at = None, None
        likeness.save()
    return likeness


def _locked(likeness: Likeness) -> Likeness:
    rows = Likeness.objects.select_for_update(of=("self",)).select_related("earlier", "later__study")
    return rows.get(pk=likeness.pk)


def _move(row: Publication, study: int, reason: str) -> None:
    row.study_id = study
    row._change_reason = reason[:100]  # type: ignore[attr-defined]
    row.save()


@dataclass(frozen=True)
class Field:
    """One field on both sides, each in pieces: text, and whether the other side has it too."""

    name: str
    left: list[tuple[str, bool]]
    right: list[tuple[str, bool]]

    @property
    def same(self) -> bool:
        """Whether both sides say the same."""
        return [text for text, _ in self.left] == [text for text, _ in self.right]


@dataclass(frozen=True)
class Pair:
    """Two works side by side: the one that is here, and the one that may be the same."""

    kind: str  # "entry" of an import, or "pair" of publications
    pk: int
    reason: str
    score: float | None
    left: Publication | None
    right_key: str
    right: Publication | None
    origin: str
    fields: list[Field]
    may_be_report: bool


def waiting() -> list[tuple[str, int]]:
    """Kind and number of everything that waits for a decision, in the order in which it is shown."""
    entries = _open_entries().order_by("batch_id", "position").values_list("pk", flat=True)
    pairs = Likeness.objects.filter(state=State.MAYBE).values_list("pk", flat=True)
    return [("entry", pk) for pk in entries] + [("pair", pk) for pk in pairs]


def _open_entries() -> Any:
    states = (ImportBatch.State.READY, ImportBatch.State.APPLIED)
    return ImportEntry.objects.filter(outcome=ImportEntry.Outcome.MAYBE, ruling="", batch__state__in=states)


def pair(kind: str, pk: int) -> Pair | None:
    """One pair for the page; ``None`` where it waits no more."""
    if kind == "entry":
        entry = _open_entries().select_related("batch").filter(pk=pk).first()
        return _of_entry(entry) if entry else None
    likeness = Likeness.objects.select_related("earlier", "later").filter(pk=pk, state=State.MAYBE).first()
    if likeness is None:
        return None
    left, right = likeness.earlier, likeness.later
    fields = list(compared(left.fields, right.fields))
    return Pair("pair", pk, likeness.reason, likeness.score, left, right.key, right, "", fields, True)


def _of_entry(entry: ImportEntry) -> Pair:
    left = Publication.objects.filter(key=entry.duplicate_of).first()
    earlier = entry.batch.entries.filter(key=entry.duplicate_of, position__lt=entry.position).first()
    known = left.fields if left else earlier.fields if earlier else []
    origin = f"{entry.batch.file_name}, line {entry.line}"
    fields = list(compared(known, entry.fields))
    return Pair("entry", entry.pk, entry.reason, entry.score, left, entry.key, None, origin, fields, False)


def compared(left: Sequence[Sequence[str]], right: Sequence[Sequence[str]]) -> Iterator[Field]:
    """Every field of both, the telling ones first, with the words marked that only one side has."""
    ours, theirs = ({name.lower(): value for name, value in side} for side in (left, right))
    names = [name for name in SHOWN if name in ours or name in theirs]
    names += sorted((ours.keys() | theirs.keys()) - set(names))
    for name in names:
        yield Field(name, *_pieces(ours.get(name, ""), theirs.get(name, "")))


def _pieces(left: str, right: str) -> tuple[list[tuple[str, bool]], list[tuple[str, bool]]]:
    ours, theirs = left[:2000].split(), right[:2000].split()
    found: tuple[list[tuple[str, bool]], list[tuple[str, bool]]] = ([], [])
    matcher = difflib.SequenceMatcher(None, ours, theirs, autojunk=False)
    for tag, a, b, c, d in matcher.get_opcodes():
        for side, words in zip(found, (ours[a:b], theirs[c:d]), strict=True):
            if words:
                side.append((" ".join(words), tag == "equal"))
    return found


def decide(kind: str, pk: int, said: str, user: Any) -> str:
    """Carry out what a curator said of a pair; returns it in words. Raises ``Refused`` as ``mark`` and ``rule`` do."""
    if kind == "pair":
        likeness = Likeness.objects.filter(pk=pk).first()
        if likeness is None:
            raise Refused("This pair is not there any more.")
        return str(mark(likeness, said, user).get_state_display())
    entry = ImportEntry.objects.filter(pk=pk).first()
    if entry is None:
        raise Refused("This entry is not there any more.")
    return str(ruling.rule(entry, said, user).get_ruling_display())


def take_back(kind: str, pk: int, user: Any) -> None:
    """Undo a decision. Raises ``Refused`` where that is not possible."""
    if kind == "pair" and (likeness := Likeness.objects.filter(pk=pk).first()):
        unmark(likeness, user)
    elif kind == "entry" and (entry := ImportEntry.objects.filter(pk=pk).first()):
        ruling.take_back(entry, user)
    else:
        raise Refused("This decision is not there any more.")


@dataclass(frozen=True)
class Decided:
    """A decision that was taken, for the list below the pair."""

    kind: str
    pk: int
    left: str
    right: str
    said: str
    who: str
    when: Any


def decided(most: int = 20) -> list[Decided]:
    """The newest decisions. Two queries."""
    marked = Likeness.objects.exclude(state=State.MAYBE).select_related("earlier", "later", "ruled_by")
    ruled = ImportEntry.objects.exclude(ruling="").select_related("ruled_by")
    rows = [
        Decided("pair", one.pk, one.earlier.key, one.later.key, one.get_state_display(), _name(one), one.ruled_at)
        for one in marked.order_by("-ruled_at")[:most]
    ] + [
        Decided("entry", one.pk, one.duplicate_of, one.key, one.get_ruling_display(), _name(one), one.ruled_at)
        for one in ruled.order_by("-ruled_at")[:most]
    ]
    return sorted(rows, key=lambda row: (row.when is not None, row.when), reverse=True)[:most]


def _name(row: Likeness | ImportEntry) -> str:
    return row.ruled_by.get_username() if row.ruled_by else ""

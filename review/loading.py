"""Brings parsed records into the database by a three-way merge, in one transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction

from review.faults import Fault
from review.kinds import Content, Kind, Parsed
from review.merge import Action, Prefer, circles, decide, differences
from review.models import LoadedRecord
from review.storing import Store


@dataclass
class Report:
    """What a load did. Each list but ``faults`` holds one line of text per record, which begins with kind and key.

    With ``faults`` nothing was loaded. ``conflicts`` were left as the site has them. ``kept`` are edits and deletions
    made on the site, ``vanished`` records that have left the files; both stand as they were. ``notes`` stop nothing.
    """

    created: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)
    vanished: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing waits for a decision or a correction."""
        return not self.faults and not self.conflicts

    def lasting(self) -> dict[str, list[str]]:
        """What stays true until somebody acts, as texts: the part worth keeping."""
        return {
            "faults": [str(fault) for fault in self.faults],
            "conflicts": self.conflicts,
            "kept": self.kept,
            "vanished": self.vanished,
            "notes": self.notes,
        }


def merge(parsed: Parsed, kinds: Sequence[Kind], prefer: Prefer | None = None) -> Report:
    """Merge ``parsed``, which must be without faults, into the database; ``kinds`` stand after those they point at."""
    report = Report(notes=list(parsed.notes))
    with transaction.atomic():
        store = Store(kinds)
        store.read(lock=True)
        bases: dict[str, dict[str, Content]] = {kind.name: {} for kind in kinds}
        for name, key, content in LoadedRecord.objects.values_list("kind", "key", "content"):
            bases.setdefault(name, {})[key] = content
        for kind in kinds:
            if not kind.implied:
                files = {record.key: record.content for record in parsed.of(kind)}
                _Merge(kind, store, bases[kind.name], files, report).run(prefer)
    return report


class _Merge:
    """The merge of one kind."""

    def __init__(
        self, kind: Kind, store: Store, base: dict[str, Content], files: dict[str, Content], report: Report
    ) -> None:
        self.kind, self.store, self.base, self.files, self.report = kind, store, base, files, report
        self.site = store.contents[kind.name]
        self.plan: dict[str, Action] = {}

    def run(self, prefer: Prefer | None) -> None:
        for key in sorted(self.files.keys() | self.base.keys()):
            three = self.base.get(key), self.site.get(key), self.files.get(key)
            self.plan[key] = decide(*three, prefer)
            self._tell(key, self.plan[key], *three)
        self._hold_back()
        create, update = self._files_of(Action.CREATE), self._files_of(Action.UPDATE)
        if create or update:
            self.store.write(self.kind, create, update)
        self.report.created += [self._label(key) for key in create]
        self.report.updated += [self._label(key) for key in update]
        self._move_base(create | update | self._files_of(Action.AGREE))

    def _label(self, key: str) -> str:
        return f"{self.kind.name} {key}"

    def _files_of(self, action: Action) -> dict[str, Content]:
        return {key: self.files[key] for key, planned in self.plan.items() if planned is action}

    def _tell(self, key: str, action: Action, base: Content | None, site: Content | None, file: Content | None) -> None:
        if action is Action.VANISHED:
            self.report.vanished.append(f"{self._label(key)}: left the files, kept on the site")
        elif action is Action.KEEP or (action is Action.AGREE and site != file):
            done = "deleted on the site" if site is None else f"edited on the site: {_named(site, file)}"
            self.report.kept.append(f"{self._label(key)}: {done}")
        elif action is Action.CONFLICT:
            self.report.conflicts.append(f"{self._label(key)}: {_conflict(base, site, file)}")

    def _hold_back(self) -> None:
        """Turn into conflicts what would point at a record that was deleted on the site, or close a circle."""
        while held := self._unfit():
            for key, reason in held.items():
                self.plan[key] = Action.CONFLICT
                self.report.conflicts.append(f"{self._label(key)}: {reason}")

    def _unfit(self) -> dict[str, str]:
        new = self._files_of(Action.CREATE)
        changes = new | self._files_of(Action.UPDATE)
        missing = {
            key: f"points at {to} {other}, which was deleted on the site"
            for key, content in changes.items()
            for _, to, other in self.kind.references(content)
            if not (
                self.store.kinds[to].implied or self.store.has(to, other) or (to == self.kind.name and other in new)
            )
        }
        circular = circles(self.kind, self.site | changes) & changes.keys()
        return missing or dict.fromkeys(circular, "would be its own ancestor")

    def _move_base(self, contents: Mapping[str, Content]) -> None:
        if contents:
            LoadedRecord.objects.bulk_create(
                [LoadedRecord(kind=self.kind.name, key=key, content=content) for key, content in contents.items()],
                update_conflicts=True,
                unique_fields=["kind", "key"],
                update_fields=["content"],
            )
        if gone := [key for key, action in self.plan.items() if action is Action.FORGET]:
            LoadedRecord.objects.filter(kind=self.kind.name, key__in=gone).delete()


def _named(one: Content, other: Content | None) -> str:
    return ", ".join(differences(one, other or {}))


def _conflict(base: Content | None, site: Content | None, file: Any) -> str:
    if site is None:
        return f"deleted on the site, changed in the files: {_named(file, base)}"
    if base is None:
        return f"made on the site and in the files, with other contents: {_named(site, file)}"
    return f"changed on the site ({_named(site, base)}) and in the files ({_named(file, base)})"

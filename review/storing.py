"""Contents out of the database and into it, a few queries per kind however many records there are."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.db.models import Model, QuerySet

from review import history
from review.citation import free_slug
from review.kinds import Content, Kind, Rows, tidy


class Store:
    """The records of some kinds. ``contents`` (kind → key → content) is what the site holds when ``read`` is called."""

    def __init__(self, kinds: Iterable[Kind]) -> None:
        self.kinds = {kind.name: kind for kind in kinds}
        self.contents: dict[str, dict[str, Content]] = {}
        self._rows_of: dict[str, dict[str, int]] = {}
        self._keys_of: dict[str, dict[int, str]] = {}

    def read(self, lock: bool = False) -> None:
        """Read everything; ``lock`` keeps others from editing until the transaction ends, where the database can."""
        for kind in self.kinds.values():
            self._read_columns(kind, lock)
        for kind in self.kinds.values():
            self._read_lists(kind)

    def _read_columns(self, kind: Kind, lock: bool) -> None:
        links = [f"{name}_id" for name in kind.links]
        key = [kind.key] if isinstance(kind.key, str) else []
        query: QuerySet[Any] = kind.model._base_manager.order_by("pk")
        if lock:
            query = query.select_for_update()
        contents: dict[str, Content] = {}
        self._rows_of[kind.name], self._keys_of[kind.name] = {}, {}
        parents: list[tuple[Content, str, int | None]] = []
        for row in query.values("pk", *key, *kind.columns, *links):
            content: Content = {name: tidy(row[name]) for name in kind.columns}
            for name, to in kind.links.items():
                if to == kind.name:
                    parents.append((content, name, row[f"{name}_id"]))
                else:
                    content[name] = self._keys_of[to].get(row[f"{name}_id"])
            own = row[key[0]] if key else "/".join(content[name] for name in kind.key)
            contents[own] = content
            self._rows_of[kind.name][own], self._keys_of[kind.name][row["pk"]] = row["pk"], own
        for content, name, pk in parents:
            content[name] = None if pk is None else self._keys_of[kind.name][pk]
        self.contents[kind.name] = contents

    def _read_lists(self, kind: Kind) -> None:
        contents, keys = self.contents[kind.name], self._keys_of[kind.name]
        for name, to in kind.many.items():
            for content in contents.values():
                content[name] = []
            through, owner, target = _through(kind, name)
            for owner_pk, target_pk in through._base_manager.values_list(owner, target):
                contents[keys[owner_pk]][name].append(self._keys_of[to][target_pk])
            for content in contents.values():
                content[name].sort()
        for name, rows in kind.rows.items():
            for content in contents.values():
                content[name] = []
            links = {f"{link}_id": (link, to) for link, to in rows.links.items()}
            found = rows.model._base_manager.order_by("position", "pk")
            for row in found.values(f"{rows.owner}_id", *rows.columns, *links):
                child = {column: tidy(row[column]) for column in rows.columns}
                child |= {link: self._keys_of[to][row[column]] for column, (link, to) in links.items()}
                contents[keys[row[f"{rows.owner}_id"]]][name].append(child)

    def has(self, kind: str, key: str) -> bool:
        """Whether the site holds this record now, writes of this store included."""
        return key in self._rows_of[kind]

    def write(self, kind: Kind, create: Mapping[str, Content], update: Mapping[str, Content]) -> None:
        """Create and change records of one kind; what they point at must be there already, or be among them."""
        for name, to in kind.links.items():
            if self.kinds[to].implied:
                wanted = {content[name] for content in [*create.values(), *update.values()]}
                self._imply(self.kinds[to], {key for key in wanted if not self.has(to, key)})
        made, changed = self._create(kind, dict(create)), self._update(kind, update)
        self._write_lists(kind, {**create, **update}, update)
        history.record(made, "+", history.LOADED, kind.many)
        history.record(changed, "~", history.LOADED, kind.many)

    def _imply(self, kind: Kind, keys: set[str]) -> None:
        made = kind.model._base_manager.bulk_create([kind.model(**{str(kind.key): key}) for key in sorted(keys)])
        self._remember(kind, zip(sorted(keys), made, strict=True))
        history.record(made, "+", history.LOADED)

    def _remember(self, kind: Kind, made: Iterable[tuple[str, Model]]) -> None:
        for key, instance in made:
            self._rows_of[kind.name][key] = instance.pk
            self._keys_of[kind.name][instance.pk] = key

    def _create(self, kind: Kind, create: dict[str, Content]) -> list[Model]:
        """In waves: a node of a tree after its parent."""
        taken: set[str] = set()
        every: list[Model] = []
        if kind.slug_of_key and create:
            taken = set(kind.model._base_manager.values_list("slug", flat=True))
        while create:
            ready = [key for key, content in sorted(create.items()) if self._can_stand(kind, content)]
            if not ready:
                raise ValueError(f"{kind.name}: {', '.join(create)} point at what is not there")
            instances = [self._instance(kind, key, create.pop(key)) for key in ready]
            for key, instance in zip(ready, instances, strict=True):
                if kind.slug_of_key:
                    instance.slug = free_slug(key, taken)  # type: ignore[attr-defined]
            made = kind.model._base_manager.bulk_create(instances)
            self._remember(kind, zip(ready, made, strict=True))
            every += made
        return every

    def _update(self, kind: Kind, update: Mapping[str, Content]) -> list[Model]:
        rows = kind.model._base_manager.in_bulk([self._rows_of[kind.name][key] for key in update])
        changed: list[Model] = []
        for key, content in update.items():
            row = rows[self._rows_of[kind.name][key]]
            for name, value in self._values(kind, content).items():
                setattr(row, name, value)
            changed.append(row)
        if update:
            columns = [*kind.columns, *kind.links, *(kind.derived(next(iter(update.values()))))]
            kind.model._base_manager.bulk_update(changed, columns)
        return changed

    def _can_stand(self, kind: Kind, content: Content) -> bool:
        return all(content[name] is None or self.has(to, content[name]) for name, to in kind.links.items())

    def _instance(self, kind: Kind, key: str, content: Content) -> Model:
        own = {kind.key: key} if isinstance(kind.key, str) else {}
        return kind.model(**own, **self._values(kind, content))

    def _values(self, kind: Kind, content: Content) -> Content:
        columns = {name: content[name] for name in kind.columns}
        links = {
            f"{name}_id": None if content[name] is None else self._rows_of[to][content[name]]
            for name, to in kind.links.items()
        }
        return columns | links | kind.derived(content)

    def _write_lists(self, kind: Kind, written: Mapping[str, Content], update: Mapping[str, Content]) -> None:
        owners = {key: self._rows_of[kind.name][key] for key in written}
        changed = [owners[key] for key in update]
        for name, to in kind.many.items():
            through, owner, target = _through(kind, name)
            if changed:
                through._base_manager.filter(**{f"{owner}__in": changed}).delete()
            through._base_manager.bulk_create(
                through(**{owner: owners[key], target: self._rows_of[to][other]})
                for key, content in written.items()
                for other in content[name]
            )
        for name, rows in kind.rows.items():
            if changed:
                old = rows.model._base_manager.filter(**{f"{rows.owner}_id__in": changed})
                history.record(list(old), "-", history.LOADED)
                old._raw_delete(old.db)  # the history has them already, one row each
            made = rows.model._base_manager.bulk_create(
                self._child(rows, owners[key], position, child)
                for key, content in written.items()
                for position, child in enumerate(content[name])
            )
            history.record(made, "+", history.LOADED)

    def _child(self, rows: Rows, owner: int, position: int, child: Content) -> Model:
        links = {f"{link}_id": self._rows_of[to][child[link]] for link, to in rows.links.items()}
        columns = {column: child[column] for column in rows.columns}
        return rows.model(**{f"{rows.owner}_id": owner, "position": position}, **links, **columns)


def _through(kind: Kind, name: str) -> tuple[type[Model], str, str]:
    """The table of a to-many relation, with its columns for the owner and the target."""
    relation: Any = kind.model._meta.get_field(name)
    return relation.remote_field.through, f"{relation.m2m_field_name()}_id", f"{relation.m2m_reverse_field_name()}_id"

"""Makes and drops a full-text index, for migrations alone.

Applied migrations call these functions, so they never change what an index holds: another shape is another function.
SQLite drops the triggers of a table that a migration rebuilds; such a migration drops and makes the index again
(tests/review/test_fulltext.py notices when one forgot).
"""

import unicodedata
from collections.abc import Iterator, Sequence

from django.db.backends.base.schema import BaseDatabaseSchemaEditor

# Accented Latin letters to their plain forms, and the marks inside identifiers to blanks: as FTS5 reads them.
_ACCENTED = [chr(code) for code in range(0xC0, 0x180) if len(unicodedata.normalize("NFKD", chr(code))) == 2]
_PLAIN = "".join(unicodedata.normalize("NFKD", letter)[0] for letter in _ACCENTED)
_MARKS = "-/.:_@{}"


def make(editor: BaseDatabaseSchemaEditor, table: str, columns: Sequence[str], weights: str) -> None:
    """Index ``columns`` of ``table``; ``weights`` are PostgreSQL's letters A to D; FTS5 weighs when asked."""
    vendor = editor.connection.vendor
    for statement in _postgres(table, columns, weights) if vendor == "postgresql" else _sqlite(table, columns):
        editor.execute(statement, None)


def drop(editor: BaseDatabaseSchemaEditor, table: str) -> None:
    """Undo ``make``."""
    if editor.connection.vendor == "postgresql":
        editor.execute(f"ALTER TABLE {table} DROP COLUMN IF EXISTS search", None)
        return
    for event in ("insert", "delete", "update"):
        editor.execute(f"DROP TRIGGER IF EXISTS {table}_search_{event}", None)
    editor.execute(f"DROP TABLE IF EXISTS {table}_search", None)


def _postgres(table: str, columns: Sequence[str], weights: str) -> Iterator[str]:
    letters, plain = "".join(_ACCENTED) + _MARKS, _PLAIN + " " * len(_MARKS)
    parts = (
        f"""setweight(to_tsvector('english', translate(coalesce("{name}", ''), '{letters}', '{plain}')), '{weight}')"""
        for name, weight in zip(columns, weights, strict=True)
    )
    yield f"ALTER TABLE {table} ADD COLUMN search tsvector GENERATED ALWAYS AS ({' || '.join(parts)}) STORED"
    yield f"CREATE INDEX {table}_search ON {table} USING gin (search)"


def _sqlite(table: str, columns: Sequence[str]) -> Iterator[str]:
    index = f"{table}_search"
    names, old, new = (", ".join(f'{row}"{name}"' for name in columns) for row in ("", "old.", "new."))
    add = f"INSERT INTO {index}(rowid, {names}) VALUES (new.id, {new});"  # noqa: S608 - names of ours
    remove = f"INSERT INTO {index}({index}, rowid, {names}) VALUES ('delete', old.id, {old});"  # noqa: S608
    options = "tokenize='porter unicode61 remove_diacritics 2', prefix='2 3'"
    yield f"CREATE VIRTUAL TABLE {index} USING fts5({names}, content='{table}', content_rowid='id', {options})"
    yield f"CREATE TRIGGER {index}_insert AFTER INSERT ON {table} BEGIN {add} END"
    yield f"CREATE TRIGGER {index}_delete AFTER DELETE ON {table} BEGIN {remove} END"
    yield f"CREATE TRIGGER {index}_update AFTER UPDATE ON {table} BEGIN {remove} {add} END"
    yield f"INSERT INTO {index}({index}) VALUES ('rebuild')"  # noqa: S608

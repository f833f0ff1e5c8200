"""Records are long and come by the hundred: PostgreSQL packs them by lz4, where the server was built with it."""

from typing import Any

from django.db import DatabaseError, migrations, transaction


def pack(apps: Any, schema_editor: Any) -> None:
    """Choose lz4 for the records that come; a server without it keeps its own way."""
    if schema_editor.connection.vendor != "postgresql":
        return
    try:
        with transaction.atomic(using=schema_editor.connection.alias):
            schema_editor.execute("ALTER TABLE reproductions_run ALTER COLUMN record SET COMPRESSION lz4")
    except DatabaseError:
        pass


class Migration(migrations.Migration):
    """A way of storing; no row changes."""

    dependencies = [("reproductions", "0007_workers_and_submissions")]
    operations = [migrations.RunPython(pack, migrations.RunPython.noop)]

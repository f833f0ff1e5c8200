from django.db import migrations

from review.history import begin


class Migration(migrations.Migration):
    """Records that were there before their history get a first row of it."""

    dependencies = [("review", "0006_import_seen")]

    operations = [
        migrations.RunPython(
            lambda apps, editor: begin(apps, "review"), migrations.RunPython.noop, elidable=True
        ),
    ]

"""The runs that ended last are asked for often: by the feed, and by the version of what the API answers."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """An index; no row changes."""

    dependencies = [("reproductions", "0009_phase_since")]
    operations = [
        migrations.AddIndex(model_name="run", index=models.Index(fields=["-finished_at"], name="runs_by_ending"))
    ]

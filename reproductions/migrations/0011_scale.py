"""Indexes for pages over ten thousand runs and a million measurements; no row changes."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Indexes alone."""

    dependencies = [("reproductions", "0010_runs_by_ending")]

    operations = [
        migrations.AddIndex(
            model_name='measurement',
            index=models.Index(fields=['run', 'position'], name='rows_of_run'),
        ),
        migrations.AddIndex(
            model_name='run',
            index=models.Index(fields=['-asked_at', '-id'], name='runs_by_asking'),
        ),
        migrations.AddIndex(
            model_name='run',
            index=models.Index(fields=['technique', '-finished_at', '-id'], name='newest_of_technique'),
        ),
        migrations.AddIndex(
            model_name='run',
            index=models.Index(fields=['technique', 'device', 'size', 'status', 'smoke', 'noisy', 'accepted', 'finished_at', 'id'], name='runs_by_kind'),
        ),
    ]

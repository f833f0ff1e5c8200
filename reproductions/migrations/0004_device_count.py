from django.db import migrations, models


def from_records(apps, schema_editor):
    """Runs that came in before the column was there say it in their records."""
    Run = apps.get_model("reproductions", "Run")
    for run in Run.objects.filter(record__isnull=False).only("pk", "record").iterator(20):
        Run.objects.filter(pk=run.pk).update(device_count=(run.record or {}).get("device", {}).get("count"))


class Migration(migrations.Migration):
    dependencies = [("reproductions", "0003_remark")]

    operations = [
        migrations.AddField(
            model_name="run",
            name="device_count",
            field=models.PositiveSmallIntegerField(blank=True, help_text="As the record says.", null=True),
        ),
        migrations.RunPython(from_records, migrations.RunPython.noop),
    ]

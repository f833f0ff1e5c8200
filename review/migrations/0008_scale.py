"""An index for the pages of a ledger of a hundred thousand entries; no row changes."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """An index alone."""

    dependencies = [("review", "0007_history_begins")]
    operations = [
        migrations.AddIndex(
            model_name="membership",
            index=models.Index(fields=["review", "status", "publication", "id"], name="ledger_of_review"),
        )
    ]

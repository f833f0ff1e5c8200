from django.db import migrations

from review.history import begin


class Migration(migrations.Migration):
    """Records that were there before their history get a first row of it."""

    dependencies = [("reproductions", "0005_remark_history")]

    operations = [
        migrations.RunPython(
            lambda apps, editor: begin(apps, "reproductions"), migrations.RunPython.noop, elidable=True
        ),
    ]

"""The groups of the house. What each may do is given after every migrate, when the permissions exist: see config/roles.py."""

from django.db import migrations

NAMES = ("reader", "screener", "curator", "runner", "owner")


def make(apps, schema_editor):
    Group = apps.get_model("auth", "Group")
    for name in NAMES:
        Group.objects.get_or_create(name=name)


class Migration(migrations.Migration):
    dependencies = [("review", "0001_initial"), ("auth", "0012_alter_user_first_name_max_length")]
    operations = [migrations.RunPython(make, migrations.RunPython.noop)]

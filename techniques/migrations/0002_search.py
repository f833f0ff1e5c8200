"""The full-text index of techniques: a generated tsvector column, or an FTS5 table kept in step by triggers."""

from django.db import migrations

from review import fulltext_schema

COLUMNS = ("name", "slug", "idea", "implementation", "article")


def make(apps, schema_editor):
    fulltext_schema.make(schema_editor, "techniques_technique", COLUMNS, "AABCD")


def drop(apps, schema_editor):
    fulltext_schema.drop(schema_editor, "techniques_technique")


class Migration(migrations.Migration):
    dependencies = [("techniques", "0001_initial")]
    operations = [migrations.RunPython(make, drop)]

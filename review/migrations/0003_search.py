"""The full-text index of publications: a generated tsvector column, or an FTS5 table kept in step by triggers."""

from django.db import migrations

from review import fulltext_schema

COLUMNS = ("title", "key", "authors_text", "venue", "doi", "arxiv_id", "note")


def make(apps, schema_editor):
    fulltext_schema.make(schema_editor, "review_publication", COLUMNS, "AABCCCD")


def drop(apps, schema_editor):
    fulltext_schema.drop(schema_editor, "review_publication")


class Migration(migrations.Migration):
    dependencies = [("review", "0002_groups")]
    operations = [migrations.RunPython(make, drop)]

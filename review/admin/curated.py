"""What the admin of every curated record shares: its history, the way back, and no lost edits."""

from django.contrib import admin
from simple_history.admin import SimpleHistoryAdmin


class Curated(SimpleHistoryAdmin):
    """The admin of a record with history. Use it in place of ``admin.ModelAdmin``; before any other mixin."""

    history_view = admin.ModelAdmin.history_view

"""The admin of what is written by the work itself: a list to search, and rows to read."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest


class Immutable(admin.ModelAdmin):
    """Nobody adds, changes or deletes a row here, not even the owner."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

"""What the last load of the catalogue's files left."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from techniques.models import CatalogueReport


@admin.register(CatalogueReport)
class CatalogueReportAdmin(admin.ModelAdmin):
    """What the last load of the files left to mend or to decide; written by the load alone."""

    list_display = ("changed_at", "__str__")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

"""What the last load of the catalogue's files left."""

from django.contrib import admin

from review.admin.immutable import Immutable
from techniques.models import CatalogueReport


@admin.register(CatalogueReport)
class CatalogueReportAdmin(Immutable):
    """What the last load of the files left to mend or to decide; written by the load alone."""

    list_display = ("changed_at", "__str__")

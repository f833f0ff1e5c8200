"""The stock admin site with the names of the atlas."""

from django.contrib.admin import AdminSite


class AtlasAdminSite(AdminSite):
    """Stock behaviour; the name of the house in place of Django's."""

    site_header = "LLM Acceleration Atlas: curation"
    site_title = "Atlas curation"
    index_title = "Records"

"""The project's own app: the themed admin site and the groups' permissions."""

from django.apps import AppConfig, apps
from django.contrib.admin.apps import AdminConfig
from django.db.models.signals import post_migrate


class AtlasAdminConfig(AdminConfig):
    """Puts ``config.admin.AtlasAdminSite`` in place of the stock site."""

    default_site = "config.admin.AtlasAdminSite"


class HouseConfig(AppConfig):
    """Gives the groups their permissions once those of the last app exist."""

    name = "config"

    def ready(self) -> None:
        """Give the groups their permissions after each migrate."""
        from config.roles import grant

        # This app has no models, so Django sends it no signal of its own.
        post_migrate.connect(grant, sender=apps.get_app_config("reproductions"), dispatch_uid="grant")

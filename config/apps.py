"""The project's own app: the themed admin site and the groups' permissions."""

from django.apps import AppConfig, apps
from django.contrib.admin.apps import AdminConfig
from django.db.models.signals import post_migrate


class AtlasAdminConfig(AdminConfig):
    """Puts ``config.admin.AtlasAdminSite`` in place of the stock site."""

    default_site = "config.admin.AtlasAdminSite"


ENGINES = ("django_tasks_database", "procrastinate")


class HouseConfig(AppConfig):
    """Gives the groups their permissions once those of the last app exist, and keeps the engines out of the admin."""

    name = "config"

    def ready(self) -> None:
        """Give the groups their permissions after each migrate; the admin is the same whatever the task engine."""
        from django.contrib import admin

        from config.roles import grant

        # A delivery is no record of anything: what people need to see of the queue stands on the owner's page.
        admin.site.unregister([model for model in admin.site._registry if model._meta.app_label in ENGINES])

        # This app has no models, so Django sends it no signal of its own.
        post_migrate.connect(grant, sender=apps.get_app_config("reproductions"), dispatch_uid="grant")

"""The WSGI entry point. The web process, too, watches for dead workers, so that no run stays "running" for ever."""

import gc
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
application = get_wsgi_application()


def _watch() -> None:
    """Start the reaper of this process; it needs the apps, so it is imported after they are loaded."""
    from django.conf import settings

    from reproductions import reaper

    if settings.RUN_REAPER:
        reaper.start()


_watch()
# What is loaded by now lives as long as the process: collections need not walk through it again within a request.
gc.collect()
gc.freeze()

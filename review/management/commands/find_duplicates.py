"""``manage.py find_duplicates``: every publication compared with every other."""

from typing import Any

from django.core.management.base import BaseCommand

from review import duplicates


class Command(BaseCommand):
    """Pairs that look alike are put into the queue of the curators; nothing else changes."""

    help = "Compare all publications with one another and queue the pairs that look alike."

    def handle(self, *args: Any, **options: Any) -> None:
        """Find, and say how many."""
        self.stdout.write(f"{duplicates.find()} new pairs wait under /curate/duplicates/")

"""``manage.py login_link``: another one-time link for the owner or a named user."""

from argparse import ArgumentParser

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError

from reproductions.owner import local_owner, login_link


class Command(BaseCommand):
    """Prints a link that signs a user in once."""

    help = "Print a link that signs the owner (or --user NAME) in once, within an hour."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Whom it is for and where the site answers."""
        parser.add_argument("--user", help="whom the link signs in; default: the local owner")
        parser.add_argument("--root", default="http://127.0.0.1:8000", help="where the site answers")

    def handle(self, *, user: str | None, root: str, **options: object) -> None:
        """Print the link."""
        who = get_user_model().objects.filter(username=user, is_active=True).first() if user else local_owner()
        if who is None:
            raise CommandError(f"there is no active user {user!r}")
        self.stdout.write(login_link(who, root))

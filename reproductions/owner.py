"""The local owner: the superuser that the first start makes, and the link that signs them in once."""

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, User
from django.urls import reverse
from sesame.utils import get_query_string

NAME = "owner"


def local_owner() -> User:
    """The owner of this installation, made without a usable password when there is none; one can be set afterwards."""
    users = get_user_model().objects
    owner = users.filter(is_superuser=True, is_active=True).order_by("pk").first()
    if owner is None:
        owner = users.create_superuser(NAME, password=None)
        owner.groups.add(Group.objects.get(name="owner"))
    return owner


def login_link(user: User, root: str) -> str:
    """An address under ``root`` (scheme, host and port) that signs ``user`` in once, within an hour."""
    return f"{root.rstrip('/')}{reverse('login-link')}{get_query_string(user)}"

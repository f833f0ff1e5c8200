"""Tokens: how one is made, told from another, limited and revoked. The token itself is stored nowhere."""

import hashlib
import hmac
import re
import secrets
import threading
import time
from collections import OrderedDict
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import AnonymousUser, User
from django.db.models import F, Q
from django.utils import timezone

from reproductions.models import Token

PREFIX = "atlas_"
FORM = re.compile(r"atlas_[A-Za-z0-9_-]{43}")
SHOWN = 12
MINUTE = timedelta(seconds=60)
WRONG_A_MINUTE = 20
MOST_SENDERS = 10_000
ANOTHER = "Ask an owner of this site for another."


class Denied(Exception):
    """A token that does not open the door: the HTTP status, a sentence, and the seconds to wait where waiting helps."""

    def __init__(self, status: int, sentence: str, wait: int | None = None) -> None:
        super().__init__(sentence)
        self.status, self.sentence, self.wait = status, sentence, wait


def new(token: Token) -> str:
    """Give an unsaved ``token`` its secret, and return it: this is the only time that anybody sees it."""
    text = PREFIX + secrets.token_urlsafe(32)
    token.digest, token.shown = digest(text), text[:SHOWN]
    return text


def digest(text: str) -> str:
    """What is kept of a token. It has 256 random bits, so that a plain hash is enough."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def revoke(token: Token) -> bool:
    """Close a token for ever; false where it was closed before."""
    return bool(Token.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now()))


def authenticate(header: str, scope: str, sender: str) -> Token:
    """The token in an ``Authorization`` header, if it may do what ``scope`` says; raises ``Denied`` with words.

    ``sender`` tells where the request comes from, without naming anybody: too many wrong tokens close it for a while.
    """
    if not header.strip():
        raise Denied(401, "Send a token: Authorization: Bearer atlas_…")
    if wait := GUESSES.wait(sender):
        raise Denied(429, f"Too many wrong tokens came from your address. Try again in {wait} seconds.", wait)
    kind, _, text = header.strip().partition(" ")
    token = known(text.strip()) if kind.lower() == "bearer" else None
    if token is None:
        GUESSES.add(sender)
        raise Denied(401, "This token is not known here. Check that the whole of it was copied.")
    check(token, scope, timezone.now())
    count(token, timezone.now())
    return token


def known(text: str) -> Token | None:
    """The stored token of this text."""
    if not FORM.fullmatch(text):
        return None
    wanted = digest(text)
    token = Token.objects.select_related("owner").filter(digest=wanted).first()
    # The index compares digests, of which nobody can choose the first bytes; the last word is a comparison that takes
    # as long for any.
    return token if token is not None and hmac.compare_digest(token.digest, wanted) else None


def check(token: Token, scope: str, now: datetime) -> None:
    """Raises ``Denied`` for a token that is revoked, expired, whose owner is gone, or that lacks ``scope``."""
    if token.revoked_at is not None:
        raise Denied(401, f"This token was revoked on {token.revoked_at:%Y-%m-%d}. {ANOTHER}")
    if token.expires_at is not None and token.expires_at <= now:
        raise Denied(401, f"This token expired on {token.expires_at:%Y-%m-%d}. {ANOTHER}")
    if not token.owner.is_active:
        raise Denied(401, "The account that this token belongs to is closed.")
    if scope not in token.scopes:
        has = ", ".join(map(str, token.scopes)) or "none"
        raise Denied(403, f"This token lacks the scope {scope}; it has: {has}.")


def count(token: Token, now: datetime) -> None:
    """Count a request of this minute; raises ``Denied`` when there were as many as the token allows.

    Each step is one conditional statement, so that it is right when several requests come at once.
    """
    mine = Token.objects.filter(pk=token.pk)
    # A window from the future was opened before a clock stepped back.
    over = Q(window_at=None) | Q(window_at__lte=now - MINUTE) | Q(window_at__gt=now + MINUTE)
    if mine.filter(over).update(window_at=now, window_count=1, last_used_at=now):
        return
    if mine.filter(window_count__lt=F("per_minute")).update(window_count=F("window_count") + 1, last_used_at=now):
        return
    opened = mine.values_list("window_at", flat=True).get() or now
    wait = min(60, max(1, int((opened + MINUTE - now).total_seconds()) + 1))
    raise Denied(429, f"This token may send {token.per_minute} requests a minute. Try again in {wait} seconds.", wait)


class Guesses:
    """How many wrong tokens came from whom within a minute. In memory: a stranger can make the site write nothing."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def wait(self, sender: str) -> int:
        """The seconds for which nothing is taken from ``sender``; 0 where it is welcome."""
        with self._lock:
            begun, number = self._seen.get(sender, (0.0, 0))
            left = begun + 60 - time.monotonic()
        return int(left) + 1 if number >= WRONG_A_MINUTE and left > 0 else 0

    def add(self, sender: str) -> None:
        """Note a wrong token."""
        now = time.monotonic()
        with self._lock:
            begun, number = self._seen.pop(sender, (now, 0))
            self._seen[sender] = (begun, number + 1) if now - begun < 60 else (now, 1)
            while len(self._seen) > MOST_SENDERS:
                self._seen.popitem(last=False)

    def clear(self) -> None:
        """Forget everybody."""
        with self._lock:
            self._seen.clear()


GUESSES = Guesses()


def for_user(user: User | AnonymousUser) -> Any:
    """The tokens that ``user`` may see: an owner of the site all of them, others their own."""
    found = Token.objects.select_related("owner")
    return found if may_see_all(user) else found.filter(owner_id=user.pk)


def may_see_all(user: User | AnonymousUser) -> bool:
    """Whether the tokens of others are theirs to see and to revoke: those who may cancel the runs of others."""
    return user.has_perm("reproductions.change_run")

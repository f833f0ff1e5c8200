"""Tokens in the admin: shown once, kept as a digest, each owner's own, revoked and never deleted."""

import re

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse

from reproductions import tokens
from reproductions.models import Token
from tests import factories

pytestmark = pytest.mark.django_db
LIST, ADD = reverse("admin:reproductions_token_changelist"), reverse("admin:reproductions_token_add")
ASKED = {"name": "the lab’s box", "place": "A Laboratory", "scopes": ["runs:write"], "per_minute": "60"}


def made(client: Client, **more: object) -> tuple[Token, str]:
    answer = client.post(ADD, ASKED | more)
    assert answer.status_code == 200, answer
    (text,) = set(re.findall(r"atlas_[A-Za-z0-9_-]{43}", answer.content.decode()))
    return Token.objects.get(), text


def test_it_is_shown_once_and_kept_as_a_digest() -> None:
    client = factories.signed_in("owner")
    other = factories.user()
    token, text = made(client, owner=other.pk)
    assert (token.owner, token.shown, token.digest) == (other, text[:12], tokens.digest(text))
    assert text not in str(Token.objects.values()) + str([one.get_decoded() for one in Session.objects.all()])
    assert text not in str(client.cookies)
    for page in (LIST, reverse("admin:reproductions_token_change", args=[token.pk])):
        shown = client.get(page).content.decode()
        assert token.shown in shown
        assert text not in shown
        assert token.digest not in shown
    assert tokens.authenticate(f"Bearer {text}", "runs:write", "somebody") == token


def test_a_runner_makes_his_own_and_sees_no_other_s() -> None:
    factories.user()
    runner = factories.signed_in("runner")
    token, _ = made(runner, owner=factories.user().pk)
    assert str(token.owner.pk) == runner.session["_auth_user_id"]
    assert token.shown not in factories.signed_in("runner").get(LIST).content.decode()
    assert token.shown in factories.signed_in("owner").get(LIST).content.decode()


@pytest.mark.parametrize("group", ["owner", "runner"])
def test_it_is_revoked_and_stays(group: str) -> None:
    client = factories.signed_in(group)
    token, text = made(client, owner=factories.user().pk)
    client.post(LIST, {"action": "revoke", "_selected_action": [token.pk]})
    with pytest.raises(tokens.Denied, match="revoked"):
        tokens.authenticate(f"Bearer {text}", "runs:write", "somebody")
    client.post(LIST, {"action": "delete_selected", "_selected_action": [token.pk], "post": "yes"})
    assert Token.objects.get().revoked_at is not None


@pytest.mark.parametrize(
    "wrong",
    [
        {"per_minute": "0"},
        {"scopes": ["everything"]},
        {"scopes": []},
        {"expires_at_0": "2020-01-01", "expires_at_1": "00:00"},
    ],
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    factories.signed_in("runner").post(ADD, ASKED | wrong)
    assert not Token.objects.exists()

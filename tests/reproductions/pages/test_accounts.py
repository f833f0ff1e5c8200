"""Signing in and out, the password, and what a refused visitor reads."""

import re

import pytest
from django.test import Client

from tests import factories

pytestmark = pytest.mark.django_db


def test_sign_in_leads_back_and_sign_out_is_a_post(client: Client) -> None:
    factories.user(username="reader", password="a long secret")
    response = client.post(
        "/login/?next=/claims/", {"username": "reader", "password": "a long secret", "next": "/claims/"}
    )
    assert response.headers["Location"] == "/claims/"
    assert "Sign out" in client.get("/").content.decode()
    assert client.get("/logout/").status_code == 405
    client.post("/logout/")
    assert "Sign in" in client.get("/").content.decode()


def test_sign_in_leads_to_no_other_host(client: Client) -> None:
    factories.user(username="reader", password="a long secret")
    path = "/login/?next=https://elsewhere.example/"
    response = client.post(
        path, {"username": "reader", "password": "a long secret", "next": "https://elsewhere.example/"}
    )
    assert response.headers["Location"] == "/"


def test_a_wrong_password_is_said_in_words(client: Client) -> None:
    response = client.post("/login/", {"username": "nobody", "password": "wrong"})
    assert response.status_code == 200
    assert "errorlist" in response.content.decode()


def test_the_password_changes(client: Client) -> None:
    person = factories.user(password="a long secret")
    client.force_login(person)
    new = {
        "old_password": "a long secret",
        "new_password1": "another good one 7",
        "new_password2": "another good one 7",
    }
    assert client.post("/password/", new, follow=True).redirect_chain[-1][0] == "/password/done/"
    person.refresh_from_db()
    assert person.check_password("another good one 7")


def test_a_stranger_who_presses_run_is_told_the_way_in(client: Client) -> None:
    factories.technique(slug="one")
    response = client.post("/techniques/one/run/", {"size": "tiny"})
    assert response.status_code == 403
    assert "/login/?next=" in response.content.decode()


def test_a_form_without_its_token_is_refused_calmly() -> None:
    response = Client(enforce_csrf_checks=True).post("/login/", {"username": "x", "password": "y"})
    assert response.status_code == 403
    assert "Nothing was changed" in response.content.decode()


def test_a_fault_of_ours_is_calm_and_stands_alone(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object) -> None:
        raise RuntimeError("a secret detail")

    monkeypatch.setattr("reproductions.queries.home.front", broken)
    client.raise_request_exception = False
    response = client.get("/")
    assert response.status_code == 500
    assert "Something went wrong on our side" in response.content.decode()
    assert "secret detail" not in response.content.decode()


def test_the_sign_out_button_carries_its_token() -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(factories.user())
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', client.get("/").content.decode())
    assert token is not None
    assert client.post("/logout/", {"csrfmiddlewaretoken": token[1]}).status_code == 302

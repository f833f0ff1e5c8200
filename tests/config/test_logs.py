"""What is written down: one event a line, with what it belongs to, and no secret."""

import io
import json
import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from config import logs
from tests import factories

TOKEN = "s3cretTokenOfSomebody"


class Heard:
    """A logger of its own and what it wrote."""

    def __init__(self, form: str) -> None:
        self.stream = io.StringIO()
        handler = logging.StreamHandler(self.stream)
        handler.addFilter(logs.Context())
        handler.setFormatter({"json": logs.Json, "line": logs.Line}[form]())
        self.logger = logging.Logger("atlas.test", logging.INFO)
        self.logger.addHandler(handler)

    @property
    def lines(self) -> list[str]:
        return self.stream.getvalue().splitlines()

    @property
    def told(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines]


@pytest.fixture
def heard() -> Heard:
    return Heard("json")


@pytest.fixture
def access() -> Iterator[Heard]:
    """The line of each request, as JSON."""
    heard, logger = Heard("json"), logging.getLogger("atlas.access")
    handler, level = heard.logger.handlers[0], logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield heard
    logger.removeHandler(handler)
    logger.setLevel(level)


def test_a_line_says_what_it_belongs_to(heard: Heard) -> None:
    with logs.bound(run="r1", attempt=2), logs.bound(phase="check"):
        heard.logger.warning("no word for %s s", 3)
    heard.logger.info("after")
    first, second = heard.told
    assert first | {"time": ""} == {
        "time": "", "level": "warning", "logger": "atlas.test", "message": "no word for 3 s",
        "run": "r1", "attempt": 2, "phase": "check",
    }  # fmt: skip
    assert first["time"].endswith("+00:00")
    assert "run" not in second


def test_what_a_thread_is_at_stays_in_it(heard: Heard) -> None:
    with logs.bound(run="r1"):
        thread = threading.Thread(target=heard.logger.info, args=("elsewhere",))
        thread.start()
        thread.join()
    assert "run" not in heard.told[0]


def test_a_worker_names_itself_in_all_its_threads(heard: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "_of_process", {})
    logs.belongs(worker="w1")
    thread = threading.Thread(target=heard.logger.info, args=("elsewhere",))
    thread.start()
    thread.join()
    assert heard.told[0]["worker"] == "w1"


def test_nothing_overwrites_the_message(heard: Heard) -> None:
    with logs.bound(message="forged", level="forged", odd={1}):
        heard.logger.info("true")
    assert (heard.told[0]["message"], heard.told[0]["level"], heard.told[0]["odd"]) == ("true", "info", "{1}")


@pytest.mark.parametrize("form", ["json", "line"])
@pytest.mark.parametrize(
    "message",
    [
        f"/login/link/?sesame={TOKEN}&next=/",
        f"Authorization: Bearer {TOKEN}",
        f"{{'Authorization': 'Basic {TOKEN}'}}",
        f"authorization={TOKEN}",
        f"sent bearer {TOKEN} there",
        f"connection to postgresql://atlas:{TOKEN}@db.example/atlas failed",
    ],
)
def test_no_secret_is_written(form: str, message: str) -> None:
    heard = Heard(form)
    try:
        raise ValueError(message)
    except ValueError:
        with logs.bound(path=message):
            heard.logger.exception(message)
    assert TOKEN not in heard.stream.getvalue()
    assert "***" in heard.stream.getvalue()


@pytest.mark.parametrize("form", ["json", "line"])
def test_nobody_forges_a_line(form: str) -> None:
    heard = Heard(form)
    with logs.bound(path="a\nb\x85c"):
        heard.logger.info("one\r\n2026 ERROR forged\u2028\x1b[31m \ud800")
    assert len(heard.lines) == 1
    assert "\x1b" not in heard.stream.getvalue()


def test_an_exception_stays_below_its_line_for_people() -> None:
    heard = Heard("line")
    try:
        raise KeyError("x")
    except KeyError:
        heard.logger.exception("broken")
    assert heard.lines[0].endswith("ERROR atlas.test broken")
    assert heard.lines[-1] == "KeyError: 'x'"


def test_an_unknown_form_is_refused_at_the_start() -> None:
    with pytest.raises(ValueError, match="LOG_FORMAT='xml': expected line or json"):
        logs.configuration("xml", "INFO")


@pytest.mark.django_db
def test_a_request_gets_a_name_and_a_line(access: Heard, client: Client) -> None:
    response = client.get("/healthz?sesame=abc")
    told = access.told[-1]
    assert told["request"] == response["X-Request-ID"]
    assert len(told["request"]) == 32
    assert (told["method"], told["path"], told["status"]) == ("GET", "/healthz", 200)
    assert told["ms"] > 0
    assert "sesame" not in access.stream.getvalue()


@pytest.mark.django_db
def test_a_request_keeps_the_name_that_a_proxy_gave(client: Client) -> None:
    assert client.get("/healthz", headers={"X-Request-ID": "edge-0012.ab_c"})["X-Request-ID"] == "edge-0012.ab_c"


@pytest.mark.django_db
@pytest.mark.parametrize("given", ["", "short", "a" * 65, "with space", "a\tb<script>", "-leading-dash", "ümlaut-here"])
def test_a_name_of_no_sane_form_is_not_taken(client: Client, given: str) -> None:
    assert client.get("/healthz", headers={"X-Request-ID": given})["X-Request-ID"] != given


@pytest.mark.django_db
def test_a_user_is_told_by_number(access: Heard, client: Client) -> None:
    user = factories.user(username="Ada")
    client.force_login(user)
    client.get("/runs/")
    assert access.told[-1]["user"] == user.pk
    assert "Ada" not in access.stream.getvalue()


@pytest.mark.django_db
def test_a_stranger_who_finds_nothing_is_told_too(access: Heard, client: Client) -> None:
    client.get("/nowhere/")
    assert (access.told[-1]["status"], access.told[-1]["user"]) == (404, None)


@pytest.mark.django_db
def test_a_refusal_that_django_tells_of_has_the_name_too(heard: Heard, client: Client) -> None:
    logger = logging.getLogger("django.request")
    logger.addHandler(heard.logger.handlers[0])
    response = client.post("/nowhere/")
    logger.removeHandler(heard.logger.handlers[0])
    assert (heard.told[0]["message"], heard.told[0]["request"]) == ("Not Found: /nowhere/", response["X-Request-ID"])

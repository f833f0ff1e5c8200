"""Results from anywhere: who may send a record in, what is refused with which words; a refusal stores nothing."""

import json
from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reproductions import tokens
from reproductions.api import submitting
from reproductions.models import Device, Measurement, Run, Submission, Token
from tests import factories
from tests.reproductions.standin import record

pytestmark = pytest.mark.django_db
ADDRESS = "/api/v1/runs/"


@pytest.fixture(autouse=True)
def technique():
    tokens.GUESSES.clear()
    return factories.technique(slug="bytetransformer")


def made_token(**columns) -> tuple[Token, str]:
    token = Token(**{"name": "a machine", "owner": factories.user(), "scopes": [Token.Scope.SUBMIT]} | columns)
    text = tokens.new(token)
    token.save()
    return token, text


@pytest.fixture
def text() -> str:
    return made_token(place="A Laboratory", per_minute=1000)[1]


def sound(**changes):
    return record(str(uuid4()), "bytetransformer", "cpu") | changes


def send(body, text="", client=None, **headers):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    if text:
        headers["Authorization"] = f"Bearer {text}"
    return (client or Client()).post(ADDRESS, data, content_type="application/json", headers=headers)


def nothing_stored() -> bool:
    return not any(model.objects.exists() for model in (Run, Measurement, Device, Submission))


def faults(answer) -> list[str]:
    assert answer["Content-Type"] == "application/problem+json"
    return [f"{one['place']}: {one['sentence']}" for one in answer.json()["errors"]]


def test_a_record_is_stored_apart_and_the_answer_says_where(text):
    sent = sound()
    answer = send(sent, text)
    assert answer.status_code == 201, answer.content
    run = Run.objects.get()
    body = answer.json()
    assert (body["run_id"], body["counts"], body["verdict"]) == (sent["run_id"], False, "awaiting")
    assert answer["Location"] == body["page"] == f"http://testserver{run.get_absolute_url()}"
    assert Client().get(body["record"]).json() == sent
    assert (run.origin, run.accepted, run.measurements.count()) == ("uploaded", False, 2)
    assert run.submission.place == "A Laboratory"
    assert body["doubts"] == run.submission.doubts != []


def test_the_same_record_twice_is_one_run_with_one_answer(text):
    sent = sound()
    first = send(sent, text)
    again = send(json.dumps(sent, indent=3, sort_keys=True).encode(), text)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert (Run.objects.count(), Submission.objects.count()) == (1, 1)


def test_a_taken_identity_with_other_content_is_a_conflict(text):
    sent = sound()
    send(sent, text)
    answer = send(sent | {"seed": 8}, text)
    assert answer.status_code == 409
    assert faults(answer)[0].startswith("$.run_id: ")
    assert Run.objects.get().record["seed"] == 7


@pytest.mark.parametrize("status", ["queued", "checking"])
def test_a_run_of_this_site_that_is_at_work_is_not_taken_over(technique, text, status):
    run = factories.run(technique, status=status, slot="here" if status == "checking" else "")
    answer = send(sound(run_id=str(run.run_id)), text)
    assert answer.status_code == 409
    run.refresh_from_db()
    assert (run.status, run.origin, run.record) == (status, "site", None)
    assert not Submission.objects.exists()


def test_what_was_published_is_known_and_nobody_s_submission(text):
    from reproductions import ingest

    sent = sound()
    ingest.ingest(json.dumps(sent).encode(), origin=Run.Origin.PUBLISHED)
    answer = send(sent, text)
    assert (answer.status_code, answer.json()["counts"], answer.json()["verdict"]) == (200, True, None)
    assert not Submission.objects.exists()


ROW = sound()["measurements"][0]
BROKEN = [
    ({"schema": 2}, "$.schema: 2 is newer than 1"),
    ({"technique": "bytetransformr"}, "did you mean bytetransformer?"),
    ({"size": "enormous"}, "$.size: "),
    ({"measurements": [ROW | {"unit": "ms"}]}, "$.measurements[0].unit: time is measured in s, not in 'ms'"),
    ({"measurements": [ROW | {"samples": [0.1, -0.1, 0.1]}]}, "$.measurements[0].samples[1]: -0.1 s is less"),
    ({"measurements": [ROW | {"median": -1.0}]}, "$.measurements[0].median: -1.0 s is less than nothing"),
    ({"measurements": [ROW | {"n": 2}]}, "$.measurements[0].n: 2, but there are 3 samples"),
    ({"measurements": [ROW | {"n": 3.0}]}, "$.measurements[0].n: "),
    ({"measurements": [ROW | {"warmup": 2**40}]}, "$.measurements[0].warmup: "),
    ({"measurements": [ROW | {"process": 2**20}]}, "$.measurements[0].process: "),
    ({"device": sound()["device"] | {"count": 2**31}}, "$.device.count: "),
    ({"command": "a\0b"}, "$.command: holds a NUL character"),
    ({"command": "\ud800"}, "$.command: holds half a character"),
    ({"parameters": {"a\0": 1}}, "$.parameters: a key holds a NUL character"),
    ({"parameters": {"much": 2**70}}, "$.parameters.much: too large a whole number"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "words"), BROKEN, ids=[str(number) for number in range(len(BROKEN))])
def test_a_fault_is_named_with_its_place_and_stores_nothing(text, change, words):
    answer = send(sound() | change, text)
    assert answer.status_code == 422
    assert any(words in fault for fault in faults(answer)), faults(answer)
    assert nothing_stored()


def test_every_fault_is_listed_and_a_flood_is_counted(text):
    answer = send(sound(size="enormous", seed="one", measurements=[{"method": "packed"}]), text)
    assert {"$.size", "$.seed", "$.measurements[0]"} <= {one["place"] for one in answer.json()["errors"]}
    flood = send(sound(measurements=[{}] * 5000), text)
    assert len(flood.json()["errors"]) == 51
    assert flood.json()["errors"][-1]["sentence"].startswith("and more than ")
    assert nothing_stored()


HEAD = json.dumps(sound())
HOSTILE = [
    b" ",
    b"null",
    b"[]",
    b"\xff\xfe{}",
    b'{"schema": 1, "schema": 1}',
    HEAD.replace('"seed": 7', '"seed": 7, "seed": 7').encode(),
    HEAD.replace('"seed": 7', '"seed": NaN').encode(),
    HEAD.replace('"seed": 7', '"seed": 7, "extra": Infinity').encode(),
    HEAD.replace('"seed": 7', '"seed": 7, "extra": 1e999').encode(),
    HEAD.replace('"seed": 7', f'"seed": {"9" * 5000}').encode(),
    HEAD.replace('"seed": 7', f'"seed": 7, "extra": {"[" * 40}{"]" * 40}').encode(),
    b"[" * 200_000,
    b'{"a":' * 100_000,
    HEAD.replace('"absent": [', '"absent": [' + "{}," * 100_000).encode(),
    b'{"measurements": [' + b"{}," * 999_999 + b"{}]}",
]


@pytest.mark.parametrize("body", HOSTILE, ids=[f"{number}-{len(body)}" for number, body in enumerate(HOSTILE)])
def test_a_hostile_body_is_refused_in_words(text, body):
    answer = send(body, text)
    assert answer.status_code == 422, answer.content[:300]
    assert all(fault.startswith("$") for fault in faults(answer))
    assert faults(answer)
    assert nothing_stored()


def test_size_is_refused_before_it_is_read(text, monkeypatch):
    monkeypatch.setattr(submitting, "MOST_BYTES", 1000)
    assert send(b" " * 1001, text).status_code == 413
    assert send(HEAD.encode(), text).status_code == 413
    assert nothing_stored()


def test_the_kind_of_the_body_is_said(text):
    head = {"Authorization": f"Bearer {text}"}
    assert Client().post(ADDRESS, {"a": "b"}, headers=head).status_code == 415
    unsaid = Client().post(ADDRESS, b"{}", content_type="application/json", headers=head, CONTENT_LENGTH="")
    assert unsaid.status_code == 411
    assert nothing_stored()


ATOMS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20)
THINGS = st.recursive(
    ATOMS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4)
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    place=st.sampled_from([*sound(), "measurements.0", "measurements.0.samples", "cases.0", "gates.0"]), thing=THINGS
)
def test_whatever_stands_somewhere_is_stored_or_refused_and_never_breaks(text, place, thing):
    sent = sound()
    name, *way = place.split(".")
    if not way:
        sent[name] = thing
    elif len(way) == 1:
        sent[name][0] = thing
    else:
        sent[name][0][way[1]] = thing
    before = Run.objects.count()
    answer = send(sent, text)
    assert answer.status_code in {200, 201, 409, 422}
    if answer.status_code == 201:
        page = Client().get(Run.objects.order_by("-pk")[0].get_absolute_url())
        assert page.status_code == 200
    else:
        assert Run.objects.count() == before


def test_nothing_in_a_record_is_rendered_as_markup(text):
    evil = "<script>alert(1)</script>"
    sent = sound(command=evil, environment={evil: evil}, absent=[{"name": evil, "reason": evil}])
    sent["device"] = sent["device"] | {"name": evil}
    sent["measurements"] = [row | {"method": evil, "metric": evil} for row in sent["measurements"]]
    page = send(sent, text).json()["page"]
    for address in (page, "/runs/", "/runs/outside/", "/devices/"):
        assert evil not in Client().get(address).content.decode()


# Who may send.


@pytest.mark.parametrize("group", ["stranger", "reader", "curator", "runner", "owner"])
def test_without_a_token_nobody_may_whoever_is_signed_in(group):
    client = Client()
    if group != "stranger":
        user = factories.user()
        user.groups.add(Group.objects.get(name=group))
        client.force_login(user)
    answer = send(sound(), client=client)
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == "Bearer"
    assert nothing_stored()


@pytest.mark.parametrize(
    ("columns", "status", "words"),
    [
        ({"revoked_at": timezone.now()}, 401, "revoked"),
        ({"expires_at": timezone.now() - timedelta(days=1)}, 401, "expired"),
        ({"scopes": ["read"]}, 403, "lacks the scope runs:write; it has: read"),
        ({"scopes": []}, 403, "it has: none"),
    ],
)
def test_a_token_that_does_not_do_says_why(columns, status, words):
    answer = send(sound(), made_token(**columns)[1])
    assert answer.status_code == status
    assert words in answer.json()["detail"]
    assert nothing_stored()


def test_the_token_of_a_closed_account_opens_nothing():
    token, text = made_token()
    token.owner.is_active = False
    token.owner.save()
    assert "closed" in send(sound(), text).json()["detail"]


@pytest.mark.parametrize("header", ["Bearer", "Bearer atlas_short", "Basic abc", "\x80\xff", "Bearer " + "x" * 4000])
def test_a_header_that_is_no_token_is_refused(header):
    assert send(sound(), Authorization=header).status_code == 401


def test_guessing_is_stopped_for_that_sender_alone(text):
    wrong = "atlas_" + "A" * 43
    answers = [send(sound(), wrong).status_code for _ in range(tokens.WRONG_A_MINUTE + 1)]
    assert answers == [401] * tokens.WRONG_A_MINUTE + [429]
    assert 0 < int(send(sound(), text)["Retry-After"]) <= 61
    other = Client(REMOTE_ADDR="192.0.2.7")
    assert send(sound(), text, client=other).status_code == 201


def test_a_token_has_its_number_of_requests_a_minute():
    token, text = made_token(per_minute=3)
    assert [send({}, text).status_code for _ in range(4)] == [422, 422, 422, 429]
    assert 0 < int(send({}, text)["Retry-After"]) <= 60
    Token.objects.filter(pk=token.pk).update(window_at=timezone.now() - timedelta(seconds=61))
    assert send({}, text).status_code == 422
    # A window from the future was opened before the clock stepped back.
    Token.objects.filter(pk=token.pk).update(window_at=timezone.now() + timedelta(days=1), window_count=3)
    assert send({}, text).status_code == 422

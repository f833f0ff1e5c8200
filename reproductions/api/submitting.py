"""Results from anywhere: a record comes in with a token, and waits apart for a curator."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import Field, Router, Schema, Status
from ninja.security import HttpBearer

from reproductions import submissions, tokens
from reproductions.api.problems import Problem, Trouble
from reproductions.harness.record import BrokenRecord
from reproductions.ingest import Taken
from reproductions.models import Token
from reproductions.pages.reports import address_of
from techniques.reporting import sender

MOST_BYTES = 8 * 2**20


class Stored(Schema):
    """A record that is stored as a run."""

    run_id: str = Field(description="The identity of the run, as the record gives it.")
    technique: str = Field(description="The slug of the technique.")
    page: str = Field(description="Address of the run's page.")
    record: str = Field(description="Address of the stored record.")
    counts: bool = Field(description="Whether it counts as evidence: not before a curator accepts it.")
    verdict: str | None = Field(description="awaiting, accepted or declined; null for a run of this site.")
    doubts: list[str] = Field(description="What a curator will look at. A doubt refuses nothing.")


class Bearer(HttpBearer):
    """A token with one scope, in the header ``Authorization: Bearer atlas_…``."""

    def __init__(self, scope: str) -> None:
        super().__init__()
        self.scope = scope

    def __call__(self, request: HttpRequest) -> Token:
        """The token; raises the problem that says what is wrong with it."""
        return self.authenticate(request, request.headers.get("Authorization", ""))

    def authenticate(self, request: HttpRequest, token: str) -> Token:
        """The token in the header ``token``."""
        try:
            return tokens.authenticate(token, self.scope, sender(address_of(request)))
        except tokens.Denied as denied:
            headers = {"WWW-Authenticate": "Bearer"} if denied.status == 401 else {}
            if denied.wait:
                headers["Retry-After"] = str(denied.wait)
            raise Problem(denied.status, denied.sentence, headers=headers) from denied


BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "One record of the harness, as `record.schema.json` describes it.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Record"}}},
    }
}
ANSWERS: dict[Any, Any] = {201: Stored, 200: Stored, frozenset({401, 403, 409, 411, 413, 415, 422, 429}): Trouble}


def submit(request: HttpRequest, response: HttpResponse) -> Status[dict[str, Any]]:
    """Stores a record of the harness as a run that waits, apart from the evidence, for a curator.

    201 the first time, with the run's page in `Location`; 200 when the same record comes again, which is safe at any
    time. 409 when its `run_id` belongs to other content or to a run at work; 422 with every fault and its place.
    Nothing of a refused record is stored, and nothing of any record is ever executed.
    """
    try:
        taken = submissions.take_in(body_of(request), request.auth)  # type: ignore[attr-defined]
    except Taken as fault:
        raise Problem(409, "The identity of this run is taken.", pairs(fault)) from fault
    except BrokenRecord as fault:
        raise Problem(422, "The record is refused, and nothing of it was stored.", pairs(fault)) from fault
    page = request.build_absolute_uri(taken.run.get_absolute_url())
    response["Location"] = page
    response["Cache-Control"] = "no-store"
    return Status(201 if taken.new else 200, told(taken, page))


def told(taken: submissions.Taken, page: str) -> dict[str, Any]:
    """What the sender gets to know, the same every time."""
    submission = taken.submission
    return {
        "run_id": str(taken.run.run_id),
        "technique": taken.run.technique.slug,
        "page": page,
        "record": f"{page.rstrip('/')}.json",
        "counts": taken.run.accepted,
        "verdict": submission.verdict if submission else None,
        "doubts": submission.doubts if submission else [],
    }


def pairs(fault: BrokenRecord) -> list[tuple[str, str]]:
    """The faults as place and sentence."""
    split = (one.partition(": ") for one in fault.faults)
    return [(place, sentence or place) for place, _, sentence in split]


def body_of(request: HttpRequest) -> bytes:
    """The body, of bounded length: refused by what it says of itself before it is read, and by what comes after."""
    if request.content_type != "application/json":
        raise Problem(415, "Send the record as application/json.")
    length = request.META.get("CONTENT_LENGTH") or ""
    if not length.isascii() or not length.isdigit():
        raise Problem(411, "Say how long the record is: Content-Length is missing.")
    if int(length) > MOST_BYTES:
        raise Problem(413, f"The record has {int(length):,} bytes; at most {MOST_BYTES:,} are taken.")
    data = request.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise Problem(413, f"The record has more than {MOST_BYTES:,} bytes, which is the most that is taken.")
    return bytes(data)


router = Router(tags=["runs"])
router.add_api_operation(
    "",
    ["POST"],
    submit,
    auth=Bearer(Token.Scope.SUBMIT),
    response=ANSWERS,
    openapi_extra=BODY,
    operation_id="submit_run",
    summary="Send in a record",
)

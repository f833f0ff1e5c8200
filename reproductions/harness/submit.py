"""Sends a record to a site: checked here first, and safe to repeat. Standard library only."""

import http.client
import json
import os
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from . import record as records

STORED, REFUSED, NO_WAY = 0, 1, 2
PLACE = "/api/v1/runs/"
TRIES = 4
SECONDS = 60
LONGEST_WAIT = 90
MOST_ANSWER = 2**20
VARIABLE = "ATLAS_TOKEN"
# Whatever a site answers is shown on a terminal: without the signs that steer one.
STEERING = dict.fromkeys((*range(32), *range(127, 160)))


@dataclass(frozen=True)
class Answer:
    """What a site said: the status, the body where it is an object, and how long to wait."""

    status: int
    body: dict[str, Any]
    wait: int


def submit(path: Path, to: str, token_file: Path | None) -> int:
    """Send one file, and say what came of it; returns the exit status."""
    try:
        address, token = endpoint(to), token_of(token_file)
        data = path.read_bytes()
    except (OSError, ValueError) as fault:
        return told(NO_WAY, str(fault))
    try:
        records.read(path)
    except records.BrokenRecord as fault:
        return told(REFUSED, f"{path} is no sound record; nothing was sent.", fault.faults)
    return explained(answered(address, token, data))


def endpoint(to: str) -> str:
    """The address to send to: that of the site, or of its API; raises ``ValueError`` for another kind."""
    parts = urlsplit(to)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise ValueError(f"{to!r} is no address of a site, like https://atlas.example.org")
    if parts.scheme == "http" and parts.hostname not in {"localhost", "127.0.0.1", "::1"}:
        print("warning: the token travels unencrypted to an http address", file=sys.stderr)
    path = parts.path.rstrip("/")
    return f"{parts.scheme}://{parts.netloc}{path.removesuffix(PLACE.rstrip('/'))}{PLACE}"


def token_of(file: Path | None) -> str:
    """The token, from a file or from the environment; raises ``ValueError`` where there is none."""
    token = (file.read_text(encoding="utf-8") if file else os.environ.get(VARIABLE, "")).strip()
    if not token.isascii() or not token.isprintable() or " " in token or not token:
        raise ValueError(f"no token: put it into {VARIABLE}, or name its file by --token-file")
    return token


def answered(address: str, token: str, data: bytes) -> Answer | None:
    """What the site says. A lost connection and a busy site are asked again: the same record twice is one run."""
    found = None
    for attempt in range(TRIES):
        if attempt:
            time.sleep(found.wait if found and found.wait else 2**attempt / 2)
        try:
            found = ask(address, token, data)
        except (OSError, http.client.HTTPException) as fault:
            reason = getattr(fault, "reason", fault)
            print(f"no connection to {address}: {reason}", file=sys.stderr)
            found = None
            continue
        if found.status not in {429, 502, 503, 504} or found.wait > LONGEST_WAIT:
            break
    return found


class _Stay(urllib.request.HTTPRedirectHandler):
    """A token goes to the address that was named and to no other."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        """Follow nowhere."""


def ask(address: str, token: str, data: bytes) -> Answer:
    """Send the record once."""
    head = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", "Accept": "application/json"}
    request = urllib.request.Request(address, data=data, headers=head, method="POST")  # noqa: S310 http or https
    try:
        with urllib.request.build_opener(_Stay()).open(request, timeout=SECONDS) as response:
            return Answer(response.status, object_of(response.read(MOST_ANSWER)), 0)
    except urllib.error.HTTPError as error:
        with error:
            wait = error.headers.get("Retry-After", "")
            return Answer(error.code, object_of(error.read(MOST_ANSWER)), int(wait) if wait.isdigit() else 0)


def object_of(text: bytes) -> dict[str, Any]:
    """The object in an answer; empty for anything else."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def explained(answer: Answer | None) -> int:
    """Say what the site answered."""
    if answer is None:
        return told(NO_WAY, "Nothing was sent; try again later.")
    body = answer.body
    if answer.status in {200, 201}:
        doubts = [str(one) for one in body.get("doubts") or []]
        said = "stored" if answer.status == 201 else "there already"
        return told(STORED, f"{said}: {body.get('page', '')} ({body.get('verdict') or 'a run of that site'})", doubts)
    errors = body.get("errors") if isinstance(body.get("errors"), list) else []
    faults = [f"{one.get('place')}: {one.get('sentence')}" for one in errors or [] if isinstance(one, dict)]
    known = 400 <= answer.status < 500 and answer.status not in {404, 405, 429}
    return told(REFUSED if known else NO_WAY, f"{answer.status}: {body.get('detail', 'no words came')}", faults)


def told(status: int, sentence: str, lines: list[str] | None = None) -> int:
    """Print a sentence and the lines that belong to it; returns the status."""
    out = sys.stdout if status == STORED else sys.stderr
    for text in (sentence, *(f"  {line}" for line in lines or [])):
        print(text.translate(STEERING), file=out)
    return status

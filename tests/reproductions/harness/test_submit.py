"""Sending a record: checked before it is sent, explained after, repeated when the connection is lost."""

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reproductions.harness import submit
from reproductions.harness.__main__ import main
from tests.reproductions.standin import record

ID = "2fa3d9ed-30b8-4781-a924-91c472a3f2e5"
STORED = {"page": "http://a.site/runs/x/", "verdict": "awaiting", "doubts": ["It is odd."]}


class Site(http.server.BaseHTTPRequestHandler):
    """Answers as told, one answer after the other; ``None`` is a connection that is dropped."""

    answers: list[tuple[int, Any, dict[str, str]] | None] = []
    got: list[tuple[str, str, bytes]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.got.append((self.path, self.headers["Authorization"], body))
        answer = self.answers.pop(0)
        if answer is None:
            self.close_connection = True
            return
        status, said, head = answer
        text = said if isinstance(said, bytes) else json.dumps(said).encode()
        self.send_response(status)
        for name, value in head.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    Site.answers, Site.got = [], []
    monkeypatch.setenv("ATLAS_TOKEN", "atlas_secret")
    monkeypatch.setattr(submit.time, "sleep", lambda seconds: None)
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "r.json"
    path.write_text(json.dumps(record(ID, "bytetransformer", "cpu")), encoding="utf-8")
    return path


@pytest.mark.parametrize(("status", "said"), [(201, "stored: "), (200, "there already: ")])
def test_a_stored_record_ends_well(site: str, file: Path, capsys: Any, status: int, said: str) -> None:
    Site.answers = [(status, STORED, {})]
    assert main(["submit", str(file), "--to", site]) == 0
    assert Site.got == [("/api/v1/runs/", "Bearer atlas_secret", file.read_bytes())]
    assert capsys.readouterr().out == f"{said}http://a.site/runs/x/ (awaiting)\n  It is odd.\n"


def test_a_refusal_is_explained_with_each_place(site: str, file: Path, capsys: Any) -> None:
    errors = [{"place": "$.size", "sentence": "is\x1b[31m odd"}, {"place": "$.seed", "sentence": "too"}]
    Site.answers = [(422, {"detail": "Refused.", "errors": errors}, {})]
    assert main(["submit", str(file), "--to", f"{site}/api/v1/runs/"]) == 1
    assert capsys.readouterr().err == "422: Refused.\n  $.size: is[31m odd\n  $.seed: too\n"
    assert Site.got[0][0] == "/api/v1/runs/"


def test_a_lost_connection_and_a_busy_site_are_asked_again(site: str, file: Path) -> None:
    Site.answers = [None, (429, {}, {"Retry-After": "1"}), (503, b"<html>", {}), (200, STORED, {})]
    assert main(["submit", str(file), "--to", site]) == 0
    assert len(Site.got) == 4


@pytest.mark.parametrize(
    "answer", [None, (503, b"", {}), (404, b"<html>", {}), (302, b"", {"Location": "/x"}), (200, b"[]", {})]
)
def test_what_is_no_answer_of_such_a_site_is_no_success(site: str, file: Path, answer: Any) -> None:
    Site.answers = [answer] * submit.TRIES
    assert main(["submit", str(file), "--to", site]) == (0 if answer and answer[0] == 200 else 2)


def test_a_broken_record_is_not_sent(site: str, file: Path, capsys: Any) -> None:
    file.write_text(json.dumps(record(ID, "bytetransformer", "enormous")), encoding="utf-8")
    assert main(["submit", str(file), "--to", site]) == 1
    assert "  $.size: 'enormous' is none of" in capsys.readouterr().err
    assert Site.got == []


@pytest.mark.parametrize(
    "to", ["", "atlas.example", "ftp://a.site", "http://", "https://u:p@a.site", "https://a.site?x=1"]
)
def test_what_is_no_address_is_a_fault_of_use(site: str, file: Path, to: str) -> None:
    assert main(["submit", str(file), "--to", to]) == 2


def test_without_file_or_token_nothing_is_sent(
    site: str, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["submit", str(tmp_path / "none.json"), "--to", site]) == 2
    assert main(["submit", str(file), "--to", site, "--token-file", str(tmp_path / "none")]) == 2
    monkeypatch.delenv("ATLAS_TOKEN")
    assert main(["submit", str(file), "--to", site]) == 2
    assert Site.got == []


def test_a_token_comes_from_a_file_too(site: str, file: Path, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("atlas_other\n", encoding="utf-8")
    Site.answers = [(201, STORED, {})]
    assert main(["submit", str(file), "--to", site, "--token-file", str(tmp_path / "token")]) == 0
    assert Site.got[0][1] == "Bearer atlas_other"

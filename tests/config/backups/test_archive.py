"""The file of a backup: whole or refused, and nothing foreign in it."""

import gzip
import io
import tarfile
from pathlib import Path

import pytest

from config.backups import archive
from config.backups.archive import Refused

MANIFEST = {"engine": "sqlite", "version": "1", "made_at": "now", "counts": {}, "migrations": []}


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    database, upload = tmp_path / "database.sqlite3", tmp_path / "ü"
    database.write_bytes(bytes(range(256)) * 400)
    upload.write_bytes(b"")
    members = [("database.sqlite3", database), ("uploads/a/ü", upload), ("uploads/gone", tmp_path / "gone")]
    archive.pack(tmp_path / "backup.tar.gz", members, MANIFEST)
    return tmp_path / "backup.tar.gz"


def unpacked(path: Path, tmp_path: Path) -> dict:
    folder = tmp_path / f"out-{len(list(tmp_path.iterdir()))}"
    folder.mkdir()
    return archive.unpack(path, folder)


def foreign(tmp_path: Path, *members: tarfile.TarInfo) -> Path:
    path = tmp_path / "foreign.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for member in members:
            tar.addfile(member, io.BytesIO(b"x" * member.size))
    return path


def named(name: str, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, "/etc/passwd"
    return member


def test_a_whole_backup_comes_out_as_it_went_in(packed: Path, tmp_path: Path) -> None:
    manifest = unpacked(packed, tmp_path)
    assert sorted(manifest["files"]) == ["database.sqlite3", "uploads/a/ü"]
    assert manifest["files"]["database.sqlite3"]["bytes"] == 102400
    assert packed.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.7, 0.99])
def test_a_backup_that_was_cut_off_is_refused(packed: Path, tmp_path: Path, share: float) -> None:
    body = packed.read_bytes()
    packed.write_bytes(body[: int(len(body) * share)])
    with pytest.raises(Refused, match=r"cut off|damaged|not whole|no whole"):
        unpacked(packed, tmp_path)


def test_each_flipped_byte_is_noticed(packed: Path, tmp_path: Path) -> None:
    body = packed.read_bytes()
    for place in range(10, len(body), max(1, len(body) // 23)):
        packed.write_bytes(body[:place] + bytes([body[place] ^ 0x55]) + body[place + 1 :])
        with pytest.raises(Refused):
            unpacked(packed, tmp_path)


def test_a_member_changed_within_a_sound_file_is_noticed(packed: Path, tmp_path: Path) -> None:
    tar = gzip.decompress(packed.read_bytes())
    packed.write_bytes(gzip.compress(tar.replace(bytes(range(200, 256)), bytes(56), 1)))
    with pytest.raises(Refused, match=r"database\.sqlite3 is not what the manifest says"):
        unpacked(packed, tmp_path)


def test_what_follows_the_end_is_refused(packed: Path, tmp_path: Path) -> None:
    packed.write_bytes(packed.read_bytes() + b"more")
    with pytest.raises(Refused, match="damaged"):
        unpacked(packed, tmp_path)


@pytest.mark.parametrize("body", [b"", b"nonsense", b"\x1f\x8b", gzip.compress(b""), gzip.compress(b"plain text" * 99)])
def test_a_foreign_file_is_refused(tmp_path: Path, body: bytes) -> None:
    path = tmp_path / "foreign"
    path.write_bytes(body)
    with pytest.raises(Refused):
        unpacked(path, tmp_path)


@pytest.mark.parametrize(
    "member",
    [
        named("etc/passwd"), named("/etc/passwd"), named("../up"), named("uploads/../../up"), named("uploads"),
        named("uploads/link", tarfile.SYMTYPE), named("uploads/link", tarfile.LNKTYPE),
        named("uploads/d", tarfile.DIRTYPE),
        named("database.sqlite3", tarfile.CHRTYPE), named("secret_key"),
    ],
    ids=lambda member: f"{member.name} {member.type!r}",
)  # fmt: skip
def test_a_member_that_does_not_belong_is_refused(tmp_path: Path, member: tarfile.TarInfo) -> None:
    with pytest.raises(Refused, match="does not belong into one"):
        unpacked(foreign(tmp_path, member), tmp_path)
    assert not (tmp_path / "up").exists()


def test_the_same_member_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="does not belong"):
        unpacked(foreign(tmp_path, named("uploads/a"), named("uploads/a")), tmp_path)


def test_nothing_is_written_over_and_nothing_half_is_left(packed: Path, tmp_path: Path) -> None:
    before = packed.read_bytes()
    with pytest.raises(Refused, match="exists already"):
        archive.pack(packed, [], MANIFEST)
    with pytest.raises(IsADirectoryError):
        archive.pack(tmp_path / "other.tar.gz", [("uploads/x", tmp_path)], MANIFEST)
    assert packed.read_bytes() == before
    assert not list(tmp_path.glob("*other*"))
    assert not list(tmp_path.glob(".*"))

"""The one file of a backup: a compressed tar whose last member, the manifest, names every other with its digest."""

import gzip
import hashlib
import io
import json
import os
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any

KIND = "backup of an LLM Acceleration Atlas"
FORMAT = 1
MANIFEST = "manifest.json"
UPLOADS = "uploads"
DATABASES = {"sqlite": "database.sqlite3", "postgresql": "database.dump"}
KEYS = {"engine": str, "version": str, "made_at": str, "counts": dict, "migrations": list, "files": dict}
MOST_OF_MANIFEST = 32 * 2**20
CHUNK = 2**20


class Refused(Exception):
    """The backup or the restore cannot be done. The message is for people; nothing was changed unless it says so."""


class Hashing(io.RawIOBase):
    """Reads another file and knows the digest of what was read."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file, self.digest = file, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        data = self.file.read(size)
        self.digest.update(data)
        return data


def pack(target: Path, members: Iterable[tuple[str, Path]], manifest: dict[str, Any]) -> None:
    """Write ``members`` and then the manifest into ``target``, which appears whole or not at all, with mode 0600."""
    files: dict[str, dict[str, Any]] = {}
    with _appearing(target) as raw, tarfile.open(fileobj=raw, mode="w:gz", compresslevel=6) as tar:
        for name, path in members:
            try:
                file = path.open("rb")
            except FileNotFoundError:
                continue  # an upload that was deleted meanwhile
            with file:
                files[name] = _add(tar, name, file, os.fstat(file.fileno()).st_size)
        body = json.dumps({"kind": KIND, "format": FORMAT, **manifest, "files": files}, indent=1).encode()
        _add(tar, MANIFEST, io.BytesIO(body), len(body))


def _add(tar: tarfile.TarFile, name: str, file: IO[bytes], size: int) -> dict[str, Any]:
    member, hashing = tarfile.TarInfo(name), Hashing(file)
    member.size, member.mode = size, 0o600
    tar.addfile(member, hashing)  # type: ignore[arg-type]
    return {"bytes": size, "sha256": hashing.digest.hexdigest()}


@contextmanager
def _appearing(target: Path) -> Iterator[IO[bytes]]:
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as raw:
            yield raw
            raw.flush()
            os.fsync(raw.fileno())
        if target.exists():
            raise Refused(f"{target} exists already; choose another name")
        partial.rename(target)
    finally:
        partial.unlink(missing_ok=True)


def unpack(path: Path, folder: Path) -> dict[str, Any]:
    """Unpack a backup into an empty folder and return its manifest; refuses a file that is not whole, or no backup."""
    try:
        with gzip.open(path, "rb") as raw:
            found = _members(raw, folder)
            while raw.read(CHUNK):  # to the very end, where the checksum stands
                pass
    except FileNotFoundError as fault:
        raise Refused(f"there is no file {path}") from fault
    except gzip.BadGzipFile as fault:
        raise Refused(f"{path} is damaged, or no backup of an atlas: {fault}") from fault
    except (EOFError, zlib.error, tarfile.TarError) as fault:
        raise Refused(f"{path} is cut off or damaged: {fault}") from fault
    manifest = _manifest(path, folder)
    if manifest["files"] != found:
        odd = sorted(name for name in {*manifest["files"], *found} if manifest["files"].get(name) != found.get(name))
        raise Refused(f"{path} is damaged: {', '.join(odd[:5])} is not what the manifest says")
    return manifest


def _members(raw: gzip.GzipFile, folder: Path) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    with tarfile.open(fileobj=raw, mode="r:") as tar:
        for member in tar:
            file = tar.extractfile(member) if member.isreg() else None
            if file is None or not _ours(member.name) or member.name in found:
                raise Refused(f"this is no backup of an atlas: {member.name[:80]!r} does not belong into one")
            place = folder / member.name
            place.parent.mkdir(parents=True, exist_ok=True)
            hashing = Hashing(file)
            with place.open("xb") as written:
                while data := hashing.read(CHUNK):
                    written.write(data)
            if place.stat().st_size != member.size:
                raise EOFError(f"{member.name} ends early")
            found[member.name] = {"bytes": member.size, "sha256": hashing.digest.hexdigest()}
    found.pop(MANIFEST, None)
    return found


def _ours(name: str) -> bool:
    parts = PurePosixPath(name).parts
    upload = len(parts) > 1 and parts[0] == UPLOADS and ".." not in parts and "\0" not in name
    return upload or name in {MANIFEST, *DATABASES.values()}


def _manifest(path: Path, folder: Path) -> dict[str, Any]:
    file = folder / MANIFEST
    if not file.exists() or file.stat().st_size > MOST_OF_MANIFEST:
        raise Refused(f"{path} is no whole backup of an atlas: its manifest is missing")
    try:
        manifest = json.loads(file.read_bytes())
        if manifest["kind"] != KIND:
            raise Refused(f"{path} is no backup of an atlas")
        if manifest["format"] != FORMAT:
            raise Refused(f"{path} has format {manifest['format']!r}; this code reads format {FORMAT}")
        known = [isinstance(manifest[key], kind) for key, kind in KEYS.items()]
        known.append(DATABASES[manifest["engine"]] in manifest["files"])
    except (ValueError, KeyError, TypeError) as fault:
        raise Refused(f"{path} is no backup of an atlas: its manifest cannot be read") from fault
    if not all(known):
        raise Refused(f"{path} is no whole backup of an atlas: its manifest is not one")
    return dict(manifest)

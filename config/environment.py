"""Typed reading of the environment, and the secrets that the first start makes."""

import os
import secrets
from pathlib import Path

LEAST_TOKEN = 20


def flag(name: str, default: bool = False) -> bool:
    """The yes-or-no value of environment variable ``name``; raises ``ValueError`` for anything else."""
    value = os.environ.get(name, "").strip().lower()
    if value in {"", "1", "true", "yes", "on", "0", "false", "no", "off"}:
        return value in {"1", "true", "yes", "on"} if value else default
    raise ValueError(f"{name}={value!r}: expected 1 or 0")


def words(name: str, default: list[str]) -> list[str]:
    """The comma-separated values of ``name``."""
    value = os.environ.get(name, "")
    return [word.strip() for word in value.split(",") if word.strip()] or default


def whole(name: str, default: int) -> int:
    """The whole number in ``name``; raises ``ValueError`` for anything else."""
    return int(os.environ.get(name, "") or default)


def number(name: str, default: float) -> float:
    """The number in ``name``; raises ``ValueError`` for anything else."""
    return float(os.environ.get(name, "") or default)


def token(name: str) -> str:
    """The token in ``name``, empty where there is none; raises ``ValueError`` for one that could be guessed."""
    value = os.environ.get(name, "").strip()
    if value and len(value) < LEAST_TOKEN:
        raise ValueError(f"{name} is too short to be a token: at least {LEAST_TOKEN} characters")
    return value


def secret(path: Path) -> str:
    """The secret in ``path``; made at the first start with mode 0600, so that no default secret exists anywhere."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        # O_EXCL: two processes that start together agree on one secret instead of overwriting each other's.
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text(encoding="ascii").strip()
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(value := secrets.token_urlsafe(48))
    return value

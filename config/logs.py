"""What the processes of the site write down: one line an event, for people or as JSON, with what it belongs to.

``bound`` names what everything that is logged inside it belongs to::

    with logs.bound(run=str(run.run_id), attempt=2):
        logger.warning("the child did not answer")

This module knows neither Django nor the settings, so that the web server's own file can use it too.
"""

import json
import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

_bound: ContextVar[Mapping[str, Any]] = ContextVar("bound", default=MappingProxyType({}))
_of_process: dict[str, Any] = {}

# What must never be kept: the query of a link that signs somebody in, tokens in headers, passwords in addresses.
SECRETS = (
    (re.compile(r"(sesame=)[^\s&\"']+", re.IGNORECASE), r"\1***"),
    (re.compile(r"(\bbearer\s+)[A-Za-z0-9._~+/=-]{6,}", re.IGNORECASE), r"\1***"),
    (
        re.compile(r"(authorization[\"']?\s*[:=]\s*[\"']?)(?:(?:basic|bearer|token)\s+)?[^\s,}\"']+", re.IGNORECASE),
        r"\1***",
    ),
    (re.compile(r"(\w://[^\s:/@]*:)[^\s@]+(@)"), r"\1***\2"),
)
BREAKS = (*range(32), *range(127, 160), 0x2028, 0x2029)
CONTROL = {code: f"\\x{code:02x}" for code in BREAKS} | {9: "\\t", 10: "\\n", 13: "\\r"}


@contextmanager
def bound(**what: Any) -> Iterator[None]:
    """Name what everything that this thread or task logs inside the block belongs to. Blocks may stand in blocks."""
    token = _bound.set({**_bound.get(), **what})
    try:
        yield
    finally:
        _bound.reset(token)


def belongs(**what: Any) -> None:
    """Name what everything that this process logs from now on belongs to, in all its threads: a worker's key."""
    _of_process.update(what)


def context() -> dict[str, Any]:
    """What is named now, of this process and of this thread or task."""
    return {**_of_process, **_bound.get()}


def scrub(text: str) -> str:
    """The text without tokens, passwords and links that sign somebody in."""
    for pattern, instead in SECRETS:
        text = pattern.sub(instead, text)
    return text


class Context(logging.Filter):
    """Puts what is named now into each line; refuses none."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Remember it at once: a formatter may run later."""
        # Django tells of a refusal when the request is over, and hands the request itself along.
        late = getattr(getattr(record, "request", None), "log_name", None)
        record.context = ({"request": late} if late else {}) | context() | getattr(record, "fields", {})
        return True


class Line(logging.Formatter):
    """A line for people: moment, level, logger, message, then what it belongs to."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, and the lines of an exception below it."""
        message = record.getMessage().translate(CONTROL)
        found = getattr(record, "context", {}).items()
        belonging = " ".join(f"{name}={value}" for name, value in found).translate(CONTROL)
        line = f"{self.formatTime(record)} {record.levelname} {record.name} {message}"
        parts = [f"{line} [{belonging}]" if belonging else line, _exception(self, record)]
        return scrub("\n".join(part for part in parts if part))


class Json(logging.Formatter):
    """One JSON object a line: time, level, logger, message, then what it belongs to, then the exception."""

    def format(self, record: logging.LogRecord) -> str:
        """Never more than one line, whatever the message holds."""
        told = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": scrub(record.getMessage()),
        }
        told |= {
            name: scrub(value) if isinstance(value, str) else value
            for name, value in getattr(record, "context", {}).items()
            if name not in told
        }
        if exception := _exception(self, record):
            told["exception"] = scrub(exception)
        return json.dumps(told, default=str)


def _exception(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    parts = [formatter.formatException(record.exc_info)] if record.exc_info else []
    if record.stack_info:
        parts.append(formatter.formatStack(record.stack_info))
    return "\n".join(parts)


def configuration(form: str, level: str) -> dict[str, Any]:
    """For ``logging.config.dictConfig``; ``form`` is ``line`` or ``json``. Raises ``ValueError`` for another."""
    if form not in {"line", "json"}:
        raise ValueError(f"LOG_FORMAT={form!r}: expected line or json")
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"context": {"()": "config.logs.Context"}},
        "formatters": {"line": {"()": "config.logs.Line"}, "json": {"()": "config.logs.Json"}},
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": form, "filters": ["context"]}},
        # The queue's own library tells of every delivery; a run's story is told by us.
        "loggers": {"procrastinate": {"level": "DEBUG" if level.upper() == "DEBUG" else "WARNING"}},
        "root": {"handlers": ["console"], "level": level.upper()},
    }

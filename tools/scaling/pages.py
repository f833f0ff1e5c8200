"""Server time and number of queries of every page, in this process, with Django's test client."""

import gc
import math
import statistics
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from scaling import addresses, facts

ROUNDS, FEWER, SLOW = 20, 8, 0.25
LIMITS = {"postgresql": 100.0, "sqlite": 300.0}


@dataclass
class Page:
    """What was measured of one address; ``work`` is the time on a processor, of this process and the database's."""

    key: str
    path: str
    status: int
    queries: int
    times: list[float]
    size: int = 0
    work: float = 0.0

    @property
    def p50(self) -> float:
        """The median in milliseconds."""
        return statistics.median(self.times)

    @property
    def p95(self) -> float:
        """The time below which 95 % of the requests stayed."""
        return sorted(self.times)[math.ceil(0.95 * len(self.times)) - 1]


def queries(only: str = "") -> dict[str, int]:
    """Key of each address → its number of queries."""
    return {page.key: page.queries for page in measured(0, only)}


def measured(rounds: int = ROUNDS, only: str = "") -> Iterator[Page]:
    """Every page: once to warm up, once to count its queries, and ``rounds`` times by the clock."""
    known = facts.facts()
    clients: dict[str, Client] = {}
    for key, address in addresses.table(known):
        if only in key:
            client = clients.setdefault(address.role, facts.client(address.role))
            page = _measure(key, address, client, rounds)
            # What leads elsewhere, or is not for this role, is no page.
            if page.status == 200 or page.status >= 500:
                yield page


@cache
def settle() -> None:
    """Once, as config/wsgi.py does: what is loaded by now is no longer walked through by collections of garbage."""
    gc.collect()
    gc.freeze()


def _measure(key: str, address: addresses.Address, client: Client, rounds: int) -> Page:
    try:
        answer = client.get(address.path)
        with CaptureQueriesContext(connection) as seen:
            answer = client.get(address.path)
            body = _body(answer)
        asked = len(seen)
    except Exception as error:
        print(f"{key}: {type(error).__name__}: {error}")
        return Page(key, address.path, 500, 0, [0.0])
    settle()
    times: list[float] = []
    rounds = min(rounds, FEWER) if key.startswith("admin:") else rounds
    on_processor = _worked()
    while len(times) < rounds:
        begun = time.perf_counter()
        _body(client.get(address.path))
        times.append((time.perf_counter() - begun) * 1000)
        if times[0] > SLOW * 1000:
            rounds = min(rounds, FEWER)
    work = (_worked() - on_processor) / max(1, len(times))
    return Page(key, address.path, answer.status_code, asked, times or [0.0], len(body), work)


def _worked() -> float:
    """Milliseconds on a processor: what a loaded machine cannot lengthen. The database's where it runs here."""
    found = time.process_time() * 1000
    if connection.vendor == "postgresql" and connection.connection:
        with suppress(OSError):
            told = Path(f"/proc/{connection.connection.info.backend_pid}/schedstat").read_text(encoding="ascii")
            found += int(told.split()[0]) / 1e6
    return found


def _body(answer: Any) -> bytes:
    return b"".join(answer) if answer.streaming else answer.content


def report(measured: Iterable[Page], small: dict[str, int]) -> tuple[int, int, str]:
    """Print the table; how many pages there are, how many are over, and the worst one in words."""
    limit, over, pages = LIMITS[connection.vendor], 0, list[Page]()
    print(f"{'page':86} {'p50 ms':>8} {'p95 ms':>8} {'max ms':>8} {'work ms':>8} {'queries':>8} {'kB':>6}")
    for page in measured:
        pages.append(page)
        faults = [f"p95 over {limit:.0f} ms"] if page.p95 > limit else []
        if small.get(page.key, page.queries) != page.queries:
            faults.append(f"{small[page.key]} queries at small size")
        if page.status != 200:
            faults.append("an error")
        over += bool(faults)
        line = f"{page.key[:86]:86} {page.p50:8.1f} {page.p95:8.1f} {max(page.times):8.1f} {page.work:8.1f}"
        print(f"{line} {page.queries:8d} {page.size / 1024:6.0f} {'; '.join(faults)}".rstrip(), flush=True)
    worst = max(pages, key=lambda page: page.p95)
    return len(pages), over, f"{worst.p95:.0f} ms {worst.key}"

"""Fifty readers at once: a bounded load from a process of its own on loopback, against gunicorn with threads."""

import http.client
import math
import os
import random
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

READERS, SECONDS, PORT, PATIENCE = 50, 60.0, 8189, 30.0
PAUSE = (0.1, 0.6)  # seconds that a reader looks at a page
SERVER = ("--workers", "2", "--threads", "4", "--backlog", "256", "--timeout", "60", "--log-level", "warning")


def serve(root: Path, paths: list[str], seconds: float = SECONDS) -> int:
    """Start the server, send the readers from another process, stop the server; how many errors there were."""
    server = [sys.executable, "-m", "gunicorn", "config.wsgi:application", "--bind", f"127.0.0.1:{PORT}", *SERVER]
    site = subprocess.Popen(server, cwd=root, env=os.environ | {"DATABASE_POOL": "1", "RUN_REAPER": "0"})
    try:
        _wait()
        asked = subprocess.run(
            [sys.executable, __file__, str(seconds), *paths], cwd=root, text=True, stdout=subprocess.PIPE, check=False
        )
        print(asked.stdout, end="")
        return asked.returncode
    finally:
        site.terminate()
        site.wait(30)


def _wait() -> None:
    for _ in range(300):
        try:
            _get("/healthz")
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the server did not answer")


def _get(path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=PATIENCE)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def _reader(number: int, paths: list[str], until: float, times: list[float], errors: list[str]) -> None:
    draw = random.Random(number)
    while time.perf_counter() < until:
        path, begun = draw.choice(paths), time.perf_counter()
        try:
            status = _get(path)
            if status != 200:
                errors.append(f"{status} {path}")
        except (OSError, http.client.HTTPException) as error:
            errors.append(f"{type(error).__name__} {path}")
        times.append(time.perf_counter() - begun)
        time.sleep(draw.uniform(*PAUSE))


def main(seconds: float, paths: list[str]) -> int:
    """Read for so long; prints requests, errors and times."""
    times: list[float] = []
    errors: list[str] = []
    until = time.perf_counter() + seconds
    readers = [
        threading.Thread(target=_reader, args=(number, paths, until, times, errors), daemon=True)
        for number in range(READERS)
    ]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join(seconds + PATIENCE)
    times.sort()
    p95 = times[math.ceil(0.95 * len(times)) - 1] if times else 0.0
    told = f"median {statistics.median(times) * 1000:.0f} ms, p95 {p95 * 1000:.0f} ms, max {times[-1] * 1000:.0f} ms"
    print(f"{READERS} readers for {seconds:.0f} s: {len(times)} requests, {len(errors)} errors, {told}")
    for error, number in Counter(errors).most_common(5):
        print(f"  {number} x {error}")
    return min(len(errors), 100)


if __name__ == "__main__":
    raise SystemExit(main(float(sys.argv[1]), sys.argv[2:]))

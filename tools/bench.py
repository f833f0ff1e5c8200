"""Prints the figures that the project promises: page times and queries, page weight, start, click to child, overhead.

    make bench

Everything is measured on this machine, now, one thing after the other. Nothing here is a test.
"""

import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PORT = 8177
ROUNDS = 15


def start_warm(folder: str) -> tuple[float, float]:
    """Seconds from the command to the first page: with an empty var/ and again with a full one."""
    return tuple(start_once(folder) for _ in range(2))  # type: ignore[return-value]


def start_once(folder: str) -> float:
    """Seconds until the home page answers; the site is stopped again."""
    begun = time.perf_counter()
    environment = os.environ | {"ATLAS_VAR": folder}
    command = [sys.executable, "manage.py", "serve", "--port", str(PORT)]
    site = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    try:
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/", timeout=5) as answer:
                    answer.read()
                    return time.perf_counter() - begun
            except OSError:
                time.sleep(0.02)
    finally:
        site.send_signal(signal.SIGTERM)
        site.wait(20)


def addresses() -> list[str]:
    """One address of every kind of page, from what is in the database."""
    from reproductions.models import Device, Run
    from review.models import Publication
    from techniques.models import Strategy, Technique, TechniqueClass

    found = ["/", "/taxonomy/", "/techniques/", "/publications/", "/claims/", "/review/", "/runs/", "/devices/"]
    found += ["/search/?q=padding", "/techniques/?class=inference&exactness=lossy", "/publications/?year=2023"]
    found += ["/techniques/bytetransformer/"]
    for model in (TechniqueClass, Strategy, Publication, Run, Device, Technique):
        row = model.objects.order_by("pk").first()
        found += [row.get_absolute_url()] if row else []
    return found


def pages() -> None:
    """Server time, queries and weight of every kind of page."""
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    print(f"{'page':58} {'median ms':>10} {'queries':>8} {'KB':>7}")
    client = Client(HTTP_HOST="127.0.0.1")
    for address in addresses():
        client.get(address)
        times = []
        for _ in range(ROUNDS):
            begun = time.perf_counter()
            answer = client.get(address)
            body = b"".join(answer) if answer.streaming else answer.content
            times.append((time.perf_counter() - begun) * 1000)
        with CaptureQueriesContext(connection) as seen:
            client.get(address)
        mark = "" if answer.status_code == 200 else f"  status {answer.status_code}"
        print(f"{address[:58]:58} {statistics.median(times):10.1f} {len(seen):8d} {len(body) / 1024:7.1f}{mark}")


def click_to_child(rounds: int = 5) -> float:
    """Median seconds from the press of the button (a queued row) to the harness child, with a live worker."""
    from django.contrib.auth.models import User

    from reproductions import services
    from reproductions.models import Run
    from techniques.models import Technique

    worker = subprocess.Popen([sys.executable, "manage.py", "work"], cwd=ROOT)
    times = []
    try:
        time.sleep(3)
        user, _ = User.objects.get_or_create(username="bench")
        technique = Technique.objects.get(slug="bytetransformer")
        for _ in range(rounds):
            begun = time.perf_counter()
            run = services.ask(user, technique, "tiny")
            while not Run.objects.filter(pk=run.pk, process_group__isnull=False).exists():
                time.sleep(0.005)
            times.append(time.perf_counter() - begun)
            services.cancel(run)
            while not Run.objects.get(pk=run.pk).is_terminal:
                time.sleep(0.05)
    finally:
        worker.send_signal(signal.SIGTERM)
        worker.wait(20)
    return statistics.median(times)


def harness() -> None:
    """Time of the gate over every reference, and the harness's overhead on a workload of 100 ms."""
    begun = time.perf_counter()
    status = subprocess.run(
        [sys.executable, "-m", "reproductions.harness", "check"], cwd=ROOT, capture_output=True
    ).returncode
    print(f"harness check of every reference: {time.perf_counter() - begun:.1f} s, exit status {status}")
    code = "from reproductions.harness.overhead import overhead; print(f'{overhead():.2%}')"
    said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    print(f"harness overhead on a workload of 100 ms: {said.stdout.strip() or said.stderr.strip()[-200:]}")


def peers() -> None:
    """Ratio to each peer in the newest published CPU record of every reference."""
    print(
        "speed of the technique over its peer (medians of the published CPU records; above 1 the technique is faster):"
    )
    newest: dict[str, dict] = {}
    for path in sorted((ROOT / "reproductions/results").rglob("*.json"), key=lambda p: p.name):
        record = json.loads(path.read_text(encoding="utf-8"))
        if record["size"] == "cpu":
            newest[record["technique"]] = record
    for slug, record in sorted(newest.items()):
        times: dict[tuple, dict[tuple, float]] = {}
        for row in record["measurements"]:
            if row["metric"] == "time" and row["process"] == "pooled":
                times.setdefault((row["sweep"], row["point"]), {})[row["method"], row["role"]] = row["median"]
        for (sweep, point), found in times.items():
            # Methods are declared from the baseline to the fullest form: the last one is the technique.
            own = [t for (_, role), t in found.items() if role == "method" and t][-1:]
            for (name, role), t in found.items():
                if role == "peer" and t and own:
                    print(f"  {slug:24} {sweep} {point!s:8} {name:28} {t / own[0]:8.2f}")


def main() -> None:
    """Print everything."""
    with tempfile.TemporaryDirectory(prefix="atlas-bench-") as folder:
        cold, warm = start_warm(folder)
        print(f"serve to first page: {cold:.1f} s with an empty var/, {warm:.1f} s warm")
        os.environ |= {"ATLAS_VAR": folder, "DJANGO_SETTINGS_MODULE": "config.settings"}
        sys.path.insert(0, str(ROOT))
        import django

        django.setup()
        pages()
        print(f"click to child process: {click_to_child():.2f} s median of 5")
    harness()
    peers()


if __name__ == "__main__":
    main()

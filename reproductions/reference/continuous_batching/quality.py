"""What is not the time of a whole day: rows computed, and the latency of requests that arrive while others run.

Latency is measured: each iteration really runs and the clock moves on by the seconds that it took. Only idle time is
skipped. Arrivals are scaled so that a load of 1 is what the request-level server can just serve on this very machine.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch

from reproductions.harness.spec import Quality
from reproductions.reference.continuous_batching.method import Day, Tick, serve_iterations, serve_requests
from reproductions.reference.continuous_batching.workload import Serving

SERVERS: dict[str, Callable[[Serving, Tick], Day]] = {
    "request-level": serve_requests,
    "iteration-level": serve_iterations,
}
ROUNDS = 8  # the requests come that many times, so that a 99th percentile has something to stand on
PERCENTILES = (50, 95, 99)


def stopwatch(device: str) -> Tick:
    """A clock that tells the seconds since it was last asked, once everything asked of the device is done."""
    last = time.perf_counter()

    def tick() -> float:
        nonlocal last
        if device.startswith("cuda"):
            torch.cuda.synchronize(device)
        before, last = last, time.perf_counter()
        return last - before

    return tick


def rows(w: Serving) -> Sequence[Quality]:
    """Iterations of a whole day, and the share of the computed token rows that a request asked for."""
    asked = sum(request.reserved for request in w.requests)
    found = []
    for name, serve in SERVERS.items():
        day = serve(w, lambda: 1.0)
        found.append(Quality(name, "iterations", day.iterations, "", "lower", "of a whole day"))
        found.append(Quality(name, "useful rows", asked / day.rows, "share", "higher", "of all computed token rows"))
    return found


def latency(w: Serving) -> Sequence[Quality]:
    """Percentiles of the time from arrival to answer, and tokens a second, as measured on this machine."""
    device = str(w.model.embed.weight.device)
    long = longer(w, seconds_an_iteration(w, device))
    found = []
    for name, serve in SERVERS.items():
        day = serve(long, stopwatch(device))
        waits = torch.tensor([job.done_at - job.request.arrival for job in day.jobs], dtype=torch.float64)
        for percent in PERCENTILES:
            value = float(waits.quantile(percent / 100))
            found.append(Quality(name, "latency", value, "s", "lower", f"p{percent}"))
        tokens = sum(request.count for request in long.requests)
        span = max(job.done_at for job in day.jobs) - long.requests[0].arrival
        found.append(
            Quality(name, "throughput", tokens / span, "token/s", "higher", "from first arrival to last answer")
        )
    return found


def seconds_an_iteration(w: Serving, device: str) -> float:
    """The mean of a request-level iteration where nobody has to be waited for, after one day to warm up."""
    crowd = replace(w, requests=[replace(request, arrival=0.0) for request in w.requests])
    serve_requests(crowd)
    tick = stopwatch(device)
    day = serve_requests(crowd, tick)
    return max(job.done_at for job in day.jobs) / day.iterations


def longer(w: Serving, scale: float) -> Serving:
    """The requests ``ROUNDS`` times in a row, the gaps between them as they were, iterations turned into seconds."""
    last = w.requests[-1].arrival
    again = [
        replace(request, arrival=(turn * last + request.arrival) * scale)
        for turn in range(ROUNDS)
        for request in w.requests
    ]
    return replace(w, requests=again)

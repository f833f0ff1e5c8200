"""Downloads: that they stream, when their first byte comes, and that memory does not grow with them."""

import time
from pathlib import Path

from django.urls import NoReverseMatch, reverse

from scaling import addresses, facts

FIRST_BYTE, SECONDS, GROWTH = 300.0, 6.0, 48.0  # ms, s, MB


def report() -> int:
    """Read each download for some seconds; how many broke a rule."""
    client, over = facts.client("stranger"), 0
    print(f"{'download':24} {'first byte ms':>14} {'read MB':>9} {'of it in s':>11} {'memory + MB':>12}")
    for name in addresses.STREAMS:
        try:
            path = reverse(name)
        except NoReverseMatch:
            continue
        client.get(f"{path}?q=qqqqqqq&technique=none").close()
        before = _reset_peak()
        begun = time.perf_counter()
        answer = client.get(path)
        faults = [] if answer.streaming else ["does not stream"]
        pieces = iter(answer) if answer.streaming else iter([answer.content])
        size = len(next(pieces, b""))
        first = (time.perf_counter() - begun) * 1000
        whole = True
        for piece in pieces:
            size += len(piece)
            if time.perf_counter() - begun > SECONDS:
                whole = False
                break
        answer.close()
        took, grown = time.perf_counter() - begun, (_peak() - before) / 1024
        faults += ["first byte late"] if first > FIRST_BYTE else []
        faults += ["memory grew"] if grown > GROWTH else []
        over += bool(faults)
        told = f"{name:24} {first:14.1f} {size / 2**20:9.1f} {took:11.1f} {grown:12.1f}"
        print(f"{told} {'' if whole else 'not to its end'} {'; '.join(faults)}".rstrip())
    return over


def _reset_peak() -> int:
    """The memory of this process now, in kB; from here on its peak counts anew."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return _status("VmRSS")


def _peak() -> int:
    return _status("VmHWM")


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))

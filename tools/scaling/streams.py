"""Downloads: that they stream, when their first byte comes, and that memory does not grow with them.

Counted is memory of the process's own (RssAnon), looked at after every piece; pages of a mapped file are the system's.
"""

import time
from pathlib import Path

from django.urls import NoReverseMatch, reverse

from scaling import addresses, facts

FIRST_BYTE, SECONDS, GROWTH = 300.0, 6.0, 32.0  # ms, s, MB
BOUNDED = {"runs-feed"}  # so short that it is made at once


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
        before = peak = _own()
        begun = time.perf_counter()
        answer = client.get(path)
        faults = [] if answer.streaming or name in BOUNDED else ["does not stream"]
        pieces = iter(answer) if answer.streaming else iter([answer.content])
        size = len(next(pieces, b""))
        first = (time.perf_counter() - begun) * 1000
        whole = True
        for piece in pieces:
            size += len(piece)
            peak = max(peak, _own())
            if time.perf_counter() - begun > SECONDS:
                whole = False
                break
        answer.close()
        took, grown = time.perf_counter() - begun, (max(peak, _own()) - before) / 1024
        faults += ["first byte late"] if first > FIRST_BYTE else []
        faults += ["memory grew"] if grown > GROWTH else []
        over += bool(faults)
        told = f"{name:24} {first:14.1f} {size / 2**20:9.1f} {took:11.1f} {grown:12.1f}"
        print(f"{told} {'' if whole else 'not to its end'} {'; '.join(faults)}".rstrip())
    return over


def _own() -> int:
    """Anonymous memory of this process in kB."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon:"))

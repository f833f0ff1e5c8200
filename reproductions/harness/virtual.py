"""The virtual clock: schedules on simulated time. Nothing here is a measurement, and every row made from it says so."""

from collections import defaultdict
from itertools import pairwise
from typing import Any

from .spec import Event, Trace

MOST_EVENTS = 2000  # kept in the record; the makespan is of all of them


def fault_of(trace: Any) -> str:
    """Why ``trace`` is no possible schedule, or nothing: a lane does one thing at a time and no event ends before it
    starts.
    """
    if not isinstance(trace, Trace):
        return f"a virtual clock wants a Trace and got {type(trace).__name__}"
    if not trace.events:
        return "the trace has no events"
    lanes: dict[int, list[Event]] = defaultdict(list)
    for event in trace.events:
        if not event.start <= event.end:  # also refuses NaN
            return f"event {event.label!r} of lane {event.lane} ends before it starts"
        lanes[event.lane].append(event)
    for lane, events in lanes.items():
        events.sort(key=lambda event: (event.start, event.end))
        for one, other in pairwise(events):
            if other.start < one.end - 1e-12 * max(1.0, abs(one.end)):
                return f"lane {lane} does {one.label!r} and {other.label!r} at once"
    return ""


def as_data(trace: Trace) -> dict[str, Any]:
    """The trace as it is stored: the first events in order of their start, and the costs it was fed with."""
    events = sorted(trace.events, key=lambda event: (event.start, event.lane))
    return {
        "events": [[e.lane, e.start, e.end, e.label] for e in events[:MOST_EVENTS]],
        "events_total": len(events),
        "costs": {str(name): float(value) for name, value in trace.costs.items()},
    }

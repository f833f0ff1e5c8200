"""The order of work in a GPipe step [gpipe], and what it comes to on a simulated clock."""

from itertools import accumulate

from reproductions.harness.spec import Event, Trace
from reproductions.reference.gpipe.workload import Plan


def cut(items: int, parts: int) -> list[slice]:
    """``parts`` consecutive slices of ``items``, as equal as can be, the longer ones first.

    Raises ``ValueError`` where a part would be empty.
    """
    if not 1 <= parts <= items:
        raise ValueError(f"cannot cut {items} items into {parts} parts")
    ends = list(accumulate(items // parts + (i < items % parts) for i in range(parts)))
    return [slice(start, end) for start, end in zip([0, *ends[:-1]], ends, strict=True)]


def order(micro_batches: int) -> list[tuple[str, int]]:
    """What each stage does, in this order: F of every micro-batch, then B of every micro-batch, the last one first."""
    return [("F", j) for j in range(micro_batches)] + [("B", j) for j in reversed(range(micro_batches))]


def simulate(plan: Plan, early: bool) -> Trace:
    """The step of a plan with p stages on p lanes; stages wait for what they need and for nothing else.

    ``early``: a stage recomputes its next micro-batch while it waits for the gradient, as the paper allows.
    Otherwise it first waits, then recomputes.
    """
    stages, transfer = range(len(plan.forward)), plan.boundary / plan.link
    events: list[Event] = []
    free = [0.0 for _ in stages]

    def work(label: str, stage: int, ready: float, cost: float) -> float:
        start = max(free[stage], ready)
        free[stage] = start + cost
        events.append(Event(stage, start, free[stage], label))
        return free[stage] + transfer

    for phase, j in order(plan.micro_batches):
        arrival = 0.0  # of what the stage before has sent, or in B the stage after
        for stage in stages if phase == "F" else reversed(stages):
            if phase == "B":
                work(f"R{j}", stage, 0.0 if early else arrival, plan.forward[stage])
            cost = plan.forward[stage] if phase == "F" else plan.backward[stage]
            arrival = work(f"{phase}{j}", stage, arrival, cost)
    return Trace(events, costs(plan))


def costs(plan: Plan) -> dict[str, float]:
    """The table behind a trace, each entry named with its unit."""
    table = {f"forward of stage {k} (s)": cost for k, cost in enumerate(plan.forward)}
    table |= {f"backward of stage {k} (s)": cost for k, cost in enumerate(plan.backward)}
    return table | {"boundary (bytes)": plan.boundary, "link (bytes/s)": plan.link}


def serial(plan: Plan) -> Trace:
    """The baseline: one lane does the work of all stages on all micro-batches, nothing is transferred."""
    whole = Plan([sum(plan.forward)], [sum(plan.backward)], plan.micro_batches, plan.boundary, plan.link)
    return Trace(simulate(whole, early=False).events, costs(plan))


def gpipe(plan: Plan) -> Trace:
    """The technique, recomputing after the gradient has arrived."""
    return simulate(plan, early=False)


def gpipe_early(plan: Plan) -> Trace:
    """The technique, recomputing while the gradient is awaited."""
    return simulate(plan, early=True)

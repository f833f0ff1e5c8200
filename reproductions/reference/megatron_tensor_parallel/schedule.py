"""A tensor-parallel step on a simulated clock: measured work of one shard, ring all-reduces over a stated link."""

from collections.abc import Callable

from reproductions.harness.spec import Event, Trace
from reproductions.reference.megatron_tensor_parallel.workload import Costs, Plan

NVLINK = 150e9  # bytes/s, stated: one direction of the 300 GB/s between GPUs of a server that [megatron-lm] reports
PCIE = 15.75e9  # bytes/s, stated: one direction of PCI Express 3.0 with 16 lanes
ETHERNET = 1.25e9  # bytes/s, stated: 10 Gbit/s


Phase = tuple[str, float, list[float]]  # label, seconds of work, bytes of each all-reduce that follows


def phases(plan: Plan, costs: Costs) -> list[Phase]:
    """A step in its order: every all-reduce needs the work before it and is needed by the work after it."""
    once = [plan.hidden]
    layer: list[Phase] = [("attention F", costs.attention[0], once), ("mlp F", costs.mlp[0], once)]
    back: list[Phase] = [("mlp B", costs.mlp[1], once), ("attention B", costs.attention[1], once)]
    return [
        ("embedding F", costs.embedding[0], once),
        *layer * plan.layers,
        ("head F", costs.head[0], [plan.scalars] * 3),  # greatest logit, sum of exponentials, target's logit
        ("head B", costs.head[1], once),
        *back * plan.layers,
        ("embedding B", costs.embedding[1], []),
    ]


def ring(ready: list[float], nbytes: float, link: float) -> list[float]:
    """When each of p ranks has the sum: p - 1 steps to add up, p - 1 to pass on, a p-th of the bytes in each.

    In a step a rank sends to the next and receives from the one before; it can begin once both are ready.
    """
    size = len(ready)
    for _ in range(2 * (size - 1)):
        ready = [max(ready[k], ready[k - 1]) + nbytes / size / link for k in range(size)]
    return ready


def simulate(plan: Plan, costs: Costs, ranks: int, link: float) -> Trace:
    """All ranks side by side, a lane each."""
    free = [0.0] * ranks
    events: list[Event] = []
    for label, seconds, sums in phases(plan, costs):
        events += [Event(k, free[k], free[k] + seconds, label) for k in range(ranks)]
        free = [t + seconds for t in free]
        for nbytes in sums if ranks > 1 else []:
            done = ring(free, nbytes, link)
            events += [Event(k, free[k], done[k], "all-reduce") for k in range(ranks)]
            free = done
    table = {f"{part} {way} (s)": cost[i] for part, cost in vars(costs).items() for i, way in enumerate("FB")}
    sizes = {"all-reduce of B S d values (bytes)": plan.hidden, "all-reduce of B S values (bytes)": plan.scalars}
    return Trace(events, table | sizes | {"link (bytes/s)": link})


def busy(trace: Trace, label: str) -> float:
    """Seconds that lane 0 spends in events of this label."""
    return sum(event.end - event.start for event in trace.events if event.lane == 0 and event.label == label)


def one_device(plan: Plan) -> Trace:
    """The baseline: the undivided model on one device."""
    return simulate(plan, plan.whole, 1, NVLINK)


def nvlink(plan: Plan) -> Trace:
    """Tensor-parallel inside a server."""
    return simulate(plan, plan.share, plan.ranks, NVLINK)


def pcie(plan: Plan) -> Trace:
    """Tensor-parallel over the bus of a plain machine."""
    return simulate(plan, plan.share, plan.ranks, PCIE)


def ethernet(plan: Plan) -> Trace:
    """Tensor-parallel over a network."""
    return simulate(plan, plan.share, plan.ranks, ETHERNET)


METHODS: dict[str, Callable[[Plan], Trace]] = {
    "one-device": one_device,
    "tensor-parallel-nvlink": nvlink,
    "tensor-parallel-pcie": pcie,
    "tensor-parallel-ethernet": ethernet,
}

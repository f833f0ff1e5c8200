"""Longer ways and larger models than one machine can show: the same sessions on a simulated clock.

Fed with the costs of a block, measured, and with links, stated. Lane 0 is the client, or the machine that offloads;
lane 1 its storage; the others are servers.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from reproductions.harness.spec import Event, Trace
from reproductions.reference.petals.method import route
from reproductions.reference.petals.swarm import Hop, Offer

Choose = Callable[[Sequence[Offer], int, int], list[Hop]]
SERVERS = 2  # the lane of server 0


@dataclass(eq=False)
class Plan:
    """A session of a client with a swarm, in seconds and bytes. ``delay`` of an offer includes one row's transfer."""

    layers: int
    prompt: int
    count: int
    kills: Sequence[tuple[int, int]]  # before which new token a server dies, and which hop it is
    offers: Sequence[Offer]
    step: float  # of one block on one token, by a server of pace ``step``
    more: float  # of one block on each further token of the same message
    row: float  # seconds that each further token of a message takes on its way
    load: float  # of one block's weights, from storage
    costs: dict[str, float]


def hop_parts(plan: Plan, hop: Hop, rows: int) -> tuple[float, float]:
    """Seconds that a message of ``rows`` tokens is on its way, one way, and that the server computes."""
    work = 1 + (rows - 1) * plan.more / plan.step
    return hop.offer.delay + (rows - 1) * plan.row, (hop.last - hop.first) * hop.offer.pace * work


def first_fit(offers: Sequence[Offer], first: int, last: int) -> list[Hop]:
    """The first server found that holds the next block, as far as it goes: no choice by speed or distance."""
    chain: list[Hop] = []
    while first < last:
        offer = next(offer for offer in offers if offer.first <= first < offer.last)
        chain.append(Hop(offer, first, min(offer.last, last)))
        first = chain[-1].last
    return chain


class Talk:
    """One session on the simulated clock."""

    def __init__(self, plan: Plan, choose: Choose, keep: bool) -> None:
        self.plan, self.choose, self.keep = plan, choose, keep
        self.now, self.dead, self.chain = 0.0, set[Offer](), list[Hop]()
        self.events = [Event(0, 0.0, 0.0, "prompt")]

    def open(self, first: int, last: int) -> list[Hop]:
        """A chain over some blocks; to connect to each of its servers is a way there and back."""
        chain = self.choose([offer for offer in self.plan.offers if offer not in self.dead], first, last)
        self.now += sum(2 * hop.offer.delay for hop in chain)
        return chain

    def send(self, hop: Hop, rows: int, label: str) -> None:
        """One message to one server, and its reply."""
        way, work = hop_parts(self.plan, hop, rows)
        start = self.now + way
        self.events.append(Event(SERVERS + hop.offer.server, start, start + work, label))
        self.now = start + work + way

    def step(self, made: int, victim: int | None) -> None:
        """The pass that gives new token ``made``; hop ``victim`` of the chain has died just before it."""
        rows, k = 1 if made else self.plan.prompt, 0
        while k < len(self.chain):
            hop = self.chain[k]
            if k != victim:
                self.send(hop, rows, f"token {made}")
                k += 1
                continue
            self.dead.add(hop.offer)
            self.now += 2 * hop_parts(self.plan, hop, rows)[0]  # the request, and the news
            seen, victim = self.plan.prompt + made - 1, None
            if self.keep:
                self.chain[k : k + 1] = fresh = self.open(hop.first, hop.last)
                for other in fresh:
                    self.send(other, seen, "replay")
            else:
                self.chain, rows, k = self.open(0, self.plan.layers), seen + 1, 0

    def run(self) -> Trace:
        """The whole answer."""
        self.chain, strikes = self.open(0, self.plan.layers), dict(self.plan.kills)
        for made in range(self.plan.count):
            self.step(made, strikes[made] % len(self.chain) if made in strikes else None)
            self.events.append(Event(0, self.now, self.now, f"token {made}"))
        return Trace(self.events, self.plan.costs)


def offloading(plan: Plan) -> Trace:
    """The baseline: every block comes from storage again for every token, one ahead of the block that computes."""
    events: list[Event] = []
    arrived, done = 0.0, [0.0, 0.0]  # of the last two blocks: of each, the room is free for the next but one
    for turn in range(plan.layers * plan.count):
        rows = plan.prompt if turn < plan.layers else 1
        start = max(arrived, done[0])
        arrived = start + plan.load
        begin = max(arrived, done[1])
        done = [done[1], begin + plan.step + (rows - 1) * plan.more]
        events += [Event(1, start, arrived, "load"), Event(0, begin, done[1], "block")]
    return Trace(events, plan.costs)


def any_chain(plan: Plan) -> Trace:
    """A swarm whose client takes the first servers that it finds, and replays."""
    return Talk(plan, first_fit, keep=True).run()


def restart(plan: Plan) -> Trace:
    """The best chain, and a client that keeps no inputs."""
    return Talk(plan, route, keep=False).run()


def replay(plan: Plan) -> Trace:
    """The technique: the best chain, and kept inputs."""
    return Talk(plan, route, keep=True).run()


METHODS = {"offloading": offloading, "any-chain": any_chain, "restart": restart, "replay": replay}

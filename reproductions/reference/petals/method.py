"""A client of the swarm: it picks a chain of servers, sends hidden states along it, and survives their deaths.

After [petals]; letters as in the package's docstring. The baseline, offloading, stands in ``offloading.py``.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from reproductions.reference.petals import wire
from reproductions.reference.petals.stage import Count, Stage, hang_up, hold_back
from reproductions.reference.petals.swarm import Hop, Offer, Swarm, swarm_for
from reproductions.reference.petals.workload import Chat
from reproductions.testbed.generate import generate
from reproductions.testbed.sampling import greedy


class NoChainError(RuntimeError):
    """The servers that are left do not hold all blocks that are needed."""


def route(offers: Sequence[Offer], first: int, last: int) -> list[Hop]:
    """The chain over the blocks [first, last) on which one token is fastest; of equals the one with fewest hops.

    Borders between blocks are the places of a graph, and an offer leads from any block that it holds to any border
    behind it, in 2 d + (b - a) p seconds. All ways lead forward, so taking the borders in order is Dijkstra's order.
    Raises ``NoChainError`` where no chain reaches ``last``.
    """
    best: dict[int, tuple[float, list[Hop]]] = {first: (0.0, [])}
    for a in range(first, last):
        if a not in best:
            continue
        seconds, chain = best[a]
        for offer in (offer for offer in offers if offer.first <= a < offer.last):
            for b in range(a + 1, min(offer.last, last) + 1):
                cost = seconds + 2 * offer.delay + (b - a) * offer.pace
                if b not in best or (cost, len(chain) + 1) < (best[b][0], len(best[b][1])):
                    best[b] = cost, [*chain, Hop(offer, a, b)]
    if last not in best:
        raise NoChainError(f"no servers for the blocks {first} to {last}")
    return best[last][1]


@dataclass
class Session:
    """A chain of servers for one text of at most ``room`` tokens, through the blocks 0 .. L."""

    swarm: Swarm
    layers: int
    room: int
    delay: float
    bits: int = wire.WHOLE
    lost: set[Offer] = field(default_factory=set)  # servers that failed this client, alive or not
    count: Count = field(default_factory=Count)
    stages: list[Stage] = field(default_factory=list)

    @property
    def length(self) -> int:
        """Tokens that the whole chain has seen."""
        return self.stages[-1].length if self.stages else 0

    def close(self) -> None:
        """Leave all servers, which then forget the session."""
        hang_up(self.stages)
        self.stages = []


def open_chain(session: Session, first: int, last: int) -> list[Stage]:
    """Connections to the best chain over the blocks [first, last); servers that refuse are not asked again."""
    while True:
        offers = [offer for offer in session.swarm.offers(session.delay) if offer not in session.lost]
        stages: list[Stage] = []
        for hop in route(offers, first, last):
            try:
                stages.append(Stage(hop, session.room, session.bits))
            except OSError:
                session.lost.add(hop.offer)
                hang_up(stages)
                break
        else:
            return stages


def through(session: Session, stages: Iterable[Stage], x: Tensor) -> Tensor:
    """Hidden states [1, T, C] through some hops. What failed is lost to this session; its ``OSError`` goes on."""
    for stage in stages:
        size = wire.size(x.shape[1], x.shape[2], stage.bits, x.dtype)
        try:
            x = stage.run(x)
        except OSError:
            session.lost.add(stage.hop.offer)
            hold_back(stage.hop.offer.delay)  # the news of a death is as long on its way
            raise
        session.count.bytes += 2 * size
        session.count.hops += 1
    return x


def replace(session: Session, failed: Stage) -> list[Stage]:
    """Servers that stand where ``failed`` stood: other ones, which have read the inputs kept for it."""
    failed.connection.close()
    while True:
        stages = open_chain(session, failed.hop.first, failed.hop.last)
        if not failed.kept:
            return stages
        x = torch.cat(failed.kept, dim=1)
        try:
            through(session, stages, x)
        except OSError:
            hang_up(stages)
            continue
        session.count.repeated += x.shape[1] * (failed.hop.last - failed.hop.first)
        return stages


def forward(session: Session, x: Tensor) -> Tensor:
    """Hidden states [1, T, C] behind the last block. A server that dies on the way is replaced."""
    session.stages = session.stages or open_chain(session, 0, session.layers)
    k = 0
    while k < len(session.stages):
        try:
            x = through(session, session.stages[k : k + 1], x)
        except OSError:
            session.stages[k : k + 1] = replace(session, session.stages[k])
            continue
        k += 1
    return x


def forward_or_forget(session: Session, x: Tensor) -> Tensor:
    """The same for a client that keeps no inputs: at a death the whole chain is given up, with an ``OSError``."""
    session.stages = session.stages or open_chain(session, 0, session.layers)
    try:
        return through(session, session.stages, x)
    except OSError:
        session.count.repeated += session.length * session.layers  # all hops have to read the text again
        session.close()
        raise
    finally:
        for stage in session.stages:
            stage.kept.clear()


@torch.no_grad()
def talk(w: Chat, keep: bool, bits: int = wire.WHOLE) -> tuple[Tensor, Count]:
    """The answer [1, count] to ``w.prompt``, made by the swarm while servers die, and what happened."""
    swarm, model, text = swarm_for(w.model, w.spans), w.model, w.prompt
    start, strikes = text.shape[1], list(w.strikes)
    session = Session(swarm, len(model.blocks), start + w.count, w.delay, bits)
    pass_on = forward if keep else forward_or_forget
    try:
        while (made := text.shape[1] - start) < w.count:
            while strikes and strikes[0][0] <= made and session.stages:
                hop = session.stages[strikes.pop(0)[1] % len(session.stages)].hop
                swarm.kill(hop.offer.server)
            try:
                x = pass_on(session, model.embed(text[:, session.length :]))
            except OSError:  # only without kept inputs: a new chain has to read all of the text
                continue
            text = torch.cat((text, greedy(model.head(model.norm(x[:, -1])))[:, None]), dim=1)
    finally:
        session.close()
        if w.kills:
            swarm.heal()
    return text[:, start:], session.count


def whole_model(w: Chat) -> Tensor:
    """A machine that holds all blocks: what no member of the swarm can do. [1, count]."""
    return generate(w.model, w.prompt, w.count)[:, w.prompt.shape[1] :]


def restart(w: Chat) -> Tensor:
    """A client that keeps nothing but its text: at a death a new chain reads all of it again. [1, count]."""
    return talk(w, keep=False)[0]


def swarm(w: Chat) -> Tensor:
    """The technique: a chain of servers, and kept inputs that are replayed to whoever takes a dead one's place."""
    return talk(w, keep=True)[0]

"""The truth, slowly: greedy text by reading everything again for each token, in float64, without cache or servers."""

import copy
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor


@torch.no_grad()
def oracle(w: Any) -> Tensor:
    """The greedy answer [1, count] of the whole model. Only its blocks are the testbed's, on their path without cache.

    Neither distance nor death has a say.
    """
    model = copy.deepcopy(w.model).double()
    text = w.prompt
    for _ in range(w.count):
        text = torch.cat((text, model(text)[:, -1:].argmax(-1)), dim=1)
    return text[:, w.prompt.shape[1] :]


def makespans(plan: Any) -> dict[str, float]:
    """The length in seconds of each simulated session, summed up pass by pass instead of run on a clock.

    Chains are found by relaxing all hops until nothing changes, the longest way through loads and blocks by cases.
    """
    return {
        "offloading": offloading(plan),
        "any-chain": talk(plan, first_come, keep=True),
        "restart": talk(plan, cheapest, keep=False),
        "replay": talk(plan, cheapest, keep=True),
    }


def offloading(plan: Any) -> float:
    """Two machines, storage and processor, and room for two blocks: the longest of the three ways that can be.

    All time goes to loads but for the last block; or to blocks but for the first load; or, where a block takes longer
    than its load for the prompt alone, first to blocks and then to loads.
    """
    first, turns = plan.layers, plan.layers * plan.count
    on_prompt, on_token = plan.step + (plan.prompt - 1) * plan.more, plan.step
    return max(
        turns * plan.load + on_token,
        plan.load + first * on_prompt + (turns - first) * on_token,
        first * on_prompt + (turns - first) * plan.load + on_token,
    )


Chain = list[tuple[Any, int, int]]


def cheapest(offers: list[Any], first: int, last: int) -> Chain:
    """The fastest chain for one token."""
    length = dict.fromkeys(range(first, last + 1), (float("inf"), 0))
    length[first], came = (0.0, 0), dict[int, tuple[Any, int, int]]()
    changed = True
    while changed:
        changed = False
        for offer, a, b in spans(offers, first, last):
            found = length[a][0] + 2 * offer.delay + (b - a) * offer.pace, length[a][1] + 1
            if found < length[b]:
                length[b], came[b], changed = found, (offer, a, b), True
    chain: Chain = []
    while last > first:
        chain.insert(0, came[last])
        last = came[last][1]
    return chain


def spans(offers: list[Any], first: int, last: int) -> Iterator[tuple[Any, int, int]]:
    """Every hop that may be taken, the farthest borders first."""
    for b in range(last, first, -1):
        for a in range(b - 1, first - 1, -1):
            yield from ((offer, a, b) for offer in offers if offer.first <= a and b <= offer.last)


def first_come(offers: list[Any], first: int, last: int) -> Chain:
    """Whoever stands first in the list and holds the next block, to the end of what it holds."""
    if first == last:
        return []
    offer = next(offer for offer in offers if offer.first <= first < offer.last)
    border = min(offer.last, last)
    return [(offer, first, border), *first_come(offers, border, last)]


def talk(plan: Any, find: Any, keep: bool) -> float:
    """Connections, passes, and what deaths add: a vain request, new connections, and what is computed again."""
    chain, dead = find(list(plan.offers), 0, plan.layers), []
    total = joined(chain) + passed(plan, chain, plan.prompt)
    for made in range(1, plan.count):
        for place in [place % len(chain) for at, place in plan.kills if at == made]:
            offer, a, b = chain[place]
            dead.append(offer)
            alive = [other for other in plan.offers if other not in dead]
            total += 2 * offer.delay
            if keep:
                new = find(alive, a, b)
                total += joined(new) + passed(plan, new, plan.prompt + made - 1)
                chain = chain[:place] + new + chain[place + 1 :]
            else:
                total += passed(plan, chain[:place], 1)
                chain = find(alive, 0, plan.layers)
                total += joined(chain) + passed(plan, chain, plan.prompt + made) - passed(plan, chain, 1)
        total += passed(plan, chain, 1)
    return total


def joined(chain: Chain) -> float:
    """A round trip to each server."""
    return sum(2 * offer.delay for offer, _, _ in chain)


def passed(plan: Any, chain: Chain, rows: int) -> float:
    """``rows`` tokens through a chain."""
    more = plan.more / plan.step
    return sum(
        2 * (offer.delay + (rows - 1) * plan.row) + (b - a) * offer.pace * (1 + (rows - 1) * more)
        for offer, a, b in chain
    )

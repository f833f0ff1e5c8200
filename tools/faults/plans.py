"""What shall befall each run: chosen by the seed before anything starts, so that one seed gives one schedule."""

import random
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

PHASES = ("start", "check", "compile", "timing", "store")
REAL_EVERY = 20
REAL_SLUG = "gpipe"  # the quickest of the references
SLUGS = (REAL_SLUG, "flash-attention", "gptq")
LONG_REST = 5.0  # beyond the lease, below the limit of a phase
STEPS = (-3600, 3600, 0)


@dataclass(frozen=True)
class Plan:
    """One run: how its child behaves, and what the campaign does to it in which phase."""

    number: int
    run: str
    child: str = "sound"
    fault: str = ""
    phase: str = ""
    rest: float = 0.0  # seconds that the child goes on in that phase after the fault
    length: float = 0.0  # of a stop, an outage, a lock; or a step of the clock
    times: int = 1
    rows: int = 1
    queue: str = "cpu"
    slug: str = SLUGS[0]

    @property
    def kind(self) -> str:
        """The row of the table that it counts in."""
        if self.child == "real":
            return f"{self.fault} (real harness)"
        if self.child in ("sound", ""):
            return self.fault + (" three times" if self.times > 1 else "")
        return f"{self.child} child, {self.fault}" if self.fault else f"{self.child} child"

    def for_child(self) -> dict[str, Any]:
        """What the stand-in reads."""
        return {
            key: value for key, value in asdict(self).items() if key in ("number", "child", "phase", "rest", "rows")
        }


# Weight, child, fault, phases. A fault in the phase "queued" comes as soon as the run was asked for.
Entry = tuple[float, str, str, Sequence[str]]
EVERYWHERE: Sequence[Entry] = (
    (8, "sound", "kill child", PHASES),
    (6, "sound", "kill warden", PHASES),
    (8, "sound", "kill worker", PHASES),
    (3, "sound", "kill worker and warden", PHASES),
    (2, "stubborn", "kill worker", PHASES),
    (2, "stubborn", "kill worker and warden", PHASES),
    (4, "sound", "stop worker", PHASES),
    (2, "stubborn", "stop worker", ("check", "timing")),
    (9, "sound", "term worker", PHASES),
    (2, "stubborn", "term worker", PHASES),
    (4, "sound", "term worker twice", PHASES),
    (9, "sound", "cancel", ("queued", *PHASES)),
    (3, "stubborn", "cancel", PHASES[:4]),
    (4, "sound", "deliver again", ("queued",)),
    (4, "sound", "deliver again", PHASES),
    (5, "sound", "step clock", PHASES),
    (4, "sound", "fill disk", ("start", "check", "timing")),
    (3, "crash", "", ("",)),
    (2, "gate", "", ("",)),
    (3, "broken", "", ("",)),
    (2, "silent", "", ("",)),
    (2, "hang-check", "", ("",)),
    (2, "hang-compile", "", ("",)),
    (2, "hang-timing", "", ("",)),
    (3, "eat", "", ("",)),
    (3, "shout", "", ("",)),
    (3, "leave-behind", "", ("",)),
)  # fmt: skip
THRICE: Entry = (0.5, "sound", "kill worker", ("check", "timing"))
OF_ENGINE: dict[str, Sequence[Entry]] = {
    "postgres": ((6, "sound", "cut connections", PHASES), (4, "sound", "cut all connections", PHASES),
                 (2.2, "sound", "kill postgres", PHASES)),
    "sqlite": ((6, "sound", "lock database", PHASES),),
}  # fmt: skip
# A dozen for the suite, without the real harness.
SMALL: Sequence[Entry] = (
    (1, "sound", "kill child", ("check",)),
    (1, "sound", "kill warden", ("timing",)),
    (1, "sound", "kill worker", ("timing",)),
    (1, "stubborn", "kill worker and warden", ("check",)),
    (1, "sound", "stop worker", ("compile",)),
    (1, "sound", "term worker", ("start",)),
    (1, "sound", "term worker twice", ("store",)),
    (1, "stubborn", "cancel", ("timing",)),
    (1, "sound", "deliver again", ("queued",)),
    (1, "sound", "step clock", ("check",)),
    (1, "leave-behind", "", ("",)),
)
SMALL_OF_ENGINE: dict[str, Entry] = {
    "postgres": (1, "sound", "kill postgres", ("store",)),
    "sqlite": (1, "sound", "lock database", ("store",)),
}
REAL_PHASES = ("start", "check", "timing")
REAL: Sequence[Entry] = (
    (3, "real", "cancel", REAL_PHASES),
    (2, "real", "kill child", REAL_PHASES),
    (2, "real", "kill warden", REAL_PHASES),
    (2, "real", "deliver again", ("queued", *REAL_PHASES)),
    (3, "real", "step clock", REAL_PHASES),
    (1, "real", "kill worker", REAL_PHASES),
    (1, "real", "term worker", REAL_PHASES),
)


def dealt(deck: Sequence[Entry], count: int, chance: random.Random) -> list[tuple[str, str, str, int]]:
    """``count`` cards of a deck, each entry as often as its weight says, in any order: child, fault, phase, times."""
    total = sum(weight for weight, *_ in deck)
    cards = []
    for entry in deck:
        weight, child, fault, phases = entry
        share = weight * count / total
        copies = int(share) + (chance.random() < share - int(share))
        order = chance.sample(list(phases), len(phases))
        times = 3 if entry is THRICE else 1
        cards += [(child, fault, order[copy % len(order)], times) for copy in range(copies)]
    while len(cards) < count:
        _, child, fault, phases = chance.choice(deck)
        cards.append((child, fault, chance.choice(list(phases)), 1))
    chance.shuffle(cards)
    return cards[:count]


def schedule(runs: int, seed: int, engine: str, lease: float, only: str = "") -> list[Plan]:
    """The plans of a campaign. Every twentieth run uses the real harness. ``only`` chooses entries by a word."""
    chance = random.Random(f"{seed} {engine}")
    count_real = (runs + REAL_EVERY - 1) // REAL_EVERY
    deck = [entry for entry in (*EVERYWHERE, THRICE, *OF_ENGINE[engine]) if only in " ".join(entry[1:3])]
    real = dealt(REAL, count_real, chance)
    others = dealt(deck, runs - count_real, chance)
    plans = []
    for number in range(runs):
        card = (real if number % REAL_EVERY == 0 else others).pop()
        plans.append(planned(number, card, chance, lease))
    return plans


def small_schedule(runs: int, seed: int, engine: str, lease: float) -> list[Plan]:
    """A short campaign: each fault of the small deck as often as the next, none with the real harness."""
    chance = random.Random(f"{seed} {engine}")
    cards = dealt([*SMALL, SMALL_OF_ENGINE[engine]], runs, chance)
    return [planned(number, card, chance, lease) for number, card in enumerate(cards)]


def planned(number: int, card: tuple[str, str, str, int], chance: random.Random, lease: float) -> Plan:
    """One plan with its figures."""
    child, fault, phase, times = card
    queue = {"fill disk": "disk"}.get(fault, "real" if child == "real" else "cpu")
    return Plan(
        number=number,
        run=str(uuid.UUID(int=chance.getrandbits(128), version=4)),
        child=child,
        fault=fault,
        phase=phase,
        rest=rest_of(child, fault, phase, chance) if times == 1 else 0.0,
        length=length_of(fault, chance, lease),
        times=times,
        rows=chance.randint(1, 4),
        queue=queue,
        slug=REAL_SLUG if child == "real" else chance.choice(SLUGS),
    )


def rest_of(child: str, fault: str, phase: str, chance: random.Random) -> float:
    """How long the child goes on: briefly, so that it may end first; below a stopped worker also until it is ended."""
    if fault == "stop worker" and phase not in ("start", "store"):  # whose limits are too short for that
        return LONG_REST if child == "stubborn" else chance.choice((0.1, 1.4, LONG_REST))
    return chance.choice((0.0, 0.1, 0.4, 1.4))


def length_of(fault: str, chance: random.Random, lease: float) -> float:
    """How long a fault lasts, on either side of the lease where that makes a difference."""
    if fault == "stop worker":
        return chance.choice((0.4, 1.3, 1.6, 2.2)) * lease
    if fault == "step clock":
        return float(chance.choice(STEPS))
    if fault in ("kill postgres", "lock database"):
        return chance.choice((0.1, 0.3, 0.6, 1.1, 1.4)) * lease
    return chance.uniform(0.1, 0.4)

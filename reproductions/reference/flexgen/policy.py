"""The cost model and the policy search of FlexGen [flexgen, section 4.3]: where weights, cache and activations lie.

A policy gives the shares of each kind on each tier: wg, wc, wd of the weights, cg, cc, cd of the key-value cache and
hg, hc, hd of the activations (g the device, c the host, d the disk). Time and memory are linear in these nine numbers
but for the maximum over what runs at once, so that the best policy for a given block is a linear programme.
"""

from dataclasses import astuple, dataclass
from itertools import product

import numpy as np

NAMES = ("wg", "wc", "wd", "cg", "cc", "cd", "hg", "hc", "hd")
TIE = 1e-3  # weight of the summed link times: among equally fast policies the one that moves least is taken
Term = tuple[np.ndarray, float]  # coefficients of the nine shares, and what does not depend on them


@dataclass(frozen=True)
class Job:
    """A block of ``batches`` GPU batches, in the letters of the paper, and the bytes that one number takes."""

    layers: int  # l
    prompt: int  # s
    new: int  # n
    width: int  # h1; the MLP is 4 h1 wide
    size: int  # gbs, sequences in a GPU batch
    batches: int  # K, so that bls = gbs K
    weight_bytes: float
    cache_bytes: float
    value_bytes: float  # of an activation

    @property
    def layer_weights(self) -> float:
        """Bytes of the matrices of one layer: 4 h1^2 for attention and 8 h1^2 for the MLP."""
        return 12 * self.width**2 * self.weight_bytes

    @property
    def token_cache(self) -> float:
        """Bytes of keys and values in one layer, a token of every sequence of the block."""
        return 2 * self.size * self.batches * self.width * self.cache_bytes

    @property
    def token_states(self) -> float:
        """Bytes of the activations between two layers, a token of every sequence of the block."""
        return self.size * self.batches * self.width * self.value_bytes

    @property
    def totals(self) -> tuple[float, float, float]:
        """Bytes of all weights, of the whole cache, of all activations in prefill."""
        cache = self.layers * (self.prompt + self.new) * self.token_cache
        return self.layers * self.layer_weights, cache, self.prompt * self.token_states


@dataclass(frozen=True)
class Machine:
    """Bytes that each tier holds, bytes/s of each link, operations/s of the device."""

    device: float
    host: float
    disk: float
    ctog: float  # host to device
    gtoc: float  # device to host
    dtoc: float  # disk to host
    ctod: float  # host to disk
    flops: float


@dataclass(frozen=True)
class Policy:
    """The nine shares. Those of one kind add up to 1."""

    wg: float
    wc: float
    wd: float
    cg: float
    cc: float
    cd: float
    hg: float
    hc: float
    hd: float


def shares(**weights: float) -> np.ndarray:
    """Coefficients of the nine shares from those that are named."""
    return np.array([weights.get(name, 0.0) for name in NAMES])


def terms(job: Job, m: Machine) -> tuple[dict[str, Term], dict[str, Term]]:
    """Seconds for one layer in prefill, and for one layer and token in decode: each link's and the device's.

    Activations go to their tier and come back; the cache is written once and read in every decode step, on average
    s + n / 2 tokens of it.
    """
    w, c, a, s = job.layer_weights, job.token_cache, job.token_states, job.prompt
    seen = s + job.new / 2
    block = job.size * job.batches
    dense, pairs = 24.0 * job.width**2 * block, 4.0 * job.width * block

    def links(reads: float, writes: float, tokens: float) -> dict[str, Term]:
        into, out, h = reads * c, writes * c, tokens * a
        return {
            "ctog": (shares(wc=w, wd=w, cc=into, cd=into, hc=h, hd=h) / m.ctog, 0.0),
            "gtoc": (shares(cc=out, cd=out, hc=h, hd=h) / m.gtoc, 0.0),
            "dtoc": (shares(wd=w, cd=into, hd=h) / m.dtoc, 0.0),
            "ctod": (shares(cd=out, hd=h) / m.ctod, 0.0),
        }

    nothing = shares()
    prefill = links(0.0, s, s) | {"comp": (nothing, (dense * s + pairs * s * (s + 1) / 2) / m.flops)}
    decode = links(seen, 1.0, 1.0) | {"comp": (nothing, (dense + pairs * seen) / m.flops)}
    return prefill, decode


def memory(job: Job) -> list[np.ndarray]:
    """Bytes of a policy on device, host and disk. What lies elsewhere needs two places on the device to pass through:
    two layers of weights, two batches of cache and of activations.
    """
    w, c, h = job.totals
    kinds = (("w", w, 2 / job.layers), ("c", c, 2 / (job.layers * job.batches)), ("h", h, 2 / job.batches))
    device = shares(**{f"{k}g": size for k, size, _ in kinds})
    device += shares(**{f"{k}{tier}": size * passing for k, size, passing in kinds for tier in "cd"})
    return [device, shares(wc=w, cc=c, hc=h), shares(wd=w, cd=c, hd=h)]


def latency(job: Job, m: Machine, policy: Policy) -> float:
    """T of the paper: l (T_pre + (n - 1) T_gen) seconds for a block, each the longest of what overlaps."""
    p = np.array(astuple(policy))
    pre, gen = (max(float(a @ p) + b for a, b in phase.values()) for phase in terms(job, m))
    return job.layers * (pre + (job.new - 1) * gen)


def traffic(job: Job, m: Machine) -> np.ndarray:
    """Seconds that all links together work on a block, as coefficients of the shares."""
    pre, gen = (sum((a for a, _ in phase.values()), shares()) for phase in terms(job, m))
    return job.layers * (pre + (job.new - 1) * gen)


def fits(job: Job, m: Machine, policy: Policy) -> bool:
    """Whether each tier holds what the policy puts there."""
    p = np.array(astuple(policy))
    caps = (m.device, m.host, m.disk)
    return all(float(row @ p) <= cap * (1 + 1e-9) for row, cap in zip(memory(job), caps, strict=True))


def search(job: Job, m: Machine) -> Policy:
    """The policy of least latency by linear programme: nine shares and the two maxima, T_pre and T_gen.

    Where scipy is missing, the best policy of a grid. A block of one batch keeps its activations on the device, because
    they are needed at once. Raises ``ValueError`` where nothing fits.
    """
    try:
        from scipy.optimize import linprog
    except ImportError:
        return grid(job, m)
    pre, gen = terms(job, m)
    rows = [(a, (-1.0, 0.0), -b) for a, b in pre.values()] + [(a, (0.0, -1.0), -b) for a, b in gen.values()]
    rows += [(row / cap, (0.0, 0.0), 1.0) for row, cap in zip(memory(job), (m.device, m.host, m.disk), strict=True)]
    cost = np.concatenate([TIE * traffic(job, m), [job.layers, job.layers * (job.new - 1)]])
    scale = latency(job, m, Policy(0, 0, 1, 0, 0, 1, 0, 0, 1))  # of the slowest policy: seconds become numbers near 1
    found = linprog(
        cost / scale,
        A_ub=np.array([[*a, *maxima] for a, maxima, _ in rows]),
        b_ub=np.array([b for *_, b in rows]),
        A_eq=np.array([[*shares(**{f"{kind}{tier}": 1.0 for tier in "gcd"}), 0.0, 0.0] for kind in "wch"]),
        b_eq=np.ones(3),
        bounds=[(0, 1)] * 6 + [(float(job.batches == 1), 1)] + [(0, 1)] * 2 + [(0, None)] * 2,
        method="highs",
    )
    if not found.success:
        raise ValueError(f"no policy fits these tiers: {found.message}")
    return Policy(*np.clip(found.x[:9], 0.0, 1.0).tolist())


def grid(job: Job, m: Machine, steps: int = 12) -> Policy:
    """The best of all policies whose shares are multiples of 1 / ``steps``, tried one after another by the cost model.

    Raises ``ValueError`` where none fits.
    """
    cuts = [
        (g / steps, c / steps, 1 - (g + c) / steps) for g, c in product(range(steps + 1), repeat=2) if g + c <= steps
    ]
    states = [(1.0, 0.0, 0.0)] if job.batches == 1 else cuts
    p = np.array([(*w, *c, *h) for w, c, h in product(cuts, cuts, states)])
    caps = (m.device, m.host, m.disk)
    p = p[np.all([p @ row <= cap * (1 + 1e-9) for row, cap in zip(memory(job), caps, strict=True)], axis=0)]
    if not len(p):
        raise ValueError("no policy fits these tiers")
    pre, gen = (np.max([p @ a + b for a, b in phase.values()], axis=0) for phase in terms(job, m))
    total = job.layers * (pre + (job.new - 1) * gen) + TIE * p @ traffic(job, m)
    return Policy(*p[int(total.argmin())].tolist())

"""What FlexGen works on: a decoder whose weights lie on three tiers, prompts, and how the work is cut into blocks."""

from dataclasses import dataclass

from torch import Tensor

from reproductions.reference.flexgen.policy import Job, Machine, Policy

SQUARES = 12  # square matrices of one layer: query, key, value, out, four of the way up, four of the way down


@dataclass(eq=False)
class Tiered:
    """Items of one kind, each cut into a part on the device, one on the host and one in a memory-mapped file.

    Each part is (items, ...); which axis is cut is the owner's affair. A part may be empty.
    """

    device: Tensor
    host: Tensor
    disk: Tensor


@dataclass(eq=False)
class Plan:
    """How one method does the work: batches in a block, where things lie, and what is held in four bits.

    ``packed_weights``: the tiers hold codes. ``rounded_cache``: keys and values of earlier tokens are rounded to four
    bits; ``packed_cache``: and held as codes.
    """

    batches: int  # GPU batches in a block, K
    policy: Policy
    weights: Tiered  # items are layers; a part is (l, tiles, h1, h1), or bytes (l, tiles, h1, row bytes)
    packed_weights: bool = False
    rounded_cache: bool = False
    packed_cache: bool = False


@dataclass(eq=False)
class Batch:
    """The model and the prompts. What is small stays on the device: embeddings (which are the head too) and norms."""

    embed: Tensor  # (V, h1)
    position: Tensor  # (s + n, h1)
    gains: Tensor  # (2 l + 1, h1): before attention and before the MLP of each layer, and before the head
    prompts: Tensor  # (batches, gbs, s)
    heads: int
    group: int  # values that share a scale in the four-bit form
    job: Job  # sizes of all batches as one block, at full width
    machine: Machine  # what the policies were searched for
    baseline: Plan
    technique: Plan


@dataclass(eq=False)
class Answer:
    """The greedy text and the logits that chose it."""

    tokens: Tensor  # (batches, gbs, n)
    logits: Tensor  # (batches, gbs, n, V)


@dataclass(frozen=True)
class Setting:
    """What the simulated schedules are fed with: all batches as one block, at full width and in four bits."""

    job: Job
    four: Job
    machine: Machine
    batches: int  # in a block, K
    one: Policy  # for one batch at a time
    many: Policy  # for K
    packed: Policy  # for K in four bits

"""The words in which a reference implementation declares itself. Standard library only.

A technique is one ``Technique`` value in the ``benchmark.py`` of its folder. Everything here is data: the harness does
the checking, timing and counting. Tensors are typed ``Any`` because this file must not import torch.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

Size = Literal["tiny", "cpu", "gpu"]
SIZES: tuple[Size, ...] = ("tiny", "cpu", "gpu")
Better = Literal["higher", "lower"]
Clock = Literal["wall", "device", "virtual"]
Point = float | int | str
Batch = Any  # a technique's own dataclass: the seeded workload (weights and inputs)
Output = Any  # a tensor, or a nest of tuples, lists, dicts and dataclasses of tensors


@dataclass(frozen=True)
class Place:
    """Where and how a workload is made.

    ``device`` is a torch device string ("cpu", "cuda"); ``dtype`` a ``torch.dtype``; ``seed`` feeds every random
    generator (make tensors on the CPU, then move them, so that one seed means one workload on every device); ``size``
    picks the shapes.
    """

    device: str
    dtype: Any
    seed: int
    size: Size


@dataclass(frozen=True)
class Bound:
    """The least work any method must do: floating-point operations, bytes through memory, bytes on the wire of one
    rank.
    """

    flops: float = 0.0
    bytes: float = 0.0
    wire: float = 0.0


@dataclass(frozen=True)
class Sweep:
    """One axis of the measurement.

    ``name`` is the axis as a reader sees it, ``unit`` its unit ("" for a pure number). ``tiny``, ``cpu`` and ``gpu``
    are the points per size. ``null`` is the point where the technique must change nothing; ``None`` says there is no
    such point, and the harness then races the baseline against itself. The other fields replace those of the technique
    for this sweep alone. Under a virtual clock the sweep's ``oracle`` maps each method's name to its makespan in
    seconds, found in another way than by running the schedule.
    """

    name: str
    tiny: Sequence[Point]
    cpu: Sequence[Point]
    gpu: Sequence[Point]
    null: Point | None = None
    unit: str = ""
    log: bool = False
    make: "Callable[[Place, Any], Batch] | None" = None
    methods: "Mapping[str, Method | Callable[[Batch], Output]] | None" = None
    ranks: int | None = None
    clock: Clock | None = None
    oracle: "Callable[[Batch], Output] | None" = None
    claim: "Callable[[Batch], float] | None" = None
    bound: "Callable[[Batch], Bound] | None" = None
    quality: "Callable[[Batch], Sequence[Quality]] | None" = None

    def points(self, size: Size) -> Sequence[Point]:
        """The points of this sweep at ``size``."""
        return {"tiny": self.tiny, "cpu": self.cpu, "gpu": self.gpu}[size]


@dataclass(frozen=True)
class Tolerance:
    """How near a method must come to the oracle: relative L2 error against float64 by dtype, or equality.

    ``by_dtype`` maps a short dtype name ("fp32", "tf32", "fp16", "bf16", "fp64") to the largest relative L2 error.
    ``exact`` asks for equal values (tokens, integers, block tables). A method whose dtype is not named falls back to
    the house tolerances.
    """

    by_dtype: Mapping[str, float] = field(default_factory=dict)
    exact: bool = False


HOUSE_TOLERANCE: Mapping[str, float] = {"fp64": 1e-10, "fp32": 1e-5, "tf32": 1e-3, "fp16": 2e-3, "bf16": 1e-2}


def close(**by_dtype: float) -> Tolerance:
    """Agreement by relative L2 error against float64; names fp32, tf32, fp16, bf16 override the house tolerances."""
    unknown = set(by_dtype) - set(HOUSE_TOLERANCE)
    if unknown:
        raise ValueError(f"unknown dtype names {sorted(unknown)}; known: {sorted(HOUSE_TOLERANCE)}")
    return Tolerance({**HOUSE_TOLERANCE, **by_dtype})


def identical() -> Tolerance:
    """Agreement by equality, for tokens, integers and tables."""
    return Tolerance(exact=True)


@dataclass(frozen=True)
class Method:
    """A method that needs something said about it; a bare function is the usual case.

    ``needs="cuda"`` records it as absent elsewhere. ``clock`` is "device" for a kernel (CUDA events and a cache flush
    on a GPU) or "wall" for a whole loop. ``compiles=True`` says the first call compiles: that time is reported apart.
    """

    run: Callable[[Batch], Output]
    needs: Literal["", "cuda", "triton"] = ""
    clock: Clock | None = None
    compiles: bool = False


@dataclass(frozen=True)
class Quality:
    """One measured property of a method's result that is not time: perplexity, accepted length, waste, error.

    ``value`` is in ``unit``; ``better`` says which direction is good. ``detail`` is a short qualifier of the case (a
    layer, a text).
    """

    method: str
    metric: str
    value: float
    unit: str
    better: Better
    detail: str = ""


@dataclass(frozen=True)
class Event:
    """One busy span of one lane (a stage, a worker) of a virtual clock: start and end in seconds."""

    lane: int
    start: float
    end: float
    label: str = ""


@dataclass(frozen=True)
class Trace:
    """What a method returns under ``clock="virtual"``: a schedule on a simulated clock, never a measurement.

    ``costs`` is the table the schedule was fed with (seconds, bytes, bytes/s), each entry named. It is stored with the
    record.
    """

    events: Sequence[Event]
    costs: Mapping[str, float] = field(default_factory=dict)

    @property
    def makespan(self) -> float:
        """Seconds from the first start to the last end."""
        return max(e.end for e in self.events) - min(e.start for e in self.events)


class World(Protocol):
    """The processes of a multi-rank technique. Every collective counts its bytes on the wire by the ring formula.

    The harness sets ``w.world`` on the workload when ``ranks`` is more than 1; declare ``world: World | None = None``
    in the batch. Each rank calls the same method; what rank 0 returns is checked. A single-process baseline computes on
    rank 0 only and the other ranks return ``None``.
    """

    rank: int
    size: int

    def all_reduce(self, tensor: Any, op: str = "sum") -> Any:
        """Sum (or "max") over ranks, in place; returns ``tensor``. Ring bytes a rank: 2 (p-1)/p of the tensor."""

    def all_gather(self, tensor: Any) -> Any:
        """Concatenation of every rank's ``tensor`` along dimension 0. Ring bytes a rank: (p-1) shards."""

    def reduce_scatter(self, tensor: Any) -> Any:
        """Sum over ranks, of which each keeps its slice of dimension 0. Ring bytes a rank: (p-1)/p of the tensor."""

    def all_to_all(self, tensor: Any, sent: Sequence[int], received: Sequence[int]) -> Any:
        """Exchange of ``sent[r]`` rows with each rank r, of which ``received[r]`` come back.

        Bytes: rows sent to others.
        """

    def broadcast(self, tensor: Any, source: int = 0) -> Any:
        """``tensor`` of rank ``source`` on every rank, in place."""

    def send(self, tensor: Any, to: int) -> None:
        """Send to rank ``to``; blocks until taken."""

    def recv(self, tensor: Any, source: int) -> Any:
        """Receive into ``tensor`` from rank ``source``; returns it."""

    def barrier(self) -> None:
        """Wait for every rank. Counts no bytes."""

    @property
    def wire_bytes(self) -> int:
        """Bytes this rank has put on the wire so far."""


MethodLike = Method | Callable[[Batch], Output]


@dataclass(frozen=True)
class Technique:
    """The one declaration of a reference implementation. See the design contract in docs/reference-implementations.md.

    ``methods``: the first is the baseline. ``peers``: well-known libraries that do the same job, imported lazily inside
    the function; an ``ImportError`` is recorded as absent. ``claim(w)``: the paper's own model of the gain at this very
    workload. ``bound(w)``: the least work. ``quality(w)``: measured properties that are not time. ``oracle(w)``: slow,
    float64, sharing no code with the methods. ``kernels()``: the Triton kernels with the specialisations to compile
    ahead of time. ``uses``: slugs whose ``method`` or ``kernel`` this one builds on. ``dtypes``: short dtype names by
    size; default fp32 on a CPU and bf16 on a GPU. ``ranks``: gloo processes (1: none).
    """

    slug: str
    papers: Sequence[str]
    sweep: Sweep | Sequence[Sweep]
    make: Callable[[Place, Any], Batch]
    methods: Mapping[str, MethodLike]
    oracle: Callable[[Batch], Output]
    agree: Tolerance = field(default_factory=close)
    claim: Callable[[Batch], float] | None = None
    bound: Callable[[Batch], Bound] | None = None
    quality: Callable[[Batch], Sequence[Quality]] | None = None
    peers: Mapping[str, MethodLike] = field(default_factory=dict)
    kernels: "Callable[[], Sequence[Kernel]] | None" = None
    ranks: int = 1
    clock: Clock = "wall"
    uses: Sequence[str] = ()
    dtypes: Mapping[Size, str] = field(default_factory=lambda: {"tiny": "fp32", "cpu": "fp32", "gpu": "bf16"})
    memory: Mapping[Size, float] = field(default_factory=dict)  # GiB needed by size, where it is much

    @property
    def sweeps(self) -> tuple[Sweep, ...]:
        """Every sweep, also when only one was declared."""
        return (self.sweep,) if isinstance(self.sweep, Sweep) else tuple(self.sweep)

    @property
    def baseline(self) -> str:
        """The name of the method that every ratio is taken against."""
        return next(iter(self.methods))


@dataclass(frozen=True)
class Kernel:
    """One Triton kernel and a specialisation of it, for the ahead-of-time compile to sm_90.

    ``function`` is the jitted function, ``signature`` maps each argument to a Triton type ("*bf16", "i32", "fp32",
    "constexpr"), ``constants`` gives the values of the constexpr arguments. ``divisible`` names pointer and integer
    arguments to be marked divisible by 16. ``warps`` and ``stages`` are the launch options used in practice.
    """

    name: str
    function: Any
    signature: Mapping[str, str]
    constants: Mapping[str, Any]
    divisible: Sequence[str] = ()
    warps: int = 4
    stages: int = 2

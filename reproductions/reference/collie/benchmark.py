"""Workloads, bound and declaration of CoLLiE: what is trained on one process, and plans of two."""

from reproductions.harness.spec import Bound, Place, Sweep, Technique, close
from reproductions.reference.collie.method import collie, separate
from reproductions.reference.collie.oracle import oracle
from reproductions.reference.collie.quality import quality
from reproductions.reference.collie.workload import SHAPES, STEPS, TILES, Batch, Config, draw

ALONE = {
    "Adam": Config(),
    "LoRA": Config(rank=4),
    "LOMO": Config("lomo"),
    "LOMO, tiled attention": Config("lomo", attention="tiled"),
}
DIVIDED = {
    "one process": Config(),
    "tensor": Config(tensor=2),
    "tensor, LoRA": Config(tensor=2, rank=4),
    "pipeline": Config(pipeline=2, micro_batches=2),
    "sharded data": Config(data=2, shard=True),
    "sharded data, LOMO": Config("lomo", data=2, shard=True),
}


def make(place: Place, point: str) -> Batch:
    """A seeded decoder, tokens for it, and the configuration of this point."""
    config = (ALONE | DIVIDED)[point]
    tiled = Config(**{**vars(config), "tile": TILES[place.size]})
    return draw(place, tiled, SHAPES[place.size], STEPS[place.size])


def bound(w: Batch) -> Bound:
    """The least work of all steps, all processes together, attention left out.

    Each matrix is used forward and for the gradient at its input, a trained one also for its own gradient; in a frozen
    model the first block passes no gradient on. Weights are read once in either direction and tokens once.
    """
    targets, frozen = w.tokens.shape[0] * (w.tokens.shape[1] - 1), bool(w.config.rank)
    matrices = [t for p in w.layers[1:] for t in p.values() if t.dim() == 2]
    adapters = [t for p in w.adapters for t in p.values()]
    products = 2 * (2 if frozen else 3) * sum(t.numel() for t in matrices) + 4 * sum(t.numel() for t in adapters)
    if frozen:
        products -= 2 * sum(t.numel() for n, t in {**w.layers[1], **w.adapters[1]}.items() if t.dim() == 2)
    read = 2 * sum(t.numel() * t.element_size() for p in w.layers[1:] for t in p.values())
    return Bound(flops=float(w.steps * targets * products), bytes=float(w.steps * read))


TECHNIQUE = Technique(
    slug="collie",
    papers=("collie", "lomo", "lora", "zero"),
    sweep=(
        Sweep("what is trained and how", tuple(ALONE), tuple(ALONE), tuple(ALONE), null="Adam", quality=quality),
        Sweep(
            "plan of two processes",
            tiny=("one process", "tensor, LoRA", "sharded data, LOMO"),
            cpu=tuple(DIVIDED),
            gpu=(),  # two processes that share one GPU say nothing about two GPUs
            null="one process",
            ranks=2,
        ),
    ),
    make=make,
    methods={"separate": separate, "collie": collie},
    oracle=oracle,
    agree=close(fp32=1e-5),
    bound=bound,
    uses=("flash-attention", "gpipe", "megatron-tensor-parallel"),
    dtypes={"tiny": "fp32", "cpu": "fp32", "gpu": "tf32"},
    memory={"gpu": 40.0},
)

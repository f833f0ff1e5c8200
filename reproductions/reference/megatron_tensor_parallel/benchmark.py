"""Declaration of tensor parallelism: measured at two processes, checked at four, simulated beyond."""

from reproductions.harness.spec import Sweep, Technique, close
from reproductions.reference.megatron_tensor_parallel import schedule
from reproductions.reference.megatron_tensor_parallel.bound import bound
from reproductions.reference.megatron_tensor_parallel.calibration import make_plan
from reproductions.reference.megatron_tensor_parallel.gather import tensor_parallel
from reproductions.reference.megatron_tensor_parallel.method import one_process
from reproductions.reference.megatron_tensor_parallel.oracle import makespans, oracle
from reproductions.reference.megatron_tensor_parallel.quality import quality, simulated
from reproductions.reference.megatron_tensor_parallel.workload import Batch, Step, make

METHODS = {"one-process": one_process, "tensor-parallel": tensor_parallel}


def torch_dtensor(w: Batch) -> Step | None:
    """Peer: PyTorch's DTensor in the same processes."""
    from reproductions.reference.megatron_tensor_parallel.peers import step

    return step(w)


TECHNIQUE = Technique(
    slug="megatron-tensor-parallel",
    papers=("megatron-lm", "megatron-3d"),
    sweep=(
        Sweep("width", tiny=(24,), cpu=(64, 128, 256), gpu=(), log=True),
        Sweep("width, four processes", (16,), (128,), (), ranks=4, methods=METHODS, bound=bound, quality=quality),
        Sweep(
            "devices",
            tiny=(1, 2, 4),
            cpu=(1, 2, 4, 8),
            gpu=(1, 2, 4, 8),
            null=1,
            log=True,
            make=make_plan,
            methods=schedule.METHODS,
            clock="virtual",
            oracle=makespans,
            quality=simulated,
        ),
    ),
    make=make,
    methods=METHODS,
    oracle=oracle,
    agree=close(fp32=1e-5),
    bound=bound,
    quality=quality,
    peers={"torch-dtensor": torch_dtensor},
    ranks=2,
)

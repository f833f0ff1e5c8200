"""Collectives of the gloo world on real processes: results, and bytes by the ring formula."""

import multiprocessing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from reproductions.harness.world import GlooWorld, ring_bytes

SIZE = 2


@pytest.mark.parametrize(
    ("kind", "nbytes", "size", "sent"),
    [
        ("all_reduce", 1000, 1, 0),
        ("all_reduce", 1000, 2, 1000),
        ("all_reduce", 1000, 4, 1500),
        ("reduce_scatter", 1000, 4, 750),
        ("all_gather", 250, 4, 750),
    ],
)
def test_ring_formula(kind: str, nbytes: int, size: int, sent: int) -> None:
    assert ring_bytes(kind, nbytes, size) == sent


def test_an_all_reduce_is_a_reduce_scatter_and_an_all_gather() -> None:
    whole, size = 4096, 8
    parts = ring_bytes("reduce_scatter", whole, size) + ring_bytes("all_gather", whole // size, size)
    assert ring_bytes("all_reduce", whole, size) == parts


def _mine(world: GlooWorld) -> Tensor:
    return torch.arange(4.0).reshape(4, 1) + 10 * world.rank


def _all_reduce(world: GlooWorld) -> Any:
    tensor = _mine(world)
    assert world.all_reduce(tensor) is tensor
    return tensor


def _max(world: GlooWorld) -> Any:
    return world.all_reduce(_mine(world), "max")


def _all_gather(world: GlooWorld) -> Any:
    return world.all_gather(_mine(world))


def _reduce_scatter(world: GlooWorld) -> Any:
    return world.reduce_scatter(_mine(world))


def _all_to_all(world: GlooWorld) -> Any:
    sent, received = ([1, 3], [1, 2]) if world.rank == 0 else ([2, 2], [3, 2])
    return world.all_to_all(_mine(world), sent, received)


def _broadcast(world: GlooWorld) -> Any:
    return world.broadcast(_mine(world), source=1)


def _exchange(world: GlooWorld) -> Any:
    if world.rank == 0:
        world.send(_mine(world), 1)
        return torch.zeros(0)
    return world.recv(torch.empty(4, 1), 0)


def _barrier(world: GlooWorld) -> Any:
    world.barrier()
    return torch.zeros(0)


OPERATIONS: dict[str, Callable[[GlooWorld], Any]] = {
    f.__name__: f
    for f in (_all_reduce, _max, _all_gather, _reduce_scatter, _all_to_all, _broadcast, _exchange, _barrier)
}


def _work(rank: int, store: str, results: Any) -> None:
    import torch.distributed as dist

    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=SIZE)
    found = {}
    for name, operation in OPERATIONS.items():
        world = GlooWorld(rank, SIZE)
        found[name] = (operation(world).flatten().tolist(), world.wire_bytes)
    results.send(found)
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, tuple[list[float], int]]]:
    """What each rank got from each operation, and the bytes it sent."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torch", "torch.distributed"])
    store = str(Path(tmp_path_factory.mktemp("ranks")) / "store")
    pipes = [context.Pipe() for _ in range(SIZE)]
    processes = [context.Process(target=_work, args=(rank, store, pipes[rank][1])) for rank in range(SIZE)]
    for process in processes:
        process.start()
    found = [ours.recv() if ours.poll(60) else {} for ours, _ in pipes]
    for process in processes:
        process.join(10)
        process.kill()
    assert all(found)
    return found


BOTH = [0.0, 1.0, 2.0, 3.0, 10.0, 11.0, 12.0, 13.0]
EXPECTED = {
    "_all_reduce": ([10.0, 12.0, 14.0, 16.0], [10.0, 12.0, 14.0, 16.0], 16, 16),
    "_max": ([10.0, 11.0, 12.0, 13.0], [10.0, 11.0, 12.0, 13.0], 16, 16),
    "_all_gather": (BOTH, BOTH, 16, 16),
    "_reduce_scatter": ([10.0, 12.0], [14.0, 16.0], 8, 8),
    "_all_to_all": ([0.0, 10.0, 11.0], [1.0, 2.0, 3.0, 12.0, 13.0], 12, 8),
    "_broadcast": ([10.0, 11.0, 12.0, 13.0], [10.0, 11.0, 12.0, 13.0], 0, 16),
    "_exchange": ([], [0.0, 1.0, 2.0, 3.0], 16, 0),
    "_barrier": ([], [], 0, 0),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_operation_and_its_bytes(name: str, answers: list[dict[str, tuple[list[float], int]]]) -> None:
    *values, first, second = EXPECTED[name]
    assert [answer[name][0] for answer in answers] == values
    assert [answer[name][1] for answer in answers] == [first, second]


def test_rows_that_cannot_be_divided_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot be divided"):
        GlooWorld(0, 3).reduce_scatter(torch.zeros(4, 1))

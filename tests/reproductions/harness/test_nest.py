"""Nests of tensors: walking, checksums, overwriting."""

from collections import namedtuple
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from reproductions.harness import nest

Pair = namedtuple("Pair", "a b")


@dataclass
class Inner:
    """One tensor and a word."""

    x: torch.Tensor
    word: str = "w"
    world: Any = None


@dataclass
class Outer:
    """Everything a workload may hold."""

    inner: Inner
    many: list[Any] = field(default_factory=list)
    table: dict[str, Any] = field(default_factory=dict)


def test_every_leaf_is_found_with_its_path() -> None:
    batch = Outer(Inner(torch.ones(2)), [1, Pair(torch.ones(1), 2.0)], {"k": np.ones(3), "m": nn.Linear(2, 1)})
    paths = [path for path, _ in nest.leaves(batch)]
    assert paths == [
        "inner.x",
        "inner.word",
        "many.0",
        "many.1.0",
        "many.1.1",
        "table.k",
        "table.m.weight",
        "table.m.bias",
    ]


def test_a_circle_ends() -> None:
    circle: list[Any] = [torch.ones(1)]
    circle.append(circle)
    assert len(list(nest.leaves(circle))) == 1


def test_the_processes_of_a_group_are_no_content() -> None:
    assert nest.digest(Inner(torch.ones(1), world=1)) == nest.digest(Inner(torch.ones(1), world=2))


DTYPES = [
    torch.float32,
    torch.float16,
    torch.bfloat16,
    torch.float64,
    torch.int64,
    torch.int32,
    torch.int8,
    torch.uint8,
    torch.bool,
]


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_changed_bit_changes_the_checksum(dtype: torch.dtype) -> None:
    tensor = torch.zeros(3, 5).to(dtype)
    before = nest.checksum(tensor)
    assert nest.checksum(tensor.clone()) == before
    tensor[2, 4] = 1
    assert nest.checksum(tensor) != before


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 99_999), st.integers(0, 99_999))
def test_swapped_values_change_the_checksum(one: int, other: int) -> None:
    tensor = torch.arange(100_000, dtype=torch.float32)
    swapped = tensor.clone()
    swapped[one], swapped[other] = tensor[other], tensor[one]
    assert (nest.checksum(swapped) == nest.checksum(tensor)) is (one == other)


def test_shape_and_dtype_are_in_the_checksum() -> None:
    assert nest.checksum(torch.zeros(2, 3)) != nest.checksum(torch.zeros(3, 2))
    assert nest.checksum(torch.zeros(2)) != nest.checksum(torch.zeros(2, dtype=torch.int32))


def test_views_are_summed_by_what_they_show() -> None:
    tensor = torch.arange(12.0).reshape(3, 4)
    assert nest.checksum(tensor.T) == nest.checksum(tensor.T.contiguous())
    assert nest.checksum(tensor[1:, 1:]) == nest.checksum(tensor[1:, 1:].clone())


@pytest.mark.parametrize("dtype", DTYPES)
def test_poison_leaves_nothing_as_it_was(dtype: torch.dtype) -> None:
    tensor = torch.tensor([0, 1, 1]).to(dtype)
    before = tensor.clone()
    nest.poison({"a": [tensor]})
    assert bool((tensor != before).all())
    if dtype.is_floating_point:
        assert bool(tensor.isnan().all())


def test_poison_reaches_tensors_that_overlap_themselves() -> None:
    base = torch.ones(1)
    nest.poison(base.expand(4))
    assert bool(base.isnan().all())


def test_poison_reaches_tensors_of_inference_mode_and_of_a_graph() -> None:
    with torch.inference_mode():
        one = torch.ones(2)
    other = torch.ones(2, requires_grad=True)
    nest.poison((one, other, other * 2))
    assert bool(one.isnan().all())
    assert bool(other.isnan().all())


def test_a_snapshot_does_not_follow() -> None:
    tensor = torch.ones(2)
    kept = nest.snapshot([tensor])
    tensor.zero_()
    assert bool(kept[0][1].all())


def test_storages_tell_views_from_copies() -> None:
    tensor = torch.ones(4)
    assert nest.storages(tensor) & nest.storages({"v": tensor[1:]})
    assert not nest.storages(tensor) & nest.storages(tensor.clone())

"""Nests of tensors: what a workload or an answer consists of, leaf by leaf.

A nest is a tensor, a number, a word, or a tuple, list, dict, dataclass, module or plain object of nests. Leaves are
named by their path. Checksums are exact and the same on every device, so that an output can be recognised without
copying it to the host.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

Leaf = tuple[str, Any]
_SKIPPED = frozenset({"world"})  # the processes of a multi-rank workload are no part of its content
_CPU_CHUNK, _GPU_CHUNK = 1 << 15, 1 << 22  # words of eight bytes
_ODD = 0x9E3779B97F4A7C15 - (1 << 64)  # an odd 64-bit number; weights positions so that swapped values are noticed
_PRIME = (1 << 61) - 1


def leaves(nest: Any) -> Iterator[Leaf]:
    """Every leaf of ``nest`` with its path, in a fixed order; arrays of numpy come as tensors over the same memory."""
    yield from _walk(nest, "", set())


def tensors(nest: Any) -> list[tuple[str, Tensor]]:
    """The tensors of ``nest`` with their paths, detached from any graph."""
    return [(path, leaf.detach()) for path, leaf in leaves(nest) if isinstance(leaf, Tensor)]


def _walk(nest: Any, path: str, seen: set[int]) -> Iterator[Leaf]:
    if isinstance(nest, Tensor):
        yield from _tensor(nest, path)
    elif isinstance(nest, np.ndarray):
        yield path, torch.from_numpy(nest)
    elif isinstance(nest, torch.Generator):
        yield f"{path}.state", nest.get_state()
    elif nest is None or isinstance(nest, bool | int | float | complex | str | bytes | torch.dtype | torch.device):
        yield path, nest
    elif id(nest) not in seen:
        seen.add(id(nest))
        for name, child in _children(nest):
            yield from _walk(child, f"{path}.{name}" if path else name, seen)


def _tensor(tensor: Tensor, path: str) -> Iterator[Leaf]:
    if tensor.is_nested:
        yield f"{path}.values", tensor.values()
        yield f"{path}.offsets", tensor.offsets()  # type: ignore[attr-defined]
    else:
        yield path, tensor


def _children(nest: Any) -> Iterator[Leaf]:
    if isinstance(nest, Mapping):
        yield from ((str(key), nest[key]) for key in nest)
    elif isinstance(nest, list | tuple):
        yield from ((str(number), item) for number, item in enumerate(nest))
    elif isinstance(nest, nn.Module):
        yield from nest.named_parameters()
        yield from nest.named_buffers()
    elif dataclasses.is_dataclass(nest) and not isinstance(nest, type):
        names = [f.name for f in dataclasses.fields(nest) if f.name not in _SKIPPED]
        yield from ((name, getattr(nest, name)) for name in names)
    elif hasattr(nest, "__dict__") and not callable(nest):
        yield from ((name, value) for name, value in sorted(vars(nest).items()) if name not in _SKIPPED)


def checksum(tensor: Tensor) -> int:
    """A whole number that changes when any bit, the shape or the dtype changes (collisions: about 2^-61)."""
    flat = tensor.detach().contiguous().reshape(-1).view(torch.uint8)
    if flat.storage_offset() % 8:
        flat = flat.clone()
    spare = -flat.numel() % 8
    if spare:
        flat = torch.cat([flat, flat.new_zeros(spare)])
    words = flat.view(torch.int64)
    weights = _weights(tensor.device, words.numel())
    total = _shape_number(tensor)
    for chunk in torch.split(words, len(weights)):
        total = (total * 1_000_003 + int((chunk * weights[: len(chunk)]).sum().item())) % _PRIME
    return total


@cache
def _chunk_weights(device: torch.device, length: int) -> Tensor:
    return torch.arange(1, length + 1, device=device) * _ODD | 1


def _weights(device: torch.device, words: int) -> Tensor:
    """Odd numbers, one for each place of a chunk: small chunks stay in a CPU's cache, large ones keep a GPU busy."""
    whole = _chunk_weights(device, _CPU_CHUNK if device.type == "cpu" else _GPU_CHUNK)
    return whole[: max(1, words)]


def _shape_number(tensor: Tensor) -> int:
    number = sum((place + 1) * ord(letter) for place, letter in enumerate(str(tensor.dtype)))
    for extent in tensor.shape:
        number = (number * 1_000_003 + extent + 1) % _PRIME
    return number


def digest(nest: Any) -> tuple[tuple[str, Any], ...]:
    """The content of a nest in brief: path and checksum of each tensor, path and value of each other leaf."""
    return tuple((path, checksum(leaf) if isinstance(leaf, Tensor) else repr(leaf)) for path, leaf in leaves(nest))


def snapshot(nest: Any) -> list[Leaf]:
    """The leaves of ``nest`` with every tensor copied now, so that a later write is noticed."""
    return [(path, leaf.detach().clone() if isinstance(leaf, Tensor) else leaf) for path, leaf in leaves(nest)]


def poison(nest: Any) -> None:
    """Overwrite every tensor of an answer: floats with NaN, integers with their least value, booleans with their
    opposite.
    """
    for _, tensor in tensors(nest):
        with torch.inference_mode():
            try:
                _overwrite(tensor)
            except RuntimeError:  # a tensor whose elements overlap in memory: overwrite what it stands on
                tensor.untyped_storage().fill_(0xFF)  # type: ignore[attr-defined]


def _overwrite(tensor: Tensor) -> None:
    if tensor.dtype == torch.bool:
        tensor.logical_not_()
    elif tensor.dtype.is_floating_point or tensor.dtype.is_complex:
        tensor.fill_(float("nan"))
    else:
        tensor.fill_(torch.iinfo(tensor.dtype).min if tensor.dtype != torch.uint8 else 255)


def storages(nest: Any) -> set[int]:
    """The addresses of the memory on which the tensors of ``nest`` stand."""
    return {tensor.untyped_storage().data_ptr() for _, tensor in tensors(nest) if tensor.numel()}

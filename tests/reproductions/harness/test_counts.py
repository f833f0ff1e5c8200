"""Memory, operations, effort and the limit, on calls whose numbers are known."""

import pytest
import torch
from torch import Tensor

from reproductions.harness import limit, memory, work
from reproductions.harness.spec import Bound

MIB = 1 << 20


def big(mib: int) -> Tensor:
    return torch.empty(mib * MIB // 4)


def test_peak_memory_is_the_most_alive_at_once() -> None:
    def call() -> Tensor:
        one = big(8)
        two = big(4)
        del one
        return torch.cat([two, two])

    assert memory.peak_bytes(call, "cpu") == 12 * MIB


def test_memory_alive_at_entry_does_not_count() -> None:
    kept = big(16)
    assert memory.peak_bytes(lambda: kept.add_(1), "cpu") < MIB
    assert memory.peak_bytes(lambda: kept + 1, "cpu") == pytest.approx(16 * MIB, abs=1024)


def test_flops_of_a_product_are_two_for_each_multiplication() -> None:
    left, right = torch.randn(3, 5), torch.randn(5, 7)
    assert work.flops(lambda: left @ right, "cpu") == 2 * 3 * 5 * 7


def test_flops_of_fused_attention_are_counted_forward_and_backward() -> None:
    q = torch.randn(1, 2, 16, 8, requires_grad=True)
    one_product = 2 * 2 * 16 * 16 * 8

    def forward() -> Tensor:
        return torch.nn.functional.scaled_dot_product_attention(q, q, q)

    assert work.flops(forward, "cpu") == 2 * one_product
    assert work.flops(lambda: torch.autograd.grad(forward().sum(), q), "cpu") == (2 + 5) * one_product


def test_effort_is_the_same_for_the_same_work() -> None:
    x = torch.randn(8, 8)
    work.effort(lambda: x @ x)
    assert work.effort(lambda: x @ x) == work.effort(lambda: x @ x)
    assert work.skipped(work.effort(lambda: x @ x @ x), work.effort(lambda: x @ x @ x)) == ""


def test_less_effort_is_noticed() -> None:
    x = torch.randn(64, 64)
    assert "torch operators" in work.skipped(work.effort(lambda: x @ x @ x), work.effort(lambda: x @ x))
    assert "Python calls" in work.skipped((10, 100), (10, 50))


def test_effort_gives_back_the_profiler() -> None:
    import sys

    before = sys.getprofile()
    with pytest.raises(RuntimeError):
        work.effort(lambda: (_ for _ in ()).throw(RuntimeError("x")))
    assert sys.getprofile() is before


def test_tf32_only_where_asked_for() -> None:
    work.precision("tf32")
    assert torch.get_float32_matmul_precision() == "high"
    work.precision("fp32")
    assert torch.get_float32_matmul_precision() == "highest"


H200 = "NVIDIA H200"


@pytest.mark.parametrize(
    ("name", "known"),
    [
        (H200, "H200 SXM"),
        ("NVIDIA H100 80GB HBM3", "H100 SXM5"),
        ("NVIDIA A100-SXM4-80GB", "A100 SXM4"),
        ("NVIDIA H200 NVL", ""),
        ("NVIDIA H100 PCIe", ""),
        ("NVIDIA A100-PCIE-40GB", ""),
        ("AMD EPYC", ""),
    ],
)
def test_only_devices_with_sourced_peaks_are_known(name: str, known: str) -> None:
    peaks = limit.peaks(name)
    assert (known in peaks["name"]) if peaks else not known


def test_every_device_has_sources_and_dense_peaks() -> None:
    for device in limit.devices():
        assert all(source.startswith("https://") for source in device["sources"])
        assert device["flops"]["tf32"] * 2 == pytest.approx(device["flops"]["bf16"])


def test_the_limit_is_the_larger_of_compute_and_memory() -> None:
    compute, traffic = Bound(flops=989.4e12, bytes=1.0), Bound(flops=1.0, bytes=4.8e12)
    assert limit.t_min(compute, H200, "bf16") == pytest.approx(1.0)
    assert limit.t_min(traffic, H200, "bf16") == pytest.approx(1.0)
    assert limit.t_min(compute, H200, "fp8") is None
    assert limit.t_min(compute, "AMD EPYC", "fp32") is None


def test_other_inputs_may_need_less_work_but_not_next_to_nothing() -> None:
    assert work.skipped((1000, 100), (650, 65), work.LAZY_ON_OTHERS) == ""
    assert "torch operators" in work.skipped((1000, 100), (50, 65), work.LAZY_ON_OTHERS)

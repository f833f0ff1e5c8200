"""FlexGen: four-bit groups, the model of the gain, and the simulated clock."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from reproductions.harness.spec import Place
from reproductions.reference.flexgen import benchmark, making, method, schedule
from reproductions.reference.flexgen.codec import LEVELS, pack, rounded, row_bytes, unpack
from reproductions.reference.flexgen.oracle import makespans, numbers, oracle, seconds
from reproductions.reference.flexgen.policy import Policy, latency
from reproductions.reference.flexgen.workload import Setting
from tests.reproductions.reference.test_flexgen import passes, workload

# Four-bit groups


@settings(max_examples=60, deadline=None, derandomize=True)
@given(width=st.integers(1, 40), group=st.sampled_from([8, 16, 64]), seed=st.integers(0, 999))
def test_a_number_comes_back_within_half_a_step(width: int, group: int, seed: int) -> None:
    x = torch.randn(3, width, generator=torch.Generator().manual_seed(seed))
    codes = pack(x, group)
    back = unpack(codes, width, group, x.dtype)
    assert codes.shape == (3, row_bytes(width, group, 4))
    for start in range(0, width, group):
        own, found = x[:, start : start + group], back[:, start : start + group]
        step = (own.amax(1) - own.amin(1)) / LEVELS
        assert bool(((own - found).abs() <= step[:, None] * 0.5001 + 1e-6).all())
        assert torch.allclose(own.amin(1), found.amin(1), atol=1e-6)  # the ends of a group are kept
        assert torch.allclose(own.amax(1), found.amax(1), atol=1e-5)
    assert torch.allclose(numbers(codes, width, group, x.dtype), back.double(), atol=1e-6)


def test_sixteen_even_levels_and_equal_numbers_are_kept_exactly() -> None:
    levels = torch.arange(16.0) * 0.5 - 2
    assert torch.equal(rounded(levels[None], 16)[0], levels)
    assert torch.equal(rounded(torch.full((2, 11), 0.3), 8), torch.full((2, 11), 0.3))


def test_a_group_that_does_not_line_up_is_refused() -> None:
    for group in (0, 4, 12):
        with pytest.raises(ValueError, match="multiple of 8"):
            pack(torch.ones(1, 16), group)


@pytest.mark.parametrize("held", [making.NOTHING, making.WEIGHTS, making.BOTH])
def test_codes_and_full_width_give_one_text(held: str) -> None:
    w = workload(making.make_held, held)
    wide, four = method.zig_zag_wide(w), method.zig_zag_4bit(w)
    assert passes(wide, w)
    assert passes(four, w)
    assert w.technique.packed_weights == (held != making.NOTHING)
    assert w.technique.packed_cache == w.baseline.rounded_cache == (held == making.BOTH)
    assert w.technique.policy.wg >= w.baseline.policy.wg


def test_packed_parts_pass_every_tier_and_move_fewer_bytes() -> None:
    w = workload(making.make_held, making.BOTH)
    codes = torch.cat([w.technique.weights.device, w.technique.weights.host, w.technique.weights.disk], 1)
    away = Policy(0, 0.5, 0.5, 0, 0.5, 0.5, 0, 0.5, 0.5)
    home = making.laid_out(codes, away, Place("cpu", torch.float32, 0, "tiny"))
    answer, moved = method.generate(w, replace(w.technique, policy=away, weights=home))
    assert passes(answer, w)
    raw = torch.cat([w.baseline.weights.device, w.baseline.weights.host, w.baseline.weights.disk], 1)
    wide = making.laid_out(raw, away, Place("cpu", torch.float32, 0, "tiny"))
    other, more = method.generate(w, replace(w.baseline, policy=away, weights=wide))
    assert passes(other, w)
    assert all(moved[link] < more[link] for link in more)


def test_the_check_refuses_a_cache_that_was_not_rounded() -> None:
    w = workload(making.make_held, making.BOTH)
    assert not passes(method.generate(w, replace(w.baseline, rounded_cache=False))[0], w)


def test_prompts_are_clear_of_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(making, "MARGIN", 0.2)
    w = workload()
    best: Tensor = oracle(w).logits.topk(2, -1).values
    assert float((best[..., 0] - best[..., 1]).min()) > 0.2


# The model of the gain


def test_the_claim_falls_to_one_as_the_device_grows() -> None:
    claims = [benchmark.claim(workload(point=m)) for m in (0.8, 1.0)]
    assert claims[0] > claims[1] == pytest.approx(1)


def test_more_batches_in_a_block_never_lower_the_claim() -> None:
    claims = [benchmark.claim(workload(making.make_block, k)) for k in (1, 2, 3)]
    assert claims[0] == pytest.approx(1)
    assert claims == sorted(claims)


# The simulated clock


def setting(batches: int) -> Setting:
    return schedule.make(Place("cpu", torch.float32, 0, "tiny"), batches)


def test_the_simulated_tiny_machine_needs_all_three_tiers_and_a_ragged_block() -> None:
    w = setting(2)
    assert 0 < w.many.wg < 1
    assert w.many.wc + w.many.cc + w.many.hc > 0
    assert w.many.wd + w.many.cd + w.many.hd > 0
    assert w.job.batches % w.batches


def test_simulated_blocks_of_one_batch_are_row_by_row() -> None:
    assert schedule.zig_zag(setting(1)) == schedule.row_by_row(setting(1))


@pytest.mark.parametrize("batches", [1, 2, 3])
def test_the_simulated_makespan_is_found_in_another_way_too(batches: int) -> None:
    truth = makespans(setting(batches))
    for name, run in schedule.METHODS.items():
        assert run(setting(batches)).makespan == pytest.approx(truth[name], rel=1e-10)


@pytest.mark.parametrize("shares", [(0, 1, 0), (0, 0, 1), (0.2, 0.3, 0.5)])
def test_every_byte_of_a_simulated_step_is_counted(shares: tuple[float, float, float]) -> None:
    """One kind of data away from the device at a time, and one link at a time so slow that it alone decides."""
    for kind in range(3):
        p = Policy(*(share for other in range(3) for share in (shares if other == kind else (1.0, 0.0, 0.0))))
        for slow in ("ctog", "gtoc", "dtoc", "ctod"):
            m = replace(schedule.MACHINES["tiny"], **{slow: 1.0})
            for batches in (1, 2):
                job = replace(schedule.MODELS["tiny"], batches=3)
                found = schedule.simulate_block(job, m, p, batches, 0.0, [])
                assert found == pytest.approx(seconds(job, m, p, batches), rel=1e-12)


def test_a_long_simulated_block_takes_what_the_cost_model_says() -> None:
    job, m = (
        replace(schedule.MODELS["tiny"], layers=40, new=40),
        replace(schedule.MACHINES["tiny"], device=1e7, disk=1e9),
    )
    p = Policy(0.2, 0.3, 0.5, 0.5, 0.25, 0.25, 0.5, 0.25, 0.25)
    simulated = schedule.simulate(job, m, p, job.batches).makespan
    assert simulated == pytest.approx(latency(job, m, p), rel=0.03)


def test_zig_zag_helps_a_simulated_machine_that_waits_for_weights() -> None:
    makespan = [schedule.zig_zag(setting(k)).makespan for k in (1, 3)]
    assert makespan[1] < makespan[0]
    assert schedule.zig_zag_4bit(setting(3)).makespan < makespan[1]

"""FlexGen: the programme against brute force, exact schedules and traffic, the codec, planted faults, failure paths."""

import itertools
import threading
from collections.abc import Callable
from dataclasses import astuple, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from reproductions.harness import nest
from reproductions.harness.agreement import judge
from reproductions.harness.memory import peak_bytes
from reproductions.harness.spec import Place, close
from reproductions.reference.flexgen import benchmark, making, method, policy, schedule, tiers
from reproductions.reference.flexgen.codec import LEVELS, pack, rounded, row_bytes, unpack
from reproductions.reference.flexgen.oracle import makespans, numbers, oracle, seconds
from reproductions.reference.flexgen.policy import Job, Machine, Policy, fits, grid, latency, search
from reproductions.reference.flexgen.workload import Answer, Batch, Setting

torch.set_num_threads(1)
JOB = Job(layers=4, prompt=8, new=4, width=16, size=2, batches=3, weight_bytes=4, cache_bytes=4, value_bytes=4)


def workload(make: Callable[[Place, Any], Batch] = making.make_memory, point: Any = 0.8, seed: int = 3) -> Batch:
    return make(Place("cpu", torch.float32, seed, "tiny"), point)


def machine(job: Job = JOB, device: float = 0.6, host: float = 0.3, **speeds: float) -> Machine:
    total = sum(job.totals)
    return Machine(
        device * total,
        host * total,
        10 * total,
        **{"ctog": 4e3, "gtoc": 4e3, "dtoc": 1e3, "ctod": 1e3, "flops": 1e6, **speeds},
    )


def passes(answer: Answer, w: Batch) -> bool:
    return judge(answer, oracle(w), close(fp32=1e-5), "fp32").passed


# The cost model and the programme


def plain_latency(job: Job, m: Machine, p: Policy) -> float:
    """The paper's T written out once more, sum by sum."""
    bls, h1, s, n = job.size * job.batches, job.width, job.prompt, job.new
    w, c, a = 12 * h1 * h1 * job.weight_bytes, 2 * h1 * bls * job.cache_bytes, h1 * bls * job.value_bytes
    pre = max(
        (w * (p.wc + p.wd) + s * a * (p.hc + p.hd)) / m.ctog,
        (s * c * (p.cc + p.cd) + s * a * (p.hc + p.hd)) / m.gtoc,
        (w * p.wd + s * a * p.hd) / m.dtoc,
        (s * c * p.cd + s * a * p.hd) / m.ctod,
        (24 * h1 * h1 * bls * s + 4 * h1 * bls * s * (s + 1) / 2) / m.flops,
    )
    gen = max(
        (w * (p.wc + p.wd) + (s + n / 2) * c * (p.cc + p.cd) + a * (p.hc + p.hd)) / m.ctog,
        (c * (p.cc + p.cd) + a * (p.hc + p.hd)) / m.gtoc,
        (w * p.wd + (s + n / 2) * c * p.cd + a * p.hd) / m.dtoc,
        (c * p.cd + a * p.hd) / m.ctod,
        (24 * h1 * h1 * bls + 4 * h1 * bls * (s + n / 2)) / m.flops,
    )
    return job.layers * (pre + (n - 1) * gen)


def test_the_latency_is_the_formula_of_the_paper() -> None:
    p = Policy(0.2, 0.3, 0.5, 0.1, 0.6, 0.3, 0.5, 0.25, 0.25)
    for m in (machine(), machine(ctog=1e2), machine(gtoc=1e1), machine(ctod=1e1), machine(flops=1e3)):
        assert latency(JOB, m, p) == pytest.approx(plain_latency(JOB, m, p))


def objective(job: Job, m: Machine, p: Policy) -> float:
    return plain_latency(job, m, p) + policy.TIE * float(policy.traffic(job, m) @ torch.tensor(astuple(p)).numpy())


def brute_force(job: Job, m: Machine, steps: int) -> float:
    """The least objective of any policy on a grid that fits, by trying all of them."""
    cuts = [(g / steps, c / steps, (steps - g - c) / steps) for g in range(steps + 1) for c in range(steps + 1 - g)]
    every = (Policy(*w, *c, *h) for w, c, h in itertools.product(cuts, cuts, cuts))
    return min(objective(job, m, p) for p in every if fits(job, m, p))


@pytest.mark.parametrize(("device", "host", "gtoc"), [(0.8, 2.0, 1e3), (0.5, 0.5, 1e2), (0.8, 0.2, 1e3)])
def test_the_programme_weighs_prefill_against_decode(device: float, host: float, gtoc: float) -> None:
    """Here the policy that is best for one layer of prefill and one of decode is not the best for the whole text."""
    pytest.importorskip("scipy")
    job = replace(JOB, prompt=40, new=16)
    m = machine(job, device, host, gtoc=gtoc, dtoc=4e3, ctod=4e3, flops=1e7)
    assert objective(job, m, search(job, m)) <= brute_force(job, m, 4) * (1 + 1e-7)


@pytest.mark.parametrize("device", [0.6, 0.75, 0.9, 2.0])
@pytest.mark.parametrize("host", [0.2, 2.0])
def test_no_policy_of_a_grid_beats_the_programme(device: float, host: float) -> None:
    pytest.importorskip("scipy")
    m = machine(device=device, host=host)
    best = search(JOB, m)
    assert fits(JOB, m, best)
    assert objective(JOB, m, best) <= brute_force(JOB, m, 4) * (1 + 1e-7)


@pytest.mark.parametrize(
    ("device", "host", "expected"),
    [
        (2.0, 2.0, (1, 0, 0, 1, 0, 0, 1, 0, 0)),  # all fits the device
        (None, 2.0, (0, 1, 0, 0, 1, 0, 0, 1, 0)),  # nothing but the places to pass through: all on the host
        (None, 0.0, (0, 0, 1, 0, 0, 1, 0, 0, 1)),  # no host either: all on the disk
    ],
)
def test_where_the_best_policy_is_a_corner_programme_and_brute_force_are_equal(
    device: float | None, host: float, expected: tuple[int, ...]
) -> None:
    pytest.importorskip("scipy")
    m = machine(device=device or 1.0, host=host)
    if device is None:
        passing = float(policy.memory(JOB)[0] @ torch.tensor([0.0, 0, 1, 0, 0, 1, 0, 0, 1]).double().numpy())
        m = replace(m, device=passing * (1 + 1e-12))
    best = search(JOB, replace(m, host=max(m.host, 1e-9)))
    assert astuple(best) == pytest.approx(expected, abs=1e-6)
    assert objective(JOB, m, best) == pytest.approx(brute_force(JOB, m, 4))


def test_the_programme_equals_brute_force_where_its_corner_stands_on_the_grid() -> None:
    """A device for half of the weights and all of the rest, behind a link back that is too slow for anything else."""
    pytest.importorskip("scipy")
    w, c, h = JOB.totals
    m = replace(machine(gtoc=1e-3, flops=1e9), device=0.5 * w + 0.5 * w * 2 / JOB.layers + c + h, host=2 * w)
    best = search(JOB, m)
    assert objective(JOB, m, best) == pytest.approx(brute_force(JOB, m, 4))
    assert (best.wg, best.wc, best.cg, best.hg) == pytest.approx((0.5, 0.5, 1, 1), abs=1e-6)


def test_without_scipy_the_grid_searches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "scipy.optimize", None)
    m = machine(device=0.8)
    found = search(JOB, m)
    assert found == grid(JOB, m)
    assert objective(JOB, m, grid(JOB, m, 4)) == pytest.approx(brute_force(JOB, m, 4))


@pytest.mark.parametrize("find", [search, grid])
def test_what_fits_nowhere_is_refused(find: Callable[[Job, Machine], Policy]) -> None:
    with pytest.raises(ValueError, match="no policy fits"):
        find(JOB, replace(machine(), device=1.0))


def test_more_memory_never_costs_time() -> None:
    pytest.importorskip("scipy")
    times = [objective(JOB, machine(device=d), search(JOB, machine(device=d))) for d in (0.6, 0.7, 0.8, 0.9, 1.0)]
    assert times == sorted(times, reverse=True)
    assert times[0] > times[-1]


def test_a_block_of_one_batch_keeps_its_activations() -> None:
    for find in (search, grid):
        assert find(replace(JOB, batches=1), machine(device=0.7)).hg == 1


# The schedule


def test_tiny_crosses_tiers_blocks_and_ragged_remainders() -> None:
    w = workload()
    kinds = vars(w.technique.policy)
    assert 0 < kinds["wg"] < 1
    parts = w.technique.weights
    assert all(part.shape[1] for part in (parts.device, parts.host, parts.disk))
    assert len(w.prompts) % workload(making.make_block, 2).technique.batches  # the last block is shorter
    head = w.embed.shape[1] // w.heads
    assert head % w.group  # the last four-bit group of a cache row is not full
    assert w.job.new > 2  # a decoded token reads another decoded one


def test_with_one_batch_in_a_block_both_methods_are_one_program() -> None:
    w = workload(making.make_block, 1)
    assert w.baseline.policy == w.technique.policy
    (one, moved), (other, also) = method.generate(w, w.baseline), method.generate(w, w.technique)
    assert nest.digest(one) == nest.digest(other)
    assert moved == also


def test_where_everything_fits_nothing_moves_and_the_answers_are_the_same() -> None:
    w = workload(point=1.0)
    (one, moved), (other, also) = method.generate(w, w.baseline), method.generate(w, w.technique)
    assert not any(moved.values())
    assert not any(also.values())
    assert nest.digest(one) == nest.digest(other)


def with_policy(w: Batch, **named: float) -> Batch:
    """``w`` with the technique's plan laid out again by a policy of one's own; kinds not named stay on the device."""
    shares = {
        **dict.fromkeys(policy.NAMES, 0.0),
        **{f"{kind}g": 1.0 for kind in "wch" if kind not in {n[0] for n in named}},
        **named,
    }
    own = Policy(**shares)
    raw = torch.cat([w.technique.weights.device, w.technique.weights.host, w.technique.weights.disk], 1)
    home = making.laid_out(raw, own, Place("cpu", torch.float32, 0, "tiny"))
    w.technique = replace(w.technique, policy=own, weights=home)
    return w


@pytest.mark.parametrize(
    "shares",
    [
        {"wd": 1.0}, {"wc": 1.0}, {"cd": 1.0}, {"cc": 0.5, "cd": 0.5}, {"hd": 1.0}, {"hg": 0.5, "hc": 0.5},
        {"wc": 0.5, "wd": 0.5, "cc": 1.0, "hc": 0.5, "hd": 0.5},
    ],
)  # fmt: skip
def test_wherever_things_lie_the_text_is_the_same(shares: dict[str, float]) -> None:
    w = with_policy(workload(), **shares)
    answer, moved = method.generate(w, w.technique)
    assert passes(answer, w)
    assert moved["ctog"]
    assert torch.equal(answer.tokens, method.generate(w, w.technique, overlap=False)[0].tokens)


def test_zig_zag_loads_each_weight_once_a_block() -> None:
    w = with_policy(workload(), wc=0.5, wd=0.5)
    layers, tiles, h1 = w.job.layers, making.SQUARES, w.embed.shape[1]
    whole = layers * tiles * h1 * h1 * 4
    for batches in (1, 2, 3):
        moved = method.generate(w, replace(w.technique, batches=batches))[1]
        blocks = -(-len(w.prompts) // batches)
        assert moved["ctog"] == blocks * w.job.new * whole
        assert moved["dtoc"] == blocks * w.job.new * whole / 2
        assert not moved["gtoc"] + moved["ctod"]


def test_the_cache_crosses_as_the_model_counts_it() -> None:
    w = with_policy(workload(), cd=1.0)
    s, n, layers = w.job.prompt, w.job.new, w.job.layers
    token = w.job.token_cache
    moved = method.generate(w, w.technique)[1]
    last = token / len(w.prompts)  # what the very last step makes is not brought home: nobody will read it
    assert moved["gtoc"] == moved["ctod"] == layers * (s + n - 1) * token - last
    assert moved["ctog"] == moved["dtoc"] == layers * token * sum(range(s, s + n - 1))


def test_overlap_changes_no_bit_and_leaves_no_thread() -> None:
    w, before = workload(), threading.active_count()
    one, other = method.zig_zag(w), method.zig_zag_serial(w)
    assert nest.digest(one) == nest.digest(other)
    assert threading.active_count() == before


def test_the_device_holds_no_more_than_it_has() -> None:
    for make, point in ((making.make_memory, 0.8), (making.make_block, 2)):
        w = workload(make, point)
        for plan in (w.baseline, w.technique):
            with tiers.Mover(w.embed.device, overlap=False) as mover:
                block = method.Block(w, plan, w.prompts[: plan.batches], mover)
            held = 0
            for windows in (block.weights, block.cache, block.states):
                own = [windows.home.device, *itertools.chain(*windows.places)]
                held += sum(t.numel() * t.element_size() for t in own)
            assert held <= w.machine.device


def test_a_finished_block_lets_go_of_its_room() -> None:
    w = workload()
    one, three = (replace(w, prompts=w.prompts[:count]) for count in (1, 3))
    least, peak = (peak_bytes(partial(method.row_by_row, w), "cpu") for w in (one, three))
    assert peak < 1.1 * least


def test_where_nothing_moves_nothing_is_handed_to_the_mover(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiers.Mover, "start", lambda *arguments: pytest.fail("nothing lies elsewhere"))
    method.zig_zag(workload(point=1.0))


def test_a_failing_copy_is_heard_and_its_thread_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: object) -> None:
        raise OSError("disk gone")

    w, before = workload(), threading.active_count()
    monkeypatch.setattr(tiers.Windows, "store", broken)
    with pytest.raises(OSError, match="disk gone"):
        method.zig_zag(w)
    assert threading.active_count() == before


def test_the_disk_is_a_mapped_file_that_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiers.tempfile, "tempdir", str(tmp_path))
    one = tiers.on_disk((3, 5), torch.float32)
    one.fill_(2)
    if Path("/proc/self/maps").exists():
        assert str(tmp_path) in Path("/proc/self/maps").read_text(encoding="utf-8")
    assert not list(tmp_path.iterdir())
    assert float(one.sum()) == 30
    assert tiers.on_disk((0, 5), torch.float32).shape == (0, 5)


def test_parts_never_overflow_a_faster_tier() -> None:
    assert tiers.parts_of(12, (1.0, 0.0)) == (12, 0, 0)
    assert tiers.parts_of(12, (0.49, 0.3)) == (5, 3, 4)


# Planted faults


def test_the_check_refuses_an_off_by_one_in_the_last_share_of_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    w = with_policy(workload(), wc=1.0)
    monkeypatch.setattr(
        method,
        "share",
        lambda k, K: lambda part: part[k * len(part) // K : (k + 1) * len(part) // K - (k == K - 1 > 0)],
    )
    assert not passes(method.zig_zag(w), w)


def test_the_check_refuses_a_cache_that_misses_its_last_token(monkeypatch: pytest.MonkeyPatch) -> None:
    w = with_policy(workload(), cc=1.0)
    real = method.between
    monkeypatch.setattr(method, "between", lambda start, end: real(start, end - (start == 0 and end > w.job.prompt)))
    assert not passes(method.zig_zag(w), w)


def test_the_check_refuses_results_that_are_never_brought_home(monkeypatch: pytest.MonkeyPatch) -> None:
    w = with_policy(workload(), cd=1.0, hc=1.0)
    assert passes(method.zig_zag(w), w)
    monkeypatch.setattr(tiers.Windows, "store", lambda *arguments: None)
    assert not passes(method.zig_zag(w), w)


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

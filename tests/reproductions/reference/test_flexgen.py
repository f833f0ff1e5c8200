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

from reproductions.harness import nest
from reproductions.harness.agreement import judge
from reproductions.harness.memory import peak_bytes
from reproductions.harness.spec import Place, close
from reproductions.reference.flexgen import making, method, policy, tiers
from reproductions.reference.flexgen.oracle import oracle
from reproductions.reference.flexgen.policy import Job, Machine, Policy, fits, grid, latency, search
from reproductions.reference.flexgen.workload import Answer, Batch

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

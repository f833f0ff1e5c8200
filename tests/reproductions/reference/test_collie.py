"""One loop, many configurations: any plan trains like one process, LOMO like plain descent, adapters merge exactly."""

import queue
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from reproductions.harness.spec import Place
from reproductions.harness.world import ring_bytes
from reproductions.reference.collie import benchmark, groups, method, model, placing, quality, workload
from reproductions.reference.collie.oracle import oracle
from reproductions.reference.collie.workload import Answer, Batch, Config

PATIENCE = 20.0  # seconds after which a lost message fails a test
SHAPE = workload.SHAPES["tiny"]  # 3 sequences, 3 heads, 15 inner units, 3 blocks: nothing divides by two
Mail = dict[tuple[int, int], "queue.Queue[tuple[Tensor, queue.Queue[bool]]]"]


@dataclass
class Threads:
    """A world of threads whose ``send`` blocks until the message is taken; a group's rings do the rest."""

    rank: int
    processes: int
    mail: "Mail" = field(repr=False)
    size: int = 0
    sent: int = 0
    whole: Any = None

    def __post_init__(self) -> None:
        messages = Threads.__new__(Threads)
        messages.__dict__ |= {"rank": self.rank, "mail": self.mail, "size": -1, "sent": 0}
        self.size, self.whole = self.processes, groups.Group(messages, range(self.processes))  # type: ignore[arg-type]

    def send(self, tensor: Tensor, to: int) -> None:
        taken: queue.Queue[bool] = queue.Queue()
        self.sent += tensor.numel() * tensor.element_size()
        self.mail[self.rank, to].put((tensor.clone(), taken))
        taken.get(timeout=PATIENCE)

    def recv(self, tensor: Tensor, source: int) -> Tensor:
        message, taken = self.mail[source, self.rank].get(timeout=PATIENCE)
        assert message.shape == tensor.shape
        assert tensor.is_contiguous()
        taken.put(True)
        return tensor.copy_(message)

    def all_reduce(self, tensor: Tensor, op: str = "sum") -> Tensor:
        return self.whole.all_reduce(tensor, op)

    def all_gather(self, tensor: Tensor) -> Tensor:
        return self.whole.all_gather(tensor)

    def reduce_scatter(self, tensor: Tensor) -> Tensor:
        return self.whole.reduce_scatter(tensor)


def in_threads(count: int, run: Callable[[Threads], Any]) -> list[Any]:
    """What each of ``count`` ranks returns."""
    mail: Mail = {(a, b): queue.Queue() for a in range(count) for b in range(count)}
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(lambda rank: run(Threads(rank, count, mail)), range(count)))


def drawn(config: Config, dtype: torch.dtype = torch.float64, seed: int = 7, whole: bool = True) -> Batch:
    """The tiny workload; with ``whole`` the probe is the identity, so that the answer shows every weight itself."""
    w = workload.draw(Place("cpu", dtype, seed, "tiny"), replace(config, tile=4), SHAPE, 2)
    if whole:
        w.probe = torch.eye(len(w.probe), dtype=dtype)
    return w


def trained(w: Batch, run: Callable[[Batch], Answer | None] = method.collie, count: int | None = None) -> Answer:
    """The answer of rank 0, when every rank of the plan runs; the others must return None."""
    if (count or w.config.processes) == 1:
        answer = run(w)
    else:
        answer, *rest = in_threads(count or w.config.processes, lambda world: run(replace(w, world=world)))  # type: ignore[type-var, arg-type]
        assert not any(rest)
    assert answer is not None
    return answer


def error(got: Answer, truth: Answer) -> float:
    """The worst relative error of the losses and of each tensor."""
    assert [list(p) for p in got.weights] == [list(p) for p in truth.weights]
    pairs = [(got.losses, truth.losses)]
    pairs += [(p[n], q[n]) for p, q in zip(got.weights, truth.weights, strict=True) for n in q]
    assert all(a.shape == b.shape for a, b in pairs)
    return max(float((a.double() - b).norm() / b.norm()) for a, b in pairs)


def same(one: Answer, other: Answer) -> bool:
    return bool(torch.equal(one.losses, other.losses)) and all(
        torch.equal(p[n], q[n]) for p, q in zip(one.weights, other.weights, strict=True) for n in q
    )


WHAT = [Config(), Config("sgd"), Config("lomo"), Config(rank=2), Config("sgd", rank=2)]
HOW: list[dict[str, Any]] = [
    {},
    {"tensor": 2},
    {"pipeline": 2},
    {"data": 2},
    {"data": 2, "shard": True},
    {"tensor": 3},
    {"pipeline": 3},
    {"data": 3, "shard": True},
    {"tensor": 2, "pipeline": 2},
    {"tensor": 2, "data": 2, "shard": True},
    {"pipeline": 2, "data": 2, "shard": True},
    {"tensor": 2, "pipeline": 2, "data": 2},
]


@pytest.mark.parametrize("what", WHAT, ids=str)
@pytest.mark.parametrize("how", HOW, ids=str)
def test_every_configuration_trains_like_the_oracle(what: Config, how: dict[str, Any]) -> None:
    w = drawn(replace(what, **how))
    assert error(trained(w), oracle(w)) < 1e-11


@pytest.mark.parametrize("what", [Config(), Config("sgd", rank=2)], ids=str)
@pytest.mark.parametrize("how", [{}, {"pipeline": 2}, {"data": 2, "shard": True, "N": 4}, {"tensor": 2}], ids=str)
def test_micro_batches_change_nothing(what: Config, how: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{__name__}.SHAPE", (5, *SHAPE[1:]))  # cut into 3 and 2, then 2 and 1
    w = drawn(replace(what, micro_batches=2, **{k: v for k, v in how.items() if k != "N"}))
    assert error(trained(w), oracle(w)) < 1e-11


@pytest.mark.parametrize("attention", ["plain", "tiled"])
@pytest.mark.parametrize("tensor", [1, 2])
def test_attention_is_a_switch(attention: Any, tensor: int) -> None:
    w = drawn(Config(attention=attention, tensor=tensor))  # nine tokens in tiles of four: two whole, one ragged
    assert error(trained(w), oracle(w)) < 1e-11


@pytest.mark.parametrize("what", WHAT, ids=str)
def test_the_baseline_agrees_with_the_oracle(what: Config) -> None:
    w = drawn(what)
    assert error(trained(w, method.separate), oracle(w)) < 1e-11


@pytest.mark.parametrize("how", [{}, {"tensor": 2}, {"data": 2}, {"data": 2, "shard": True}, {"pipeline": 2}], ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_lomo_is_plain_descent_bit_for_bit(how: dict[str, Any], dtype: torch.dtype) -> None:
    lomo, sgd = (trained(drawn(Config(kind, **how), dtype)) for kind in ("lomo", "sgd"))  # type: ignore[arg-type]
    assert same(lomo, sgd)


def test_lomo_keeps_neither_gradient_nor_state(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[placing.Slot] = []
    monkeypatch.setattr(
        method, "update", lambda layers, here, number: seen.extend(s for p in layers for s in p.values())
    )
    trained(drawn(Config("lomo")))
    assert seen
    assert all(slot.gradient is None and not slot.state for slot in seen)


def test_training_moves_every_tensor_far_beyond_the_tolerance() -> None:
    for what in WHAT:
        w = drawn(what, whole=False)
        before = [{n: workload.told(p[n], w) for n in workload.changed(w, i)} for i, p in enumerate(w.layers)]
        after = trained(w)
        for p, q in zip(before, after.weights, strict=True):
            assert all(float((q[n] - p[n]).norm() / p[n].norm()) > 1e-3 for n in q)


def test_adapters_start_with_no_effect_and_merge_exactly() -> None:
    with_adapters, without = drawn(Config(rank=2)), drawn(Config())
    without.layers = with_adapters.layers
    assert trained(with_adapters).losses[0] == trained(without).losses[0]  # B is zero
    s = model.setting(without, groups.Group(None, [0]), "plain")
    generator = torch.Generator().manual_seed(1)
    p = {**with_adapters.layers[1], **with_adapters.adapters[1]}
    p |= {n: torch.randn(p[n].shape, generator=generator, dtype=torch.float64) for n in ("q.B", "v.B")}
    x = torch.randn(2, 9, 12, generator=generator, dtype=torch.float64)
    beside = model.run(p, x, x, s)
    inside = model.run({n: model.merged(p, n) for n in with_adapters.layers[1]}, x, x, s)
    assert float((beside - inside).norm() / inside.norm()) < 1e-13
    assert float((beside - model.run(with_adapters.layers[1], x, x, s)).norm()) > 0.1


def test_a_frozen_model_stays_as_it_is() -> None:
    w, seen = drawn(Config(rank=2)), []
    here = placing.place(w)
    assert here is not None
    layers = placing.load(w, here)
    with torch.no_grad():
        method.step(w, layers, model.setting(w, here.tensor, "fused"), here)
        method.update(layers, here, 1)
    for number, layer in enumerate(layers):
        seen += [
            n for n, slot in layer.items() if n in w.layers[number] and not torch.equal(slot.value, w.layers[number][n])
        ]
        assert all((slot.gradient is None) and bool(slot.state) == ("." in n) for n, slot in layer.items())
    assert seen == []


@pytest.mark.parametrize("how", HOW, ids=str)
def test_a_process_keeps_its_share_and_no_more(how: dict[str, Any]) -> None:
    w = drawn(Config(**how))

    def kept(world: Threads) -> int:
        here = placing.place(replace(w, world=world))  # type: ignore[type-var, arg-type]
        assert here is not None
        return sum(slot.value.numel() for layer in placing.load(w, here) for slot in layer.values())

    blocks = sum(t.numel() for p in w.layers[1:-1] for t in p.values())
    ends = sum(t.numel() for p in (w.layers[0], w.layers[-1]) for t in p.values())
    counts = in_threads(w.config.processes, kept)
    if how.get("shard") and len(how) == 2:
        tensors = sum(len(p) for p in w.layers)
        assert all(
            (blocks + ends) / w.config.data <= count < (blocks + ends) / w.config.data + tensors for count in counts
        )
    if list(how) == ["pipeline"]:
        assert sum(counts) == blocks + ends  # every layer once
    if list(how) == ["tensor"]:
        norms = 2 * 12 * 3
        assert sum(counts) == blocks + ends + (w.config.tensor - 1) * (norms + ends)  # only these are replicated


@pytest.mark.parametrize("size", [1, 2, 3, 4])
@pytest.mark.parametrize("count", [1, 6, 7])
def test_a_ring_sums_and_sends_the_bytes_of_the_formula(size: int, count: int) -> None:
    parts = torch.randn(size, count, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    def run(world: Threads) -> tuple[Tensor, Tensor, int]:
        group = groups.Group(replace(world, processes=size), range(size))  # type: ignore[arg-type]
        group.all = None
        group.world.sent = 0  # type: ignore[union-attr]
        total = group.all_reduce(parts[group.rank].clone())
        sent = group.world.sent  # type: ignore[union-attr]
        return total, group.all_gather(parts[group.rank]), sent

    padded = count + -count % size
    for total, gathered, sent in in_threads(size, run):
        torch.testing.assert_close(total, parts.sum(0))
        assert torch.equal(gathered, parts.flatten())
        assert sent == ring_bytes("all_reduce", 8 * padded, size)


def lost(items: int, parts: int) -> list[slice]:
    """The planted fault: the ragged last part loses its last item."""
    right = placing.cut(items, parts)
    return [*right[:-1], slice(right[-1].start, max(right[-1].stop - (parts > 1), right[-1].start + 1))]


def test_a_sequence_lost_in_the_ragged_micro_batch_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{__name__}.SHAPE", (7, *SHAPE[1:]))
    monkeypatch.setattr(method, "cut", lost)
    w = drawn(Config("sgd", micro_batches=2), torch.float32, whole=False)
    assert error(trained(w), oracle(w)) > 1e-3


def test_a_replica_that_does_not_add_up_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        groups.Group, "reduce_scatter", lambda self, t: t.unflatten(0, (self.size, -1))[self.rank].clone()
    )
    w = drawn(Config("lomo", data=2, shard=True), torch.float32, whole=False)
    assert error(trained(w), oracle(w)) > 1e-3


def test_a_lost_remainder_of_a_shard_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    w = drawn(
        Config("sgd", data=2, shard=True), whole=False
    )  # the norms have 12 values, the embedding 276: cut one off
    real = method.flat
    monkeypatch.setattr(method, "flat", lambda t, parts: torch.cat([real(t, parts)[:-1], t.new_zeros(1)]))
    assert error(trained(w), oracle(w)) > 1e-5


def test_a_missing_f_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "f", lambda x, group: x)  # forward stays right, gradients do not add up
    w = drawn(Config("sgd", tensor=2), whole=False)
    assert error(trained(w), oracle(w)) > 1e-3


@settings(deadline=None, max_examples=30)
@given(
    optimiser=st.sampled_from(["adam", "sgd", "lomo"]),
    rank=st.integers(0, 3),
    tensor=st.integers(1, 2),
    pipeline=st.integers(1, 2),
    shard=st.booleans(),
    seed=st.integers(0, 5),
)
def test_any_plan_of_few_processes_trains_like_one(
    optimiser: Any, rank: int, tensor: int, pipeline: int, shard: bool, seed: int
) -> None:
    c = Config(optimiser, rank, tensor=tensor, pipeline=pipeline, data=1 + shard, shard=shard)
    w = drawn(c, seed=seed)
    alone = replace(w, config=replace(c, tensor=1, pipeline=1, data=1, shard=False))  # type: ignore[type-var]
    assert error(trained(w), trained(alone)) < 1e-11


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"optimiser": "lion"}, "optimiser must be one of"),
        ({"attention": "sparse"}, "attention must be one of"),
        ({"rank": -1}, "rank of adapters"),
        ({"tensor": 0}, "at least 1"),
        ({"shard": True}, "nothing to shard"),
        ({"optimiser": "lomo", "micro_batches": 2}, "LOMO keeps no gradient"),
    ],
)
def test_a_senseless_configuration_is_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Config(**wrong)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (Config(tensor=2), "2 x 1 x 1 processes are needed, and there are 1"),
        (Config(micro_batches=4), "3 sequences cannot be divided into 4"),
    ],
)
def test_a_plan_that_does_not_fit_is_refused(config: Config, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        method.collie(drawn(config))


@pytest.mark.parametrize(("how", "said"), [({"tensor": 4}, "3 heads"), ({"pipeline": 4}, "3 blocks")])
def test_more_parts_than_things_are_refused(how: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        trained(drawn(Config(**how)))


def test_processes_beyond_the_plan_stand_by() -> None:
    w = drawn(Config())
    assert same(trained(w, count=2), trained(w))


def test_half_precision_keeps_a_master_copy_with_adam() -> None:
    w = drawn(Config(), torch.bfloat16)
    here = placing.place(w)
    assert here is not None
    layers = placing.load(w, here)
    with torch.no_grad():
        method.step(w, layers, model.setting(w, here.tensor, "fused"), here)
        method.update(layers, here, 1)
    slot = layers[1]["q"]
    assert slot.value.dtype == torch.bfloat16
    assert {t.dtype for t in slot.state.values()} == {torch.float32}
    assert torch.equal(slot.value, slot.state["master"].bfloat16())


def test_memory_for_each_parameter_is_what_the_optimiser_keeps() -> None:
    per = {
        (name, dtype): quality.bytes_per_parameter("cpu", dtype, 64, config)
        for name, config in quality.CONFIGS.items()
        for dtype in (torch.float32, torch.bfloat16)
    }
    assert per["Adam", torch.float32] == pytest.approx(16, abs=0.3)  # weight, gradient, two moments
    assert per["Adam", torch.bfloat16] == pytest.approx(16, abs=0.3)  # 2 + 2, two moments and a master copy
    assert per["LOMO", torch.float32] == pytest.approx(4 + 1 / 6, abs=0.1)  # weight, and S/(6 d) kept inputs each
    assert per["LOMO", torch.bfloat16] == pytest.approx(2 + 1 / 12, abs=0.1)
    assert per["LOMO", torch.bfloat16] < per["LoRA", torch.bfloat16] < 2.3


def test_the_points_cover_the_switches() -> None:
    configs = (benchmark.ALONE | benchmark.DIVIDED).values()
    wanted: dict[str, set[Any]] = {
        "optimiser": {"adam", "lomo"},
        "tensor": {1, 2},
        "pipeline": {1, 2},
        "shard": {True, False},
    }
    for name, values in wanted.items():
        assert values <= {getattr(c, name) for c in configs}
    assert all(c.processes <= 2 for c in configs)

"""The swarm: the whole model's tokens whoever dies, shortest chains, planted faults, and processes that end."""

import copy
import itertools
import socket
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from reproductions.harness import virtual
from reproductions.harness.spec import Place
from reproductions.reference.petals import calibration, method, offloading, quality, schedule, stage, swarm, wire
from reproductions.reference.petals.method import (
    NoChainError,
    Session,
    forward,
    forward_or_forget,
    open_chain,
    talk,
)
from reproductions.reference.petals.oracle import makespans, oracle
from reproductions.reference.petals.swarm import Offer, Swarm
from reproductions.reference.petals.workload import MARGIN, Chat, clear, exact, make, make_deaths
from reproductions.testbed.kv_cache import KVCache

torch.set_num_threads(1)
PLACE = Place("cpu", torch.float32, 3, "tiny")
LAYERS, COUNT, ROUNDING = 5, 6, 1e-5
MEASURED = (offloading.offloading, method.whole_model, method.restart, method.swarm)


def chat(seed: int = 3, **changes: Any) -> Chat:
    """Seven tokens asked, six answered, five blocks, six servers of uneven spans, no distance."""
    return replace(make(replace(PLACE, seed=seed), 0.0), **changes)


def session(w: Chat, own: Swarm) -> Session:
    return Session(own, LAYERS, w.prompt.shape[1] + w.count, 0.0)


@torch.no_grad()
def passes(w: Chat) -> list[Tensor]:
    """The client's inputs of an answer, pass by pass: embeddings of the prompt, then of each token but the last."""
    text = torch.cat((w.prompt, oracle(w)), dim=1)
    edges = [0, *range(w.prompt.shape[1], text.shape[1])]
    return [w.model.embed(text[:, a:b]) for a, b in itertools.pairwise(edges)]


@torch.no_grad()
def hidden(w: Chat) -> list[Tensor]:
    """What comes out of the last block, pass by pass, on one machine."""
    cache, found = KVCache(w.model, 1, w.prompt.shape[1] + w.count), []
    for x in passes(w):
        span = w.model.span(x.shape[1], cache.length)
        for block, layer in zip(w.model.blocks, cache.layers, strict=True):
            x = block(x, span, layer)
        found.append(x)
    return found


def error(got: Tensor, true: Tensor) -> float:
    """Relative L2 error. Not even the same weights at another address give the same bits in every product."""
    return float((got - true).norm() / true.norm())


# Tokens


@pytest.mark.parametrize("run", MEASURED)
def test_all_give_the_whole_models_tokens(run: Any) -> None:
    for seed in range(3):
        w = chat(seed)
        assert run(w).tolist() == oracle(w).tolist()


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("kills", range(1, 4))
def test_deaths_change_no_token(keep: bool, kills: int) -> None:
    w = chat(kills=kills)
    tokens, count = talk(w, keep)
    assert tokens.tolist() == oracle(w).tolist()
    assert count.repeated > 0


def test_servers_change_nothing_but_rounding(alive: Swarm) -> None:
    w = chat()
    own = session(w, alive)
    assert max(error(forward(own, x), true) for x, true in zip(passes(w), hidden(w), strict=True)) < ROUNDING
    assert len(own.stages) == 2  # and five blocks: the spans are uneven
    assert [wire.raw(torch.cat(s.kept, 1)) for s in own.stages[:1]] == [wire.raw(torch.cat(passes(w), 1))]
    own.close()


@pytest.mark.parametrize("at", range(COUNT))
@pytest.mark.parametrize("place", [0, 1])
def test_a_death_anywhere_is_made_good(alive: Swarm, at: int, place: int) -> None:
    w, true = chat(), hidden(chat())
    own = session(w, alive)
    for number, x in enumerate(passes(w)):
        if number == at:
            own.stages = own.stages or open_chain(own, 0, LAYERS)
            alive.kill(own.stages[place].hop.offer.server)
        assert error(forward(own, x), true[number]) < ROUNDING
    spans = [(s.hop.first, s.hop.last) for s in own.stages]
    assert spans[0][0] == 0
    assert spans[-1][1] == LAYERS
    assert all(a[1] == b[0] for a, b in itertools.pairwise(spans))
    assert len(own.stages) == 3  # the borders of the others lie elsewhere: two stand where one stood
    assert {s.length for s in own.stages} == {sum(x.shape[1] for x in passes(w))}
    own.close()


def test_a_death_in_the_middle_of_a_request_is_made_good(alive: Swarm, monkeypatch: pytest.MonkeyPatch) -> None:
    w, true = chat(), hidden(chat())
    own, read, calls = session(w, alive), wire.read, itertools.count()

    def deadly(connection: socket.socket, count: int) -> bytearray:
        if next(calls) == 5:
            victim = next(s for s in own.stages if s.connection is connection).hop.offer
            alive.kill(victim.server)
            connection.shutdown(socket.SHUT_RD)  # what may have come already is lost as well
        return read(connection, count)

    monkeypatch.setattr(wire, "read", deadly)
    for x, expected in zip(passes(w), true, strict=True):
        assert error(forward(own, x), expected) < ROUNDING
    assert own.count.repeated > 0
    own.close()


def test_whoever_stands_in_may_die_too(alive: Swarm, monkeypatch: pytest.MonkeyPatch) -> None:
    w, true = chat(), hidden(chat())
    own, run, deaths = session(w, alive), stage.Stage.run, list[int]()

    def deadly(self: stage.Stage, x: Tensor) -> Tensor:
        if self.hop.first == 4 and not deaths:  # the second of the two that stand in, while it reads the kept inputs
            deaths.append(self.hop.offer.server)
            alive.kill(self.hop.offer.server)
        return run(self, x)

    inputs = passes(w)
    for x in inputs[:3]:
        forward(own, x)
    monkeypatch.setattr(stage.Stage, "run", deadly)
    alive.kill(own.stages[1].hop.offer.server)
    out = forward(own, inputs[3])
    assert deaths == [2]
    assert [s.hop.offer.server for s in own.stages] == [3, 1, 5]
    assert error(out, true[3]) < ROUNDING
    own.close()


def test_a_silent_server_is_left_alone(alive: Swarm, monkeypatch: pytest.MonkeyPatch) -> None:
    w = chat()
    monkeypatch.setattr(wire, "PATIENCE", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as mute:  # connections are taken and nothing is ever said
        silent = Offer(99, 0, LAYERS, 0.0, 0.0, mute.getsockname()[1])
        offers = alive.offers
        monkeypatch.setattr(alive, "offers", lambda delay: [silent, *offers(delay)])
        own = session(w, alive)
        out = forward(own, passes(w)[0])
        assert silent in own.lost
        assert error(out, hidden(w)[0]) < ROUNDING
        own.close()


def test_without_servers_for_a_block_there_is_no_answer(alive: Swarm) -> None:
    w = chat()
    own = session(w, alive)
    for server, (_, last) in enumerate(w.spans):
        if last == LAYERS:
            alive.kill(server)
    with pytest.raises(NoChainError, match="blocks 0 to 5"):
        forward(own, passes(w)[0])
    alive.heal()
    assert error(forward(own, passes(w)[0]), hidden(w)[0]) < ROUNDING
    own.close()


def test_an_input_that_was_not_kept_is_missed(alive: Swarm) -> None:
    """The planted fault: the last row sent to the ragged hop is forgotten."""
    w = chat()
    own, inputs = session(w, alive), passes(w)
    for x in inputs[:3]:
        forward(own, x)
    own.stages[-1].kept.pop()
    alive.kill(own.stages[-1].hop.offer.server)
    assert error(forward(own, inputs[3]), hidden(w)[3]) > 1e-3
    own.close()


def test_what_is_repeated_is_counted() -> None:
    w = chat(kills=1)  # before new token 3, in hop 1, which holds two blocks; 7 + 3 - 1 tokens are known
    assert w.strikes == [(3, 1)]
    assert talk(w, keep=True)[1].repeated == 9 * 2
    assert talk(w, keep=False)[1].repeated == 9 * LAYERS
    assert talk(chat(), keep=True)[1].repeated == 0


def test_bytes_on_the_wire_are_counted() -> None:
    w = chat()
    count = talk(w, keep=True)[1]
    rows = w.prompt.shape[1] + COUNT - 1
    assert count.bytes == rows * 2 * 2 * 4 * w.model.config.width  # two hops, there and back, four bytes
    assert count.hops == 2 * COUNT
    eight = talk(w, keep=True, bits=wire.EIGHT)
    assert eight[0].shape == (1, COUNT)
    assert eight[1].bytes == rows * 2 * 2 * (w.model.config.width + 4)


def test_a_client_that_keeps_nothing_holds_nothing(alive: Swarm) -> None:
    w = chat()
    own = session(w, alive)
    forward_or_forget(own, passes(w)[0])
    assert not any(s.kept for s in own.stages)
    own.close()


def test_distance_is_waited_for() -> None:
    start = time.perf_counter()
    talk(chat(delay=5e-3), keep=True)
    assert time.perf_counter() - start >= (2 + 2 * COUNT) * 2 * 5e-3  # connections and passes, there and back


def test_the_workload_keeps_clear_of_ties() -> None:
    model, w = exact("tiny", "cpu"), chat()
    text = torch.cat((w.prompt, oracle(w)), dim=1)
    best = model(text)[0, w.prompt.shape[1] - 1 : -1].topk(2).values
    assert float((best[:, 0] - best[:, 1]).min()) >= MARGIN
    assert clear(model, w.prompt, COUNT)
    assert make_deaths(PLACE, 2).kills == 2


# Offloading


def test_two_rooms_serve_an_odd_number_of_blocks_in_turn() -> None:
    w = chat()
    turns = offloading.Rooms(w.model, w.host).turns()
    for number in range(3 * LAYERS):
        block = next(turns)
        for own, true in zip(block.parameters(), w.model.blocks[number % LAYERS].parameters(), strict=True):
            assert torch.equal(own, true)
    rooms = offloading.Rooms(w.model, w.host)
    assert rooms.rooms.numel() * LAYERS == 2 * w.host.numel()


# Processes


def below(process: int) -> set[int]:
    """The children of a process."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == process and fields[0] != "Z":
            found.add(int(entry.parent.name))
    return found


def gone(processes: set[int], patience: float = 10.0) -> bool:
    end = time.monotonic() + patience
    while time.monotonic() < end:
        if not any(Path(f"/proc/{process}").exists() for process in processes):
            return True
        time.sleep(0.02)
    return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_the_dead_come_back_and_nothing_outlives_its_keeper() -> None:
    w = chat()
    own = Swarm(w.model, ((0, 2), (2, 5)))
    servers = below(own.process.pid)
    assert len(servers) == 2
    own.kill(1)
    assert [offer.server for offer in own.offers(0.0)] == [0]
    assert len(below(own.process.pid)) == 1
    own.kill(1)  # the dead stay dead
    own.heal()
    assert [offer.server for offer in own.offers(0.0)] == [0, 1]
    servers = below(own.process.pid)
    own.process.kill()  # no time to say goodbye
    assert gone(servers)
    with pytest.raises(swarm.SwarmGoneError, match="has died"):
        own.offers(0.0)
    own.close()
    assert own.process.returncode is not None


def test_changed_weights_get_a_swarm_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    class Double:
        def __init__(self, model: Any, spans: Any) -> None:
            self.marks, self.closed = swarm.marks(model), False

        def close(self) -> None:
            self.closed = True

    monkeypatch.setattr(swarm, "Swarm", Double)
    monkeypatch.setattr(swarm, "SWARMS", {})
    w = replace(chat(), model=copy.deepcopy(chat().model))
    first = swarm.swarm_for(w.model, w.spans)
    assert swarm.swarm_for(w.model, w.spans) is first
    with torch.no_grad():
        w.model.get_parameter("blocks.0.mlp_norm.weight").mul_(1)
    assert swarm.swarm_for(w.model, w.spans) is not first
    assert first.closed  # type: ignore[attr-defined]


# The simulated clock


@st.composite
def plans(draw: st.DrawFn) -> schedule.Plan:
    seconds = st.floats(0.01, 2.0)
    layers, count = draw(st.integers(2, 5)), draw(st.integers(3, 6))
    tiled = calibration.tiles(layers, draw(st.integers(1, layers)))
    found = [Offer(n, a, b, draw(seconds), draw(seconds)) for n, (a, b) in enumerate(tiled)]
    kills = [(at, draw(st.integers(0, 5))) for at in draw(st.sets(st.integers(1, count - 1), max_size=1))]
    step, more, row, load = (draw(seconds) for _ in range(4))
    return schedule.Plan(layers, draw(st.integers(1, 9)), count, kills, found, step, more, row, load, {})


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(plan=plans())
def test_simulated_sessions_are_possible_and_as_long_as_they_must_be(plan: schedule.Plan) -> None:
    true = makespans(plan)
    for name, run in schedule.METHODS.items():
        trace = run(plan)
        assert not virtual.fault_of(trace)
        assert trace.makespan == pytest.approx(true[name], rel=1e-9)
    if not plan.kills:
        assert schedule.restart(plan).makespan == schedule.replay(plan).makespan


@pytest.mark.parametrize("size", ["tiny", "cpu"])
@pytest.mark.parametrize("times", [1, 1000])
def test_the_plan_of_the_benchmark_survives_its_deaths(size: Any, times: int) -> None:
    plan = calibration.make_plan(replace(PLACE, size=size), times)
    covered = [sum(offer.first <= block < offer.last for offer in plan.offers) for block in range(plan.layers)]
    assert min(covered) == 3
    assert len(plan.kills) == 2  # so that each block is held by a living server, whatever the paces
    true = makespans(plan)
    assert schedule.replay(plan).makespan == pytest.approx(true["replay"])
    assert true["replay"] < true["any-chain"]
    assert plan.load * calibration.STORAGE == pytest.approx(plan.costs["one block (bytes)"])


def test_a_schedule_that_forgets_the_replay_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = calibration.make_plan(PLACE, 10)
    send = schedule.Talk.send
    monkeypatch.setattr(
        schedule.Talk, "send", lambda s, h, r, label: None if label == "replay" else send(s, h, r, label)
    )
    assert schedule.replay(plan).makespan < makespans(plan)["replay"]


def test_eight_bits_cost_the_house_model_little() -> None:
    found = {(q.metric, q.detail): q.value for q in quality.eight_bits(chat())}
    whole, eight = (found["bits per byte", f"house model, {name} hidden states"] for name in ("whole", "8-bit"))
    assert 0 < abs(eight - whole) < 0.02 * whole

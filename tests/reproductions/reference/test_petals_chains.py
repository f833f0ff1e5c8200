"""PETALS: which chain a client picks, what goes over the wire, and that nothing of nonsense is believed."""

import socket
from collections.abc import Iterator

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reproductions.reference.petals import wire
from reproductions.reference.petals.method import (
    NoChainError,
    forward,
    route,
)
from reproductions.reference.petals.oracle import cheapest
from reproductions.reference.petals.swarm import Hop, Offer, Swarm
from tests.reproductions.reference.test_petals import ROUNDING, chat, error, hidden, passes, session

# Chains


@st.composite
def offers(draw: st.DrawFn, layers: int = 5) -> list[Offer]:
    found = []
    for server in range(draw(st.integers(1, 6))):
        first = draw(st.integers(0, layers - 1))
        last = draw(st.integers(first + 1, layers))
        pace, delay = (draw(st.integers(0, 8)) / 4 for _ in range(2))  # quarters: sums are exact
        found.append(Offer(server, first, last, pace, delay))
    return found


def every_chain(found: list[Offer], a: int, last: int) -> Iterator[list[Hop]]:
    if a == last:
        yield []
    for offer in found:
        for b in range(a + 1, min(offer.last, last) + 1):
            if offer.first <= a:
                yield from ([Hop(offer, a, b), *rest] for rest in every_chain(found, b, last))


def price(chain: list[Hop]) -> float:
    return sum(2 * hop.offer.delay + (hop.last - hop.first) * hop.offer.pace for hop in chain)


@settings(deadline=None)
@given(found=offers(), first=st.integers(0, 2), last=st.integers(3, 5))
def test_the_chain_is_the_best_of_all(found: list[Offer], first: int, last: int) -> None:
    chains = list(every_chain(found, first, last))
    if not chains:
        with pytest.raises(NoChainError):
            route(found, first, last)
        return
    chain = route(found, first, last)
    assert chain in chains
    assert (price(chain), len(chain)) == min((price(c), len(c)) for c in chains)
    again = [Hop(*hop) for hop in cheapest(found, first, last)]
    assert (price(again), len(again)) == (price(chain), len(chain))


def test_a_far_server_is_passed_by_where_near_ones_are_fewer_seconds_away() -> None:
    near = [Offer(0, 0, 2, 1.0, 1.0), Offer(1, 2, 5, 1.0, 1.0)]
    assert [hop.offer for hop in route([*near, Offer(2, 0, 5, 1.0, 2.5)], 0, 5)] == near
    assert len(route([*near, Offer(2, 0, 5, 1.0, 1.5)], 0, 5)) == 1


# The wire


@settings(deadline=None)
@given(rows=st.integers(1, 5), width=st.integers(1, 150), dtype=st.sampled_from([torch.float32, torch.bfloat16]))
def test_hidden_states_arrive_as_they_were(rows: int, width: int, dtype: torch.dtype) -> None:
    x = torch.randn(1, rows, width, generator=torch.Generator().manual_seed(rows * width)).to(dtype)
    data = bytearray(wire.encode(x, wire.WHOLE))
    assert len(data) == wire.size(rows, width, wire.WHOLE, dtype)
    assert torch.equal(wire.decode(data, rows, width, wire.WHOLE, dtype), x)


@settings(deadline=None)
@given(rows=st.integers(1, 5), width=st.integers(1, 150))
def test_eight_bits_err_by_half_a_step_at_most(rows: int, width: int) -> None:
    x = torch.randn(1, rows, width, generator=torch.Generator().manual_seed(rows * width))
    data = bytearray(wire.encode(x, wire.EIGHT))
    assert len(data) == wire.size(rows, width, wire.EIGHT, x.dtype)
    y = wire.decode(data, rows, width, wire.EIGHT, x.dtype)
    for start in range(0, width, wire.GROUP):  # the last group is shorter
        one, other = (t[0, :, start : start + wire.GROUP] for t in (x, y))
        step = one.abs().amax(1, keepdim=True) / 127
        assert bool(((one - other).abs() <= 0.5001 * step).all())


def test_zeros_survive_eight_bits() -> None:
    x = torch.zeros(1, 2, 70)
    assert torch.equal(wire.decode(bytearray(wire.encode(x, wire.EIGHT)), 2, 70, wire.EIGHT, x.dtype), x)


@pytest.mark.parametrize(
    "wish",
    [
        (wire.OPEN.pack(0, 4, 9), b""),  # four blocks where three are held
        (wire.OPEN.pack(2, 2, 9), b""),
        (wire.OPEN.pack(0, 3, 0), b""),
        (wire.OPEN.pack(0, 3, 1 << 30), b""),
        (wire.OPEN.pack(0, 3, 9), wire.STEP.pack(0, 1, 1)),  # does not begin at the beginning
        (wire.OPEN.pack(0, 3, 9), wire.STEP.pack(7, 0, 1)),
        (wire.OPEN.pack(0, 3, 9), wire.STEP.pack(0, 0, 0)),
        (wire.OPEN.pack(0, 3, 9), wire.STEP.pack(0, 0, 10)),  # no room
    ],
)
def test_nonsense_is_cut_off_and_others_are_served(alive: Swarm, wish: tuple[bytes, bytes]) -> None:
    w = chat()
    three = next(offer for offer in alive.offers(0.0) if (offer.first, offer.last) == (0, 3))
    with wire.prepare(socket.create_connection(("127.0.0.1", three.port))) as connection:
        connection.sendall(wish[0] + wish[1] + bytes(4 * 32 * 10 if wish[1] else 0))  # with hidden states and all
        with pytest.raises(ConnectionError):
            wire.read(connection, 1)
    own = session(w, alive)
    assert error(forward(own, passes(w)[0]), hidden(w)[0]) < ROUNDING
    assert three in [s.hop.offer for s in own.stages]
    own.close()

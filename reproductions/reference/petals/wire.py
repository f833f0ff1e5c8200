"""What passes between client and server: hidden states, as they are or in eight bits, in frames over TCP.

A session is one connection. It opens with the blocks it wants and the room it needs; then each request is a header and
the hidden states of T tokens, and each reply is as many hidden states, coded alike.
"""

import math
import socket
import struct

import torch
from torch import Tensor

PATIENCE = 60.0  # seconds after which a silent peer counts as dead; a new server may have to start a GPU first
OPEN = struct.Struct("<HHI")  # first block, last block (outside), tokens of the whole session
STEP = struct.Struct("<BII")  # bits, position of the first token, tokens
WHOLE, EIGHT = 0, 8  # bits: 0 sends values as they are
GROUP = 64  # values that share a scale


def encode(x: Tensor, bits: int) -> bytes:
    """Hidden states ``x`` [1, T, C] as bytes: their own, or per group of 64 a scale and eight bits a value."""
    if bits == WHOLE:
        return raw(x)
    rows = x.float().reshape(-1, x.shape[-1])
    groups = torch.nn.functional.pad(rows, (0, -rows.shape[1] % GROUP)).view(len(rows), -1, GROUP)
    scale = groups.abs().amax(-1, keepdim=True).clamp(min=1e-30) / 127
    codes = (groups / scale).round().to(torch.int8).view(len(rows), -1)[:, : x.shape[-1]]
    return raw(scale) + raw(codes)


def decode(data: bytearray, rows: int, width: int, bits: int, dtype: torch.dtype) -> Tensor:
    """The hidden states [1, T, C] that were encoded; the memory of ``data`` is theirs from now on."""
    if bits == WHOLE:
        return torch.frombuffer(data, dtype=dtype).view(1, rows, width)
    groups = -(-width // GROUP)
    scale = torch.frombuffer(data, dtype=torch.float32, count=rows * groups).view(rows, groups, 1)
    codes = torch.frombuffer(data, dtype=torch.int8, offset=4 * rows * groups).view(rows, width)
    values = scale.expand(-1, -1, GROUP).reshape(rows, -1)[:, :width] * codes
    return values.to(dtype)[None]


def size(rows: int, width: int, bits: int, dtype: torch.dtype) -> int:
    """Bytes of ``rows`` encoded hidden states."""
    return rows * (width * dtype.itemsize if bits == WHOLE else width + 4 * math.ceil(width / GROUP))


def raw(x: Tensor) -> bytes:
    """The bytes of a tensor."""
    return x.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes()


def read(connection: socket.socket, count: int) -> bytearray:
    """Exactly ``count`` bytes. Raises ``ConnectionError`` where the other side is gone, ``TimeoutError`` if silent."""
    data = bytearray(count)
    view, got = memoryview(data), 0
    while got < count:
        more = connection.recv_into(view[got:])
        if not more:
            raise ConnectionError("the other side has closed the connection")
        got += more
    return data


def prepare(connection: socket.socket) -> socket.socket:
    """No waiting for full packets, and no waiting for ever."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.settimeout(PATIENCE)
    return connection


def connect(port: int, first: int, last: int, room: int) -> socket.socket:
    """Open a session of ``room`` tokens on the blocks [first, last). Raises ``OSError`` where nobody listens."""
    connection = prepare(socket.create_connection(("127.0.0.1", port), timeout=PATIENCE))
    connection.sendall(OPEN.pack(first, last, room))
    return connection

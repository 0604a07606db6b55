"""Handshakes that cannot be read get an answer, and those that can are not touched."""

import asyncio

import pytest

from tests.live_server import live_server

UPGRADE = (
    "GET /streams/{name}/subscribe HTTP/1.1\r\nHost: x\r\n{header}Upgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Protocol: audiosockets.v1\r\n\r\n"
)


async def answer(port: int, request: str) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request.encode())
    async with asyncio.timeout(10):
        line = await reader.readline()
        if not line.startswith(b"HTTP/1.1 101"):
            await reader.read()  # until the server closes
    writer.close()
    await writer.wait_closed()
    return line


@pytest.mark.parametrize(
    "name, header, status",
    [
        ("talk", "", b"101"),
        ("x" * 7_000, "", b"101"),
        ("x" * 9_000, "", b"431"),
        ("x" * 60_000, "", b"431"),
        ("talk", f"X-Long: {'y' * 20_000}\r\n", b"431"),
        ("talk", "".join(f"X-{n}: y\r\n" for n in range(300)), b"431"),
    ],
)
def test_what_is_too_long_is_told_and_closed(name: str, header: str, status: bytes) -> None:
    with live_server() as server:
        line = asyncio.run(answer(server.port, UPGRADE.format(name=name, header=header)))
    assert line.split()[1] == status

"""A raw client of live streams, written from docs/hub.md alone."""

import asyncio
import json
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

Message = dict[str, Any]
TOKENS = {"listen_token": "listen-" * 4, "publish_token": "publish-" * 4, "record_token": "record-" * 4}
LISTEN, PUBLISH, RECORD = TOKENS.values()


def binary(header: Message, payload: bytes = b"") -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<I", len(text)) + text + payload


def parse(message: str | bytes) -> Message:
    """Text as it is; of binary messages the header, with `payload`."""
    if isinstance(message, str):
        values: Message = json.loads(message)
        return values
    (length,) = struct.unpack_from("<I", message)
    assert (4 + length) % 8 == 0, "payloads are aligned"
    return {"type": "binary", **json.loads(message[4 : 4 + length]), "payload": message[4 + length :]}


class Peer:
    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def send(self, kind: str, **fields: Any) -> None:
        await self.socket.send(json.dumps({"type": kind, **fields}))

    async def audio(self, start: int, pcm: bytes) -> None:
        await self.socket.send(binary({"layer": "audio", "start": start}, pcm))

    async def next(self) -> Message:
        """But `alive`, which comes at any time."""
        async with asyncio.timeout(20):
            while (message := parse(await self.socket.recv()))["type"] == "alive":
                pass
            return message

    async def until(self, kind: str, **fields: Any) -> list[Message]:
        """Every message up to the one that has these fields."""
        heard: list[Message] = []
        while not heard or heard[-1]["type"] != kind or any(heard[-1].get(k) != v for k, v in fields.items()):
            heard.append(await self.next())
        return heard

    async def rest(self) -> list[Message]:
        """Everything up to the close, which comes last as `closed` with its code."""
        heard: list[Message] = []
        try:
            while True:
                heard.append(await self.next())
        except ConnectionClosed:
            return [*heard, {"type": "closed", "code": self.socket.close_code}]


@asynccontextmanager
async def hub_socket(port: int, path: str, token: str = "", scheme: str = "ws", **options: Any) -> AsyncIterator[Peer]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    options = {"subprotocols": ["audiosockets.v1"], "compression": None, "max_size": None, **options}
    url = f"{scheme}://127.0.0.1:{port}/streams/{path}"
    async with connect(url, additional_headers=headers, **options) as socket:
        yield Peer(socket)


@asynccontextmanager
async def recording(port: int, name: str, **fields: Any) -> AsyncIterator[tuple[Peer, Message]]:
    """A recorder that has sent `record`, and what it was answered."""
    access = fields.pop("access", TOKENS)
    options = {option: fields.pop(option) for option in ("scheme", "ssl", "origin") if option in fields}
    async with hub_socket(port, f"{name}/record", **options) as peer:
        await peer.send("record", **{"encoding": "s16le", "sample_rate": 16_000, "access": access, **fields})
        yield peer, await peer.next()


def ramp(start: int, count: int) -> bytes:
    """16-bit samples that say their own position."""
    return (np.arange(start, start + count) % 30_000).astype("<i2").tobytes()


def sound(messages: list[Message]) -> bytes:
    return b"".join(m["payload"] for m in messages if m["type"] == "binary" and m["layer"] == "audio")

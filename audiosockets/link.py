"""One WebSocket at a time to the server, opened again when it is lost; a link that went silent counts as lost."""

import asyncio
import contextlib
import logging
import random
import ssl
import time
from collections.abc import AsyncIterator
from urllib.parse import urlencode

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.typing import Subprotocol

from audiosockets.audio import Format
from audiosockets.config import Config
from audiosockets.wire import MAX_MESSAGE_BYTES, Message, Refusal, decode

log = logging.getLogger("audiosockets")
OPEN_TIMEOUT_S = 10.0
QUIET_S = 5.0  # after so long without a word the server is asked whether it is there
DEAD_S = 15.0  # and given up after so long
PAUSES_S = (0.25, 5.0)  # between two attempts: first, longest
TEMPORARY_CODES = {"internal", "not_found", "too_many", "timeout"}
TEMPORARY_CLOSES = {1000, 1001, 1005, 1006, 1011, 1012, 1013, 4404, 4408, 4429}
TEMPORARY_STATUSES = {408, 425, 429, 500, 502, 503, 504}


class Refused(Exception):
    """The server said no, and would say it again. `code` is that of the protocol's error, or of HTTP or the close."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{message} ({code})")
        self.code = code


class Unavailable(Refused):
    """The server said no for now."""


LOSSES = (OSError, TimeoutError, ConnectionClosed, InvalidHandshake, Unavailable)


class Link:
    """An open socket. Only one task receives."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._waiting_since: float | None = None

    async def send(self, message: str | bytes) -> None:
        await self._socket.send(message)

    async def receive(self, format: Format | None = None) -> Message:
        """The next message that this version knows. Raises Refused, or one of LOSSES."""
        while True:
            self._waiting_since = time.monotonic()
            try:
                message = decode(await self._socket.recv(), format)
            finally:
                self._waiting_since = None
            if isinstance(message, Refusal):
                raise (Unavailable if message.code in TEMPORARY_CODES else Refused)(message.code, message.message)
            if message is not None:
                return message

    async def watch(self) -> None:
        """Gives the link up when the server has been silent and answers no ping, while its word is waited for.

        The library's own pings would also give up a server that holds back a recorder, or a link that a processor
        does not read because it is busy.
        """
        while True:
            await asyncio.sleep(QUIET_S)
            since = self._waiting_since
            if since is None or time.monotonic() - since < QUIET_S:
                continue
            asking = asyncio.ensure_future(self._ask())
            try:
                await asyncio.wait((asking,), timeout=DEAD_S - QUIET_S)
                if not asking.done() and self._waiting_since == since:
                    log.warning("the server has been silent for %.0f s", time.monotonic() - since)
                    self._socket.transport.abort()
            finally:
                asking.cancel()

    async def _ask(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            await (await self._socket.ping())


@contextlib.asynccontextmanager
async def link(config: Config, action: str, **query: str) -> AsyncIterator[Link]:
    """An open socket to /streams/{stream}/{action}."""
    url = config.stream_url(action) + (f"?{urlencode(query, safe=',*')}" if query else "")
    agent = f"audiosockets ({config.name})" if config.name else "audiosockets"
    offered = [Subprotocol(each) for each in config.subprotocols]
    async with connect(
        url, subprotocols=offered, additional_headers=config.headers, ssl=config.ssl_context(),
        user_agent_header=agent, compression=None, max_size=2 * MAX_MESSAGE_BYTES,
        open_timeout=OPEN_TIMEOUT_S, close_timeout=1, ping_interval=None,
    ) as socket:  # fmt: skip
        opened = Link(socket)
        watching = asyncio.create_task(opened.watch())
        try:
            yield opened
        finally:
            watching.cancel()


class Pauses:
    """What to do about a lost link: wait a growing, random while, or give up."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._next_s = PAUSES_S[0]

    def reset(self) -> None:
        """The link is good."""
        self._next_s = PAUSES_S[0]

    async def after(self, error: BaseException) -> None:
        """Raises Refused when another attempt makes no sense."""
        if refused := refusal(error):
            raise refused from error
        pause_s = random.uniform(self._next_s / 2, self._next_s)
        self._next_s = min(PAUSES_S[1], self._next_s * 2)
        log.warning("%s: %s; again in %.1f s", self._what, _described(error), pause_s)
        await asyncio.sleep(pause_s)


def refusal(error: BaseException) -> Refused | None:
    if isinstance(error, ConnectionClosed) and error.rcvd is not None:
        if error.rcvd.code not in TEMPORARY_CLOSES:
            return Refused(str(error.rcvd.code), error.rcvd.reason or "the server closed the connection")
    if isinstance(error, InvalidStatus) and error.response.status_code not in TEMPORARY_STATUSES:
        return Refused(str(error.response.status_code), "the server refused the connection")
    if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return Refused("tls", str(error))
    return None


def _described(error: BaseException) -> str:
    if isinstance(error, ConnectionClosed) and error.rcvd is not None and error.rcvd.reason:
        return error.rcvd.reason
    return str(error) or type(error).__name__

"""A TCP proxy that is as bad as a network can be: it delays, throttles, stalls, and cuts.

In a test: `with Proxy(port) as proxy: ... proxy.cut()`. As a process of its own, with periodic stalls:
`python -m tests.audiosockets.proxy LISTEN_PORT TARGET_PORT DELAY_S BYTES_PER_S STALL_EVERY_S STALL_S`.
"""

import asyncio
import contextlib
import ssl
import sys
import threading
from types import TracebackType
from typing import Self

CHUNK_BYTES = 4096


class Proxy:
    """Runs in a thread. Its settings may change at any time and hold for all connections, both ways."""

    def __init__(
        self, target_port: int, port: int = 0, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
    ) -> None:  # fmt: skip
        self.port = port
        self._tls = tls
        self.delay_s = 0.0
        self.bytes_per_s = float("inf")
        self.connections = 0  # so far
        self._target_port, self._host = target_port, host
        self._writers = set[asyncio.StreamWriter]()
        self._loop = asyncio.new_event_loop()
        self._flowing = asyncio.Event()
        self._open = True
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._ready = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def stall(self) -> None:
        """Nothing goes through, nobody is told."""
        self._loop.call_soon_threadsafe(self._flowing.clear)

    def flow(self) -> None:
        self._loop.call_soon_threadsafe(self._flowing.set)

    def cut(self, *, stay_down: bool = False) -> None:
        """Every connection is reset; with `stay_down` so is each new one, until `up`."""
        self._open = not stay_down
        self._loop.call_soon_threadsafe(self._abort)

    def up(self) -> None:
        self._open = True

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._loop.call_soon_threadsafe(self._stop)
        self._thread.join(10)

    def serve_forever(self) -> None:
        self._thread.join()

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        self._flowing.set()
        self._finished = asyncio.Event()
        server = await asyncio.start_server(self._accept, self._host, self.port, ssl=self._tls)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._finished.wait()
        server.close()
        self._abort()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        self._abort()
        await server.wait_closed()
        await asyncio.sleep(0.01)  # for the transports to close

    def _stop(self) -> None:
        self._finished.set()

    def _abort(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        if not self._open:
            return writer.transport.abort()
        ends = {writer}
        self._writers.add(writer)
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._target_port)
            ends.add(back)
            self._writers.add(back)
            await asyncio.gather(self._pump(reader, back), self._pump(there, writer))
        except OSError:
            pass  # one of the ends is gone: so is the other
        finally:
            self._writers -= ends
            for each in ends:
                each.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Delays without slowing down: what arrives waits in a queue, each part for its own time."""
        loop = asyncio.get_running_loop()
        late = asyncio.Queue[tuple[float, bytes]](1000)

        async def deliver() -> None:
            while True:
                due, data = await late.get()
                await asyncio.sleep(max(0.0, due - loop.time()))
                await self._flowing.wait()
                if not data:
                    return writer.write_eof() if writer.can_write_eof() else writer.close()
                writer.write(data)
                await writer.drain()
                await asyncio.sleep(len(data) / self.bytes_per_s)

        delivering = asyncio.create_task(deliver())
        try:
            with contextlib.suppress(OSError):
                while data := await reader.read(CHUNK_BYTES):
                    await late.put((loop.time() + self.delay_s, data))
                await late.put((loop.time() + self.delay_s, b""))
                await delivering
        finally:
            delivering.cancel()


def main(arguments: list[str]) -> None:
    port, target = int(arguments[0]), int(arguments[1])
    delay_s, bytes_per_s, every_s, stall_s = map(float, arguments[2:])
    proxy = Proxy(target, port, "0.0.0.0")
    proxy.delay_s, proxy.bytes_per_s = delay_s, bytes_per_s
    pause = threading.Event()
    with proxy:
        while True:
            pause.wait(every_s)
            proxy.stall()
            pause.wait(stall_s)
            proxy.flow()


if __name__ == "__main__":
    main(sys.argv[1:])

import asyncio
import ssl

import pytest
from websockets.exceptions import ConnectionClosedError
from websockets.frames import Close

from audiosockets import link as module
from audiosockets.config import Config
from audiosockets.link import LOSSES, Pauses, Refused, Unavailable, link, refusal
from audiosockets.wire import ProtocolError, Stream
from tests.audiosockets.clients import TOKEN, recording
from tests.audiosockets.proxy import Proxy


def closed(code: int) -> ConnectionClosedError:
    return ConnectionClosedError(Close(code, "why"), None)


@pytest.mark.parametrize("code, again", [(1006, True), (1012, True), (4404, True), (1008, False), (4409, False)])
def test_which_closes_are_worth_another_attempt(code: int, again: bool) -> None:
    found = refusal(closed(code))
    assert (found is None) == again
    if found:
        assert str(found) == f"why ({code})"


def test_a_wrong_certificate_is_no_matter_of_time() -> None:
    assert isinstance(refusal(ssl.SSLCertVerificationError("expired")), Refused)
    assert refusal(ConnectionRefusedError()) is None


def test_pauses_grow_and_begin_anew() -> None:
    async def main() -> list[float]:
        pauses = Pauses("test")
        slept = list[float]()

        async def sleep(seconds: float) -> None:
            slept.append(seconds)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("audiosockets.link.asyncio.sleep", sleep)
            for _ in range(9):
                await pauses.after(OSError())
            pauses.reset()
            await pauses.after(OSError())
        return slept

    slept = asyncio.run(main())
    for n, seconds in enumerate(slept[:9]):
        longest = min(5.0, 0.25 * 2**n)
        assert longest / 2 <= seconds <= longest
    assert slept[9] <= 0.25


def test_errors_of_the_server_have_a_class_for_each_reaction(url: str, stream: str) -> None:
    async def greeting(config: Config) -> object:
        async with link(config, "subscribe", layers="audio") as opened:
            return await opened.receive()

    with pytest.raises(Unavailable, match="not_found"):
        asyncio.run(greeting(Config(url, stream=stream, token=TOKEN)))
    with pytest.raises(Refused, match="token_needed"):
        asyncio.run(greeting(Config(url, stream=stream)))
    with recording(url, stream, open=True):
        assert isinstance(asyncio.run(greeting(Config(url, stream=stream))), Stream)


def test_a_server_that_speaks_something_else_is_a_protocol_error(url: str) -> None:
    async def main() -> None:
        async with link(Config(url.replace("http", "ws") + "/ws", stream="x"), "record"):
            pass

    with pytest.raises(LOSSES) as caught:
        asyncio.run(main())
    found = refusal(caught.value)
    assert found is not None and found.code == "403"
    assert issubclass(ProtocolError, Exception) and not issubclass(ProtocolError, LOSSES)


def test_a_link_that_went_silent_is_given_up(
    monkeypatch: pytest.MonkeyPatch, url: str, stream: str, proxy: Proxy
) -> None:
    monkeypatch.setattr(module, "QUIET_S", 0.1)
    monkeypatch.setattr(module, "DEAD_S", 0.3)

    async def main() -> None:
        async with link(Config(proxy.url, stream=stream, token=TOKEN), "subscribe", layers="audio") as opened:
            await opened.receive()
            await asyncio.sleep(0.5)
            proxy.stall()
            await opened.receive()

    with recording(url, stream), pytest.raises(ConnectionClosedError):
        asyncio.run(main())
    proxy.flow()


def test_a_link_that_is_quiet_but_alive_stays(
    monkeypatch: pytest.MonkeyPatch, url: str, stream: str, proxy: Proxy
) -> None:
    monkeypatch.setattr(module, "QUIET_S", 0.05)
    monkeypatch.setattr(module, "DEAD_S", 5.0)

    async def main() -> None:
        async with link(Config(proxy.url, stream=stream, token=TOKEN), "subscribe", layers="audio") as opened:
            await opened.receive()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(opened.receive(), 0.5)

    with recording(url, stream):
        asyncio.run(main())
    assert proxy.connections == 1

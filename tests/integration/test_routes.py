"""What HTTP answers: the list, the page, and who may not even open a WebSocket."""

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from tests.hub_client import LISTEN, hub_socket, recording
from tests.live_server import LiveServer, live_server


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    with live_server(allowed_origins="https://friend.example", title="会議") as running:
        yield running


def get(port: int, path: str, token: str = "") -> tuple[int, str]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def names(port: int, token: str = "") -> list[str]:
    return [stream["name"] for stream in json.loads(get(port, "/streams", token)[1])["streams"]]


async def status(port: int, path: str, **options: Any) -> int:
    try:
        async with hub_socket(port, path, **options):
            return 101
    except InvalidStatus as error:
        return error.response.status_code


def test_the_list_shows_what_the_caller_may_hear(server: LiveServer) -> None:
    async def main(port: int) -> None:
        async with recording(port, "private"), recording(port, "public", access={"open": True}):
            assert await asyncio.to_thread(names, port) == ["public"]
            assert await asyncio.to_thread(names, port, LISTEN) == ["private", "public"]
            assert await asyncio.to_thread(names, port, "wrong") == ["public"]

    asyncio.run(main(server.port))


def test_on_a_trusted_network_the_list_shows_all() -> None:
    async def main(port: int) -> None:
        async with recording(port, "private"):
            assert await asyncio.to_thread(names, port) == ["private"]

    with live_server(streams_open=True) as server:
        asyncio.run(main(server.port))


@pytest.mark.parametrize(
    "origin, expected",
    [
        ("https://evil.example", 403),
        ("http://127.0.0.1:1", 403),
        ("null", 403),
        ("https://friend.example", 101),
        ("http://127.0.0.1:{port}", 101),
        (None, 101),
    ],
)
def test_pages_of_other_sites_may_not_connect(server: LiveServer, origin: str | None, expected: int) -> None:
    options = {"origin": origin.format(port=server.port)} if origin else {}
    for action in ("record", "subscribe", "publish"):
        assert asyncio.run(status(server.port, f"any/{action}", **options)) == expected


def test_clients_of_other_protocols_are_told(server: LiveServer) -> None:
    assert asyncio.run(status(server.port, "any/subscribe", subprotocols=None)) == 400
    assert asyncio.run(status(server.port, "any/subscribe", subprotocols=["speech.v1"])) == 400


@pytest.mark.parametrize(
    "path",
    ["any", "any/other", "/record", "a/b/record", "a%2Fb/record", "../streams/a/x", "any/record/", "%2e%2e/%2e%2e/x"],
)
def test_paths_that_are_none(server: LiveServer, path: str) -> None:
    assert asyncio.run(status(server.port, path)) in (403, 404)


@pytest.mark.parametrize("name", ["..", ".hidden", "a%20b", "%00", "x" * 65, "%E3%81%82", "a%0a"])
def test_names_that_are_none(server: LiveServer, name: str) -> None:
    async def main(port: int) -> None:
        async with hub_socket(port, f"{name}/subscribe", LISTEN) as peer:
            error, closed = await peer.rest()
            assert (error["code"], closed["code"]) == ("protocol", 1008) and "name" in error["message"]

    asyncio.run(main(server.port))
    assert get(server.port, f"/listen/{name}")[0] == 404


def test_the_page_of_captions(server: LiveServer) -> None:
    status, body = get(server.port, "/listen/talk")
    assert status == 200 and "talk" in body and "会議" in body


def test_a_closed_server_lets_nobody_else_make_streams() -> None:
    with live_server(access_token="secret") as server:
        for path, offered, expected in (
            ("any/record", [], 401),
            ("any/record", ["token.d3Jvbmc"], 401),
            ("any/record", ["token.c2VjcmV0"], 101),
            ("any/subscribe", [], 101),  # and then the token of the stream decides
        ):
            assert asyncio.run(status(server.port, path, subprotocols=["audiosockets.v1", *offered])) == expected

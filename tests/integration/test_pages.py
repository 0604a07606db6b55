"""What pages load, their own and those of other origins, and who may open a stream."""

import asyncio
import json
import urllib.request
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError

from tests.live_server import LiveServer, live_server

ELSEWHERE = "https://elsewhere.example"


def get(server: LiveServer, path: str, origin: str = ELSEWHERE) -> tuple[dict[str, str], bytes]:
    request = urllib.request.Request(f"http://127.0.0.1:{server.port}{path}", headers={"Origin": origin})
    with urllib.request.urlopen(request, timeout=10) as response:
        return {name.lower(): value for name, value in response.headers.items()}, response.read()


def test_the_list_of_models() -> None:
    with live_server(models={"en": "m1", "ja": "m2", "de": "m1"}, default_lang="ja") as server:
        listed = json.loads(get(server, "/v1/models")[1])
    assert listed == {
        "object": "list",
        "default_lang": "ja",
        "data": [
            {"id": "m2", "object": "model", "langs": ["ja"]},
            {"id": "m1", "object": "model", "langs": ["en", "de"]},
        ],
    }


@pytest.mark.parametrize("path", ["/static/js/speech-recognition.js", "/v1/models"])
def test_pages_of_allowed_origins_may_load_the_module(path: str) -> None:
    with live_server(allowed_origins=ELSEWHERE) as server:
        assert get(server, path)[0]["access-control-allow-origin"] == ELSEWHERE
        assert "access-control-allow-origin" not in get(server, path, "https://other.example")[0]
        assert "access-control-allow-origin" not in get(server, "/")[0]
    with live_server() as server:
        assert "access-control-allow-origin" not in get(server, path)[0]


@pytest.mark.parametrize("settings, headers, code", [
    ({}, {"Origin": ELSEWHERE}, 4403),
    ({"allowed_origins": ELSEWHERE, "access_token": "secret"}, {"Origin": ELSEWHERE}, 4401),
])  # fmt: skip
@pytest.mark.parametrize("subprotocols", [["speech.v1"], None])
def test_who_may_not_connect_is_told_why(
    settings: dict[str, Any], headers: dict[str, str], code: int, subprotocols: list[str] | None
) -> None:
    async def main(url: str) -> str:
        async with connect(url, additional_headers=headers, subprotocols=subprotocols) as socket:  # type: ignore[arg-type]
            said = str(await socket.recv())
            with pytest.raises(ConnectionClosedError) as error:
                await socket.recv()
            assert error.value.rcvd and error.value.rcvd.code == code
            return said

    with live_server(**settings) as server:
        assert "not_allowed" in asyncio.run(main(server.url))


@pytest.mark.parametrize("settings, headers, subprotocols", [
    ({}, {}, ["speech.v1"]),
    ({"allowed_origins": "*"}, {"Origin": ELSEWHERE}, ["speech.v1"]),
    ({"access_token": "secret"}, {"Authorization": "Bearer secret"}, ["speech.v1"]),
    ({"access_token": "secret"}, {}, ["speech.v1", "token.c2VjcmV0"]),
])  # fmt: skip
def test_who_may_connect(settings: dict[str, Any], headers: dict[str, str], subprotocols: list[str]) -> None:
    async def main(url: str) -> None:
        async with connect(url, additional_headers=headers, subprotocols=subprotocols) as socket:  # type: ignore[arg-type]
            await socket.send('{"type": "start"}')
            assert json.loads(await socket.recv())["type"] == "ready"
            assert socket.subprotocol == "speech.v1"

    with live_server(**settings) as server:
        asyncio.run(main(server.url))

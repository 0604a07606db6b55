"""The HTTP side: page, health, refusal when full."""

import asyncio
import json
import urllib.error
import urllib.request
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.live_server import LiveServer, live_server


def get(server: LiveServer, path: str) -> tuple[int, dict[str, str], str]:
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=10) as response:
        return response.status, dict(response.headers.items()), response.read().decode()


def test_page_and_health() -> None:
    with live_server(title="会議の記録 <b>") as server:
        status, headers, body = get(server, "/")
        assert status == 200 and "<b>" not in body
        assert "script-src 'self'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert json.loads(get(server, "/readyz")[2]) == {"ready": True}
        assert get(server, "/healthz")[0] == 200
        with pytest.raises(urllib.error.HTTPError) as error:
            get(server, "/static/../settings.py")
        assert error.value.code == 404
        error.value.close()


def test_one_stream_too_many_is_answered_503() -> None:
    async def main(url: str) -> Any:
        async with connect(url) as first:
            await first.ping()
            with pytest.raises(InvalidStatus) as error:
                await connect(url)
            return error.value.response

    with live_server(max_streams=1) as server:
        response = asyncio.run(main(server.url))
    assert response.status_code == 503 and response.headers["Retry-After"] == "5"


def test_no_new_stream_while_the_recogniser_is_behind() -> None:
    async def main(server: LiveServer) -> None:
        async with connect(server.url) as first:
            server.backend.late = True
            with pytest.raises(InvalidStatus) as error:
                await connect(server.url)
            assert error.value.response.status_code == 503
            await first.ping()  # who was let in stays
            server.backend.late = False
            async with connect(server.url):
                pass

    with live_server() as server:
        asyncio.run(main(server))
